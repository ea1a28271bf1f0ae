/**
 * The op registry. An op is data: a type rule, a reference kernel, and the rules by which each
 * transformation sees through it. A new op is one definition in a family's file; nothing else lists ops.
 */
import { ValueError } from "../core/errors.js";
import type { Layout } from "../core/layout.js";
import type { TensorType } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import type { Kernel } from "../runtime/kernels.js";

/** Static parameters of an op: plain data (and, for control flow, graphs), never tensors. */
export type Attrs = object;

/** What a reverse rule may read. Tensors that the op does not save are absent: reading one throws. */
export interface VjpContext<A extends Attrs> {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly inputTypes: readonly TensorType[];
  readonly outputTypes: readonly TensorType[];
  readonly attrs: A;
  /** Which inputs a gradient is wanted for; rules may return `null` for the others to save work. */
  readonly needs: readonly boolean[];
}

/** From the gradients of the outputs (`null`: zero) to those of the inputs (`null`: zero), by ops, so that it can be differentiated again. */
export type VjpRule<A extends Attrs> = (
  cotangents: readonly (Tensor | null)[],
  context: VjpContext<A>,
) => readonly (Tensor | null)[];

/** From tangents of the inputs (`null`: zero) to tangents of the outputs. */
export type JvpRule<A extends Attrs> = (
  primals: readonly Tensor[],
  tangents: readonly (Tensor | null)[],
  outputs: readonly Tensor[],
  attrs: A,
) => readonly (Tensor | null)[];

/** Outputs of the op over a whole batch, and the axis at which each carries the batch (`null`: it does not). */
export interface Batched {
  readonly outputs: readonly Tensor[];
  readonly axes: readonly (number | null)[];
}

/** Runs the op on inputs that carry a batch of `size` at `axes[i]` (`null`: not batched). */
export type BatchRule<A extends Attrs> = (
  inputs: readonly Tensor[],
  axes: readonly (number | null)[],
  attrs: A,
  size: number,
) => Batched;

/** One call of the op for the registry-wide checks (gradients, batching, devices against the reference). */
export interface OpSample<A extends Attrs> {
  readonly shapes: readonly (readonly number[])[];
  readonly attrs?: A;
  /** Range of random input values, per input; default [-2, 2]. Keeps clear of poles and kinks. */
  readonly ranges?: readonly (readonly [number, number])[];
  /** Values of inputs, row-major, where it matters which (zeros among factors); `null`: random ones. */
  readonly values?: readonly (readonly number[] | null)[];
  /** Added to the diagonals of each input's matrices, for ops that need them regular or positive definite. */
  readonly diagonals?: readonly number[];
  /** Dtypes of the inputs; default float64 for the gradient check. Inputs of other kinds are not differentiated. */
  readonly dtypes?: readonly TensorType["dtype"][];
}

/** `NOT_DIFFERENTIABLE`: outputs do not depend on the inputs smoothly (comparisons, indices); gradients stop here. */
export const NOT_DIFFERENTIABLE = "not differentiable";

export interface OpDef<A extends Attrs = Attrs> {
  readonly name: string;
  /** Types of the outputs. @throws ShapeError or DTypeError that names the op, the operand and the shapes. */
  readonly type: (inputs: readonly TensorType[], attrs: A) => readonly TensorType[];
  /** For ops that only change the layout: the new layout, or `null` if a copy is needed. */
  readonly view?: (input: Layout, attrs: A) => Layout | null;
  /** Plain readable TypeScript: the oracle of every test, and what runs where a device has no kernel. */
  readonly reference: Kernel<A>;
  /** For ops made of other ops at run time (custom gradients, checkpoints): runs them, instead of a kernel. */
  readonly composite?: (inputs: readonly Tensor[], attrs: A) => readonly Tensor[];
  readonly vjp: VjpRule<A> | typeof NOT_DIFFERENTIABLE;
  /** Attributes with which the op also returns, behind its outputs, what its reverse rule reads (ops with graphs inside). */
  readonly residuals?: (attrs: A) => A;
  /** What `vjp` reads. Default: nothing. The tape keeps just these alive. */
  readonly saves?: { readonly inputs?: readonly number[] | "all"; readonly outputs?: boolean };
  readonly jvp: JvpRule<A> | typeof NOT_DIFFERENTIABLE;
  readonly batch: BatchRule<A>;
  readonly samples: readonly OpSample<A>[];
  /** Elementwise ops can be fused with their neighbours. */
  readonly kind?: "elementwise" | "reduction" | "view" | "contraction" | "random" | "control";
}

const registry = new Map<string, OpDef>();

/**
 * Adds an op. @throws ValueError if the name is taken.
 * @example
 * const op: extend.OpDef<object> = defineOp<object>({ name: "exampleThird", type: ([x]) => [x], reference: extend.mapReference((x) => x / 3), vjp: ([g]) => [g && g.div(3)], jvp: (_x, [t]) => [t && t.div(3)], batch: extend.elementwiseBatch(() => op), samples: [{ shapes: [[2]] }] });
 * extend.apply(op, [tensor([6])], {}) // [2]
 */
export function defineOp<A extends Attrs>(def: OpDef<A>): OpDef<A> {
  if (registry.has(def.name)) throw new ValueError(`defineOp: an op named "${def.name}" exists already`);
  registry.set(def.name, def as unknown as OpDef);
  return def;
}

/**
 * @throws ValueError if no op has this name.
 * @example getOp("matmul").kind // "contraction"
 */
export function getOp(name: string): OpDef {
  const def = registry.get(name);
  if (!def) throw new ValueError(`unknown op "${name}"; ops() lists those there are`);
  return def;
}

/**
 * Every op, by name.
 * @example ops().some((op) => op.name === "matmul") // true
 */
export function ops(): OpDef[] {
  return [...registry.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
