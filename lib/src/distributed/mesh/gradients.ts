/** Gradients of members that saw other examples, averaged: what data parallelism does after the backward pass of a hybrid. */
import { detached } from "../../autodiff/backward.js";
import { noGrad } from "../../autodiff/tape-mode.js";
import type { Variable } from "../../autodiff/variable.js";
import { bytesPerElement, type DType } from "../../core/dtype.js";
import type { Tensor } from "../../core/tensor.js";
import { zeros } from "../../ops/create.js";
import { concat } from "../../ops/shape.js";
import { tidy } from "../../ops/tidy.js";
import type { ProcessGroup } from "../group/process-group.js";
import { along } from "../tensor-parallel/parts.js";

/** Variables that one member of a group holds alone (experts): others' gradients have come to them on the way back. */
const own = new WeakMap<Variable, ProcessGroup>();

/** Says that only this member of `group` has the variable. */
export function markOwn(variable: Variable, group: ProcessGroup): void {
  own.set(variable, group);
}

/** The group of which this member alone has the variable; `undefined` for others. */
export function ownIn(variable: Variable): ProcessGroup | undefined {
  return own.get(variable);
}

export interface AverageOptions {
  /** Bytes that are sent together at most. Default 25 MiB, as in PyTorch's DDP. */
  readonly bucket?: number;
}

/**
 * The mean of the members' gradients in each variable's `grad`, in few large messages. Variables without a gradient count
 * as zeros. Experts, which get the sum of all members' gradients anyway, are divided by the number of members. All members
 * call it, after the backward pass, with the same variables.
 * @example
 * await distributed.launch(2, (group) => {
 *   const w = variable([1, 2]);
 *   w.mul(group.rank + 1).sum().backward();
 *   distributed.averageGradients([w], group);
 *   return w.grad?.toArray();
 * }) // [[1.5, 1.5], [1.5, 1.5]]
 */
export function averageGradients(
  variables: Iterable<Variable>,
  group: ProcessGroup,
  { bucket = 25 * 2 ** 20 }: AverageOptions = {},
): void {
  if (group.size === 1) return;
  const shared: Variable[] = [];
  for (const variable of variables) {
    if (!variable.requiresGrad) continue;
    if (own.get(variable) !== group) shared.push(variable);
    else if (variable.grad) {
      const { grad } = variable;
      replace(variable, () => grad.div(group.size));
    }
  }
  for (const some of buckets(shared, bucket)) {
    noGrad(() =>
      tidy(() => {
        const flat = concat(some.map((variable) => gradientOf(variable).reshape([variable.size])));
        const mean = group.allReduce(flat, { op: "mean" }).wait();
        let start = 0;
        for (const variable of some) {
          const part = { start, length: variable.size };
          replace(variable, () => along(mean, 0, part).reshape(variable.shape).add(0)); // not the whole bucket's memory
          start += variable.size;
        }
        return null;
      }),
    );
  }
}

const gradientOf = (variable: Variable): Tensor =>
  variable.grad ?? zeros(variable.shape, { dtype: variable.dtype });

function replace(variable: Variable, make: () => Tensor): void {
  const before = variable.grad;
  noGrad(() =>
    tidy(() => {
      variable.grad = detached(make());
      return null;
    }),
  );
  before?.dispose();
}

/** Variables of one dtype, of so many bytes together. */
function buckets(variables: readonly Variable[], most: number): Variable[][] {
  const open = new Map<DType, { list: Variable[]; bytes: number }>();
  const full: Variable[][] = [];
  for (const variable of variables) {
    const bytes = variable.size * bytesPerElement(variable.dtype);
    let at = open.get(variable.dtype);
    if (!at || at.bytes + bytes > most) {
      at = { list: [], bytes: 0 };
      open.set(variable.dtype, at);
      full.push(at.list);
    }
    at.list.push(variable);
    at.bytes += bytes;
  }
  return full;
}
