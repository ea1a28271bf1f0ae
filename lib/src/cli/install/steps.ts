/** Steps of an installation: run a command, show that it moves, keep the end of its output, stop it on Ctrl-C. */
import { spawn } from "node:child_process";
import { InstallError } from "./errors.js";

const TAIL = 8000; // characters of output that an error may quote from
const QUOTED_LINES = 12;

export interface StepOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** Turns a known failure's output into what to do about it; undefined: the end of the output is shown. */
  readonly explain?: (output: string) => string | undefined;
}

/** How a step shows itself: a line that is rewritten on a terminal, a line at its start and its end in a log. */
export function showStep(label: string): { say(text: string): void; end(ok: boolean): void } {
  const live = process.stderr.isTTY;
  const started = Date.now();
  const seconds = (digits: number) => ((Date.now() - started) / 1000).toFixed(digits);
  let last = "";
  const draw = () => {
    const line = `… ${label} (${seconds(0)} s) ${last}`;
    process.stderr.write(`\r\x1b[K${line.slice(0, (process.stderr.columns ?? 80) - 1)}`);
  };
  const ticker = live ? setInterval(draw, 200) : undefined;
  if (!live) process.stderr.write(`… ${label}\n`);
  return {
    say: (text) => {
      last = text;
    },
    end: (ok) => {
      clearInterval(ticker);
      if (live) process.stderr.write("\r\x1b[K");
      process.stderr.write(`${ok ? "✓" : "✗"} ${label} (${seconds(1)} s)\n`);
    },
  };
}

/** Work of our own as a step. */
export async function step<T>(label: string, work: (say: (text: string) => void) => Promise<T>): Promise<T> {
  const shown = showStep(label);
  let ok = false;
  try {
    const result = await work(shown.say);
    ok = true;
    return result;
  } finally {
    shown.end(ok);
  }
}

/**
 * Runs a command as a step.
 * @returns what it wrote to its standard output
 * @throws InstallError with the end of its output, or what `explain` makes of it
 */
export function command(
  label: string,
  program: string,
  args: readonly string[],
  options: StepOptions,
): Promise<string> {
  return step(label, (say) => execute(label, program, args, options, say));
}

/** {@link command} as a part of a step: shows nothing but what it says. */
export function execute(
  label: string,
  program: string,
  args: readonly string[],
  { cwd, env = process.env, signal, explain }: StepOptions,
  say: (text: string) => void,
): Promise<string> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    // A group of its own: what the command starts ends with it, and Ctrl-C reaches it through us alone.
    const group = process.platform !== "win32";
    const child = spawn(program, args, { cwd, env, detached: group, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let tail = "";
    const kill = () => {
      if (child.pid === undefined) return;
      try {
        if (group) process.kill(-child.pid, "SIGTERM");
        else child.kill();
      } catch {
        // it ended just now
      }
    };
    signal.addEventListener("abort", kill, { once: true });
    const take = (chunk: Buffer) => {
      tail = (tail + chunk).slice(-TAIL);
      const lines = tail.trimEnd().split(/[\r\n]+/);
      say(lines.at(-1) ?? "");
    };
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk;
      take(chunk);
    });
    child.stderr.on("data", take);
    child.on("error", (error) => finish(error.message));
    child.on("close", (code, killed) =>
      finish(code === 0 ? null : killed ? `stopped by ${killed}` : `exit code ${code}`),
    );
    const finish = (problem: string | null) => {
      signal.removeEventListener("abort", kill);
      if (signal.aborted) reject(signal.reason);
      else if (problem === null) resolve(output);
      else {
        const quoted = tail.trimEnd().split("\n").slice(-QUOTED_LINES).join("\n");
        reject(
          new InstallError(`${label} failed: ${explain?.(`${tail}\n${problem}`) ?? `${problem}\n${quoted}`}`),
        );
      }
    };
  });
}

/** True if a tool's output says that a host could not be reached. */
export function offline(output: string): boolean {
  return /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|getaddrinfo|Name or service not known|Temporary failure in name resolution|Failed to establish a new connection|network is unreachable/i.test(
    output,
  );
}
