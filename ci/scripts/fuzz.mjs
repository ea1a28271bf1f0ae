// npm run fuzz: the property tests again and again, each round with other random cases. A failure prints its seed; run that
// file with MLSYS_SEED=SEED to see it again.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { command, parseOptions, root, UsageError } from "./steps.mjs";

const usage = `Usage: npm run fuzz -- [--programs N] [--rounds N] [PATH ...]
  --programs  random programs that are run in every way, over all rounds (default 10000)
  --rounds    times that the files are run, each in processes of its own (default 10)
  --all       every file with property tests, instead of those that compare ways of running programs
  PATH        files or folders of tests; default lib/test/fuzz`;

/** Test files that draw cases by fast-check. */
function propertyTests() {
  return ["lib", "kernel", "ci"].flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, withFileTypes: true })
      .filter((file) => file.name.endsWith(".test.ts") && !file.parentPath.includes("node_modules"))
      .map((file) => join(file.parentPath, file.name))
      .filter((path) => readFileSync(path, "utf8").includes('from "fast-check"'))
      .map((path) => relative(root, path)),
  );
}

function vitest(paths, env) {
  return new Promise((resolve) => {
    const args = [join(root, "node_modules/vitest/vitest.mjs"), "run", ...paths];
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...env },
    });
    child.on("error", () => resolve(false));
    child.on("close", (code) => resolve(code === 0));
  });
}

function positive(text, name) {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new UsageError(`--${name} takes a whole number from 1 on, not "${text}".`);
}

async function main(argv) {
  const { values, positionals } = parseOptions(
    argv,
    {
      programs: { type: "string", default: "10000" },
      rounds: { type: "string", default: "10" },
      all: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
    true,
  );
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const rounds = positive(values.rounds, "rounds");
  const each = Math.ceil(positive(values.programs, "programs") / rounds);
  const paths = positionals.length > 0 ? positionals : values.all ? propertyTests() : ["lib/test/fuzz"];
  let failed = 0;
  for (let round = 1; round <= rounds; round++) {
    console.log(`\n== round ${round} of ${rounds}`);
    const env = { MLSYS_SEED: process.env.MLSYS_SEED ?? "random", MLSYS_FUZZ_RUNS: String(each) };
    if (!(await vitest(paths, env))) failed++;
  }
  console.log(`\n${rounds - failed} rounds passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

await command(usage, main);
