/**
 * parallelMap: a function of a module, applied to tasks on worker threads; results come in the tasks' order, and no more
 * than `prefetch` tasks are ahead of the consumer. (Book, chapters 3 and 7: asynchronous and parallel loading.)
 */
import { Worker } from "node:worker_threads";
import { MlsysError, ValueError } from "../core/errors.js";
import type { Span } from "../viz/timeline.js";

/** A function that workers can load: the URL of its module, and its exported name. */
export interface WorkerFunction {
  readonly module: string | URL;
  readonly name: string;
}

export interface ParallelOptions {
  /** Threads. Default 2. */
  readonly workers?: number;
  /** Tasks begun ahead of the consumer. Default twice the workers. */
  readonly prefetch?: number;
  /** Called with what each worker did, and when (milliseconds of `performance.timeOrigin + performance.now()`). */
  readonly onSpan?: (span: Span) => void;
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
  readonly spans: readonly Omit<Span, "lane">[];
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/**
 * Results of `work` for each task, in order. Tasks and results are copied between threads (typed arrays of results that
 * fill their buffers are moved). Leaving the loop early, or an error, stops the threads.
 * @throws MlsysError naming the task whose function threw, or whose thread died; ValueError if `workers` or `prefetch`
 *   is not positive.
 * @example
 * const { imagesFile, labelsFile } = data.mnistFiles("test");
 * const tasks = [[0, 1], [2]].map((rows) => ({ imagesFile, labelsFile, rows }));
 * const work = { module: "mlsys/data/mnist-batch", name: "loadMnistBatch" };
 * const batches = data.parallelMap<data.MnistTask, data.MnistArrays>(tasks, work, { workers: 2 });
 */
export async function* parallelMap<T, U>(
  tasks: Iterable<T>,
  work: WorkerFunction,
  options: ParallelOptions = {},
): AsyncGenerator<U, void> {
  const { workers = 2, prefetch = 2 * workers, onSpan } = options;
  if (![workers, prefetch].every((n) => Number.isInteger(n) && n >= 1)) {
    throw new ValueError(
      `parallelMap: at least one worker and one task ahead are needed, got ${workers} and ${prefetch}`,
    );
  }
  const threads = Array.from({ length: workers }, (_, k) => new Thread(k, work, onSpan));
  const source = tasks[Symbol.iterator]();
  const ahead: Promise<U>[] = [];
  let next = 0;
  let exhausted = false;
  const begin = (): void => {
    if (exhausted) return;
    const { value, done } = source.next();
    if (done) {
      exhausted = true;
      return;
    }
    const promise = threads[next % workers].ask(next, value) as Promise<U>;
    next++;
    promise.catch(() => {}); // it is thrown when its turn comes
    ahead.push(promise);
  };
  try {
    for (let i = 0; i < prefetch; i++) begin();
    for (let first = ahead.shift(); first; first = ahead.shift()) {
      const result = await first;
      begin();
      yield result;
    }
  } finally {
    if (!exhausted) source.return?.();
    await Promise.all(threads.map((thread) => thread.end()));
  }
}

/** A worker thread, and the tasks that it has not answered yet. */
class Thread {
  private readonly worker: Worker;
  private readonly pending = new Map<number, Pending>();
  /** Why it will not answer any more. */
  private death: string | null = null;

  constructor(
    index: number,
    private readonly work: WorkerFunction,
    onSpan: ((span: Span) => void) | undefined,
  ) {
    const lane = `worker ${index}`;
    this.worker = new Worker(new URL("./parallel-worker.js", import.meta.url), {
      workerData: { module: String(work.module), name: work.name },
    });
    this.worker.on("message", ({ id, result, error, spans }: Answer) => {
      for (const span of spans) onSpan?.({ lane, ...span });
      const waiting = this.pending.get(id);
      this.pending.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new MlsysError(`parallelMap: ${work.name} failed at task ${id}: ${error}`));
    });
    this.worker.on("error", (error) => this.die(`${lane} died: ${error.message}`));
    this.worker.on("exit", (code) => this.die(`${lane} ended with exit code ${code}`));
  }

  /** The result of the task. */
  ask(id: number, task: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.death !== null) {
        reject(this.lost(id));
        return;
      }
      try {
        this.worker.postMessage({ id, task });
      } catch (cause) {
        reject(
          new MlsysError(`parallelMap: task ${id} cannot be sent to a thread: ${(cause as Error).message}`, {
            cause,
          }),
        );
        return;
      }
      this.pending.set(id, { resolve, reject });
    });
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }

  private die(reason: string): void {
    this.death ??= reason;
    for (const [id, { reject }] of this.pending) reject(this.lost(id));
    this.pending.clear();
  }

  private lost(id: number): MlsysError {
    return new MlsysError(`parallelMap: ${this.work.name} has no result for task ${id}: ${this.death}`);
  }
}
