/**
 * Strided arrays as tensors of TensorFlow.js, which knows no strides: the array's layout is taken apart into reshapes, a slice,
 * a transposition, reversals and a broadcast, all of them kernels of the backend. What can't be taken apart so is gathered.
 */
import { isContiguous, type Layout, permuteLayout } from "../../core/layout.js";
import { sizeOf } from "../../core/shape.js";
import { elementPositions } from "../host-array.js";
import type { DeviceArray } from "../remote.js";
import { isTfDType, type Piece } from "./memory.js";
import type { Tfjs, TfTensor } from "./tfjs.js";

/** TensorFlow's kernels take no more axes than this. */
const MAX_AXES = 6;
/** Beyond so many blocks, which is a window of 7 × 7, positions are cheaper. */
const MOST_SLIDES = 49;

/**
 * The elements of `x`, of its shape.
 * @param broadcast false: axes that repeat one element have size 1, for kernels that broadcast by themselves
 */
export function viewed(t: Tfjs, x: DeviceArray<Piece>, broadcast = true): TfTensor {
  const { tensor } = x.handle;
  const { dtype } = x;
  if (!tensor || !isTfDType(dtype)) throw new TypeError(`tfjs: an input of ${dtype} has no tensor`);
  const shape = broadcast ? [...x.shape] : x.shape.map((dim, i) => (x.strides[i] === 0 ? 1 : dim));
  const size = sizeOf(shape);
  if (size === 0) return t.tensor([], shape, dtype);
  if (isContiguous({ ...x, shape })) return shaped(t, section(t, tensor, x.offset, size, x.length), shape);
  const repeats = x.strides.map((stride, i) => stride === 0 && shape[i] > 1);
  const once = shape.map((dim, i) => (repeats[i] ? 1 : dim));
  const parts = merged({ shape: once, strides: x.strides, offset: x.offset });
  const moved =
    takenApart(t, tensor, parts, x.length) ??
    slideBySlide(t, tensor, parts, x.length, MOST_SLIDES) ??
    gathered(t, tensor, parts, x.length);
  const whole = shaped(t, moved, once);
  return repeats.includes(true) ? t.broadcastTo(whole, shape) : whole;
}

const shaped = (t: Tfjs, x: TfTensor, shape: readonly number[]): TfTensor =>
  x.shape.length === shape.length && x.shape.every((dim, i) => dim === shape[i])
    ? x
    : t.reshape(x, [...shape]);

/** Elements that follow each other in memory. */
function section(t: Tfjs, tensor: TfTensor, offset: number, size: number, length: number): TfTensor {
  return size === length ? tensor : t.slice(t.reshape(tensor, [length]), [offset], [size]);
}

/** Without axes of size 1, and with neighbours that are walked as one made one. */
function merged({ shape, strides, offset }: Layout): Layout {
  const dims: number[] = [];
  const steps: number[] = [];
  shape.forEach((dim, i) => {
    if (dim === 1) return;
    const last = dims.length - 1;
    if (last >= 0 && steps[last] === dim * strides[i]) {
      dims[last] *= dim;
      steps[last] = strides[i];
    } else {
      dims.push(dim);
      steps.push(strides[i]);
    }
  });
  return { shape: dims, strides: steps, offset };
}

/** A matrix (or a batch of them) for a product: one that lies transposed in memory stays as it is, with a flag. */
export function operand(t: Tfjs, x: DeviceArray<Piece>): { matrix: TfTensor; transposed: boolean } {
  const order = x.shape.map((_, i) => i);
  const swapped = permuteLayout(x, [...order.slice(0, -2), order.length - 1, order.length - 2]);
  const transposed = !isContiguous(x) && isContiguous(swapped);
  return { matrix: viewed(t, transposed ? { ...x, ...swapped } : x), transposed };
}

/**
 * If each stride divides the next larger one, memory is a box with an axis for each, and the array a block in it: digits of its
 * offset in that mixed radix say where. Null if the array is no such block (windows that overlap, strides that don't divide).
 */
function takenApart(
  t: Tfjs,
  tensor: TfTensor,
  { shape, strides, offset }: Layout,
  length: number,
): TfTensor | null {
  const order = shape.map((_, i) => i).sort((a, b) => Math.abs(strides[b]) - Math.abs(strides[a]));
  const backwards = order.filter((i) => strides[i] < 0);
  let at = offset;
  for (const i of backwards) at += (shape[i] - 1) * strides[i];
  const units = [...order.map((i) => Math.abs(strides[i])), 1];
  if (units.length > MAX_AXES) return null;
  const box = [Math.ceil(length / units[0])];
  for (let k = 1; k < units.length; k++) {
    const ratio = units[k - 1] / units[k];
    if (!Number.isInteger(ratio)) return null;
    box.push(ratio);
  }
  const starts = units.map((unit) => {
    const digit = Math.floor(at / unit);
    at -= digit * unit;
    return digit;
  });
  const sizes = [...order.map((i) => shape[i]), 1];
  if (box.some((dim, k) => starts[k] + sizes[k] > dim)) return null;
  let y = boxed(t, tensor, box, length);
  y = t.reshape(t.slice(y, starts, sizes), sizes.slice(0, -1));
  if (order.some((i, k) => i !== k)) y = t.transpose(y, shape.map((_, i) => order.indexOf(i))); // biome-ignore format: one step
  return backwards.length > 0 ? t.reverse(y, backwards) : y;
}

/**
 * Windows that overlap, as one block for each place in the window, side by side: an axis that reaches past another's stride is
 * walked here, the shorter of the two. Null if there is none, or it takes more than `most` blocks.
 */
function slideBySlide(
  t: Tfjs,
  tensor: TfTensor,
  layout: Layout,
  length: number,
  most: number,
): TfTensor | null {
  const { shape, strides, offset } = layout;
  const step = strides.map(Math.abs);
  const pairs = shape.flatMap((dim, a) =>
    shape.flatMap((_, b) => (a !== b && step[b] >= step[a] && step[b] < step[a] * dim ? [[a, b]] : [])),
  );
  if (pairs.length === 0) return null;
  const [a, b] = pairs[0];
  const axis = shape[a] <= shape[b] ? a : b;
  if (shape[axis] > most) return null;
  const others = <T>(list: readonly T[]): T[] => list.filter((_, i) => i !== axis);
  const blocks: TfTensor[] = [];
  for (let k = 0; k < shape[axis]; k++) {
    const block = { shape: others(shape), strides: others(strides), offset: offset + k * strides[axis] };
    const left = Math.floor(most / shape[axis]);
    const y = takenApart(t, tensor, block, length) ?? slideBySlide(t, tensor, block, length, left);
    if (!y) return null;
    blocks.push(y);
  }
  return t.stack(blocks, axis);
}

/** All of the memory as a box; its last part is filled up. */
function boxed(t: Tfjs, tensor: TfTensor, box: number[], length: number): TfTensor {
  const missing = sizeOf(box) - length;
  const flat = t.reshape(tensor, [length]);
  return t.reshape(missing === 0 ? flat : t.pad(flat, [[0, missing]]), box);
}

function gathered(t: Tfjs, tensor: TfTensor, layout: Layout, length: number): TfTensor {
  return t.gather(t.reshape(tensor, [length]), t.tensor(elementPositions(layout), undefined, "int32"));
}
