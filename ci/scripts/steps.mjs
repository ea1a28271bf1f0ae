// Steps of an installation: run a command, show that it moves, keep its output in a log, and say clearly why it failed.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const logFile = join(root, ".mlsys", "install.log");

/** An error whose message alone is for the user. */
export class SetupError extends Error {}

/** Of whoever typed the command: shown above the usage, exit code 2. */
export class UsageError extends SetupError {}

/** `parseArgs` whose complaints are one sentence. @throws UsageError */
export function parseOptions(argv, options, allowPositionals = false) {
  try {
    return parseArgs({ args: argv, options, allowPositionals });
  } catch (error) {
    if (!error?.code?.startsWith("ERR_PARSE_ARGS")) throw error;
    throw new UsageError(`${error.message.split(/\. |\n/)[0].replace(/\.$/, "")}.`);
  }
}

/**
 * Runs a script's main function: prints what is for the user without a stack, and sets the exit code
 * (2 for wrong usage, 1 for what the machine lacks).
 */
export async function command(usage, main) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error instanceof UsageError ? `${error.message}\n${usage}` : error.message);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}

const running = new Set();

/** Stops the commands that are under way; for Ctrl-C. */
export function stopSteps() {
  for (const child of running) child.kill("SIGTERM");
}

/** Runs a command as a named step; its output goes to the log. @throws SetupError with the end of its output. */
export function step(label, command, args, { cwd = root, env = process.env } = {}) {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, "a");
  writeSync(log, `\n## ${label}: ${command} ${args.join(" ")}\n`);
  const started = Date.now();
  const live = process.stderr.isTTY;
  let last = "";
  let tail = "";
  const show = () => {
    const seconds = Math.round((Date.now() - started) / 1000);
    const width = (process.stderr.columns ?? 80) - 1;
    process.stderr.write(`\r\x1b[K${`… ${label} (${seconds} s) ${last}`.slice(0, width)}`);
  };
  if (!live) process.stderr.write(`… ${label}\n`);
  const ticker = live ? setInterval(show, 200) : undefined;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    running.add(child);
    const take = (chunk) => {
      writeSync(log, chunk);
      tail = (tail + chunk).slice(-4000);
      last =
        tail
          .trimEnd()
          .split(/[\r\n]+/)
          .at(-1) ?? "";
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("error", (error) => finish(error.message));
    child.on("close", (code, signal) =>
      finish(code === 0 ? null : signal ? `stopped by ${signal}` : `exit code ${code}`),
    );
    const finish = (problem) => {
      clearInterval(ticker);
      running.delete(child);
      closeSync(log);
      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      if (live) process.stderr.write("\r\x1b[K");
      if (problem === null) {
        process.stderr.write(`✓ ${label} (${seconds} s)\n`);
        resolve();
        return;
      }
      const lines = tail.trimEnd().split("\n").slice(-20).join("\n");
      reject(
        new SetupError(
          `✗ ${label} failed: ${problem}\n${lines}\nThe whole output is in ${relative(process.cwd(), logFile)}; the next run takes up from here.`,
        ),
      );
    };
  });
}

/** A digest of files' names, sizes and times (folders are walked, except those that tools write). */
export function fingerprint(paths, { content = false } = {}) {
  const hash = createHash("sha256");
  const visit = (path) => {
    if (!existsSync(path)) return;
    const info = statSync(path);
    if (info.isDirectory()) {
      for (const name of readdirSync(path).sort())
        if (name !== "node_modules" && name !== "dist") visit(join(path, name));
      return;
    }
    hash.update(relative(root, path));
    hash.update(content ? readFileSync(path) : `${info.size}:${info.mtimeMs}`);
  };
  for (const path of paths) visit(join(root, path));
  return hash.digest("hex");
}

/** Does `work` unless `stamp` says that it was done for this `digest`. The stamp is written last, so half-done work is done again. */
export async function once(stamp, digest, work) {
  const file = join(root, stamp);
  if (existsSync(file) && readFileSync(file, "utf8") === digest) return;
  await work();
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, digest);
}
