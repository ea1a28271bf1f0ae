/**
 * 2-D convolution and its gradients as matrix products: the images' windows are laid out as columns, some images at a
 * time, so that the columns stay small. Filters of one element need no columns.
 */
import { sizeOf } from "../../core/shape.js";
import type { ConvAttrs } from "../../ops/conv.js";
import type { RemoteType } from "../../runtime/remote.js";
import { gpu } from "../../runtime/webgpu/start.js";
import { commands } from "./commands.js";
import { copy, type GpuKernel } from "./indexing.js";
import { type Epilogue, product, withScratch } from "./matmul.js";
import { fitsBinding, type GpuArray, runElements, ShaderWriter } from "./shader.js";

const MOST_COLUMN_BYTES = 128 << 20;

/** Sizes of a convolution. */
interface Sizes {
  readonly n: number;
  readonly groups: number;
  /** Channels of a group's images, and filters of a group. */
  readonly inner: number;
  readonly outer: number;
  readonly kernel: readonly [number, number];
  readonly image: readonly [number, number];
  readonly result: readonly [number, number];
}

function sizesOf(
  x: readonly number[],
  w: readonly number[],
  y: readonly number[],
  { groups }: ConvAttrs,
): Sizes {
  return {
    n: x[0],
    groups,
    inner: w[1],
    outer: w[0] / groups,
    kernel: [w[2], w[3]],
    image: [x[2], x[3]],
    result: [y[2], y[3]],
  };
}

const isPointwise = ({ kernel }: Sizes, { stride, padding }: ConvAttrs): boolean =>
  kernel.every((n) => n === 1) && stride.every((n) => n === 1) && padding.flat().every((n) => n === 0);

/** Images at a time. */
function chunkOf(s: Sizes): number {
  const each = s.groups * s.inner * s.kernel[0] * s.kernel[1] * s.result[0] * s.result[1] * 4;
  const most = Math.min(MOST_COLUMN_BYTES, gpu().largestBuffer);
  return Math.max(1, Math.min(s.n, Math.floor(most / each)));
}

/** True if the windows of all images fit the memory for them: what follows a convolution wants its result whole. */
export function fitsAtOnce(
  x: readonly number[],
  w: readonly number[],
  y: readonly number[],
  attrs: ConvAttrs,
): boolean {
  const s = sizesOf(x, w, y, attrs);
  return isPointwise(s, attrs) || chunkOf(s) === s.n;
}

/** Images `from` … `from + count − 1`. */
const images = (x: GpuArray, from: number, count: number): GpuArray => ({
  ...x,
  shape: [count, ...x.shape.slice(1)],
  offset: x.offset + from * x.strides[0],
});

/** An array of the same elements under other axes. */
const view = (x: GpuArray, shape: readonly number[], strides: readonly number[]): GpuArray => ({
  ...x,
  shape,
  strides,
});

/** The windows of images: (count, groups, inner·kH·kW, oH·oW). */
function columns(s: Sizes, { stride, padding, dilation }: ConvAttrs, x: GpuArray, out: GpuArray): void {
  const w = new ShaderWriter("conv2d (windows)");
  const [kh, kw] = s.kernel;
  const shape = [out.shape[0], s.groups * s.inner, kh, kw, ...s.result];
  const { text, at } = w.coordinates(shape, s.result[1] % 4 === 0 ? "i * 4u" : "i", "c");
  const axis = (d: 0 | 1): string =>
    `i32(${at[4 + d]}) * ${w.number(stride[d], "i32")} - ${w.number(padding[d][0], "i32")} + i32(${at[2 + d]}) * ${w.number(dilation[d], "i32")}`;
  const [height, width] = s.image.map((n) => w.number(n, "i32"));
  const source = w.input(x);
  if (s.result[1] % 4 === 0) {
    // Four neighbours are of one row.
    const row = w.position({ ...x, shape: [2, 2, 2, 1] }, [at[0], at[1], "u32(r)", "0u"]);
    const [step, column] = [w.number(stride[1], "i32"), w.int(x.strides[3])];
    w.declare(
      `fn at(row: u32, q: i32) -> f32 { if (q < 0 || q >= ${width}) { return 0.0; } return ${source.element(`row + u32(q) * ${column}`)}; }`,
    );
    const four = [0, 1, 2, 3].map((k) => `at(row, q + ${k} * ${step})`).join(", ");
    w.runItems(
      sizeOf(shape) / 4,
      `${text}
  let r = ${axis(0)}; let q = ${axis(1)};
  var v = vec4f(0.0);
  if (r >= 0 && r < ${height}) { let row = ${row}; v = vec4f(${four}); }
  ${w.output(out).vector("i", "v")}`,
    );
    return;
  }
  const inside = `r < 0 || r >= ${height} || q < 0 || q >= ${width}`;
  const value = source.element(w.position({ ...x, shape: [2, 2, 2, 2] }, [at[0], at[1], "u32(r)", "u32(q)"]));
  const body = `${text}\n  let r = ${axis(0)}; let q = ${axis(1)};\n  if (${inside}) { return 0.0; }`;
  runElements(w, out, body, () => value);
}

/** The sums of columns at each place of the images: the transpose of `columns`. */
function fold(
  s: Sizes,
  { stride, padding, dilation }: ConvAttrs,
  c: GpuArray,
  out: GpuArray,
  from: number,
): void {
  const w = new ShaderWriter("conv2dInputGrad (sums)");
  const [kh, kw] = s.kernel;
  const count = c.shape[0];
  const shape = [count, s.groups * s.inner, ...s.image];
  const { text, at } = w.coordinates(shape, "i", "c");
  const sizes = [count, s.groups * s.inner, kh, kw, ...s.result];
  const strides = [...sizes.keys()].map((d) => sizeOf(sizes.slice(d + 1)));
  const value = w
    .input(c)
    .element(
      w.position({ ...c, shape: sizes.map(() => 2), strides }, [
        at[0],
        at[1],
        "p",
        "q",
        "u32(dr)",
        "u32(dc)",
      ]),
    );
  const place = (name: string, d: 0 | 1, tap: string): string => {
    const step = w.number(stride[d], "i32");
    return `var ${name} = i32(${at[2 + d]}) + ${w.number(padding[d][0], "i32")} - i32(${tap}) * ${w.number(dilation[d], "i32")};
    if (${name} < 0 || ${name} % ${step} != 0 || ${name} / ${step} >= ${w.number(s.result[d], "i32")}) { continue; }
    ${name} /= ${step};`;
  };
  const body = `${text}
  var sum = 0.0;
  for (var p = 0u; p < ${w.int(kh)}; p++) {
    ${place("dr", 0, "p")}
    for (var q = 0u; q < ${w.int(kw)}; q++) {
      ${place("dc", 1, "q")}
      sum += ${value};
    }
  }`;
  const size = sizeOf(shape);
  const target = w.output(out).element(`i + ${w.int(from * sizeOf(out.shape.slice(1)))}`, "sum");
  w.runItems(size, `${body}\n  ${target}`);
}

/** Filters as (groups, outer, inner·kH·kW); any layout. */
function filters(s: Sizes, w: GpuArray, make: (shape: readonly number[]) => GpuArray): GpuArray {
  const depth = s.inner * s.kernel[0] * s.kernel[1];
  let flat = w;
  if (!isRowMajor(w)) {
    flat = make(w.shape);
    copy("conv2d (filters)", w, flat);
  }
  return view(flat, [s.groups, s.outer, depth], [s.outer * depth, depth, 1]);
}

function isRowMajor({ shape, strides }: RemoteType): boolean {
  let step = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] !== 1 && strides[d] !== step) return false;
    step *= shape[d];
  }
  return true;
}

/** Images as (count, groups, channels of a group, height·width): in place if rows follow each other, else copied. */
function planes(
  s: Sizes,
  x: GpuArray,
  channels: number,
  make: (shape: readonly number[]) => GpuArray,
): GpuArray {
  const [count, , h, w] = x.shape;
  let flat = x;
  if (!((w === 1 || x.strides[3] === 1) && (h === 1 || x.strides[2] === w * x.strides[3]))) {
    flat = make(x.shape);
    copy("conv2d (images)", x, flat);
  }
  const [sn, sc] = flat.strides;
  return view(flat, [count, s.groups, channels, h * w], [sn, channels * sc, sc, 1]);
}

/** y = conv2d(x, w), then the epilogue. */
export function convolve(x: GpuArray, w: GpuArray, y: GpuArray, attrs: ConvAttrs, epilogue?: Epilogue): void {
  if (sizeOf(y.shape) === 0) return;
  const s = sizesOf(x.shape, w.shape, y.shape, attrs);
  const depth = s.inner * s.kernel[0] * s.kernel[1];
  const area = s.result[0] * s.result[1];
  withScratch((make) => {
    const weights = filters(s, w, make);
    const pointwise = isPointwise(s, attrs);
    const chunk = pointwise ? s.n : chunkOf(s);
    const windows = pointwise ? null : make([chunk, s.groups, depth, area]);
    for (let from = 0; from < s.n; from += chunk) {
      const count = Math.min(chunk, s.n - from);
      const some = images(x, from, count);
      let right: GpuArray;
      if (windows) {
        right = { ...windows, shape: [count, ...windows.shape.slice(1)] };
        columns(s, attrs, some, right);
      } else right = planes(s, some, s.inner, make);
      const out: GpuArray = {
        ...y,
        shape: [count, s.groups, s.outer, area],
        offset: y.offset + from * y.strides[0],
      };
      intoSlice(out, make, (result) => product("conv2d", weights, right, result, epilogue));
    }
  });
}

/** Kernels write whole arrays from their start; a slice that begins elsewhere is written apart and copied. */
function intoSlice(
  out: GpuArray,
  make: (shape: readonly number[]) => GpuArray,
  write: (out: GpuArray) => void,
): void {
  if (out.offset === 0) {
    write(out);
    return;
  }
  const apart = make(out.shape);
  write(apart);
  commands.copy(apart.handle, out.handle, out.offset * 4, sizeOf(out.shape) * 4);
}

const floats = (inputs: readonly RemoteType[], outputs: readonly RemoteType[]): boolean =>
  [...inputs, ...outputs].every((x) => x.dtype === "float32" && fitsBinding(x));

const conv2d: GpuKernel<ConvAttrs> = {
  op: "conv2d",
  supports: floats,
  run: ([x, w], [y], attrs) => convolve(x, w, y, attrs),
};

const inputGrad: GpuKernel<ConvAttrs> = {
  op: "conv2dInputGrad",
  supports: floats,
  run([g, w], [x], attrs) {
    if (sizeOf(x.shape) === 0) return;
    const s = sizesOf(x.shape, w.shape, g.shape, attrs);
    const depth = s.inner * s.kernel[0] * s.kernel[1];
    const area = s.result[0] * s.result[1];
    withScratch((make) => {
      const weights = filters(s, w, make);
      const turned = view(weights, [s.groups, depth, s.outer], [s.outer * depth, 1, depth]);
      const chunk = chunkOf(s);
      const windows = make([chunk, s.groups, depth, area]);
      for (let from = 0; from < s.n; from += chunk) {
        const count = Math.min(chunk, s.n - from);
        const right = planes(s, images(g, from, count), s.outer, make);
        const some = { ...windows, shape: [count, ...windows.shape.slice(1)] };
        product("conv2dInputGrad", turned, right, some);
        fold(s, attrs, some, x, from);
      }
    });
  },
};

const weightGrad: GpuKernel<ConvAttrs> = {
  op: "conv2dWeightGrad",
  supports: floats,
  run([x, g], [w], attrs) {
    if (sizeOf(w.shape) === 0) return;
    const s = sizesOf(x.shape, w.shape, g.shape, attrs);
    const depth = s.inner * s.kernel[0] * s.kernel[1];
    const area = s.result[0] * s.result[1];
    withScratch((make) => {
      // One product over images and places: (groups, outer, n·area) · (groups, n·area, depth).
      const chunk = Math.max(1, chunkOf(s));
      const windows = make([chunk, s.groups, depth, area]);
      const parts = Math.ceil(s.n / chunk);
      const sums = parts > 1 ? make([parts, s.groups * s.outer * depth]) : null;
      for (let part = 0; part < parts; part++) {
        const from = part * chunk;
        const count = Math.min(chunk, s.n - from);
        columns(s, attrs, images(x, from, count), { ...windows, shape: [count, ...windows.shape.slice(1)] });
        const left = make([s.groups, s.outer, count, area]);
        const gradients = planes(s, images(g, from, count), s.outer, make);
        const [sn, sg, so, sa] = gradients.strides;
        copy("conv2dWeightGrad (images)", view(gradients, left.shape, [sg, so, sn, sa]), left);
        const right = make([s.groups, depth, count, area]);
        const [wn, wg, wd, wa] = windows.strides;
        copy("conv2dWeightGrad (windows)", view(windows, right.shape, [wg, wd, wn, wa]), right);
        const k = count * area;
        const out = sums ?? w;
        const target: GpuArray = {
          ...out,
          shape: [s.groups, s.outer, depth],
          offset: part * s.groups * s.outer * depth,
        };
        intoSlice(target, make, (result) =>
          product(
            "conv2dWeightGrad",
            view(left, [s.groups, s.outer, k], [s.outer * k, k, 1]),
            view(right, [s.groups, k, depth], [depth * k, 1, k]),
            result,
          ),
        );
      }
      if (sums) addUp(sums, parts, w);
    });
  },
};

/** out = Σ sums[part]. */
function addUp(sums: GpuArray, parts: number, out: GpuArray): void {
  const w = new ShaderWriter("conv2dWeightGrad (sums)");
  const value = w.input(sums).element(`k * ${w.int(sizeOf(out.shape))} + i`);
  runElements(
    w,
    out,
    `var sum = 0.0;\n  for (var k = 0u; k < ${w.int(parts)}; k++) { sum += ${value}; }`,
    () => "sum",
  );
}

export const convKernels: readonly GpuKernel[] = [conv2d, inputGrad, weightGrad] as readonly GpuKernel[];
