/** Members as processes of this machine, for tests. */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";

/** A port that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export interface Process {
  readonly child: ChildProcess;
  /** When a line of its output matches, or `null` if it ended before. */
  line(pattern: RegExp): Promise<RegExpMatchArray | null>;
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>;
}

const running = new Set<ChildProcess>();

/** Starts `node …args`; `before` goes before it on the command line. */
export function start(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  before: readonly string[] = [],
): Process {
  const [program, ...rest] = [...before, process.execPath, ...args];
  const child = spawn(program, rest, {
    env: { ...process.env, MLSYS_NUM_THREADS: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let [out, err, over] = ["", "", false];
  const watchers = new Set<() => void>();
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
    for (const watch of watchers) watch();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    child.on("close", (code) => {
      running.delete(child);
      over = true;
      for (const watch of watchers) watch();
      resolve({ code, out, err });
    });
  });
  return {
    child,
    ended,
    line: (pattern) =>
      new Promise((resolve) => {
        const watch = (): void => {
          const found = out.match(pattern);
          if (!found && !over) return;
          watchers.delete(watch);
          resolve(found);
        };
        watchers.add(watch);
        watch();
      }),
  };
}

/** Starts `size` members that meet by torchrun's variables. */
export async function startJob(
  size: number,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Process[]> {
  const MASTER_PORT = String(await freePort());
  return Array.from({ length: size }, (_, rank) =>
    start(args, {
      RANK: String(rank),
      WORLD_SIZE: String(size),
      MASTER_ADDR: "127.0.0.1",
      MASTER_PORT,
      ...env,
    }),
  );
}

/** Ends what is left: to be called after each test. */
export async function endProcesses(): Promise<void> {
  for (const child of running) child.kill("SIGKILL");
}
