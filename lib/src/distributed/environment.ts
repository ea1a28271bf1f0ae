/**
 * What launchers tell the processes that they start: torchrun and `mlsys run` by RANK, WORLD_SIZE, MASTER_ADDR …; Open MPI's
 * mpirun, MPICH's mpiexec and Slurm's srun by variables of their own.
 */
import { ValueError } from "../core/errors.js";

/** A process's place in a job that a launcher started. */
export interface JobEnvironment {
  /** Who started it. */
  readonly launcher: "torchrun" | "Open MPI" | "MPICH" | "Slurm";
  /** What it should talk by. */
  readonly backend: "tcp" | "mpi";
  readonly rank: number;
  readonly size: number;
  /** Its number among those of its machine, and how many they are. */
  readonly localRank: number;
  readonly localSize: number;
  /** Where the members meet; with `tcp`. */
  readonly url?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Where each launcher writes rank, size, local rank and local size. */
const NAMES = {
  torchrun: ["RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"],
  "Open MPI": [
    "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "OMPI_COMM_WORLD_LOCAL_SIZE",
  ],
  MPICH: ["PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"],
  // SLURM_NTASKS is set in the batch script too, which is no member; the step's own count is not
  Slurm: ["SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE"],
} as const;
type Launcher = keyof typeof NAMES;

/** The innermost first: `mlsys run` may be started by one of the others. */
const ORDER: readonly Launcher[] = ["torchrun", "Open MPI", "MPICH", "Slurm"];

const FIRST_PORT = 20_000;
const PORTS = 20_000;

/**
 * This process's place in its job, or null if no launcher started it. MLSYS_BACKEND ("tcp" or "mpi") overrules what follows
 * from the launcher.
 * @example
 * const env = { RANK: "1", WORLD_SIZE: "4", MASTER_ADDR: "node1", MASTER_PORT: "29500" };
 * distributed.jobEnvironment(env)?.url // "tcp://node1:29500"
 * @throws ValueError naming the variable that holds something else than expected
 */
export function jobEnvironment(env: Environment = process.env): JobEnvironment | null {
  const launcher = ORDER.find((name) => NAMES[name].slice(0, 2).every((key) => env[key] !== undefined));
  if (launcher === undefined) return null;
  const [rankName, sizeName, localName, countName] = NAMES[launcher];
  const size = whole(env, sizeName, 1);
  const rank = whole(env, rankName, 0);
  if (rank >= size) throw new ValueError(`${rankName} is ${rank}, but ${sizeName} is ${size}`);
  const localSize = env[countName] === undefined ? size : first(env, countName);
  const localRank = env[localName] === undefined ? rank : whole(env, localName, 0);
  const backend = backendOf(env, launcher);
  const place = { launcher, backend, rank, size, localRank, localSize };
  return backend === "mpi" ? place : { ...place, url: urlOf(env) };
}

function backendOf(env: Environment, launcher: Launcher): "tcp" | "mpi" {
  const told = env.MLSYS_BACKEND;
  if (told === "tcp" || told === "mpi") return told;
  if (told !== undefined) throw new ValueError(`MLSYS_BACKEND is "${told}": tcp or mpi is expected`);
  if (launcher === "Slurm") return env.PMIX_RANK === undefined ? "tcp" : "mpi"; // srun --mpi=pmix
  return launcher === "torchrun" ? "tcp" : "mpi";
}

/** Where rank 0 waits for the others. */
function urlOf(env: Environment): string {
  const host = env.MASTER_ADDR ?? (env.SLURM_JOB_NODELIST && firstHost(env.SLURM_JOB_NODELIST));
  if (!host) throw new ValueError("MASTER_ADDR is not set: the host of rank 0 is expected");
  if (env.MASTER_PORT !== undefined) return urlTo(host, whole(env, "MASTER_PORT", 1, 65_535));
  if (env.SLURM_JOB_ID === undefined)
    throw new ValueError("MASTER_PORT is not set: a free port of rank 0's host is expected");
  return urlTo(host, FIRST_PORT + (whole(env, "SLURM_JOB_ID", 0) % PORTS));
}

/** `tcp://host:port`; IPv6 addresses get their brackets. */
export const urlTo = (host: string, port: number): string =>
  `tcp://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`;

/** The first host of Slurm's short form: "gpu[03-07,12],login" → "gpu03". */
export function firstHost(list: string): string {
  const [, head, ranges] = /^([^[,]+)(?:\[([^\]]+)\])?/.exec(list) ?? [];
  if (head === undefined) throw new ValueError(`SLURM_JOB_NODELIST is "${list}": host names are expected`);
  return ranges === undefined ? head : head + ranges.split(/[-,]/)[0];
}

function whole(env: Environment, name: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const value = Number(env[name]);
  if (env[name]?.trim() && Number.isInteger(value) && value >= least && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
  throw new ValueError(`${name} is "${env[name] ?? ""}": a whole number ${range} is expected`);
}

/** Slurm writes "4(x2)" or "4,3" for how many tasks nodes have. */
const first = (env: Environment, name: string): number =>
  whole({ [name]: env[name]?.split(/[(,]/)[0] }, name, 1);
