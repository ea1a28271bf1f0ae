/** `mlsys data-worker` and `mlsys data-dispatcher`: the processes of a data service. */
import { type Command, InvalidArgumentError } from "commander";
import { CommandError } from "./errors.js";

interface Common {
  readonly address: string;
  readonly secretFile?: string;
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("A whole number from 1.");
  return value;
}

/** A secret in the arguments could be read by all users of the machine. */
async function secretOf({ secretFile }: Common): Promise<string | undefined> {
  if (secretFile === undefined) return process.env.MLSYS_DATA_SECRET || undefined;
  const { readFile } = await import("node:fs/promises");
  try {
    return (await readFile(secretFile, "utf8")).trim();
  } catch (error) {
    throw new CommandError(`the secret can't be read: ${(error as Error).message}`);
  }
}

/** The library's own errors are told without a stack. */
async function started<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    const { MlsysError } = await import("../core/errors.js");
    throw error instanceof MlsysError ? new CommandError(error.message) : error;
  }
}

const stopped = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

export function addDataCommands(program: Command, signal: AbortSignal): void {
  const SECRET = "file with the shared secret; or MLSYS_DATA_SECRET. Needed on addresses that others reach";
  program
    .command("data-worker")
    .description("work on the data of pipelines elsewhere, until it is stopped")
    .option("--address <address>", "where to listen; port * for a free one", "tcp://127.0.0.1:*")
    .option("--threads <count>", "chunks at once (default: the cores)", whole)
    .option("--dispatcher <address>", "tell a dispatcher of this worker")
    .option("--advertise <address>", "the address that clients shall use, if it is another one")
    .option("--secret-file <file>", SECRET)
    .action(async (options: Common & { threads?: number; dispatcher?: string; advertise?: string }) => {
      const { serveData } = await import("../data/remote/worker.js");
      const secret = await secretOf(options);
      const { secretFile: _, ...rest } = options;
      const worker = await started(() => serveData({ ...rest, ...(secret && { secret }) }));
      process.stdout.write(
        `data worker: ${worker.address}, ${worker.threadCount} thread${worker.threadCount === 1 ? "" : "s"}\n`,
      );
      await stopped(signal);
      await worker.close();
    });
  program
    .command("data-dispatcher")
    .description("tell pipelines of data workers, and share epochs between consumers, until it is stopped")
    .option("--address <address>", "where to listen; port * for a free one", "tcp://127.0.0.1:*")
    .option("--secret-file <file>", SECRET)
    .action(async (options: Common) => {
      const { dispatchData } = await import("../data/remote/dispatcher.js");
      const secret = await secretOf(options);
      const dispatcher = await started(() =>
        dispatchData({ address: options.address, ...(secret && { secret }) }),
      );
      process.stdout.write(`data dispatcher: ${dispatcher.address}\n`);
      await stopped(signal);
      dispatcher.close();
    });
}
