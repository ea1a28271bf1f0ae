/**
 * quantizedConv2d and quantizedMatmul on the devices of the host: the channels of each pixel are laid side by side, and taps
 * are found through pointers, as in indirect convolution. Natively in C where that is compiled, as WebAssembly until then.
 */
import { bytesPerElement } from "../../core/dtype.js";
import { isContiguous } from "../../core/layout.js";
import { sizeOf } from "../../core/shape.js";
import {
  GROUP,
  type QuantizedAttrs,
  type QuantizedConvAttrs,
  type QuantizedMatmulAttrs,
} from "../../ops/quantized.js";
import { allocate, memory, release } from "../../runtime/heap.js";
import type { HostArray } from "../../runtime/host-array.js";
import type { DeviceKernel } from "../../runtime/kernels.js";
import { launch, type PoolKernel } from "../../runtime/pool/pool.js";
import { withContiguous } from "../../runtime/wasm/copy.js";
import { compileKernels } from "../../runtime/wasm/module.js";
import { compileTextInBackground } from "../codegen/c/compile.js";
import type { ConvGeometry } from "../convolution/geometry.js";
import { pointersOf } from "../convolution/pointers.js";
import { nativePrograms } from "../native/programs.js";
import { ITEM, quantizedSource } from "./c.js";
import { quantizedModule, TABLE_WORDS } from "./wasm.js";

type Device = "wasm" | "native";

const WORTH_A_THREAD = 120_000; // multiply-adds
const GATHERED_WORDS = 4;
const MOST_TABLES = 64;

let compiled: Record<"lay" | "widen" | "gather" | "product", PoolKernel> | null = null;
const tables = new Map<string, Int32Array>();

const supports = ([x, , , scale]: readonly HostArray[], [y]: readonly HostArray[]): boolean =>
  scale.dtype === "float32" && sizeOf(y.shape) > 0 && sizeOf(x.shape) > 0;

/** One image or one matrix of rows: what is read, how its pixels lie, and what is written. */
interface Work {
  readonly x: number;
  readonly y: number;
  readonly channels: number;
  /** Pixels that are read, and that are written. */
  readonly read: number;
  readonly pixels: number;
  /** Where taps lie; `null`: pixel i is read for pixel i alone. */
  readonly pointers: Int32Array | null;
  readonly taps: number;
  readonly count: number;
  /** Bytes from channel to channel and pixel to pixel of x; elements of y. */
  readonly from: readonly [channel: number, pixel: number];
  readonly to: readonly [channel: number, pixel: number];
}

/** The kernels of a device, by op. */
export function quantizedKernels(device: Device): readonly DeviceKernel<never>[] {
  const conv: DeviceKernel<QuantizedConvAttrs> = {
    op: "quantizedConv2d",
    supports,
    launches: false,
    run: (inputs, [y], attrs) =>
      packed(inputs, (operands) => {
        const [x] = operands;
        const [n, channels, height, width] = x.shape;
        const [, filters, oh, ow] = y.shape;
        const { kernel, stride, padding, dilation } = attrs;
        const g = { n: 1, channels, filters, height, width, kernel, stride, padding, dilation, groups: 1 };
        const [read, pixels] = [height * width, oh * ow];
        const pointwise = sizeOf(kernel) === 1 && pixels === read && sizeOf(stride) === 1;
        const pixelBytes = Math.ceil(channels / GROUP) * GROUP * (device === "native" ? 1 : 2);
        const pointers = pointwise ? null : tableOf(g, pixelBytes);
        const images = Array.from(
          { length: n },
          (_, i): Work => ({
            x: x.ptr + x.offset + i * channels * read,
            y: y.ptr + (y.offset + i * filters * pixels) * bytesPerElement(y.dtype),
            ...{ channels, read, pixels, pointers, taps: sizeOf(kernel), count: filters },
            from: [read, 1],
            to: [pixels, 1],
          }),
        );
        compute(device, operands, images, attrs);
      }),
  };
  const matmul: DeviceKernel<QuantizedMatmulAttrs> = {
    op: "quantizedMatmul",
    supports,
    launches: false,
    run: (inputs, [y], attrs) =>
      packed(inputs, (operands) => {
        const [x] = operands;
        const channels = x.shape[x.shape.length - 1];
        const rows = sizeOf(x.shape) / channels;
        const { columns: count } = attrs;
        const work: Work = {
          x: x.ptr + x.offset,
          y: y.ptr + y.offset * bytesPerElement(y.dtype),
          ...{ channels, read: rows, pixels: rows, pointers: null, taps: 1, count },
          from: [1, channels],
          to: [1, count],
        };
        compute(device, operands, [work], attrs);
      }),
  };
  return [conv, matmul];
}

function packed(inputs: readonly HostArray[], body: (operands: readonly HostArray[]) => void): void {
  const next = (i: number, found: readonly HostArray[]): void => {
    if (i === inputs.length) body(found);
    else if (isContiguous(inputs[i])) next(i + 1, [...found, inputs[i]]);
    else withContiguous(inputs[i], (copy) => next(i + 1, [...found, copy]));
  };
  next(0, []);
}

function tableOf(g: ConvGeometry, pixelBytes: number): Int32Array {
  const key = JSON.stringify([g, pixelBytes]);
  let table = tables.get(key);
  if (!table) {
    table = pointersOf(g, pixelBytes);
    if (tables.size >= MOST_TABLES) tables.delete([...tables.keys()][0]); // the oldest
    tables.set(key, table);
  }
  return table;
}

const up = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** All pieces of work, one after the other, in the same memory. */
function compute(
  device: Device,
  [x, w, sums, scale, bias]: readonly HostArray[],
  pieces: readonly Work[],
  attrs: QuantizedAttrs,
): void {
  const [first] = pieces;
  const { channels, taps, count, pointers } = first;
  const words = Math.ceil(channels / GROUP);
  const at = (array: HostArray): number => array.ptr + array.offset * bytesPerElement(array.dtype);
  const run =
    device === "native"
      ? nativePrograms("products of 8 bits", () =>
          compileTextInBackground("quantized products", quantizedSource),
        ).current()
      : null;
  const pixelBytes = words * GROUP * (run ? 1 : 2);
  // The table of pointers was made for the pixels of the device's own kernel.
  const scaled = pointers && device === "native" && !run ? pointers.map((p) => 2 * p) : pointers;
  const imageBytes = up((first.read + 1) * pixelBytes);
  // Vectors of scales and biases are read past their end.
  const perChannel = up(count * 4 + 64);
  // With few channels, calls for each tap would cost more than what they do.
  const gathers = !run && scaled !== null && words <= GATHERED_WORDS;
  const rowBytes = taps * pixelBytes;
  const gathered = gathers ? up(first.pixels * rowBytes) : 0;
  const bytes = [imageBytes, up((scaled?.length ?? 0) * 4), 64, perChannel, perChannel, gathered];
  const total = bytes.reduce((a, b) => a + b, 0);
  const image = allocate(total);
  const [, pointersAt, table, scales, biases, rows] = bytes.map((_, i) =>
    bytes.slice(0, i).reduce((a, b) => a + b, image),
  );
  try {
    if (scaled) new Int32Array(memory.buffer, pointersAt, scaled.length).set(scaled);
    new Float32Array(memory.buffer, table, TABLE_WORDS).set(tableWords(attrs));
    for (const [to, from] of [
      [scales, scale],
      [biases, bias],
    ] as const)
      new Uint8Array(memory.buffer, to, count * 4).set(new Uint8Array(memory.buffer, at(from), count * 4));
    const signed = x.dtype === "int8";
    const zero = attrs.zero + (run && signed ? 128 : 0);
    new Uint8Array(memory.buffer, image + first.read * pixelBytes, pixelBytes).fill(run ? zero : 0);
    const perPixel = taps * words * GROUP * count;
    for (const work of pieces) {
      const y = [work.y, work.to] as const;
      const result = [count, taps, words, pixelBytes, ...y[1], attrs.output ? 1 : 0];
      const pointer = scaled ? pointersAt : 0;
      if (run) {
        const inPlace = work.from[0] === 1 && channels % GROUP === 0 && !signed && !scaled;
        const items = (pixels: number): number => Math.ceil(pixels / ITEM);
        run([
          ...[work.x, image, channels, words, work.read, ...work.from, signed ? 1 : 0],
          ...[inPlace ? work.x : image, work.pixels, pointer, at(w), y[0], at(sums), scales, biases, table],
          ...[...result, zero],
          ...[inPlace ? 0 : items(work.read), grainOf(channels * ITEM * 4)],
          ...[items(work.pixels), grainOf(perPixel * ITEM)],
        ]);
        continue;
      }
      compiled ??= compileKernels(quantizedModule(), ["lay", "widen", "gather", "product"]);
      const zeros = [attrs.zero, signed ? 1 : 0];
      if (work.from[0] === 1)
        launch(compiled.widen, [work.x, image, channels, words, ...zeros], work.read, grainOf(channels * 4));
      else {
        const args = [work.x, image, channels, words, work.read, ...zeros];
        launch(compiled.lay, args, Math.ceil(work.read / 8), grainOf(channels * 32));
      }
      if (gathers)
        launch(compiled.gather, [image, pointer, rows, taps, words], work.pixels, grainOf(taps * words * 4));
      const form = gathers ? [1, taps * words, count, rowBytes] : [taps, words, count, pixelBytes];
      const operands = [gathers ? rows : image, gathers ? 0 : pointer, at(w), y[0], scales, biases, table];
      const args = [...operands, work.pixels, ...form, ...y[1], attrs.output ? 1 : 0];
      launch(compiled.product, args, Math.ceil(work.pixels / 2), grainOf(perPixel * 2));
    }
  } finally {
    release(image, total);
  }
}

const grainOf = (work: number): number => Math.max(1, Math.ceil(WORTH_A_THREAD / work));

function tableWords({ least, most, output }: QuantizedAttrs): number[] {
  const { scale, zero, low, high } = output ?? { scale: 1, zero: 0, low: 0, high: 0 };
  return [least ?? Number.NEGATIVE_INFINITY, most ?? Number.POSITIVE_INFINITY, 1 / scale, zero, low, high];
}
