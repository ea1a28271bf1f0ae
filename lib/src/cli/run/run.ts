/** `mlsys run`: starts the members of a job, or is one where another launcher has started it. */
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { inspect } from "node:util";
import { jobEnvironment, urlTo } from "../../distributed/environment.js";
import { CommandError, ExitCode } from "../errors.js";
import { launchElastic } from "./elastic.js";
import { runScript } from "./member.js";
import { type Failure, Members, type Round, say } from "./processes.js";

export interface RunOptions {
  /** Members on this machine; undefined: one, or as another launcher says. */
  readonly processes?: number;
  readonly nodes?: number;
  readonly nodeRank?: number;
  readonly rdzv?: string;
  readonly maxRestarts: number;
  readonly elastic?: boolean;
  /** Of elastic members. */
  readonly min?: number;
}

/** @throws CommandError; ExitCode of the first member that failed */
export async function run(script: string, args: readonly string[], options: RunOptions): Promise<void> {
  if (!existsSync(script)) throw new CommandError(`${script} is not there`);
  if (options.elastic) return launchElastic(script, args, options);
  const asked = options.processes ?? options.nodes ?? options.rdzv;
  if (asked === undefined && jobEnvironment() !== null) return beMember(script, args);
  await launch(script, args, options);
}

/** Another launcher has started this process: the script runs in it, with torchrun's variables too. */
async function beMember(script: string, args: readonly string[]): Promise<void> {
  const place = jobEnvironment();
  if (place?.launcher !== "torchrun" && place) {
    const { rank, size, localRank, localSize, backend } = place;
    Object.assign(process.env, {
      ...{ RANK: String(rank), WORLD_SIZE: String(size), MLSYS_BACKEND: backend },
      ...{ LOCAL_RANK: String(localRank), LOCAL_WORLD_SIZE: String(localSize) },
    });
    const url = place.url && new URL(place.url);
    if (url) Object.assign(process.env, { MASTER_ADDR: url.hostname, MASTER_PORT: url.port });
  }
  // Signals are for the script now, as if node had been started with it.
  for (const name of ["SIGINT", "SIGTERM"]) process.removeAllListeners(name);
  const idle = untilIdle();
  try {
    await runScript(script, args);
  } catch (error) {
    process.stderr.write(`${inspect(error, { colors: process.stderr.isTTY })}\n`);
    throw new ExitCode(1);
  }
  await idle; // what the script has left running
  throw new ExitCode(Number(process.exitCode ?? 0));
}

/** Nothing is left running, also of what listeners to `beforeExit` have started. */
export function untilIdle(): Promise<void> {
  return new Promise((resolve) => {
    process.once("beforeExit", () => {
      process.once("beforeExit", () => resolve());
      setImmediate(() => {}); // one more turn, at whose end it is said again
    });
  });
}

interface Meeting {
  readonly host: string;
  readonly port: number;
}

async function launch(script: string, args: readonly string[], options: RunOptions): Promise<void> {
  const { processes = 1, nodes = 1, nodeRank = 0, maxRestarts } = options;
  if (nodeRank >= nodes) throw new CommandError(`--node-rank is ${nodeRank}, but --nnodes is ${nodes}`);
  if (nodes > 1 && options.rdzv === undefined)
    throw new CommandError(
      "--rdzv tcp://HOST:PORT is needed with --nnodes: where the members meet, on node 0",
    );
  const fixed = options.rdzv === undefined ? null : meetingOf(options.rdzv);
  const stopped = new Stopped();
  const [size, firstRank] = [processes * nodes, processes * nodeRank];
  try {
    for (let restart = 0; ; restart++) {
      const meeting = fixed ?? { host: "127.0.0.1", port: await freePort() };
      const members = Array.from({ length: processes }, (_, local) =>
        variables({
          meeting,
          size,
          processes,
          nodeRank,
          rank: firstRank + local,
          local,
          restart,
          maxRestarts,
        }),
      );
      const failure = await runRound({ script, args, members, firstRank, size }, stopped);
      if (stopped.code !== null) throw new ExitCode(stopped.code);
      if (failure === null) return;
      const what = `rank ${failure.rank} (process ${failure.pid}) ended with ${failure.how}`;
      if (restart === maxRestarts) {
        say(`${what}${size > 1 ? "; the others were ended" : ""}`);
        throw new ExitCode(failure.code);
      }
      say(`${what}; start ${restart + 2} of at most ${maxRestarts + 1}`);
    }
  } finally {
    stopped.forget();
  }
}

async function runRound(round: Round, stopped: Stopped): Promise<Failure | null> {
  if (stopped.code !== null) return null;
  const members = new Members(round);
  stopped.members = members;
  return members.ended;
}

/** torchrun's variables, and where launchers above us are to be forgotten. */
function variables(of: {
  meeting: Meeting;
  size: number;
  processes: number;
  nodeRank: number;
  rank: number;
  local: number;
  restart: number;
  maxRestarts: number;
}): Record<string, string> {
  const values = {
    RANK: of.rank,
    WORLD_SIZE: of.size,
    LOCAL_RANK: of.local,
    LOCAL_WORLD_SIZE: of.processes,
    GROUP_RANK: of.nodeRank,
    MASTER_ADDR: of.meeting.host,
    MASTER_PORT: of.meeting.port,
    TORCHELASTIC_RESTART_COUNT: of.restart,
    TORCHELASTIC_MAX_RESTARTS: of.maxRestarts,
    MLSYS_BACKEND: "tcp",
  };
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, String(value)]));
}

/** Signals to the launcher go to all members; a second Ctrl-C ends them at once. */
class Stopped {
  /** What the launcher then exits with. */
  code: number | null = null;
  members: Members | null = null;
  private readonly handlers = new Map<NodeJS.Signals, () => void>();

  constructor() {
    this.on("SIGINT", () => this.stop("SIGINT", 130));
    this.on("SIGTERM", () => this.stop("SIGTERM", 143));
    this.on("SIGHUP", () => this.stop("SIGHUP", 129));
    this.on("SIGUSR2", () => this.members?.signal("SIGUSR2")); // "save and get ready to end", as clusters use it
  }

  forget(): void {
    for (const [name, handler] of this.handlers) process.off(name, handler);
  }

  private stop(name: NodeJS.Signals, code: number): void {
    if (this.code !== null) this.members?.signal("SIGKILL");
    else this.members?.stop(name);
    this.code ??= code;
  }

  private on(name: NodeJS.Signals, handler: () => void): void {
    this.handlers.set(name, handler);
    process.prependListener(name, handler); // before the command's own, which exits at the second
  }
}

function meetingOf(text: string): Meeting {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === "tcp:" && url.hostname && url.port)
    return { host: url.hostname, port: Number(url.port) };
  throw new CommandError(
    `--rdzv is "${text}": tcp://HOST:PORT is expected, such as ${urlTo("node0", 29_500)}`,
  );
}

/** A port that is free now. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
