/** What op families share: reference loops with broadcasting, and batching rules. */
import { broadcastLayout } from "../core/layout.js";
import { type Shape, sameShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { elementPositions, type HostArray } from "../runtime/host-array.js";
import type { Kernel } from "../runtime/kernels.js";
import { bind } from "./bind.js";
import type { Attrs, BatchRule, OpDef } from "./registry.js";

/** Positions of `input`'s elements, repeated to the shape of the output. */
export function broadcastPositions(input: HostArray, shape: Shape): Int32Array {
  return elementPositions(sameShape(input.shape, shape) ? input : broadcastLayout(input, shape, "broadcast"));
}

/**
 * Reference kernel that computes each output element from the elements at the same (broadcast) place.
 * @example
 * const op = defineOp<object>({ name: "exampleTwice", type: ([x]) => [x], reference: extend.mapReference((x) => 2 * x), vjp: "not differentiable", jvp: "not differentiable", batch: extend.elementwiseBatch(() => op), samples: [] }) as extend.OpDef<object>;
 * extend.apply(op, [tensor([21])], {}) // [42]
 */
export function mapReference(f: (...x: number[]) => number): Kernel<unknown> {
  return (inputs, [out]) => {
    const positions = inputs.map((input) => broadcastPositions(input, out.shape));
    const size = positions[0].length;
    const [a, b, c] = inputs.map((input) => input.data);
    const [p, q, r] = positions;
    if (inputs.length === 1) for (let i = 0; i < size; i++) out.data[i] = f(a[p[i]]);
    else if (inputs.length === 2) for (let i = 0; i < size; i++) out.data[i] = f(a[p[i]], b[q[i]]);
    else for (let i = 0; i < size; i++) out.data[i] = f(a[p[i]], b[q[i]], c[r[i]]);
  };
}

/** The batch axis moved to the front; unbatched inputs stay. */
export function batchToFront(x: Tensor, axis: number | null): Tensor {
  if (axis === null || axis === 0) return x;
  const order = [axis];
  for (let i = 0; i < x.ndim; i++) if (i !== axis) order.push(i);
  return x.transpose(order);
}

/**
 * The input with a batch in front, repeated if it had none.
 * @example extend.withBatch(ones([2, 5]), 1, 5).shape // [5, 2]
 */
export function withBatch(x: Tensor, axis: number | null, size: number): Tensor {
  return axis === null ? x.broadcastTo([size, ...x.shape]) : batchToFront(x, axis);
}

/**
 * Batching rule of elementwise ops: align ranks behind the batch axis, then broadcasting does the rest.
 * @example vmap((x: Tensor) => extend.apply(getOp("sin"), [x], {}))(zeros([3])).shape // [3]
 */
export function elementwiseBatch<A extends Attrs>(op: () => OpDef<A>): BatchRule<A> {
  return (inputs, axes, attrs) => {
    const rank = Math.max(...inputs.map((x, i) => x.ndim - (axes[i] === null ? 0 : 1)));
    const aligned = inputs.map((x, i) => {
      if (axes[i] === null) return x;
      const front = batchToFront(x, axes[i]);
      const missing = rank - (front.ndim - 1);
      if (missing === 0) return front;
      return front.reshape([front.shape[0], ...new Array<number>(missing).fill(1), ...front.shape.slice(1)]);
    });
    const outputs = bind(op(), aligned, attrs);
    return { outputs, axes: outputs.map(() => 0) };
  };
}

/**
 * Batching rule of ops with one batched input whose attributes name axes: `shift` moves them behind the batch.
 * @example typeof extend.shiftedBatch(() => getOp("sin"), (attrs) => attrs) // "function"
 */
export function shiftedBatch<A extends Attrs>(
  op: () => OpDef<A>,
  shift: (attrs: A, size: number, inner: Shape) => A,
): BatchRule<A> {
  return ([x], [axis], attrs, size) => {
    const front = withBatch(x, axis, size);
    const outputs = bind(op(), [front], shift(attrs, size, front.shape.slice(1)));
    return { outputs, axes: outputs.map(() => 0) };
  };
}

/**
 * Batching rule that folds the batch into an axis by running the op once per element; for ops that are rarely mapped.
 * @example typeof extend.loopedBatch(() => getOp("sin")) // "function"
 */
export function loopedBatch<A extends Attrs>(op: () => OpDef<A>): BatchRule<A> {
  return (inputs, axes, attrs, size) => {
    const runs: Tensor[][] = [];
    for (let k = 0; k < size; k++) {
      const one = inputs.map((x, i) => (axes[i] === null ? x : batchToFront(x, axes[i]).at(k)));
      runs.push(bind(op(), one, attrs));
    }
    const outputs = runs[0].map((_, o) => runs[0][o].stackWith(runs.slice(1).map((run) => run[o])));
    return { outputs, axes: outputs.map(() => 0) };
  };
}
