/**
 * Workers that train against a parameter server: the same function in several processes, some of them slow on purpose, so
 * that the modes can be told apart by what they do and not by what is said of them.
 */
import { fork } from "node:child_process";
import { clock } from "../../core/clock.js";
import { MlsysError, ValueError } from "../../core/errors.js";
import { learnLibrary } from "../../data/engine/known-modules.js";
import { ship } from "../../data/engine/ship.js";
import type { ParameterClient } from "./client.js";
import { compiled } from "./compiled.js";
import type { LocalCluster } from "./local.js";

/** How slow a worker is made: milliseconds before each step, or from the step's number. */
export type Delay = number | ((step: number) => number);

export interface WorkerContext {
  /** 0 … workers − 1. */
  readonly worker: number;
  readonly workers: number;
  readonly client: ParameterClient;
  /** Waits as long as this worker is made slow; call it once a step. */
  straggle(step: number): Promise<void>;
  /** Notes a number (a loss) at this moment: it comes back in `points`, and to `onPoint` at once. */
  report(step: number, value: number): void;
}

export interface TrainPoint {
  readonly worker: number;
  readonly step: number;
  readonly value: number;
  /** Milliseconds since all workers were ready. */
  readonly ms: number;
}

export interface TrainOptions {
  /** Delays by worker: `{ 3: 50 }` makes worker 3 wait for 50 ms before each step. */
  readonly stragglers?: Readonly<Record<number, Delay>>;
  /** Called as numbers are reported. */
  readonly onPoint?: (point: TrainPoint) => void;
  /** Ends all workers. */
  readonly signal?: AbortSignal;
  /** What happens when a worker dies: the others go on without it (the server stops waiting for it), or all end. Default end. */
  readonly onDeath?: "end" | "continue";
}

export interface TrainResult<T> {
  /** What each worker's function returned; undefined for one that died. */
  readonly results: readonly (T | undefined)[];
  /** Reported numbers, in the order of time. */
  readonly points: readonly TrainPoint[];
  /** From the moment all were ready to the end of the last. */
  readonly ms: number;
}

/** What a worker's process is told at first. */
export interface WorkerOrder {
  readonly f: unknown;
  readonly delay: unknown;
  readonly worker: number;
  readonly workers: number;
  readonly access: LocalCluster["access"];
}

export type WorkerNote =
  | { readonly kind: "ready"; readonly client: string }
  | { readonly kind: "point"; readonly step: number; readonly value: number }
  | { readonly kind: "done"; readonly result: unknown }
  | { readonly kind: "failed"; readonly message: string; readonly stack: string | undefined };

/**
 * Runs `f` in `workers` processes, each with a client of the cluster. The function travels as source with the values
 * around it, as those of pipelines do; tensors stay behind, so give their numbers as typed arrays. The processes end with the
 * function, with `cluster.close()`, with `signal`, and with this process, however that ends.
 * @returns the results (plain data), and what was reported
 * @throws ShipError for a function that can't travel; MlsysError with the worker's own message if one fails
 * @example
 * const cluster = await distributed.parameterServer({
 *   tensors: [{ kind: "dense", name: "w", shape: [1] }],
 *   optimizer: { rule: "SGD", lr: 0.5 },
 *   workers: 2,
 * });
 * const { results } = await distributed.trainWorkers(cluster, 2, async ({ client, worker, straggle }) => {
 *   for (let step = 0; step < 3; step++) {
 *     await client.pull();
 *     await straggle(step);
 *     await client.push({ w: Float32Array.of(-worker) });
 *   }
 *   return (await client.pull()).w.toArray();
 * }, { stragglers: { 1: 5 } });
 * await cluster.close();
 * results // [[0.75], [0.75]]
 */
export async function trainWorkers<T>(
  cluster: LocalCluster,
  workers: number,
  f: (context: WorkerContext) => Promise<T> | T,
  options: TrainOptions = {},
): Promise<TrainResult<T>> {
  if (!Number.isInteger(workers) || workers < 1)
    throw new ValueError(`trainWorkers: workers is a whole number from 1, got ${workers}`);
  await learnLibrary();
  const shipped = ship(f, "trainWorkers' function");
  const { stragglers = {}, onPoint, signal, onDeath = "end" } = options;
  signal?.throwIfAborted();
  const points: TrainPoint[] = [];
  const results: (T | undefined)[] = Array.from({ length: workers });
  let start = Number.NaN;
  const crew = Array.from({ length: workers }, (_, worker) => {
    const delay = stragglers[worker];
    return new Member({
      f: shipped,
      delay: typeof delay === "function" ? ship(delay, `the delay of worker ${worker}`) : (delay ?? 0),
      worker,
      workers,
      access: cluster.access,
    });
  });
  const endAll = (): void => {
    for (const member of crew) member.kill();
  };
  signal?.addEventListener("abort", endAll, { once: true });
  cluster.runs.add(endAll);
  try {
    await Promise.all(crew.map((member) => member.ready));
    start = clock();
    const ends = crew.map(async (member, worker) => {
      const outcome = await member.run(({ step, value }) => {
        const point = { worker, step, value, ms: clock() - start };
        points.push(point);
        onPoint?.(point);
      });
      if (outcome.kind === "done") results[worker] = outcome.result as T;
      else if (outcome.kind === "failed") {
        const error = new MlsysError(`trainWorkers: worker ${worker} failed: ${outcome.message}`);
        if (outcome.stack) error.stack = `${error.name}: ${error.message}\n${outcome.stack}`;
        throw error;
      } else {
        cluster.lostClient(member.client);
        if (onDeath === "end") throw new MlsysError(`trainWorkers: worker ${worker} died: ${outcome.why}`);
      }
    });
    await Promise.all(ends);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", endAll);
    cluster.runs.delete(endAll);
    endAll();
    for (const { client } of crew) if (client) cluster.lostClient(client);
  }
  return { results, points, ms: clock() - start };
}

type Outcome =
  | Extract<WorkerNote, { kind: "done" | "failed" }>
  | { readonly kind: "died"; readonly why: string };

/** A worker's process. */
class Member {
  client = "";
  /** It is connected and waits for the start. */
  readonly ready: Promise<void>;
  private readonly body: ReturnType<typeof fork>;
  private point: (note: { step: number; value: number }) => void = () => {};
  private readonly outcome: Promise<Outcome>;

  constructor(order: WorkerOrder) {
    this.body = fork(compiled("train-worker.js"), [], {
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: { ...process.env, MLSYS_NUM_THREADS: "1" },
    });
    let isReady = (): void => {};
    const readyNote = new Promise<void>((resolve) => {
      isReady = resolve;
    });
    this.outcome = new Promise((resolve) => {
      this.body.on("message", (note: WorkerNote) => {
        if (note.kind === "ready") {
          this.client = note.client;
          isReady();
        } else if (note.kind === "point") this.point(note);
        else resolve(note);
      });
      this.body.on("error", ({ message }) => resolve({ kind: "died", why: message }));
      this.body.on("exit", (code, signal) => resolve({ kind: "died", why: signal ?? `exit code ${code}` }));
    });
    this.ready = Promise.race([
      readyNote,
      this.outcome.then((outcome) => {
        const why = outcome.kind === "died" ? outcome.why : outcome.kind === "failed" ? outcome.message : "";
        throw new MlsysError(`trainWorkers: worker ${order.worker} could not be started: ${why}`);
      }),
    ]);
    this.ready.catch(() => {}); // it is awaited with the others
    this.body.send(order);
  }

  run(point: (note: { step: number; value: number }) => void): Promise<Outcome> {
    this.point = point;
    if (this.body.connected) this.body.send("start");
    return this.outcome;
  }

  kill(): void {
    this.body.kill("SIGKILL");
  }
}
