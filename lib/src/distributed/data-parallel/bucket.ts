/**
 * Gradient buckets: gradients that travel together. One is on its way while the backward pass computes the next.
 * (Li et al. 2020, "PyTorch Distributed: Experiences on Accelerating Data Parallel Training".)
 */

import type { Variable } from "../../autodiff/variable.js";
import { clock } from "../../core/clock.js";
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { TransformError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { needConcrete } from "../../ops/read.js";
import type { OpDef } from "../../ops/registry.js";
import type { DenseTensor } from "../../runtime/dense.js";
import { outsideScopes } from "../../runtime/tidy.js";
import type { ProcessGroup, Work } from "../group/process-group.js";
import { copyInto, copyOut, type FlatLayout, flatBuffer, flatLayout, hostBytes, pieceOf } from "./flat.js";

/** What a communication hook gets. */
export interface GradientBucket {
  /** Place in the order in which buckets are sent. */
  readonly index: number;
  /** The gradients of this rank, one after the other: flat. Not to be disposed or kept: it is filled anew at each step. */
  readonly tensor: Tensor;
  /** Whose gradients, in the order of the buffer. */
  readonly parameters: readonly Variable[];
  /** True for the one that is sent last. */
  readonly last: boolean;
}

/**
 * How a bucket becomes the mean over all ranks, instead of by a plain allReduce: compressed, for example. What it returns
 * has the bucket's shape and dtype. It runs at each step, also of compiled ones; what it keeps from step to step it keeps
 * in variables.
 */
export type CommunicationHook = (bucket: GradientBucket, group: ProcessGroup) => Work<Tensor>;

/** What one bucket did in the last pass; milliseconds of the process's clock. */
export interface BucketSpan {
  readonly index: number;
  readonly bytes: number;
  /** Its last gradient was there, and it was handed to the communication thread. */
  readonly started: number;
  /** The pass began to wait for it. */
  readonly waited: number;
  /** It was there. */
  readonly finished: number;
  /** It was there before anybody waited: all of it was hidden behind the backward pass. */
  readonly hidden: boolean;
}

/**
 * The default: the mean by one allReduce.
 * @example
 * const halved: distributed.CommunicationHook = (bucket, group) => distributed.meanHook({ ...bucket, tensor: bucket.tensor.mul(0.5) }, group);
 */
export const meanHook: CommunicationHook = ({ tensor }, group) => group.allReduce(tensor, { op: "mean" });

/** For captured steps, whose graphs divide: in the kernel that updates the weights that costs nothing. */
export const sumHook: CommunicationHook = ({ tensor }, group) => group.allReduce(tensor, { op: "sum" });

export class Bucket {
  readonly layout: FlatLayout;
  readonly dtype: DType;
  private readonly flat: DenseTensor;
  private readonly filled = new Set<number>();
  private readonly placeOf: ReadonlyMap<Variable, number>;
  private work: Work<Tensor> | null = null;
  private started = 0;
  /** Of the last pass. */
  span: BucketSpan | null = null;
  last = false;

  constructor(
    readonly index: number,
    readonly parameters: readonly Variable[],
    private readonly group: ProcessGroup,
    private readonly hook: CommunicationHook,
  ) {
    this.dtype = parameters[0].dtype;
    this.layout = flatLayout(parameters, this.dtype);
    this.flat = flatBuffer(this.layout.size, this.dtype);
    this.placeOf = new Map(parameters.map((variable, i) => [variable, i]));
  }

  get bytes(): number {
    return this.layout.size * bytesPerElement(this.dtype);
  }

  get ready(): boolean {
    return this.filled.size === this.parameters.length;
  }

  get underway(): boolean {
    return this.work !== null;
  }

  /** Puts one gradient into the buffer. */
  fill(variable: Variable, gradient: Tensor): void {
    const place = this.placeOf.get(variable) as number;
    const dense = needConcrete(gradient, "DistributedDataParallel");
    copyInto(this.flat, this.layout.pieces[place].from, hostBytes(dense));
    this.filled.add(place);
  }

  /** Those that no gradient reached count as zeros. */
  fillMissing(): void {
    const width = bytesPerElement(this.dtype);
    const bytes = this.flat.storage.bytes();
    this.layout.pieces.forEach(({ from, to }, i) => {
      if (!this.filled.has(i)) bytes.fill(0, from * width, to * width);
    });
  }

  /** Sends it: returns at once. */
  start(): void {
    const { index, flat: tensor, parameters, last, group } = this;
    this.started = clock();
    // the result must outlive the scope of the op or walk that this runs in
    this.work = outsideScopes(() => this.hook({ index, tensor, parameters, last }, group));
    this.filled.clear();
  }

  /** Blocks until the mean is there. In no scope; the caller disposes it. */
  finish(): DenseTensor {
    const work = this.work as Work<Tensor>;
    const hidden = work.done;
    const waited = clock();
    this.work = null;
    const result = outsideScopes(() =>
      needConcrete(work.wait(), "DistributedDataParallel: the hook's result"),
    );
    const { index, bytes, started } = this;
    this.span = { index, bytes, started, waited, finished: clock(), hidden };
    if (result.size !== this.layout.size || result.dtype !== this.dtype)
      throw new TransformError(
        `DistributedDataParallel: the hook returned ${result.dtype}(${result.shape}) for bucket ${index}, which is ${this.dtype}(${this.layout.size})`,
      );
    return result;
  }

  /** The mean gradients: views of one result. */
  gradients(): [Variable, Tensor][] {
    const result = this.finish();
    const list = this.parameters.map((variable, i): [Variable, Tensor] => [
      variable,
      pieceOf(result, this.layout.pieces[i]),
    ]);
    result.dispose();
    return list;
  }

  /** After a failed pass: what is under way is waited for, whatever comes of it. */
  reset(): void {
    this.filled.clear();
    const { work } = this;
    this.work = null;
    try {
      work?.wait().dispose();
    } catch {
      // the pass has failed already, with an error that says more
    }
  }

  /**
   * The two halves as ops, for captured steps: the first takes the gradients, sends the bucket and returns a token; the second
   * takes the token, waits and returns the means. What stands between them in the graph runs meanwhile.
   */
  ops(): { readonly start: OpDef; readonly done: OpDef } {
    const { parameters, layout } = this;
    const refuse = (): never => {
      throw new TransformError(
        "DistributedDataParallel: gradients that were averaged over ranks can't be differentiated or mapped; transform the function that makes them",
      );
    };
    const rest = { vjp: refuse, jvp: refuse, batch: refuse, samples: [], kind: "random" } as const; // not folded, not hoisted
    return {
      start: {
        ...rest,
        name: `allReduceStart${this.index}`,
        type: () => [{ shape: [], dtype: "int32" }],
        reference: (inputs, [token]) => {
          layout.pieces.forEach(({ from }, i) => {
            copyInto(this.flat, from, inputs[i]); // behind the gradients there may be one more, which is not read
          });
          this.start();
          token.data[token.offset] = this.index;
        },
      },
      done: {
        ...rest,
        name: `allReduceDone${this.index}`,
        type: () => parameters.map(({ shape, dtype }) => ({ shape, dtype })),
        reference: (_token, outputs) => {
          const result = this.finish();
          outputs.forEach((y, i) => {
            copyOut(result, layout.pieces[i], y);
          });
          result.dispose();
        },
      },
    };
  }

  dispose(): void {
    this.flat.dispose();
  }
}
