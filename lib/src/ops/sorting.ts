/** Order: sort, argsort, topk, quantiles, searchsorted, counting. NaN counts as larger than every number, as in NumPy. */
import { ShapeError, ValueError } from "../core/errors.js";
import { permuteLayout } from "../core/layout.js";
import { formatShape, normalizeAxis, typeAlong } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { elementPositions } from "../runtime/host-array.js";
import { apply, bind } from "./bind.js";
import { asFloat, asIndices, asTensor, promote, type TensorLike, tensor } from "./convert.js";
import { scatterAdd, takeAlongAxis } from "./gather.js";
import { needConcrete } from "./read.js";
import { defineOp, NOT_DIFFERENTIABLE, type OpDef } from "./registry.js";
import { loopedBatch, shiftedBatch } from "./rules.js";
import { slice } from "./shape.js";

interface SortAttrs {
  readonly axis: number;
  readonly descending: boolean;
}

const ascending = (a: number, b: number): number =>
  a < b ? -1 : a > b ? 1 : Number(Number.isNaN(a)) - Number(Number.isNaN(b));

/** sort(x) → values, and the positions (int32) where they stood. Equal elements keep their order. */
const sortOp: OpDef<SortAttrs> = defineOp<SortAttrs>({
  name: "sort",
  type: ([x], { axis }) => [typeAlong(x, axis, "sort"), { shape: x.shape, dtype: "int32" }],
  reference: ([x], [values, indices], { axis, descending }) => {
    const order = [...x.shape.map((_, i) => i).filter((i) => i !== axis), axis];
    const from = elementPositions(permuteLayout(x, order));
    const to = elementPositions(permuteLayout(values, order));
    const count = x.shape[axis];
    const row = new Float64Array(count);
    const places = new Int32Array(count);
    const sign = descending ? -1 : 1;
    for (let start = 0; start < from.length; start += count) {
      for (let i = 0; i < count; i++) {
        row[i] = x.data[from[start + i]];
        places[i] = i;
      }
      places.sort((i, j) => sign * ascending(row[i], row[j]) || i - j);
      for (let i = 0; i < count; i++) {
        values.data[to[start + i]] = row[places[i]];
        indices.data[to[start + i]] = places[i];
      }
    }
  },
  saves: { outputs: true },
  vjp: ([g], { outputs: [, indices], attrs: { axis } }) => [
    g && takeAlongAxis(g, argsort(indices, axis), axis),
  ],
  jvp: (_x, [t], [, indices], { axis }) => [t && takeAlongAxis(t, indices, axis), null],
  batch: shiftedBatch(
    () => sortOp,
    ({ axis, descending }) => ({ axis: axis + 1, descending }),
  ),
  samples: [
    { shapes: [[3, 5]], attrs: { axis: 1, descending: false } },
    { shapes: [[4, 2]], attrs: { axis: 0, descending: true } },
    { shapes: [[2, 0]], attrs: { axis: 1, descending: false } },
  ],
});

export interface SortOptions {
  readonly descending?: boolean;
}

function sorted(x: TensorLike, axis: number, descending: boolean, where: string): [Tensor, Tensor] {
  const t = asTensor(x);
  if (t.ndim === 0) throw new ShapeError(`${where}: a tensor without axes has nothing to sort`);
  return bind(sortOp, [t], { axis: normalizeAxis(axis, t.ndim, where), descending }) as [Tensor, Tensor];
}

/**
 * The elements in ascending order along `axis`; equal ones keep their order.
 * @example sort([3, 1, 2]) // [1, 2, 3]
 */
export function sort(x: TensorLike, axis = -1, { descending = false }: SortOptions = {}): Tensor {
  return sorted(x, axis, descending, "sort")[0];
}

/**
 * Where (int32) the sorted elements stood: `takeAlongAxis(x, argsort(x), -1)` is `sort(x)`.
 * @example argsort([3, 1, 2]) // [1, 2, 0]
 */
export function argsort(x: TensorLike, axis = -1, { descending = false }: SortOptions = {}): Tensor {
  return sorted(x, axis, descending, "argsort")[1];
}

/** What `topk` returns: both of shape (…, k, …). */
export interface TopK {
  readonly values: Tensor;
  /** Positions along the axis, int32. */
  readonly indices: Tensor;
}

/**
 * The k largest elements along `axis`, in descending order (smallest, ascending, with `largest: false`).
 * @example topk([3, 1, 4, 1, 5], 2).values // [5, 4]
 * @throws ValueError unless 0 ≤ k ≤ the axis' size.
 */
export function topk(x: TensorLike, k: number, axis = -1, { largest = true } = {}): TopK {
  const t = asTensor(x);
  const at = normalizeAxis(axis, t.ndim, "topk");
  if (!Number.isInteger(k) || k < 0 || k > t.shape[at])
    throw new ValueError(
      `topk: k is a whole number from 0 to the size of axis ${at} of ${formatShape(t.shape)}, got ${k}`,
    );
  const [values, indices] = sorted(t, at, largest, "topk");
  const first = t.shape.map((_, i) => (i === at ? ([0, k] as const) : ":"));
  return { values: slice(values, ...first), indices: slice(indices, ...first) };
}

/**
 * Quantiles along `axis` (or of all elements), between two elements by a straight line (NumPy's "linear").
 * @param q in [0, 1]; several put their axis in front
 * @example quantile([1, 2, 3, 4], 0.5) // 2.5
 * @throws ValueError for q outside [0, 1] or an empty axis.
 */
export function quantile(
  x: TensorLike,
  q: number | readonly number[],
  axis?: number,
  keepDims = false,
): Tensor {
  const t = asFloat(x);
  const flat = axis === undefined ? t.reshape([t.size]) : t;
  const at = axis === undefined ? 0 : normalizeAxis(axis, t.ndim, "quantile");
  const list = typeof q === "number" ? [q] : q;
  const bad = list.find((p) => !(p >= 0 && p <= 1));
  if (bad !== undefined) throw new ValueError(`quantile: q is between 0 and 1, got ${bad}`);
  const count = flat.shape[at];
  if (count === 0) throw new ValueError(`quantile: axis ${at} of ${formatShape(flat.shape)} is empty`);
  const values = sort(flat, at);
  const pick = (i: number): Tensor => slice(values, ...flat.shape.map((_, a) => (a === at ? i : ":")));
  const found = list.map((p) => {
    const place = p * (count - 1);
    const below = Math.floor(place);
    const low = pick(below);
    const between =
      place === below
        ? low
        : low.add(
            pick(below + 1)
              .sub(low)
              .mul(place - below),
          );
    if (!keepDims) return between;
    return between.reshape(
      axis === undefined ? t.shape.map(() => 1) : t.shape.map((d, i) => (i === at ? 1 : d)),
    );
  });
  return typeof q === "number" ? found[0] : found[0].stackWith(found.slice(1));
}

/**
 * The middle element along `axis` (or of all); of an even number, the mean of the middle two.
 * @example median([5, 1, 3]) // 3
 */
export function median(x: TensorLike, axis?: number, keepDims = false): Tensor {
  return quantile(x, 0.5, axis, keepDims);
}

interface SearchAttrs {
  readonly right: boolean;
}

const searchOp: OpDef<SearchAttrs> = defineOp<SearchAttrs>({
  name: "searchsorted",
  type: ([edges, x]) => {
    if (edges.shape.length !== 1)
      throw new ShapeError(`searchsorted: sorted values (n) wanted, got ${formatShape(edges.shape)}`);
    return [{ shape: x.shape, dtype: "int32" }];
  },
  reference: ([edges, x], [out], { right }) => {
    const at = elementPositions(edges);
    elementPositions(x).forEach((p, i) => {
      let [low, high] = [0, at.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        const order = ascending(edges.data[at[middle]], x.data[p]);
        if (order < 0 || (right && order === 0)) low = middle + 1;
        else high = middle;
      }
      out.data[i] = low;
    });
  },
  vjp: NOT_DIFFERENTIABLE,
  jvp: NOT_DIFFERENTIABLE,
  batch: loopedBatch(() => searchOp),
  samples: [{ shapes: [[4], [2, 3]], attrs: { right: false } }],
});

/**
 * Where (int32) each of `values` would be inserted into ascending `edges` (n) to keep the order; among equal ones on
 * the left, or with `right` on the right.
 * @example searchsorted([1, 3, 5], [0, 3, 9]) // [0, 1, 3]
 */
export function searchsorted(edges: TensorLike, values: TensorLike, { right = false } = {}): Tensor {
  const [e, v] = promote(edges, values);
  return apply(searchOp, [e, v], { right });
}

/**
 * How often each integer from 0 to `length` − 1 occurs; with `weights`, the sums of their weights.
 * @example bincount([0, 2, 2], 4) // [1, 0, 2, 0]
 */
export function bincount(x: TensorLike, length: number, weights?: TensorLike): Tensor {
  const index = asIndices(x, "bincount").reshape([-1]);
  const w = weights === undefined ? undefined : asTensor(weights).reshape([-1]);
  return scatterAdd(index, w ?? tensor([1], { dtype: "int32" }).broadcastTo([index.size]), length);
}

/** What `histogram` returns. */
export interface Histogram {
  /** int32 (bins). */
  readonly counts: Tensor;
  /** Ascending (bins + 1); the last bin includes its upper edge. */
  readonly edges: Tensor;
}

/**
 * Counts of the elements in equally wide bins from `low` to `high`; what lies outside or is NaN is not counted.
 * Not for captured functions.
 * @example histogram([0, 1, 1, 4], 2, [0, 4]).counts // [3, 1]
 * @throws ValueError if there is no bin, or `low` is not below `high`.
 */
export function histogram(x: TensorLike, bins = 10, range?: readonly [low: number, high: number]): Histogram {
  if (!Number.isInteger(bins) || bins < 1)
    throw new ValueError(`histogram: the number of bins is a whole number from 1, got ${bins}`);
  const values = needConcrete(asTensor(x), "histogram").toTypedArray();
  let [low, high] = range ?? [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  if (!range) {
    for (const v of values) {
      if (v < low) low = v;
      if (v > high) high = v;
    }
    if (low > high) [low, high] = [0, 1];
    if (low === high) [low, high] = [low - 0.5, high + 0.5];
  }
  if (!(low < high))
    throw new ValueError(`histogram: the range goes from low to high, got [${low}, ${high}]`);
  const counts = new Int32Array(bins);
  for (const v of values)
    if (v >= low && v <= high) counts[Math.min(bins - 1, Math.floor(((v - low) / (high - low)) * bins))]++;
  const edges = Float64Array.from({ length: bins + 1 }, (_, i) => low + ((high - low) * i) / bins);
  return { counts: tensor(counts), edges: tensor(edges, { dtype: "float32" }) };
}

/** What `unique` returns. */
export interface Unique {
  /** Ascending (k). */
  readonly values: Tensor;
  /** First position of each, in the flattened tensor; int32 (k). */
  readonly indices: Tensor;
  /** Which value stands at each element; int32, of the shape of `x`. */
  readonly inverse: Tensor;
  /** int32 (k). */
  readonly counts: Tensor;
}

/**
 * The different elements, ascending. Their number depends on the values: not for captured functions.
 * @example unique([3, 1, 3]).values // [1, 3]
 */
export function unique(x: TensorLike): Unique {
  const t = asTensor(x);
  const elements = needConcrete(t, "unique").toTypedArray();
  const order = Int32Array.from(elements, (_, i) => i).sort(
    (i, j) => ascending(elements[i], elements[j]) || i - j,
  );
  const [values, indices, counts]: number[][] = [[], [], []];
  const inverse = new Int32Array(elements.length);
  for (const i of order) {
    if (values.length === 0 || ascending(values[values.length - 1], elements[i]) !== 0) {
      values.push(elements[i]);
      indices.push(i);
      counts.push(0);
    }
    counts[counts.length - 1]++;
    inverse[i] = values.length - 1;
  }
  return {
    values: tensor(values, { dtype: t.dtype }),
    indices: tensor(indices, { dtype: "int32" }),
    inverse: tensor(inverse, { shape: t.shape }),
    counts: tensor(counts, { dtype: "int32" }),
  };
}

declare module "../core/tensor.js" {
  interface Tensor {
    /** The elements in ascending order along `axis` (the last). */
    sort(axis?: number, options?: SortOptions): Tensor;
    /** Where the sorted elements stood. */
    argsort(axis?: number, options?: SortOptions): Tensor;
    /** The middle element along `axis` (or of all). */
    median(axis?: number, keepDims?: boolean): Tensor;
  }
}

Tensor.prototype.sort = function (axis, options) {
  return sort(this, axis, options);
};
Tensor.prototype.argsort = function (axis, options) {
  return argsort(this, axis, options);
};
Tensor.prototype.median = function (axis, keepDims) {
  return median(this, axis, keepDims);
};
