/** The keeper of an elastic job on this machine: holds the store, starts the members, and new ones for those that die. */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { MlsysError, ValueError } from "../../core/errors.js";
import { RendezvousStore, type StoreOptions } from "../transport/tcp/store.js";

export interface SuperviseOptions extends Omit<StoreOptions, "size"> {
  /** Members that die and are replaced, in all. Default 3. */
  readonly maxRestarts?: number;
  /** Beside this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: theirs is this process's. */
  readonly stdio?: StdioOptions;
  /** Ends the members and the job. */
  readonly signal?: AbortSignal;
  /** Called when a member was started. */
  readonly onStart?: (member: ChildProcess) => void;
}

/** How a job went. */
export interface SuperviseReport {
  /** Members that died and were replaced. */
  readonly restarts: number;
  /** Members that died and were not. */
  readonly lost: number;
}

/**
 * Runs `size` processes `command[0] …` that call `distributed.elastic`, until all have ended well. One that dies is
 * started anew, `maxRestarts` times in all; after that the job goes on without it as long as `min` are left.
 * @throws MlsysError when too few are left: those are ended
 * @example await distributed.supervise([process.execPath, "-e", "0"], 1) // { "restarts": 0, "lost": 0 }
 */
export async function supervise(
  command: readonly string[],
  size: number,
  options: SuperviseOptions = {},
): Promise<SuperviseReport> {
  if (!Number.isInteger(size) || size < 1)
    throw new ValueError(`supervise: ${size} members; at least 1 expected`);
  const { maxRestarts = 3, min = size, env, stdio = "inherit", signal } = options;
  const store = await RendezvousStore.open({ ...options, size });
  const running = new Set<ChildProcess>();
  let [restarts, lost] = [0, 0];
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (error: unknown): void => {
        for (const child of running) child.kill("SIGKILL");
        reject(error);
      };
      const start = (): void => {
        const child = spawn(command[0], command.slice(1), {
          stdio,
          env: {
            ...process.env,
            ...env,
            MASTER_ADDR: store.host,
            MASTER_PORT: String(store.port),
            ...(options.secret === undefined ? {} : { MLSYS_SECRET: options.secret }),
          },
        });
        running.add(child);
        let over = false;
        const end = (how: string | null): void => {
          if (over) return;
          over = true;
          running.delete(child);
          if (how === null) {
            if (running.size === 0) resolve();
            else store.expect(running.size); // whoever meets again does so without it
            return;
          }
          if (restarts < maxRestarts) {
            restarts++;
            start();
            return;
          }
          lost++;
          if (running.size < min || running.size === 0)
            fail(
              new MlsysError(
                `supervise: a member ended with ${how}; ${running.size} are left, at least ${min} are needed`,
              ),
            );
          else store.expect(running.size);
        };
        child.on("error", (error) => end(error.message));
        child.on("exit", (code, name) => end(code === 0 ? null : (name ?? `exit code ${code}`)));
        options.onStart?.(child);
      };
      signal?.addEventListener("abort", () => fail(signal.reason), { once: true });
      if (signal?.aborted) fail(signal.reason);
      else for (let i = 0; i < size; i++) start();
    });
  } finally {
    await store.close();
  }
  return { restarts, lost };
}

/**
 * A rendezvous store of its own, for members that call `elastic`, or `init` with `store: "elsewhere"`.
 * @example
 * const store = await distributed.openStore({ size: 2 });
 * await store.close(); // members call it by store.url: "tcp://127.0.0.1:…"
 */
export const openStore = (options: StoreOptions): Promise<RendezvousStore> => RendezvousStore.open(options);
