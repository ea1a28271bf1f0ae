// The test suites, run one after the other, and one count over all of them as the last line.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build, jupyter, nodePackages, webgpuDriver } from "./setup.mjs";
import { parseOptions, root, SetupError } from "./steps.mjs";

export const usage =
  "Usage: npm test -- [--all]\n  --all   also the slow suites: the browser, other versions of Node, whole chapters";

/** Runs a command with its output shown; resolves to whether it succeeded. */
function show(title, args, env = {}) {
  process.stdout.write(`\n== ${title}\n`);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...env },
    });
    child.on("error", () => resolve(false));
    child.on("close", (code) => resolve(code === 0));
  });
}

const tool = (path) => join(root, "node_modules", path);

async function vitest(all) {
  const report = join(root, ".mlsys", "vitest.json");
  mkdirSync(join(root, ".mlsys"), { recursive: true });
  rmSync(report, { force: true });
  const args = [
    tool("vitest/vitest.mjs"),
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
  ];
  const ok = await show("tests", args, all ? { MLSYS_TEST_ALL: "1" } : {});
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
      readFileSync(report, "utf8"),
    );
    const broken = testResults.filter(
      (file) => file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed"),
    ).length;
    const failed = numFailedTests + broken;
    return {
      passed: numPassedTests,
      failed: ok ? failed : Math.max(1, failed),
      skipped: numPendingTests + numTodoTests,
    };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

export async function main(argv) {
  const { all = false, help } = parseOptions(argv, {
    all: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  }).values;
  if (help) {
    console.log(usage);
    return 0;
  }
  try {
    await nodePackages();
    await build();
    await jupyter();
    await webgpuDriver();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    console.log("0 passed, 1 failed");
    return 1;
  }
  const checks = [
    await show("lint and format", [tool("@biomejs/biome/bin/biome"), "check", "--error-on-warnings", "."]),
    await show("layers", [
      tool("dependency-cruiser/bin/dependency-cruise.mjs"),
      "--config",
      ".dependency-cruiser.cjs",
      "lib/src",
      "kernel/src",
      "ci/src",
    ]),
    await show("exercises are up to date", ["ci/bin/mlsys-grade.mjs", "generate", "--check"]),
  ];
  const counted = await vitest(all);
  const passed = counted.passed + checks.filter(Boolean).length;
  const failed = counted.failed + checks.filter((ok) => !ok).length;
  console.log(
    `\n${passed} passed, ${failed} failed${counted.skipped > 0 ? `, ${counted.skipped} skipped` : ""}`,
  );
  return failed > 0 ? 1 : 0;
}
