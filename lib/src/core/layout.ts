/**
 * Layouts: how a tensor's elements lie in its storage. Strides and offset count elements, not bytes.
 * Operations that only move the reader's eye (transpose, slice, broadcast) are functions on layouts.
 */
import { ShapeError } from "./errors.js";
import { formatShape, type Shape, sizeOf } from "./shape.js";

export interface Layout {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

/** Row-major strides. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

export function contiguousLayout(shape: Shape): Layout {
  return { shape, strides: contiguousStrides(shape), offset: 0 };
}

/**
 * True if the elements lie row-major without gaps (axes of size 1 may have any stride).
 * @example extend.isContiguous({ shape: [2, 3], strides: [1, 2], offset: 0 }) // false
 */
export function isContiguous(layout: Layout): boolean {
  let step = 1;
  for (let i = layout.shape.length - 1; i >= 0; i--) {
    const dim = layout.shape[i];
    if (dim === 0) return true;
    if (dim !== 1 && layout.strides[i] !== step) return false;
    step *= dim;
  }
  return true;
}

/** The same elements seen in another order of axes. */
export function permuteLayout(layout: Layout, axes: readonly number[]): Layout {
  return {
    shape: axes.map((a) => layout.shape[a]),
    strides: axes.map((a) => layout.strides[a]),
    offset: layout.offset,
  };
}

/** Repeats axes of size 1 by a stride of 0, without a copy. */
export function broadcastLayout(layout: Layout, shape: Shape, where: string): Layout {
  const lead = shape.length - layout.shape.length;
  const strides = shape.map((dim, i) => {
    const from = i - lead;
    if (from < 0) return 0;
    if (layout.shape[from] === dim) return layout.strides[from];
    if (layout.shape[from] === 1) return 0;
    throw new ShapeError(
      `${where}: ${formatShape(layout.shape)} does not broadcast to ${formatShape(shape)}`,
    );
  });
  if (lead < 0) {
    throw new ShapeError(
      `${where}: ${formatShape(layout.shape)} does not broadcast to ${formatShape(shape)}`,
    );
  }
  return { shape, strides, offset: layout.offset };
}

/** Elements `start, start+step, …` (`sizes` of them per axis); steps may be negative. */
export function sliceLayout(
  layout: Layout,
  starts: readonly number[],
  sizes: readonly number[],
  steps: readonly number[],
): Layout {
  let offset = layout.offset;
  for (let i = 0; i < starts.length; i++) if (sizes[i] > 0) offset += starts[i] * layout.strides[i];
  return { shape: sizes, strides: layout.strides.map((s, i) => s * steps[i]), offset };
}

/**
 * The same elements under a new shape, or `null` if that needs a copy.
 * Runs of axes that lie contiguously are merged, then split to the new sizes (NumPy's `_attempt_nocopy_reshape`).
 */
export function reshapeLayout(layout: Layout, shape: Shape): Layout | null {
  if (sizeOf(shape) === 0) return contiguousLayout(shape);
  const dims: number[] = [];
  const steps: number[] = [];
  for (let i = 0; i < layout.shape.length; i++) {
    if (layout.shape[i] === 1) continue;
    dims.push(layout.shape[i]);
    steps.push(layout.strides[i]);
  }
  const strides = new Array<number>(shape.length).fill(0);
  let from = 0;
  let to = 0;
  while (from < dims.length) {
    let fromSize = dims[from];
    let toSize = shape[to];
    let fromEnd = from + 1;
    let toEnd = to + 1;
    while (fromSize !== toSize) {
      if (fromSize < toSize) fromSize *= dims[fromEnd++];
      else toSize *= shape[toEnd++];
    }
    for (let i = from; i < fromEnd - 1; i++) if (steps[i] !== dims[i + 1] * steps[i + 1]) return null;
    let step = steps[fromEnd - 1];
    for (let i = toEnd - 1; i >= to; i--) {
      strides[i] = step;
      step *= shape[i];
    }
    from = fromEnd;
    to = toEnd;
  }
  return { shape, strides, offset: layout.offset };
}

/** Loops over elements: sizes, and per operand the strides, in elements, with which it walks along. */
export interface Walk {
  readonly sizes: readonly number[];
  readonly strides: readonly (readonly number[])[];
}

/** The fewest loops over a shape, at least one, in which every operand that broadcasts to it walks evenly. */
export function collapse(
  shape: Shape,
  operands: readonly Pick<Layout, "shape" | "strides">[],
): { sizes: number[]; strides: number[][] } {
  const full = operands.map((x) => {
    const lead = shape.length - x.shape.length;
    return shape.map((_, d) => (d < lead || x.shape[d - lead] === 1 ? 0 : x.strides[d - lead]));
  });
  const sizes: number[] = [];
  const strides: number[][] = operands.map(() => []);
  for (let d = 0; d < shape.length; d++) {
    if (shape[d] === 1) continue;
    const last = sizes.length - 1;
    const merges = last >= 0 && full.every((s, o) => strides[o][last] === s[d] * shape[d]);
    if (merges) sizes[last] *= shape[d];
    else sizes.push(shape[d]);
    for (let o = 0; o < full.length; o++) strides[o][merges ? last : last + 1] = full[o][d];
  }
  if (sizes.length === 0) {
    sizes.push(1);
    for (const s of strides) s.push(0);
  }
  return { sizes, strides };
}
