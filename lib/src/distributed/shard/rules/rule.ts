/**
 * Sharding rules: how the dimensions of an op's operands and results belong together. A rule names the op's factors (the
 * loops of its loop nest); each dimension is one of them, or several, the slowest first. `matmul` has the factors m, k, n:
 * `(m, k), (k, n) → (m, n)`, and cutting k leaves each device a term of a sum. (After Shardy's factor rules and GSPMD.)
 */
import type { Shape } from "../../../core/shape.js";
import type { GraphBuilder } from "../../../ir/builder.js";
import type { GraphNode, Value } from "../../../ir/graph.js";
import type { Attrs } from "../../../ops/registry.js";

/** What becomes of the result if a factor is cut: parts of it, terms that are to be combined, or nothing good (`whole`). */
export type FactorKind = "parallel" | "sum" | "product" | "max" | "min" | "whole";

export interface Factor {
  readonly size: number;
  readonly kind: FactorKind;
}

/** Factors of each dimension of one tensor. A dimension of size 1 has none. */
export type DimFactors = readonly (readonly number[])[];

/** What a rule may ask when it writes one device's node. */
export interface LocalView {
  /** Into how many parts a factor is cut, and which one this device has. */
  parts(factor: number): number;
  part(factor: number): number;
  /** Shapes of this device's results. */
  readonly outputs: readonly Shape[];
}

export interface OpRule {
  readonly factors: readonly Factor[];
  readonly inputs: readonly DimFactors[];
  readonly outputs: readonly DimFactors[];
  /** Operands in which the op is linear while the others stay whole; "joint": in all of them together. */
  readonly linear?: "joint" | readonly number[];
  /** The attributes for one device. Default: `shape`, where it is the result's, becomes the local one. */
  readonly attrs?: (view: LocalView) => Attrs;
  /** Writes one device's computation, where it is more than the op on parts. */
  readonly write?: (builder: GraphBuilder, inputs: readonly Value[], view: LocalView) => readonly Value[];
  /** Why the op is not cut. */
  readonly note?: string;
}

/** A family's rule for a node; `null` if this family does not know it. */
export type RuleFamily = (node: GraphNode) => OpRule | null;

/** Collects the factors of a rule. */
export class RuleBuilder {
  readonly factors: Factor[] = [];

  /** The dimension of a new factor; none for size 1, which broadcasts or stays. */
  dim(size: number, kind: FactorKind = "parallel"): readonly number[] {
    if (size === 1) return [];
    this.factors.push({ size, kind });
    return [this.factors.length - 1];
  }

  /** Dimensions that must be whole. */
  whole(shape: Shape): DimFactors {
    return shape.map((size) => this.dim(size, "whole"));
  }
}

/** The attributes with `shape`, if it is the result's, replaced by the local one. */
export function localAttrs(node: GraphNode, view: LocalView): Attrs {
  const { shape } = node.attrs as { shape?: Shape };
  const same = shape !== undefined && shape.join() === node.outputs[0].shape.join();
  return same ? { ...node.attrs, shape: view.outputs[0] } : node.attrs;
}
