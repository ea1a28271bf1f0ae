/** Joining a job whose members are processes. */
import { ValueError } from "../../core/errors.js";
import { jobEnvironment } from "../environment.js";
import { Communicator, type TransportChoice } from "../group/communicator.js";
import type { GroupOptions, ProcessGroup } from "../group/process-group.js";
import { TensorGroup } from "../group/tensor-group.js";
import type { Heartbeat, TlsOptions } from "../transport/tcp/connection.js";
import type { TcpConfig } from "../transport/tcp/members.js";
import { DEFAULT_TIMEOUT } from "./team.js";

export interface InitOptions extends GroupOptions {
  /** "tcp", "mpi". Default: what the launcher says (torchrun, `mlsys run`, mpirun, srun), else "tcp". */
  readonly backend?: string;
  /** Where the members meet: `tcp://host:port`, of rank 0's host. Default: MASTER_ADDR and MASTER_PORT. */
  readonly url?: string;
  /** This member's number. Default: RANK. */
  readonly rank?: number;
  /** Number of members. Default: WORLD_SIZE. */
  readonly size?: number;
  /** What members must know to get in; needed if others than this machine can reach the address. Default: MLSYS_SECRET. */
  readonly secret?: string;
  /** Encrypts the connections, and lets members prove by certificates who they are. */
  readonly tls?: TlsOptions;
  /** Signs of life. Default: every 2 s; after 30 s without one a member counts as lost. */
  readonly heartbeat?: Heartbeat;
  /** Milliseconds that the members may take to come together. Default 300,000. */
  readonly joinTimeout?: number;
  /** The store where members meet is held by rank 0 (default), or by a process that is no member: `openStore`. */
  readonly store?: "rank 0" | "elsewhere";
}

/** How each back end's transport is opened. Another one is a line here. */
const BACKENDS: Readonly<Record<string, (options: InitOptions) => TransportChoice>> = {
  tcp: tcpChoice,
  mpi: () => ({ module: new URL("../transport/mpi/mpi.js", import.meta.url).href, config: {} }),
};

/**
 * Joins the job, and gives the group of all its members. Environment variables of torchrun and `mlsys run` say what the
 * options leave out; with mpirun and srun nothing has to be said.
 * @throws ValueError if rank, size or url are missing or wrong; AuthenticationError without the right secret;
 * TransportError if the members don't come
 * @example
 * const group = await distributed.init({ url: "tcp://127.0.0.1:0", rank: 0, size: 1 });
 * (await group.allReduce(mlsys.tensor([1, 2]))).toTypedArray(); // Float32Array [1, 2]
 * await group.close();
 */
export async function init(options: InitOptions = {}): Promise<ProcessGroup> {
  const backend = options.backend ?? jobEnvironment()?.backend ?? "tcp";
  if (!Object.hasOwn(BACKENDS, backend))
    throw new ValueError(
      `init: no back end is called ${JSON.stringify(backend)}; there are ${Object.keys(BACKENDS).join(", ")}`,
    );
  const group = await openWorld(BACKENDS[backend](options), options, backend);
  // a script that has nothing left to do has not failed: the others, and MPI's launcher, are told so
  process.once("beforeExit", () => void group.close());
  return group;
}

/** The group of a transport's members; closing it closes the transport. */
export async function openWorld(
  transport: TransportChoice,
  { timeout = DEFAULT_TIMEOUT }: GroupOptions,
  name: string,
): Promise<TensorGroup> {
  const communicator = await Communicator.open(transport);
  return TensorGroup.world(communicator, name, timeout, true);
}

function tcpChoice(options: InitOptions): TransportChoice {
  const place = jobEnvironment();
  const { url = place?.url, rank = place?.rank, size = place?.size, store = "rank 0" } = options;
  if (url === undefined || rank === undefined || size === undefined)
    throw new ValueError(
      "init: url, rank and size are needed (or MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE, which launchers set)",
    );
  if (!Number.isInteger(size) || size < 1 || !Number.isInteger(rank) || rank < 0 || rank >= size)
    throw new ValueError(`init: rank ${rank} of ${size} members; ranks are 0 to size − 1`);
  const here = store === "rank 0";
  return tcpTransport({
    ...addressOf(url),
    rank,
    storeRank: here ? 0 : null,
    serve: here && rank === 0 ? size : undefined,
    ...shared(options),
  });
}

export const tcpTransport = (config: TcpConfig): TransportChoice => ({
  module: new URL("../transport/tcp/transport.js", import.meta.url).href,
  config,
});

/** What `init` and `elastic` have in common. */
export const shared = ({
  secret = process.env.MLSYS_SECRET,
  tls,
  heartbeat,
  joinTimeout = DEFAULT_TIMEOUT,
}: InitOptions): Pick<TcpConfig, "secret" | "tls" | "heartbeat" | "joinTimeout"> => ({
  secret,
  tls,
  heartbeat,
  joinTimeout,
});

/** @throws ValueError unless it is `tcp://host:port` */
export function addressOf(url: string): { readonly host: string; readonly port: number } {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed?.protocol !== "tcp:" || parsed.hostname === "" || parsed.port === "")
    throw new ValueError(`${JSON.stringify(url)}: tcp://host:port is expected`);
  return { host: parsed.hostname.replace(/^\[|\]$/g, ""), port: Number(parsed.port) };
}
