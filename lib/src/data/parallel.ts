/**
 * parallelMap: a function of a module, applied to tasks on worker threads; results come in the tasks' order, and no more
 * than `prefetch` tasks are ahead of the consumer. (Book, chapters 3 and 7: asynchronous and parallel loading.) It is a
 * pipeline of one op whose chunks are single tasks.
 */
import { MlsysError, ValueError } from "../core/errors.js";
import type { Span } from "../viz/timeline.js";
import { elementNode } from "./dataset/elements.js";
import { ElementError, textOf } from "./dataset/failure.js";
import { sourceNode } from "./dataset/source.js";
import { moduleFunction } from "./engine/module-function.js";
import { Pipeline } from "./engine/pipeline.js";

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
  const f = moduleFunction<T, U>(work.module, work.name);
  const call = { f, name: work.name, seed: 0, onError: "fail", parallel: workers, device: "cpu" } as const;
  const node = elementNode(
    "map",
    sourceNode(() => tasks),
    call,
  );
  const stages =
    onSpan &&
    ((span: Span): void => (span.lane === "main" || span.name === work.name ? undefined : onSpan(span)));
  const pipeline = new Pipeline(node, { buffer: prefetch, chunk: 1, ...(stages && { onSpan: stages }) });
  try {
    for await (const result of pipeline) yield result as U;
  } catch (cause) {
    if (!(cause instanceof ElementError)) throw cause;
    throw new MlsysError(
      `parallelMap: ${work.name} failed at task ${cause.element}: ${textOf(cause.cause)}`,
      { cause },
    );
  }
}
