/**
 * Gradient compression as communication hooks: what is sent is smaller than the gradients, and what is lost on the way is
 * added to the next step's (error feedback: Seide et al. 2014, Karimireddy et al. 2019). This file is what the hooks share.
 */
import { bytesPerElement } from "../../core/dtype.js";
import { DTypeError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { tensor } from "../../ops/convert.js";
import { outsideScopes } from "../../runtime/tidy.js";
import type { CommunicationHook, GradientBucket } from "../data-parallel/bucket.js";
import { mapped } from "../group/mapped-work.js";
import type { ProcessGroup, Work } from "../group/process-group.js";

/** What a hook has sent so far. */
export interface CompressionStatistics {
  /** Bytes of gradients, and of what this rank gave to collectives for them. */
  readonly raw: number;
  readonly sent: number;
  /** Root mean square of what compression changed, relative to what it was given: of the last bucket. */
  readonly error: number;
}

export interface CompressionHook extends CommunicationHook {
  readonly statistics: CompressionStatistics;
}

/** Counts for a hook. */
export class Counter {
  raw = 0;
  sent = 0;
  error = 0;

  bucket({ tensor: x }: GradientBucket): void {
    this.raw += x.size * bytesPerElement(x.dtype);
  }

  send(bytes: number): void {
    this.sent += bytes;
  }

  /** Of what was given, what is lost. */
  lose(given: Float32Array, lost: Float32Array): void {
    const size = squares(given);
    this.error = size === 0 ? 0 : Math.sqrt(squares(lost) / size);
  }
}

const squares = (x: Float32Array): number => x.reduce((sum, value) => sum + value * value, 0);

/** A hook with its counts. */
export function hookOf(
  counter: Counter,
  run: (bucket: GradientBucket, group: ProcessGroup) => Work<Tensor>,
): CompressionHook {
  const hook = (bucket: GradientBucket, group: ProcessGroup): Work<Tensor> => {
    counter.bucket(bucket);
    return run(bucket, group);
  };
  return Object.defineProperty(hook, "statistics", {
    get: (): CompressionStatistics => ({ raw: counter.raw, sent: counter.sent, error: counter.error }),
  }) as CompressionHook;
}

/** What each bucket's compression has lost, until the next step. */
export class Residuals {
  private readonly lost = new Map<number, Float32Array>();

  /** The bucket's gradients with what was lost of them before, in an array of its own. @throws DTypeError for integers */
  gradients({ index, tensor: x }: GradientBucket): Float32Array {
    if (x.dtype !== "float32" && x.dtype !== "float16" && x.dtype !== "bfloat16" && x.dtype !== "float64")
      throw new DTypeError(`compression: gradients are floats, got ${x.dtype}`);
    const values = Float32Array.from(x.toTypedArray() as ArrayLike<number>);
    const lost = this.lost.get(index);
    // buckets may be cut anew after the first step: what was lost then is forgotten
    if (lost?.length === values.length) for (let i = 0; i < values.length; i++) values[i] += lost[i];
    return values;
  }

  keep({ index }: GradientBucket, lost: Float32Array): void {
    this.lost.set(index, lost);
  }
}

/** A tensor that outlives the pass. */
export function lasting(values: Float32Array | Uint8Array, dtype: Tensor["dtype"]): Tensor {
  return outsideScopes(() => tensor(values, { dtype, shape: [values.length] }));
}

/**
 * Sends this rank's bytes to all; every rank's bytes become numbers, and the mean of these is the result. All ranks must
 * send as many bytes.
 */
export function gatheredMean(
  bucket: GradientBucket,
  group: ProcessGroup,
  counter: Counter,
  bytes: Uint8Array,
  /** Adds what a rank sent to the sum. */
  addTo: (sum: Float32Array, bytes: Uint8Array) => void,
): Work<Tensor> {
  counter.send(bytes.length);
  const own = lasting(bytes, "uint8");
  const work = outsideScopes(() => group.allGather(own));
  const { size } = bucket.tensor;
  const { dtype } = bucket.tensor;
  return mapped(work, (all) => {
    const received = all.toTypedArray() as Uint8Array;
    const sum = new Float32Array(size);
    for (let rank = 0; rank < group.size; rank++)
      addTo(sum, received.slice(rank * bytes.length, (rank + 1) * bytes.length));
    for (let i = 0; i < size; i++) sum[i] /= group.size;
    all.dispose();
    own.dispose();
    return lasting(sum, dtype);
  });
}
