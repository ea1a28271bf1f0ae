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
/** Beyond so many blocks (a window of 7 × 7) positions are cheaper. */
const MOST_BLOCKS = 49;

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
  const moved = takenApart(t, tensor, parts, x.length, MOST_BLOCKS) ?? gathered(t, tensor, parts, x.length);
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

/** Memory as a box, and an array in it. */
interface Block {
  /** The array's axes, that of the largest stride first. */
  readonly order: readonly number[];
  readonly backwards: number[];
  /** Of the box: the order's axes, and one more of single elements. */
  readonly box: number[];
  readonly starts: number[];
  readonly sizes: number[];
  readonly steps: number[];
  readonly ends: number[];
  /** The first axis of the box in which the array has no room; −1: it is a block. */
  readonly misfit: number;
}

/**
 * The axes of the box are units apart, each a divisor of the one before, and a stride is one unit or several: digits of the
 * array's offset in that mixed radix say where it begins.
 */
function blockOf({ shape, strides, offset }: Layout, length: number): Block {
  const order = shape.map((_, i) => i).sort((a, b) => Math.abs(strides[b]) - Math.abs(strides[a]));
  const backwards = order.filter((i) => strides[i] < 0);
  let at = offset;
  for (const i of backwards) at += (shape[i] - 1) * strides[i];
  const units: number[] = [];
  for (const i of order) units.push(gcd(Math.abs(strides[i]), units.at(-1) ?? 0));
  const steps = [...order.map((i, k) => Math.abs(strides[i]) / units[k]), 1];
  units.push(1);
  const box = units.map((unit, k) => (k === 0 ? Math.ceil(length / unit) : units[k - 1] / unit));
  const starts = units.map((unit) => {
    const digit = Math.floor(at / unit);
    at -= digit * unit;
    return digit;
  });
  const sizes = [...order.map((i) => shape[i]), 1];
  const ends = sizes.map((size, k) => starts[k] + (size - 1) * steps[k] + 1);
  return {
    order,
    backwards,
    box,
    starts,
    sizes,
    steps,
    ends,
    misfit: box.findIndex((dim, k) => ends[k] > dim),
  };
}

/**
 * The array as a block of its memory. Where an axis reaches past the one before (windows that overlap), the shorter of the two is
 * walked here, a block for each place on it. Null if that takes more than `most` blocks, or the box has too many axes.
 */
function takenApart(
  t: Tfjs,
  tensor: TfTensor,
  layout: Layout,
  length: number,
  most: number,
): TfTensor | null {
  const block = blockOf(layout, length);
  if (block.misfit < 0) return block.box.length > MAX_AXES ? null : cut(t, tensor, block, length);
  const { shape, strides, offset } = layout;
  const [a, b] = [block.order[block.misfit - 1], block.order[block.misfit]];
  const axis = shape[a] <= shape[b] ? a : b;
  if (shape[axis] > most) return null;
  const others = <T>(list: readonly T[]): T[] => list.filter((_, i) => i !== axis);
  const blocks: TfTensor[] = [];
  for (let k = 0; k < shape[axis]; k++) {
    const part = { shape: others(shape), strides: others(strides), offset: offset + k * strides[axis] };
    const y = takenApart(t, tensor, part, length, Math.floor(most / shape[axis]));
    if (!y) return null;
    blocks.push(y);
  }
  return t.stack(blocks, axis);
}

function cut(t: Tfjs, tensor: TfTensor, block: Block, length: number): TfTensor {
  const { order, backwards, box, starts, sizes, steps, ends } = block;
  const whole = boxed(t, tensor, box, length);
  const stepped = steps.some((step) => step > 1);
  let y = stepped ? t.stridedSlice(whole, starts, ends, steps) : t.slice(whole, starts, sizes);
  y = t.reshape(y, sizes.slice(0, -1));
  if (order.some((i, k) => i !== k)) y = t.transpose(y, order.map((_, i) => order.indexOf(i))); // biome-ignore format: one step
  return backwards.length > 0 ? t.reverse(y, backwards) : y;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** All of the memory as a box; its last part is filled up. */
function boxed(t: Tfjs, tensor: TfTensor, box: number[], length: number): TfTensor {
  const missing = sizeOf(box) - length;
  const flat = t.reshape(tensor, [length]);
  return t.reshape(missing === 0 ? flat : t.pad(flat, [[0, missing]]), box);
}

function gathered(t: Tfjs, tensor: TfTensor, layout: Layout, length: number): TfTensor {
  return t.gather(t.reshape(tensor, [length]), t.tensor(elementPositions(layout), undefined, "int32"));
}
