/** `mlsys parameter-server coordinator` and `… server`: the processes of a parameter server on a cluster. */
import { type Command, InvalidArgumentError } from "commander";
import { secretOf, stopped } from "./service.js";

interface Common {
  readonly address: string;
  readonly secretFile?: string;
}

interface Coordination extends Common {
  readonly lease?: number;
  readonly workerTimeout?: number;
  readonly state?: string;
}

const VARIABLE = "MLSYS_PARAMETER_SECRET";
const SECRET = `file with the shared secret; or ${VARIABLE}. Needed on addresses that others reach`;
const ADDRESS = "where to listen; port * for a free one";

function milliseconds(text: string): number {
  const value = Number(text);
  if (!(value >= 50)) throw new InvalidArgumentError("Milliseconds, from 50.");
  return value;
}

export function addParameterServer(program: Command, signal: AbortSignal): void {
  const group = program
    .command("parameter-server")
    .description("hold parameters for workers that push gradients and pull values");
  group
    .command("coordinator")
    .description("say who holds what, until it is stopped; clients and servers are given its address")
    .option("--address <address>", ADDRESS, "tcp://127.0.0.1:*")
    .option(
      "--lease <ms>",
      "how long a server may answer without hearing from here (default: 3000)",
      milliseconds,
    )
    .option(
      "--worker-timeout <ms>",
      "silence after which a worker is given up (default: 60000)",
      milliseconds,
    )
    .option("--state <file>", "keep the state here: a coordinator that is started anew goes on with it")
    .option("--secret-file <file>", SECRET)
    .action(async ({ secretFile, ...options }: Coordination) => {
      const { Coordinator } = await import("../distributed/parameter-server/coordinator.js");
      const secret = await secretOf(secretFile, VARIABLE);
      const coordinator = await Coordinator.start({ ...options, ...(secret && { secret }) });
      process.stdout.write(`parameter coordinator: ${coordinator.address}\n`);
      await stopped(signal);
      coordinator.close();
    });
  group
    .command("server")
    .description("hold partitions, until it is stopped; others take over what it held")
    .requiredOption("--coordinator <address>", "the coordinator's address")
    .option("--address <address>", ADDRESS, "tcp://127.0.0.1:*")
    .option("--advertise <address>", "the address that others shall use, if it is another one")
    .option("--secret-file <file>", SECRET)
    .action(async ({ secretFile, ...options }: Common & { coordinator: string; advertise?: string }) => {
      const { ParameterServer } = await import("../distributed/parameter-server/server.js");
      const secret = await secretOf(secretFile, VARIABLE);
      const server = await ParameterServer.start({ ...options, ...(secret && { secret }) });
      process.stdout.write(`parameter server: ${server.address}\n`);
      await stopped(signal);
      server.close();
    });
}
