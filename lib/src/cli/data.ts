/** `mlsys data-worker` and `mlsys data-dispatcher`: the processes of a data service. */
import { type Command, InvalidArgumentError } from "commander";
import { secretOf, stopped } from "./service.js";

interface Common {
  readonly address: string;
  readonly secretFile?: string;
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("A whole number from 1.");
  return value;
}

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
      const secret = await secretOf(options.secretFile, "MLSYS_DATA_SECRET");
      const { secretFile: _, ...rest } = options;
      const worker = await serveData({ ...rest, ...(secret && { secret }) });
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
      const secret = await secretOf(options.secretFile, "MLSYS_DATA_SECRET");
      const dispatcher = await dispatchData({ address: options.address, ...(secret && { secret }) });
      process.stdout.write(`data dispatcher: ${dispatcher.address}\n`);
      await stopped(signal);
      dispatcher.close();
    });
}
