/** The abstract domain of type inference: what is known of a value before it is computed. */
import { formatType, type TensorType } from "../../core/shape.js";
import { type DenseTensor, readElements } from "../../runtime/dense.js";
import { equalData } from "../passes/loops.js";
import { sameType } from "../verify.js";
import type { ANode, FuncGraph, Primitive } from "./func-graph.js";

/** Values of one abstract call. */
export class AbstractFrame {
  readonly values = new Map<ANode, Abstract>();
  constructor(
    readonly graph: FuncGraph,
    readonly around: AbstractFrame | null,
  ) {}
}

export type Abstract =
  /** A tensor of this type; `value` where it is the same in every run. */
  | { readonly kind: "tensor"; readonly type: TensorType; readonly value: DenseTensor | null }
  | { readonly kind: "tuple"; readonly entries: readonly Abstract[] }
  /** One of several functions, with what is around them. */
  | { readonly kind: "function"; readonly options: readonly AbstractFunction[] }
  /** Nothing is known yet: a recursive call on its first round. */
  | { readonly kind: "bottom" };

export type AbstractFunction =
  | { readonly primitive: Primitive }
  | { readonly graph: FuncGraph; readonly around: AbstractFrame | null };

export const BOTTOM: Abstract = { kind: "bottom" };

export const tensorOf = (type: TensorType, value: DenseTensor | null = null): Abstract => ({
  kind: "tensor",
  type: { shape: type.shape, dtype: type.dtype },
  value,
});

/**
 * What holds for both: where control flow meets.
 * @returns `null` if the types differ.
 */
export function join(a: Abstract, b: Abstract): Abstract | null {
  if (a.kind === "bottom" || a === b) return b;
  if (b.kind === "bottom") return a;
  if (a.kind === "tensor" && b.kind === "tensor") {
    if (!sameType(a.type, b.type)) return null;
    return tensorOf(a.type, a.value && b.value && equalData(a.value, b.value) ? a.value : null);
  }
  if (a.kind === "tuple" && b.kind === "tuple" && a.entries.length === b.entries.length) {
    const entries = a.entries.map((entry, i) => join(entry, b.entries[i]));
    return entries.every((entry) => entry !== null) ? { kind: "tuple", entries } : null;
  }
  if (a.kind === "function" && b.kind === "function")
    return { kind: "function", options: [...a.options, ...b.options] };
  return null;
}

/** The value with its constants forgotten. */
export function broadened(a: Abstract): Abstract {
  if (a.kind === "tensor") return a.value ? tensorOf(a.type) : a;
  return a.kind === "tuple" ? { kind: "tuple", entries: a.entries.map(broadened) } : a;
}

/** Elements of longer constants are left out of signatures; such constants are not kept. */
export const KNOWN_SIZE = 64;

/**
 * `float32(2, 3)`, `int32() = 4`, `(float32(), bool())`, `loop`.
 * @example ir.functional.formatAbstract({ kind: "tensor", type: { dtype: "int32", shape: [] }, value: null }) // "int32()"
 */
export function formatAbstract(a: Abstract): string {
  switch (a.kind) {
    case "bottom":
      return "⊥";
    case "tuple":
      return `(${a.entries.map(formatAbstract).join(", ")})`;
    case "function":
      return a.options.map((f) => ("graph" in f ? f.graph.name : f.primitive.kind)).join(" | ");
    case "tensor": {
      if (!a.value) return formatType(a.type);
      const elements = Array.from(readElements(a.value));
      const text = a.type.shape.length === 0 ? String(elements[0]) : `[${elements.join(", ")}]`;
      return `${formatType(a.type)} = ${text}`;
    }
  }
}
