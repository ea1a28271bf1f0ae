/** captureSymbolic: one graph for any batch size. */
import { type DType, isDType } from "../core/dtype.js";
import { ValueError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { Dim, type Sizes, samplePoints } from "../ir/dynamic/dim.js";
import { generalize } from "../ir/dynamic/generalize.js";
import { type Guard, SymbolicGraph } from "../ir/dynamic/symbolic-graph.js";
import { freeze } from "../ir/json.js";
import { zeros } from "../ops/create.js";
import { tidy } from "../ops/tidy.js";
import { captureWith } from "./capture.js";

/** Sizes 0 and 1 are special: an axis of 1 repeats itself, an empty one has no mean. */
const LEAST = 2;

interface Spec {
  readonly dtype: DType;
  readonly dims: readonly (Dim | number)[];
}

function parseSpec(text: string, i: number): Spec {
  const found = /^\s*(\w+)\s*\(([^()]*)\)\s*$/.exec(text);
  const parts = (found?.[2] ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const dtype = found?.[1] ?? "";
  if (!found || !isDType(dtype) || !parts.every((part) => /^(?:\d+|[A-Za-z_]\w*)$/.test(part)))
    throw new ValueError(
      `captureSymbolic: argument ${i} is "${text}"; a type such as "float32(n, 3)" was expected, with sizes that are numbers or names`,
    );
  return { dtype, dims: parts.map((part) => (/^\d/.test(part) ? Number(part) : Dim.symbol(part))) };
}

/**
 * The graph of a function of tensors of these types, whose sizes may be names: `float32(n, 3)`. A name that stands several
 * times is one size. The function is captured at some sizes, and what differs in the graphs is expressed by the names.
 * @param types of the arguments, in order
 * @throws IRError naming the first place where the graphs differ in more than sizes: a loop of the host program over
 * an axis, an `if` on a size, a constant with as many elements; ValueError for a type that does not parse.
 * @example graph.captureSymbolic((x) => x.mul(2), "float32(n, 3)").at({ n: 5 }).results[0].shape // [5, 3]
 */
export function captureSymbolic(
  f: (...args: Tensor[]) => unknown,
  ...types: readonly string[]
): SymbolicGraph {
  const specs = types.map(parseSpec);
  const names = [
    ...new Set(
      specs.flatMap(({ dims }) => dims.flatMap((dim) => (typeof dim === "number" ? [] : dim.symbols))),
    ),
  ];
  if (names.length === 0) throw new ValueError("captureSymbolic: no size has a name; use capture");
  const points = samplePoints(names);
  const at = (sizes: Sizes) =>
    tidy(() => {
      const args = specs.map(({ dtype, dims }) =>
        zeros(
          dims.map((dim) => (typeof dim === "number" ? dim : dim.at(sizes))),
          { dtype },
        ),
      );
      return [freeze(captureWith({ name: f.name || "f" }, f, ...args))];
    })[0];
  const guards: Guard[] = names.map((symbol) => ({ symbol, least: LEAST }));
  return new SymbolicGraph(generalize(points.map(at), points), guards);
}
