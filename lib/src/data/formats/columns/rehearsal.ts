/**
 * Files from sources that aren't trusted: the packages that read Parquet and Arrow believe the counts that they find, so a
 * file made to harm keeps them busy for ever, or has them allocate all memory. Such a file is first read in a process that is
 * ended when its time or memory is used up (a thread that uses up its memory can end the whole process). What came through
 * there comes through here: it is the same work again.
 */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { ValueError } from "../../../core/errors.js";

/** What reading a file may cost. */
export interface ReadLimits {
  /** Default 60 s of the clock. */
  readonly seconds?: number;
  /** Of objects, and as much again of typed arrays. Default 512 MiB. */
  readonly megabytes?: number;
}

/** For the process. */
export interface Rehearsal {
  readonly kind: "parquet footer" | "parquet group" | "arrow";
  readonly source: Uint8Array | string;
  readonly group: number;
  readonly columns: readonly string[] | undefined;
  readonly maxPageBytes: number | undefined;
  readonly megabytes: number;
}

let running = 0;
const waiting: (() => void)[] = [];

/** Each has memory of its own: not more at once than there are cores. */
async function inTurn<T>(body: () => Promise<T>): Promise<T> {
  if (running >= availableParallelism()) await new Promise<void>((go) => waiting.push(go));
  else running++;
  try {
    return await body();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}

/** @throws ValueError if the file can't be read within the limits, or not at all */
export function rehearse(
  name: string,
  work: Omit<Rehearsal, "megabytes">,
  { seconds = 60, megabytes = 512 }: ReadLimits,
): Promise<void> {
  if (!(seconds > 0) || !(megabytes >= 16))
    throw new ValueError(
      `${name}: limits are seconds above 0 and megabytes from 16, got ${seconds}, ${megabytes}`,
    );
  return inTurn(
    () =>
      new Promise((resolve, reject) => {
        const child = fork(fileURLToPath(new URL("./rehearsal-process.js", import.meta.url)), {
          execArgv: [`--max-old-space-size=${megabytes}`, "--max-semi-space-size=16"],
          serialization: "advanced",
          stdio: ["ignore", "ignore", "ignore", "ipc"],
        });
        const end = (problem: Error | null): void => {
          clearTimeout(timer);
          if (problem) reject(problem);
          else resolve();
          child.removeAllListeners("exit");
          child.kill("SIGKILL");
        };
        const refuse = (why: string): void => end(new ValueError(`${name}: ${why}; it is refused`));
        const timer = setTimeout(() => refuse(`reading it takes more than ${seconds} s`), 1000 * seconds);
        child.once("message", (problem: string | null) => {
          const named = problem?.startsWith(name) ? problem : `${name}: damaged: ${problem}`;
          end(problem === null ? null : new ValueError(named));
        });
        child.once("error", (error) => refuse(`it can't be read in a process of its own: ${error.message}`));
        child.once("exit", () => refuse(`reading it takes more than ${megabytes} MiB, or ends its process`));
        child.send({ ...work, megabytes } satisfies Rehearsal, (error) => {
          if (error) refuse(`it can't be read in a process of its own: ${error.message}`);
        });
      }),
  );
}
