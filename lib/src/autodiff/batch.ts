/** vmap: a function of one example becomes a function of a batch, each op by its batching rule. */
import type { DType } from "../core/dtype.js";
import { TransformError } from "../core/errors.js";
import { formatShape, formatType, normalizeAxis, type Shape } from "../core/shape.js";
import { type MemoryHolder, Tensor } from "../core/tensor.js";
import { flatten, pathsOf, type TreeDef, unflatten } from "../core/tree.js";
import { bind, withLevel } from "../ops/bind.js";
import type { Attrs, OpDef } from "../ops/registry.js";
import { callSync, checkReturned, type OwningTrace, runTraced } from "./trace.js";

/** One example, seen by the function, of a batch that runs along an axis of `whole`. */
class BatchTracer extends Tensor {
  readonly shape: Shape;

  constructor(
    readonly trace: BatchTrace,
    readonly whole: Tensor,
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

  override retained(): Tensor {
    return new BatchTracer(this.trace, this.whole.retained(), this.axis);
  }

  override release(): void {
    this.whole.release();
  }

  override parts(visit: (part: MemoryHolder) => void): void {
    this.whole.parts(visit);
  }

  override dispose(): void {
    this.whole.dispose();
  }
}

class BatchTrace implements OwningTrace {
  readonly name = "vmap";
  active = true;
  readonly made: Tensor[] = [];

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
      if (axis === null) return y;
      if (!op.composite || !values.includes(y)) this.made.push(y); // functions may return what they were given
      return new BatchTracer(this, y, axis);
    });
  }
}

/** A batch axis for each leaf: one for all (`null`: none), or a tree of them, like the value or cut off above its leaves. */
export type Axes = number | null | readonly Axes[] | { readonly [key: string]: Axes };

export interface VmapOptions {
  /**
   * The axis that runs over the examples (negative counts from the back), or `null` for what all examples share. One for
   * all arguments, or a list with an entry per argument. Default 0.
   */
  readonly inAxes?: number | null | readonly Axes[];
  /** Axis of the results that runs over the examples; `null` for results that do not depend on it. Default 0. */
  readonly outAxes?: Axes;
  /** Number of examples, where no argument is mapped. */
  readonly axisSize?: number;
}

/**
 * Maps `f` over a batch axis of its arguments.
 * @example vmap((x: Tensor, w: Tensor) => x.dot(w), { inAxes: [0, null] })(tensor([[1, 2], [3, 4]]), tensor([1, 10])) // [21, 43]
 * @throws TransformError if the batch sizes differ, no argument is mapped, or the axes do not fit the arguments.
 */
export function vmap<A extends unknown[], T>(
  f: (...args: A) => T,
  options: VmapOptions = {},
): (...args: A) => T {
  const { inAxes = 0, outAxes = 0, axisSize } = options;
  return (...args) => {
    if (Array.isArray(inAxes) && inAxes.length !== args.length) {
      throw new TransformError(
        `vmap: inAxes has ${inAxes.length} entries, the function was called with ${args.length} argument(s)`,
      );
    }
    const flat = args.map((arg, i) => {
      const { leaves, def } = flatten(arg);
      const spec = Array.isArray(inAxes) ? (inAxes as readonly Axes[])[i] : (inAxes as number | null);
      const axes = leafAxes(spec, def, `inAxes[${i}]`).map((axis, k) =>
        axis === null ? null : normalizeAxis(axis, leaves[k].ndim, `vmap: argument ${i}`),
      );
      return { leaves, def, axes };
    });
    const size = batchSize(flat, axisSize);
    return withLevel((level) => {
      const trace = new BatchTrace(level, size);
      const mapped = flat.map(({ leaves, def, axes }) =>
        unflatten(
          def,
          leaves.map((x, k) => {
            const axis = axes[k];
            return axis === null ? x : new BatchTracer(trace, x, axis);
          }),
        ),
      );
      const { outputs, def } = runTraced(trace, () => {
        const result = flatten(callSync(f as never, mapped, "vmap"));
        checkReturned(result.leaves, "vmap");
        const axes = leafAxes(outAxes, result.def, "outAxes");
        return {
          def: result.def,
          outputs: result.leaves.map((y, i) => gathered(y, axes[i], trace)),
        };
      });
      return unflatten(def, outputs) as T;
    });
  };
}

interface MappedArgument {
  readonly leaves: readonly Tensor[];
  readonly def: TreeDef;
  readonly axes: readonly (number | null)[];
}

function batchSize(args: readonly MappedArgument[], given: number | undefined): number {
  let size = given;
  let from = "axisSize";
  args.forEach(({ leaves, def, axes }, i) => {
    axes.forEach((axis, k) => {
      if (axis === null) return;
      const dim = leaves[k].shape[axis];
      const path = pathsOf(def)[k];
      const name = `argument ${i}${path ? `.${path}` : ""}`;
      if (size !== undefined && dim !== size) {
        throw new TransformError(
          `vmap: ${name} of shape ${formatShape(leaves[k].shape)} has ${dim} examples along axis ${axis}, but ${from} says ${size}`,
        );
      }
      if (size === undefined) [size, from] = [dim, name];
    });
  });
  if (size === undefined) {
    throw new TransformError(
      "vmap: no argument is mapped; give at least one a batch axis by inAxes, or the number of examples by axisSize",
    );
  }
  return size;
}

/** The whole batch of a result, with its batch axis where the caller wants it. */
function gathered(y: Tensor, outAxis: number | null, trace: BatchTrace): Tensor {
  const batched = y instanceof BatchTracer && y.trace === trace ? y : null;
  if (outAxis === null) {
    if (batched === null) return y;
    throw new TransformError(
      `vmap: outAxes is null for a result ${formatType(y)} that differs from example to example; give it an axis`,
    );
  }
  const to = normalizeAxis(outAxis, y.ndim + 1, "vmap: outAxes");
  return batched
    ? moveAxis(batched.whole, batched.axis, to)
    : moveAxis(y.broadcastTo([trace.size, ...y.shape]), 0, to);
}

function moveAxis(x: Tensor, from: number, to: number): Tensor {
  const order = x.shape.map((_, i) => i).filter((i) => i !== from);
  order.splice(to, 0, from);
  return x.transpose(order);
}

/** Spreads a tree of axes over the leaves below it. */
function leafAxes(spec: Axes | undefined, def: TreeDef, where: string): (number | null)[] {
  if (spec === undefined || spec === null || typeof spec === "number") {
    if (typeof spec === "number" && !Number.isInteger(spec))
      throw new TransformError(`vmap: ${where} is ${spec}; an axis is a whole number or null`);
    return new Array<number | null>(def.leafCount).fill(spec ?? null);
  }
  const has = def.keys.map(String);
  const given = Object.keys(spec);
  if (has.length !== given.length || given.some((key) => !has.includes(key))) {
    throw new TransformError(
      `vmap: ${where} has entries [${given.join(", ")}], the value there has [${has.join(", ")}]`,
    );
  }
  const entries = spec as { readonly [key: string]: Axes };
  return def.children.flatMap((child, i) => leafAxes(entries[has[i]], child, `${where}.${has[i]}`));
}
