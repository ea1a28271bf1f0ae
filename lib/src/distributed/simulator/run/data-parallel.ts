/**
 * Data-parallel training with buckets, as the library's own does it: gradients are ready layer by layer from the back,
 * and a full bucket is reduced beside the rest of the backward pass. (Li et al., "PyTorch Distributed", VLDB 2020.)
 */

import type { Span } from "../../../viz/timeline.js";
import { simulateTasks, spansOf, type Task } from "../engine/tasks.js";

export interface GradientLayer {
  /** Seconds of its forward and backward pass. */
  readonly forward: number;
  readonly backward: number;
  /** Bytes of its gradients. */
  readonly bytes: number;
}

export interface DataParallelStep {
  readonly seconds: number;
  /** Seconds after the backward pass in which gradients are still on their way. */
  readonly exposed: number;
  /** Bytes of each bucket, in the order in which they are sent. */
  readonly buckets: readonly number[];
  readonly spans: readonly Span[];
}

/**
 * A step of one of equal replicas.
 * @param layers from the first to the last
 * @param reduceSeconds of an allReduce of so many bytes among all replicas
 * @param options `bucketBytes`: a bucket is sent when it holds at least so many; default 25 MiB, PyTorch's. `optimizer`:
 *   seconds after the last gradient; default 0
 * @example
 * // 2 forward, 4 back, and the first layer's gradients after that
 * const layer = { forward: 1, backward: 2, bytes: 8 };
 * simulateDataParallel([layer, layer], (bytes) => bytes / 8, { bucketBytes: 1 }).seconds // 7
 */
export function simulateDataParallel(
  layers: readonly GradientLayer[],
  reduceSeconds: (bytes: number) => number,
  {
    bucketBytes = 25 * 2 ** 20,
    optimizer = 0,
  }: { readonly bucketBytes?: number; readonly optimizer?: number } = {},
): DataParallelStep {
  const tasks: Task[] = layers.map(({ forward }, i) => ({
    name: `forward ${i}`,
    lane: "compute",
    work: forward,
  }));
  const buckets: number[] = [];
  let bytes = 0;
  for (let i = layers.length - 1; i >= 0; i--) {
    tasks.push({ name: `backward ${i}`, lane: "compute", work: layers[i].backward });
    const backward = tasks.length - 1;
    bytes += layers[i].bytes;
    if (bytes < bucketBytes && i > 0) continue;
    if (bytes > 0) {
      tasks.push({
        name: `allReduce ${buckets.length}`,
        lane: "network",
        work: reduceSeconds(bytes),
        after: [backward],
      });
      buckets.push(bytes);
    }
    bytes = 0;
  }
  const run = simulateTasks(tasks);
  const computed = tasks.reduce(
    (last, { lane }, i) => (lane === "compute" ? Math.max(last, run.end[i]) : last),
    0,
  );
  return {
    ...{ seconds: run.seconds + optimizer, exposed: run.seconds - computed, buckets },
    spans: spansOf(tasks, run),
  };
}
