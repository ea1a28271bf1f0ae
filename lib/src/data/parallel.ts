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
 * Results of `work` for each task, in order. Tasks and results are copied between threads (typed arrays of results are
 * moved). Leaving the loop early, or an error, stops the threads.
 * @throws MlsysError naming the task whose function threw; ValueError if `workers` is not positive.
 */
export async function* parallelMap<T, U>(
  tasks: Iterable<T>,
  work: WorkerFunction,
  options: ParallelOptions = {},
): AsyncGenerator<U, void> {
  const { workers = 2, prefetch = 2 * workers, onSpan } = options;
  if (!Number.isInteger(workers) || workers < 1 || prefetch < 1) {
    throw new ValueError(
      `parallelMap: at least one worker and one task ahead are needed, got ${workers} and ${prefetch}`,
    );
  }
  const pending = new Map<number, Pending>();
  const threads = Array.from({ length: workers }, (_, k) => {
    const thread = new Worker(new URL("./parallel-worker.js", import.meta.url), {
      workerData: { module: String(work.module), name: work.name },
    });
    thread.on("message", ({ id, result, error, spans }: Answer) => {
      for (const span of spans) onSpan?.({ lane: `worker ${k}`, ...span });
      const waiting = pending.get(id);
      pending.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new MlsysError(`parallelMap: ${work.name} failed at task ${id}: ${error}`));
    });
    thread.on("error", (error) => {
      for (const waiting of pending.values())
        waiting.reject(new MlsysError(`parallelMap: worker ${k} died: ${error.message}`));
      pending.clear();
    });
    return thread;
  });
  const source = tasks[Symbol.iterator]();
  const ahead: Promise<U>[] = [];
  let next = 0;
  const begin = (): void => {
    const { value, done } = source.next();
    if (done) return;
    const id = next++;
    const promise = new Promise<U>((resolve, reject) => {
      pending.set(id, { resolve: resolve as (result: unknown) => void, reject });
    });
    promise.catch(() => {}); // it is thrown when its turn comes
    ahead.push(promise);
    threads[id % workers].postMessage({ id, task: value });
  };
  try {
    for (let i = 0; i < prefetch; i++) begin();
    for (let first = ahead.shift(); first; first = ahead.shift()) {
      const result = await first;
      begin();
      yield result;
    }
  } finally {
    source.return?.();
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}
