/**
 * Ranks as threads of this process, each with a heap of its own: started once, they run one function after the other.
 */

import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { MlsysError, ValueError } from "../../core/errors.js";
import { learnLibrary } from "../../data/engine/known-modules.js";
import { type Shipment, type Shipper, ship } from "../../data/engine/ship.js";
import type { GroupOptions, ProcessGroup } from "../group/process-group.js";
import { declareGone, threadsBoard } from "../transport/threads.js";
import { type Carried, carry, uncarry } from "./carry.js";
import { whenInterrupted } from "./interrupt.js";
import type { FromRank, RankFailure, RankStart, ToRank } from "./messages.js";
import { OutputLines } from "./output.js";

export interface TeamOptions extends GroupOptions {
  /** Threads of each rank's own, for its kernels. Default 1: the ranks share the cores. */
  readonly threads?: number;
  /** Ends the ranks at once; what runs fails with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called with each line that a rank prints. Default: it is printed here, behind the rank's number. */
  readonly onOutput?: (rank: number, line: string, stream: "stdout" | "stderr") => void;
}

/** What runs on each rank. It travels as source text: what it uses from outside must be plain data or functions. */
export type RankFunction<A extends readonly unknown[], R> = (group: ProcessGroup, ...args: A) => R;

/** The function of a rank failed, or its thread died. */
export class RankError extends MlsysError {
  override name = "RankError";
  constructor(
    readonly rank: number,
    /** What it threw: class and message. */
    readonly reason: { readonly name: string; readonly message: string },
    /** Where, on its own thread. */
    readonly rankStack: string | undefined,
  ) {
    super(`rank ${rank}: ${reason.name}: ${reason.message}`);
    if (rankStack)
      this.stack = `${this.name}: ${this.message}\n    on rank ${rank}: ${rankStack}\n${this.stack ?? ""}`;
  }
}

/** Most ranks on one machine's threads. */
const MAX_RANKS = 64;
/** Milliseconds in which the others must be done once a rank has failed: they hear of it at their next operation. */
const GRACE = 5000;

const SHIPPER: Shipper = {
  who: "distributed",
  how: "make it inside of the function, or give it as an argument",
};

interface Run {
  readonly number: number;
  readonly results: (Carried | undefined)[];
  readonly failures: { readonly rank: number; readonly error: RankFailure }[];
  open: number;
  grace: NodeJS.Timeout | undefined;
  readonly end: () => void;
}

class Rank {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly memory: Promise<WebAssembly.Memory>;
  readonly ready: Promise<void>;
  ended = false;

  constructor(
    start: Omit<RankStart, "port">,
    threads: number,
    hear: (message: FromRank) => void,
    died: (why: string) => void,
  ) {
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    this.worker = new Worker(new URL("./rank.js", import.meta.url), {
      workerData: { ...start, port: port2 } satisfies RankStart,
      transferList: [port2],
      execArgv: [],
      env: {
        ...process.env,
        MLSYS_NUM_THREADS: String(threads),
        RANK: String(start.rank),
        WORLD_SIZE: String(start.size),
      },
      name: `rank ${start.rank}`,
    });
    let [gotMemory, gotReady]: [(memory: WebAssembly.Memory) => void, () => void] = [() => {}, () => {}];
    let [noMemory, notReady]: [(error: Error) => void, (error: Error) => void] = [() => {}, () => {}];
    this.memory = new Promise((resolve, reject) => {
      [gotMemory, noMemory] = [resolve, reject];
    });
    this.ready = new Promise((resolve, reject) => {
      [gotReady, notReady] = [resolve, reject];
    });
    for (const promise of [this.memory, this.ready]) promise.catch(() => {});
    port1.on("message", (message: FromRank) => {
      if (message.kind === "memory") gotMemory(message.memory);
      else if (message.kind === "ready") gotReady();
      else hear(message);
    });
    const end = (why: string): void => {
      if (this.ended) return;
      this.ended = true;
      const error = new RankError(start.rank, { name: "Error", message: why }, undefined);
      noMemory(error);
      notReady(error);
      died(why);
    };
    this.worker.on("error", (error) => end(`its thread died: ${error.message}`));
    this.worker.on("exit", (code) => end(`its thread ended with exit code ${code}`));
  }

  send(message: ToRank, move: ArrayBuffer[] = []): void {
    this.port.postMessage(message, move);
  }
}

/** Ranks that run functions. Made by `distributed.team`. */
export class Team {
  private readonly board: SharedArrayBuffer;
  private readonly ranks: Rank[];
  private readonly output: OutputLines;
  private runs = 0;
  private running: Run | null = null;
  private closed: Promise<void> | null = null;
  private death: Error | null = null;
  private readonly aborted = (): void => {
    this.death ??= (this.options.signal as AbortSignal).reason as Error;
    void this.end();
  };

  constructor(
    readonly size: number,
    private readonly options: TeamOptions,
  ) {
    const { signal, threads = 1 } = options;
    this.board = threadsBoard(size);
    this.output = new OutputLines(options.onOutput);
    this.ranks = Array.from({ length: size }, (_, rank) => {
      const start = { rank, size, board: this.board };
      return new Rank(
        start,
        threads,
        (message) => this.hear(rank, message),
        (why) => this.died(rank, why),
      );
    });
    if (signal?.aborted) this.aborted();
    else signal?.addEventListener("abort", this.aborted, { once: true });
  }

  /** The ranks have found each other. */
  async start(): Promise<this> {
    try {
      const memories = await Promise.all(this.ranks.map(({ memory }) => memory));
      for (const rank of this.ranks) rank.send({ kind: "memories", memories });
      await Promise.all(this.ranks.map(({ ready }) => ready));
    } catch (error) {
      await this.end();
      throw this.death ?? error;
    }
    this.hold(false);
    return this;
  }

  /**
   * Runs `fn` on every rank, with a group of all of them. Arguments are copied to each rank, results back; tensors too.
   * @returns the results by rank
   * @throws RankError with the first rank's failure; the others are told, and end at their next operation of the group
   */
  async run<A extends readonly unknown[], R>(fn: RankFunction<A, R>, ...args: A): Promise<Awaited<R>[]> {
    if (this.death) throw this.death;
    if (this.closed) throw new MlsysError("distributed: this team is closed");
    if (this.running) throw new MlsysError("distributed: this team runs another function; await it first");
    let ended = (): void => {};
    const end = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const run: Run = {
      number: this.runs++,
      results: [],
      failures: [],
      open: this.size,
      grace: undefined,
      end: ended,
    };
    this.running = run;
    const unwatch = whenInterrupted(() => {
      this.death ??= new MlsysError("distributed: interrupted; the ranks were ended, make a new team");
      void this.end();
    });
    try {
      const shipment = await shipped(fn);
      const { timeout = DEFAULT_TIMEOUT } = this.options;
      const { carried } = carry(args);
      for (const rank of this.ranks)
        rank.send({ kind: "run", run: run.number, shipment, args: carried, timeout });
      this.hold(true);
      await end;
    } finally {
      unwatch();
      clearTimeout(run.grace);
      this.running = null;
      this.hold(false);
      this.output.flush();
    }
    if (run.failures.length > 0) {
      // those who only lost another one don't say why
      const { rank, error } = run.failures.find(({ error }) => error.lost === undefined) ?? run.failures[0];
      if (this.death) throw this.death;
      throw new RankError(rank, error, error.stack);
    }
    return run.results.map((result) => uncarry(result as Carried) as Awaited<R>);
  }

  /** Ends the ranks' threads. */
  close(): Promise<void> {
    return this.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }

  private end(): Promise<void> {
    this.closed ??= (async () => {
      this.options.signal?.removeEventListener("abort", this.aborted);
      await Promise.all(this.ranks.map(({ worker }) => worker.terminate()));
      for (const { port } of this.ranks) port.close();
      this.output.flush();
    })();
    return this.closed;
  }

  private hear(rank: number, message: FromRank): void {
    if (message.kind === "output") this.output.add(rank, message.text, message.stream);
    const run = this.running;
    if (!run || !("run" in message) || message.run !== run.number) return;
    if (message.kind === "result") run.results[rank] = message.value;
    else if (message.kind === "failed") this.failed(run, rank, message.error);
    if (--run.open === 0) run.end();
  }

  private failed(run: Run, rank: number, error: RankFailure): void {
    run.failures.push({ rank, error });
    run.grace ??= setTimeout(() => {
      this.death ??= new MlsysError(
        "distributed: this team was ended, as a rank did not stop after another one's failure",
      );
      const { rank, error } = run.failures[0];
      this.death = new RankError(rank, error, error.stack);
      void this.end();
    }, GRACE);
  }

  private died(rank: number, why: string): void {
    declareGone(this.board, this.size, rank);
    const run = this.running;
    const error: RankFailure = { name: "Error", message: why, stack: undefined, lost: undefined };
    if (!this.closed) this.death ??= new RankError(rank, error, undefined);
    if (!run || run.results[rank] || run.failures.some((failure) => failure.rank === rank)) return;
    this.failed(run, rank, error);
    if (--run.open === 0) run.end();
  }

  /** Keeps the process alive while somebody waits. */
  private hold(on: boolean): void {
    for (const { worker, port, ended } of this.ranks) {
      if (ended) continue;
      if (on) {
        worker.ref();
        port.ref();
      } else {
        worker.unref();
        port.unref();
      }
    }
  }
}

/** A function, made ready for ranks. @throws ShipError naming what can't travel, and why */
export async function shipped(fn: (...args: never[]) => unknown): Promise<Shipment> {
  await learnLibrary();
  return ship(fn, fn.name === "" ? "the function" : fn.name, SHIPPER);
}

/** Milliseconds. */
export const DEFAULT_TIMEOUT = 300_000;

/** @throws ValueError for a number of ranks that can't be */
export function checkRanks(size: number, where: string): void {
  if (!Number.isInteger(size) || size < 1 || size > MAX_RANKS)
    throw new ValueError(`${where}: a number of ranks from 1 to ${MAX_RANKS} expected, given ${size}`);
}
