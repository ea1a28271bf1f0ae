/** vmap: a function of one example becomes a function of a batch, each op by its batching rule. */
import type { DType } from "../core/dtype.js";
import { TransformError } from "../core/errors.js";
import { formatShape, normalizeAxis, type Shape } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { flatten, unflatten } from "../core/tree.js";
import { bind, type Trace, withLevel } from "../ops/bind.js";
import type { Attrs, OpDef } from "../ops/registry.js";
import { callSync } from "./trace.js";
import { Variable } from "./variable.js";

class BatchTracer extends Tensor {
  readonly shape: Shape;

  constructor(
    readonly trace: BatchTrace,
    /** The whole batch. */
    readonly whole: Tensor,
    /** Axis of `whole` that runs over the examples. */
    readonly axis: number,
  ) {
    super();
    this.shape = whole.shape.filter((_, i) => i !== axis);
  }

  get dtype(): DType {
    return this.whole.dtype;
  }

  get device(): string {
    return this.whole.device;
  }
}

class BatchTrace implements Trace {
  readonly name = "vmap";
  active = true;

  constructor(
    readonly level: number,
    readonly size: number,
  ) {}

  process(op: OpDef, inputs: readonly Tensor[], attrs: Attrs): Tensor[] {
    const mine = (x: Tensor): x is BatchTracer => x instanceof BatchTracer && x.trace === this;
    const values = inputs.map((x) => (mine(x) ? x.whole : x));
    const axes = inputs.map((x) => (mine(x) ? x.axis : null));
    if (axes.every((axis) => axis === null)) return bind(op, values, attrs);
    const batched = op.batch(values, axes, attrs, this.size);
    return batched.outputs.map((y, i) => {
      const axis = batched.axes[i];
      return axis === null ? y : new BatchTracer(this, y, axis);
    });
  }
}

export interface VmapOptions {
  /** Per argument: the axis that runs over the examples (negative counts from the back), or `null` if all share it. Default 0. */
  readonly inAxes?: number | null | readonly (number | null)[];
  /** Axis of the results that runs over the examples. Default 0. */
  readonly outAxes?: number;
}

/**
 * Maps `f` over a batch axis of its arguments.
 * @example vmap((x, w) => x.dot(w), { inAxes: [0, null] })(batch, weights)
 * @throws TransformError if the batch sizes differ or no argument is mapped.
 */
export function vmap<A extends unknown[], T>(
  f: (...args: A) => T,
  { inAxes = 0, outAxes = 0 }: VmapOptions = {},
): (...args: A) => T {
  return (...args) =>
    withLevel((level) => {
      const axisOf = (i: number): number | null =>
        inAxes === null || typeof inAxes === "number" ? inAxes : (inAxes[i] ?? null);
      const flat = args.map((arg) => flatten(arg));
      let size: number | null = null;
      flat.forEach(({ leaves }, i) => {
        const axis = axisOf(i);
        if (axis === null) return;
        for (const leaf of leaves) {
          const dim = leaf.shape[normalizeAxis(axis, leaf.ndim, `vmap: argument ${i}`)];
          if (size !== null && dim !== size) {
            throw new TransformError(
              `vmap: argument ${i} of shape ${formatShape(leaf.shape)} has ${dim} examples along axis ${axis}, others have ${size}`,
            );
          }
          size = dim;
        }
      });
      if (size === null)
        throw new TransformError("vmap: no argument is mapped; give at least one a batch axis by inAxes");
      const trace = new BatchTrace(level, size);
      const mapped = flat.map(({ leaves, def }, i) => {
        const axis = axisOf(i);
        const values = leaves.map((leaf) => {
          const x = leaf instanceof Variable ? leaf.value : leaf;
          return axis === null ? x : new BatchTracer(trace, x, normalizeAxis(axis, x.ndim, "vmap"));
        });
        return unflatten(def, values);
      });
      try {
        const result = flatten(callSync(f as never, mapped, "vmap"));
        const outputs = result.leaves.map((y) => {
          const whole =
            y instanceof BatchTracer && y.trace === trace ? y.whole : y.broadcastTo([trace.size, ...y.shape]);
          const from = y instanceof BatchTracer && y.trace === trace ? y.axis : 0;
          return moveAxis(whole, from, normalizeAxis(outAxes, whole.ndim, "vmap: outAxes"));
        });
        return unflatten(result.def, outputs) as T;
      } finally {
        trace.active = false;
      }
    });
}

function moveAxis(x: Tensor, from: number, to: number): Tensor {
  const order = x.shape.map((_, i) => i).filter((i) => i !== from);
  order.splice(to, 0, from);
  return x.transpose(order);
}
