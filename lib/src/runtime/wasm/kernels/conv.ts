/**
 * Convolution and its two gradients on the wasm device: pixels are laid out as columns (im2col, Chellapilla et al. 2006),
 * then it is a matrix product. As many images at once as keep the columns in the cache.
 */
import { bytesPerElement, hostView } from "../../../core/dtype.js";
import { contiguousLayout, isContiguous, permuteLayout } from "../../../core/layout.js";
import { sizeOf } from "../../../core/shape.js";
import { memory } from "../../heap.js";
import { type HostArray, withLayoutOf } from "../../host-array.js";
import type { DeviceKernel, PreparedKernel } from "../../kernels.js";
import { launch, type PoolKernel } from "../../pool/pool.js";
import { copyElements, under, withContiguous, withTemporary } from "../copy.js";
import { compileKernels } from "../module.js";
import { convModule } from "./conv-code.js";
import { gemm, hasOwnProduct, type Matrix } from "./gemm.js";
import type { GemmType } from "./gemm-code.js";

export interface ConvAttrs {
  readonly stride: readonly [number, number];
  readonly padding: readonly [readonly [number, number], readonly [number, number]];
  readonly dilation: readonly [number, number];
  readonly groups: number;
  /** As conv2d's; what is here are kernels of one. */
  readonly algorithm?: string;
}

const COLUMN_BYTES = 4 * 1024 * 1024; // of columns at once
const WORTH_A_THREAD = 60_000; // pixels moved
const compiled = new Map<number, Record<"toColumns" | "fromColumns", PoolKernel>>();

const supports = ([a, b]: readonly HostArray[], [out]: readonly HostArray[]): boolean =>
  (a.dtype === "float32" || a.dtype === "float64") && a.dtype === b.dtype && sizeOf(out.shape) > 0;

type Work = (a: HostArray, b: HostArray, out: HostArray, attrs: ConvAttrs, room: Room) => void;

/** Memory for columns and the like: of the heap, or a piece that was planned. */
type Room = (x: HostArray, shape: readonly number[], body: (array: HostArray) => void) => void;

export const convKernels: readonly DeviceKernel<never>[] = [
  foldKernel(),
  convKernel("conv2d", forward, ([x, w], y, attrs) => columnBytes(sizes(x, w, y, attrs))),
  convKernel("conv2dInputGrad", inputGradient, ([g, w], x, attrs) => columnBytes(sizes(x, w, g, attrs))),
  convKernel("conv2dWeightGrad", weightGradient, ([x, g], w, attrs) => {
    const s = sizes(x, w, g, attrs);
    return columnBytes(s) + padded(batchOf(s) * s.filterCount * s.outputs * s.bytes);
  }),
];

/** conv2d of contiguous operands by columns and a product, whatever else the device has. */
export function convByColumns([x, w, y]: readonly [HostArray, HostArray, HostArray], attrs: ConvAttrs): void {
  forward(x, w, y, attrs, withTemporary);
}

/** Bytes of its columns. */
export function columnsBytes(
  [x, w, y]: readonly [HostArray, HostArray, HostArray],
  attrs: ConvAttrs,
): number {
  return columnBytes(sizes(x, w, y, attrs));
}

function convKernel(
  op: string,
  work: Work,
  bytes: (inputs: readonly HostArray[], out: HostArray, attrs: ConvAttrs) => number,
): DeviceKernel<ConvAttrs> {
  return {
    op,
    supports,
    run: ([a, b], [out], attrs) => both(a, b, (p, q) => work(p, q, out, attrs, withTemporary)),
    prepare([a, b], [out], attrs) {
      if (!isContiguous(a) || !isContiguous(b)) return null; // copies of them would need room too
      const run = (workspace: number): void => work(a, b, out, attrs, roomAt(workspace));
      return { workspace: bytes([a, b], out, attrs), run };
    },
  };
}

type Better = (x: HostArray, w: HostArray, attrs: ConvAttrs) => boolean;
let better: Better = () => false;

/** Convolutions for which the device has something faster than columns with an epilogue. */
export function registerBetterConv(has: Better): void {
  better = has;
}

/**
 * `y = epilogue(conv2d(x, w))`, the epilogue in place on the images of which the columns are at hand. `null` unless all
 * lies row-major.
 * @param epilogue in place on an array of images
 * @param operands of the epilogue, which broadcast to y
 */
export function prepareConvThen(
  [x, w]: readonly HostArray[],
  y: HostArray,
  attrs: ConvAttrs,
  operands: readonly HostArray[],
  epilogue: (inputs: readonly HostArray[], outputs: readonly HostArray[]) => PreparedKernel,
): PreparedKernel | null {
  // The device's own kernels are faster than the fusion.
  if (hasOwnProduct() || better(x, w, attrs)) return null;
  if (!supports([x, w], [y]) || !isContiguous(x) || !isContiguous(w)) return null;
  const s = sizes(x, w, y, attrs);
  const batch = batchOf(s);
  const parts = Array.from({ length: Math.ceil(s.images / batch) }, (_, i) => {
    const [first, count] = [i * batch, Math.min(batch, s.images - i * batch)];
    const part = imagesOf(y, first, count, y.shape.length);
    return epilogue([part, ...operands.map((x) => imagesOf(x, first, count, y.shape.length))], [part]);
  });
  const columns = columnBytes(s);
  const run = (workspace: number): void =>
    forward(x, w, y, attrs, roomAt(workspace), (first) => parts[first / batch].run(workspace + columns));
  return { workspace: columns + Math.max(0, ...parts.map((part) => part.workspace ?? 0)), run };
}

/** Some of the images, if the array has one element per image. */
function imagesOf(x: HostArray, first: number, count: number, rank: number): HostArray {
  const { shape, strides, offset } = x;
  if (shape.length < rank || shape[0] === 1) return x;
  return under(x, { shape: [count, ...shape.slice(1)], strides, offset: offset + first * strides[0] });
}

interface FoldAttrs {
  readonly size: readonly [number, number];
  readonly stride: readonly [number, number];
}

/** Windows (n, c, oh, ow, kh, kw) added up where they overlap: columns in another order. The gradient of pooling. */
function foldKernel(): DeviceKernel<FoldAttrs> {
  const work = (x: HostArray, out: HostArray, { size, stride }: FoldAttrs, room: Room): void => {
    const [n, c, oh, ow] = x.shape;
    const none = [0, 0] as const;
    const attrs = { stride, padding: [none, none], dilation: [1, 1], groups: 1 } as const;
    const s = sizes(out, { shape: [1, c, ...size] }, { shape: [n, 1, oh, ow] }, attrs);
    const columns = permuteLayout(x, [0, 1, 4, 5, 2, 3]);
    room(x, columns.shape, (packed) => {
      copyElements(withLayoutOf(x, columns), packed);
      s.move("fromColumns", out, packed, 0, n, s.outputs, s.taps * s.outputs);
    });
  };
  return {
    op: "foldWindows2d",
    supports: ([x], [out]) =>
      (x.dtype === "float32" || x.dtype === "float64") && sizeOf(out.shape) > 0 && sizeOf(x.shape) > 0,
    run: ([x], [out], attrs) => work(x, out, attrs, withTemporary),
    prepare: ([x], [out], attrs) => ({
      workspace: padded(sizeOf(x.shape) * bytesPerElement(x.dtype)),
      run: (workspace) => work(x, out, attrs, roomAt(workspace)),
    }),
  };
}

/** Pieces side by side from an address on. */
function roomAt(start: number): Room {
  let at = start;
  return (x, shape, body) => {
    const ptr = at;
    const length = sizeOf(shape);
    at += padded(length * bytesPerElement(x.dtype));
    try {
      body({
        ...contiguousLayout(shape),
        dtype: x.dtype,
        data: hostView(x.dtype, memory.buffer, ptr, length),
        ptr,
      });
    } finally {
      at = ptr;
    }
  };
}

const padded = (bytes: number): number => Math.ceil(bytes / 64) * 64;

function both(a: HostArray, b: HostArray, body: (a: HostArray, b: HostArray) => void): void {
  withContiguous(a, (p) => withContiguous(b, (q) => body(p, q)));
}

/** y[n] = w · columns(x[n]), group by group. */
function forward(
  x: HostArray,
  w: HostArray,
  y: HostArray,
  attrs: ConvAttrs,
  room: Room,
  then?: (first: number) => void,
): void {
  const s = sizes(x, w, y, attrs);
  inBatches(s, x, room, (columns, first, count) => {
    s.move("toColumns", x, columns, first, count, s.outputs, s.taps * s.outputs);
    eachGroup(s, (group) => {
      const a = s.filters(w, group);
      const b = s.matrix(columns.ptr, group * s.perGroup.taps * s.outputs, s.outputs, 1, s.taps * s.outputs);
      const c = s.planes(y, first, group);
      gemm(s.type, [s.perGroup.filters, s.outputs, s.perGroup.taps], a, b, c, count);
    });
    then?.(first);
  });
}

/** columns = wᵀ · g[n], then added back to the pixels they came from. */
function inputGradient(g: HostArray, w: HostArray, x: HostArray, attrs: ConvAttrs, room: Room): void {
  const s = sizes(x, w, g, attrs);
  inBatches(s, x, room, (columns, first, count) => {
    eachGroup(s, (group) => {
      const a = transposed(s.filters(w, group));
      const c = s.matrix(columns.ptr, group * s.perGroup.taps * s.outputs, s.outputs, 1, s.taps * s.outputs);
      const b = s.planes(g, first, group);
      gemm(s.type, [s.perGroup.taps, s.outputs, s.perGroup.filters], a, b, c, count);
    });
    s.move("fromColumns", x, columns, first, count, s.outputs, s.taps * s.outputs);
  });
}

/** w = Σ g[n] · columns(x[n])ᵀ: one product over all positions of the images at hand. */
function weightGradient(x: HostArray, g: HostArray, w: HostArray, attrs: ConvAttrs, room: Room): void {
  const s = sizes(x, w, g, attrs);
  let adds = false;
  inBatches(s, x, room, (columns, first, count) => {
    const run = count * s.outputs;
    s.move("toColumns", x, columns, first, count, run, s.outputs);
    room(g, [s.filterCount, count, s.outputs], (rows) => {
      const [image, plane] = [s.filterCount * s.outputs, s.outputs];
      copyElements(
        withLayoutOf(g, { shape: rows.shape, strides: [plane, image, 1], offset: g.offset + first * image }),
        rows,
      );
      eachGroup(s, (group) => {
        const a = s.matrix(rows.ptr, group * s.perGroup.filters * run, run, 1, 0);
        const b = s.matrix(columns.ptr, group * s.perGroup.taps * run, 1, run, 0);
        gemm(s.type, [s.perGroup.filters, s.perGroup.taps, run], a, b, s.filters(w, group), 1, adds);
      });
    });
    adds = true;
  });
  if (!adds) w.data.fill(0, w.offset, w.offset + sizeOf(w.shape));
}

type Sizes = ReturnType<typeof sizes>;

type Shaped = Pick<HostArray, "shape">;

function sizes(x: HostArray, w: Shaped, y: Shaped, attrs: ConvAttrs) {
  const bytes = x.dtype === "float32" ? 4 : 8;
  const [images, channels, height, width] = x.shape;
  const [filterCount, , kh, kw] = w.shape;
  const [, , oh, ow] = y.shape;
  const { groups, stride, padding, dilation } = attrs;
  const outputs = oh * ow;
  const taps = channels * kh * kw;
  const perGroup = { filters: filterCount / groups, taps: taps / groups };
  const matrix = (ptr: number, offset: number, rows: number, columns: number, batch: number): Matrix => ({
    ptr: ptr + offset * bytes,
    rows,
    columns,
    batch,
  });
  const geometry = [height, width, kh, kw, ...stride, padding[0][0], padding[1][0], ...dilation, oh, ow];
  return {
    ...{ bytes, images, filterCount, outputs, taps, perGroup, groups, matrix },
    type: x.dtype as GemmType,
    filters: (f: HostArray, group: number): Matrix =>
      matrix(f.ptr, f.offset + group * perGroup.filters * perGroup.taps, perGroup.taps, 1, 0),
    planes: (a: HostArray, first: number, group: number): Matrix => {
      const at = a.offset + (first * filterCount + group * perGroup.filters) * outputs;
      return matrix(a.ptr, at, outputs, 1, filterCount * outputs);
    },
    /** Moves `count` images from `first` on; `row` and `image` are the columns' strides. */
    move(
      name: "toColumns" | "fromColumns",
      pixels: HostArray,
      columns: HostArray,
      first: number,
      count: number,
      row: number,
      image: number,
    ): void {
      const at = pixels.ptr + (pixels.offset + first * channels * height * width) * bytes;
      const items = count * channels * (name === "toColumns" ? kh * kw : 1);
      const perItem = (count * taps * outputs) / Math.max(1, items);
      const args = [at, columns.ptr, ...geometry, channels, image * bytes, row * bytes];
      launch(kernelsFor(bytes)[name], args, items, Math.max(1, Math.ceil(WORTH_A_THREAD / perItem)));
    },
  };
}

/** Calls `body` with room for the columns of as many images as the budget allows. */
function inBatches(
  s: Sizes,
  x: HostArray,
  room: Room,
  body: (columns: HostArray, first: number, count: number) => void,
): void {
  const batch = batchOf(s);
  room(x, [batch, s.taps, s.outputs], (columns) => {
    for (let first = 0; first < s.images; first += batch)
      body(columns, first, Math.min(batch, s.images - first));
  });
}

/** How many images' columns fit the budget. */
function batchOf(s: Sizes): number {
  const perImage = Math.max(1, s.taps * s.outputs * s.bytes);
  return Math.max(1, Math.min(s.images, Math.floor(COLUMN_BYTES / perImage)));
}

const columnBytes = (s: Sizes): number => padded(batchOf(s) * s.taps * s.outputs * s.bytes);

function eachGroup(s: Sizes, body: (group: number) => void): void {
  for (let group = 0; group < s.groups; group++) body(group);
}

function transposed(m: Matrix): Matrix {
  return { ...m, rows: m.columns, columns: m.rows };
}

function kernelsFor(bytes: 4 | 8): Record<"toColumns" | "fromColumns", PoolKernel> {
  let kernels = compiled.get(bytes);
  if (!kernels) {
    kernels = compileKernels(convModule(bytes), ["toColumns", "fromColumns"]);
    compiled.set(bytes, kernels);
  }
  return kernels;
}
