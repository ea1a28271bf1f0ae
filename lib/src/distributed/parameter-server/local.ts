/** Coordinator and servers on this machine, as processes that end with this one: each can be killed, as on a cluster. */
import { type ChildProcess, fork } from "node:child_process";
import { MlsysError, ValueError } from "../../core/errors.js";
import { ParameterClient } from "./client.js";
import { compiled } from "./compiled.js";
import { checkJob, copiesOf, type JobOptions } from "./job.js";
import type { Lost, Role, Started } from "./main.js";

export interface LocalOptions extends JobOptions {
  /** Default: as many as copies, at least 2. */
  readonly servers?: number;
  /**
   * Milliseconds that a server may answer without hearing from the coordinator. Default 3000, or 30 000 where ends are
   * watched: then no silence has to tell of them.
   */
  readonly lease?: number;
  /** Whether the coordinator is told when a server's process ends, or has to find out by its silence. Default true. */
  readonly watch?: boolean;
  readonly secret?: string;
  /** Of clients' requests, milliseconds. Default 60 000. */
  readonly timeout?: number;
}

/** A process that has a role. */
class Unit {
  id = "";
  address = "";
  /** True once it has ended. */
  ended = false;
  private readonly body: ChildProcess;
  private readonly exits: (() => void)[] = [];

  constructor(role: Role) {
    this.body = fork(compiled("main.js"), [JSON.stringify(role)], {
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: { ...process.env, MLSYS_NUM_THREADS: "1" },
    });
    this.body.on("exit", () => {
      this.ended = true;
      for (const exit of this.exits) exit();
    });
  }

  get pid(): number | undefined {
    return this.body.pid;
  }

  onExit(act: () => void): void {
    this.exits.push(act);
  }

  /** Until it listens. @throws MlsysError if it ends before */
  started(): Promise<this> {
    return new Promise((resolve, reject) => {
      let problem = "it ended";
      this.body.on("error", (error: Error) => {
        problem = error.message;
      });
      this.onExit(() => reject(new MlsysError(`parameter server: it could not be started: ${problem}`)));
      this.body.on("message", ({ id, address }: Started) => {
        this.id = id;
        this.address = address;
        resolve(this);
      });
    });
  }

  post(message: Lost): void {
    if (!this.ended && this.body.connected) this.body.send(message);
  }

  /** At once, without a goodbye (SIGKILL). */
  async kill(): Promise<void> {
    if (this.ended) return;
    const gone = new Promise<void>((resolve) => this.onExit(resolve));
    this.body.kill("SIGKILL");
    await gone;
  }
}

/** Made by `parameterServer`. */
export class LocalCluster {
  private readonly clients = new Set<ParameterClient>();
  private readonly units: Unit[] = [];
  private closed = false;
  /** Ends of what runs on it. @internal */
  readonly runs = new Set<() => void>();

  /** @internal */
  constructor(
    private readonly coordinator: Unit,
    private readonly options: LocalOptions,
  ) {}

  /** Address of the coordinator, for clients elsewhere. */
  get address(): string {
    return this.coordinator.address;
  }

  /** Those that live, by the numbers in which they were started. */
  get servers(): readonly number[] {
    return this.units.flatMap((unit, i) => (unit.ended ? [] : [i]));
  }

  /** Process ids by server; undefined for those that have ended. */
  get pids(): readonly (number | undefined)[] {
    return this.units.map(({ ended, pid }) => (ended ? undefined : pid));
  }

  /** A connection; `close` ends it too. */
  async client({ worker }: { readonly worker?: number } = {}): Promise<ParameterClient> {
    const client = await ParameterClient.connect({ ...this.access, ...(worker !== undefined && { worker }) });
    this.clients.add(client);
    return client;
  }

  /** What a client needs to connect from another thread or process. */
  get access(): { readonly coordinator: string; readonly secret?: string; readonly timeout: number } {
    const { secret, timeout = 60_000 } = this.options;
    return { coordinator: this.address, timeout, ...(secret !== undefined && { secret }) };
  }

  /** Starts another server: it takes copies where there are too few. @returns its number */
  async addServer(): Promise<number> {
    const { secret, watch = true } = this.options;
    const options = { coordinator: this.address, ...(secret !== undefined && { secret }) };
    const unit = new Unit({ role: "server", options });
    this.units.push(unit);
    unit.onExit(() => {
      if (watch && !this.closed) this.coordinator.post({ lost: unit.id });
    });
    await unit.started();
    return this.units.indexOf(unit);
  }

  /** Kills a server in the midst of what it does. @throws ValueError if there is none of this number */
  async kill(server: number): Promise<void> {
    const unit = this.units[server];
    if (!unit || unit.ended)
      throw new ValueError(
        `parameter server: no server ${server} lives; those that do: ${this.servers.join(", ")}`,
      );
    await unit.kill();
  }

  /** Says that a client has ended without a goodbye: nobody has to wait for its worker. */
  lostClient(id: string): void {
    this.coordinator.post({ lost: id });
  }

  /** Ends all: workers that train, clients, servers, coordinator. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    for (const end of this.runs) end();
    for (const client of this.clients) client.close();
    await Promise.all([...this.units, this.coordinator].map((unit) => unit.kill()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Starts a parameter server on this machine: a coordinator and some servers.
 * @throws ValueError for options that make no sense; MlsysError if a server can't be started
 * @example
 * const cluster = await distributed.parameterServer({
 *   tensors: [{ kind: "rows", name: "words", rows: 1000, width: 2 }],
 *   optimizer: { rule: "SGD", lr: 1 },
 *   consistency: { mode: "async" },
 *   replication: { mode: "chain", copies: 2 },
 * });
 * const client = await cluster.client({ worker: 0 });
 * await client.push({ words: { ids: [7, 7], values: tensor([[1, 0], [1, 2]]) } });
 * const { words } = await client.pull({ words: [7, 8] });
 * await cluster.close();
 * words // [[-2, -2], [0, 0]]
 */
export async function parameterServer(options: LocalOptions): Promise<LocalCluster> {
  const { servers: wanted, watch = true, secret, timeout, ...others } = options;
  const { lease = watch ? 30_000 : 3000, ...jobOptions } = others;
  const job = checkJob(jobOptions);
  const servers = wanted ?? Math.max(2, copiesOf(job));
  if (!Number.isInteger(servers) || servers < copiesOf(job))
    throw new ValueError(`parameter server: ${copiesOf(job)} copies need as many servers, got ${servers}`);
  const settings = { lease, ...(secret !== undefined && { secret }) };
  const coordinator = new Unit({ role: "coordinator", options: settings });
  await coordinator.started();
  const cluster = new LocalCluster(coordinator, options);
  try {
    await Promise.all(Array.from({ length: servers }, () => cluster.addServer()));
    const first = await ParameterClient.define(job, servers, {
      ...cluster.access,
      ...(timeout && { timeout }),
    });
    first.close();
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}
