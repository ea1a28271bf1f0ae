/** A coordinator or a server as a process of somebody: it ends with whoever started it. */
import { Coordinator, type CoordinatorOptions } from "./coordinator.js";
import { ParameterServer, type ServerOptions } from "./server.js";

export type Role =
  | { readonly role: "coordinator"; readonly options: CoordinatorOptions }
  | { readonly role: "server"; readonly options: ServerOptions };

/** From it, once it listens; a server that began anew says its name again. */
export interface Started {
  readonly id: string;
  readonly address: string;
}

/** To a coordinator: a server or worker has ended. */
export interface Lost {
  readonly lost: string;
}

const say = (started: Started): void => void process.send?.(started);

async function begin({ role, options }: Role): Promise<void> {
  if (role === "server") {
    const server = await ParameterServer.start(options);
    server.renamed = () => say({ id: server.id, address: server.address });
    server.renamed();
    return;
  }
  const coordinator = await Coordinator.start(options);
  process.on("message", ({ lost }: Lost) => coordinator.lost(lost));
  say({ id: "coordinator", address: coordinator.address });
}

process.on("disconnect", () => process.exit(0));
process.on("SIGINT", () => {}); // a terminal sends it to all: who started this one decides
await begin(JSON.parse(process.argv[2]) as Role);
