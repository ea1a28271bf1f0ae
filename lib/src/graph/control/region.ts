/** What the control-flow ops share: writing their functions down as closed regions, and comparing what those return. */
import { variableHost } from "../../autodiff/tape-mode.js";
import { callSync } from "../../autodiff/trace.js";
import { Variable } from "../../autodiff/variable.js";
import { ShapeError, TransformError } from "../../core/errors.js";
import { formatType, type TensorType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { difference, flatten, pathsOf, type TreeDef, unflatten } from "../../core/tree.js";
import { Graph, typeOf, type Value } from "../../ir/graph.js";
import { GraphTracer, type Staged, stage } from "../../ir/trace.js";
import { sameType } from "../../ir/verify.js";
import { asTensor, type TensorLike } from "../../ops/convert.js";
import { DenseTensor } from "../../runtime/dense.js";

/** A function written down, with the structure of its result. */
export interface Region extends Staged {
  readonly def: TreeDef;
}

/**
 * Runs `f` on placeholders for the leaves of `args` (of other `types`, if given). Numbers and booleans in the result
 * become tensors.
 * @throws TransformError if `f` is asynchronous or returns undefined.
 */
export function stageRegion(
  name: string,
  f: (...args: never[]) => unknown,
  args: unknown,
  where: string,
  types?: readonly TensorType[],
): Region {
  const { leaves, def } = flatten(args);
  let result: TreeDef | null = null;
  const staged = stage(name, types ?? leaves.map(typeOf), (given) => {
    const flat = flatten(withTensors(callSync(f, unflatten(def, given) as unknown[], where)));
    result = flat.def;
    return flat.leaves;
  });
  return { ...staged, def: result as unknown as TreeDef };
}

/** The tree with tensors in the place of its numbers and booleans: results of a graph. */
export function withTensors(tree: unknown): unknown {
  if (typeof tree === "number" || typeof tree === "boolean") return asTensor(tree);
  if (Array.isArray(tree)) return tree.map(withTensors);
  if (typeof tree === "object" && tree !== null && Object.getPrototypeOf(tree) === Object.prototype)
    return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, withTensors(value)]));
  return tree;
}

/** Regions over one list of outer values: each takes (outer values…, own parameters…). */
export interface Closed {
  readonly graphs: readonly Graph[];
  readonly outer: readonly Tensor[];
}

/** Makes regions take the same outer values, in one order, in front. */
export function closeRegions(regions: readonly Staged[]): Closed {
  const outer = [...new Set(regions.flatMap((region) => region.captured))];
  const graphs = regions.map(({ graph, captured }) => {
    const own = graph.params.slice(0, graph.params.length - captured.length);
    let next = graph.nextId;
    const front = outer.map((tensor): Value => {
      const at = captured.indexOf(tensor);
      return at >= 0 ? graph.params[own.length + at] : { id: next++, name: null, ...typeOf(tensor) };
    });
    return new Graph(graph.name, [...front, ...own], graph.constants, graph.nodes, graph.results);
  });
  return { graphs, outer };
}

/**
 * The value that a host program may decide by; `null` where there is none yet, or where deciding would be lost to a graph
 * that is being captured.
 */
export function hostValue(x: Tensor): DenseTensor | null {
  let value: Tensor | null = x;
  while (value !== null && !(value instanceof DenseTensor)) {
    if (value instanceof GraphTracer || (value instanceof Variable && variableHost() !== null)) return null;
    value = value.peel();
  }
  return value;
}

/** A predicate or an index as a tensor without axes. @throws ShapeError if it has more than one element. */
export function asScalar(x: TensorLike, where: string, what: string): Tensor {
  const t = asTensor(x);
  if (t.size !== 1)
    throw new ShapeError(
      `${where}: the ${what} is one value, got ${formatType(t)}; reduce it with all(), any() or sum(), or choose element by element with where()`,
    );
  return t.ndim === 0 ? t : t.reshape([]);
}

/** `x` as a truth value. */
export function asPredicate(x: TensorLike, where: string): Tensor {
  const t = asScalar(x, where, "predicate");
  return t.dtype === "bool" ? t : t.notEqual(0);
}

/** @throws TransformError naming the leaf at which what `label` gives differs from what is expected. */
export function checkLike(
  expected: { readonly def: TreeDef; readonly types: readonly TensorType[] },
  found: { readonly def: TreeDef; readonly types: readonly TensorType[] },
  where: string,
  expectedLabel: string,
  label: string,
): void {
  const different = difference(expected.def, found.def);
  if (different)
    throw new TransformError(`${where}: ${expectedLabel} and ${label} differ in structure: ${different}`);
  const paths = pathsOf(expected.def);
  expected.types.forEach((type, i) => {
    if (!sameType(type, found.types[i]))
      throw new TransformError(
        `${where}: ${expectedLabel}${paths[i] ? ` at ${paths[i]}` : ""} is ${formatType(type)}, ${label} ${formatType(found.types[i])}; shapes and dtypes must agree (cast, broadcastTo)`,
      );
  });
}

/** The types of a region's results. */
export const typesOf = (values: readonly TensorType[]): TensorType[] => values.map(typeOf);

/** A predicate per example beside values of any rank: `(n,)` becomes `(n, 1, …)`. */
export function besideBatch(predicate: Tensor, like: Tensor): Tensor {
  return predicate.reshape([predicate.shape[0], ...like.shape.slice(1).map(() => 1)]);
}
