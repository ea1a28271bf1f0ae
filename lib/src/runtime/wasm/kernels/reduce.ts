/** Reductions on the wasm device, over any axes of any layout. */
import { bytesPerElement, type DType } from "../../../core/dtype.js";
import { permuteLayout } from "../../../core/layout.js";
import { sizeOf } from "../../../core/shape.js";
import { getDevice } from "../../devices.js";
import type { HostArray } from "../../host-array.js";
import type { DeviceKernel, PreparedKernel } from "../../kernels.js";
import { launch, type PoolKernel } from "../../pool/pool.js";
import { withLayout } from "../copy.js";
import { compileKernels } from "../module.js";
import { BLOCK, canReduce, type Reduction, reduceModule } from "./reduce-code.js";

interface ReduceAttrs {
  readonly axes: readonly number[];
}

/** Axes merged where one loop walks them evenly; strides in elements. */
export interface Loops {
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
}

const NAMES: readonly Reduction[] = ["sum", "prod", "max", "min", "any", "all"];
const WORTH_A_THREAD = 100_000; // elements
const compiled = new Map<string, Record<"along" | "across", PoolKernel>>();

/** A device's own code for a reduction; `run` false: it is not there (yet), and nothing was done. */
export interface OwnReduction {
  run(x: number, out: number): boolean;
}

export type ReductionCode = (
  name: Reduction,
  dtype: DType,
  kept: Loops,
  reduced: Loops,
) => OwnReduction | null;

const own = new Map<string, ReductionCode>();

/** On this device reductions of many elements to the same dtype run by code of its own, where it has some. */
export function registerReduction(device: string, make: ReductionCode): void {
  own.set(device, make);
}

const WORTH_OWN_CODE = 8192; // elements

export const reduceKernels: readonly DeviceKernel<ReduceAttrs>[] = NAMES.map((name) => ({
  op: name,
  supports: ([x], [out]) =>
    canReduce(name, x.dtype, out.dtype) && sizeOf(x.shape) > 0 && sizeOf(out.shape) > 0,
  run: ([x], [out], { axes }) => reduce(name, x, out, axes),
  prepare: ([x], [out], { axes }) => prepareReduce(name, x, out, axes),
}));

/** Reduces `axes` of `x` into the contiguous `out`. */
export function reduce(name: Reduction, x: HostArray, out: HostArray, axes: readonly number[]): void {
  const prepared = prepareReduce(name, x, out, axes);
  if (prepared) {
    prepared.run(0);
    return;
  }
  const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  withLayout(x, permuteLayout(x, [...kept, ...axes]), (packed) => {
    reduce(
      name,
      packed,
      out,
      axes.map((_, i) => kept.length + i),
    );
  });
}

/** `null` if the axes lie so that a copy is needed first. */
export function prepareReduce(
  name: Reduction,
  x: HostArray,
  out: HostArray,
  axes: readonly number[],
): PreparedKernel | null {
  const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const keptLoops = merge(kept, x);
  const reducedLoops = merge(axes, x);
  if (keptLoops.sizes.length > 4 || reducedLoops.sizes.length > 2) return null;
  const bytes = bytesPerElement(x.dtype);
  const source = x.offset * bytes;
  const target = out.offset * bytesPerElement(out.dtype);
  const work = (kernel: PoolKernel, rest: readonly number[], items: number, grain: number) => {
    const args = [0, 0, ...rest];
    const many = x.dtype === out.dtype && sizeOf(x.shape) >= WORTH_OWN_CODE;
    const code = many ? own.get(getDevice())?.(name, x.dtype, keptLoops, reducedLoops) : null;
    const run = (): void => {
      args[0] = x.ptr + source;
      args[1] = out.ptr + target;
      if (code?.run(args[0], args[1])) return;
      launch(kernel, args, items, grain);
    };
    return { run };
  };
  const perResult = sizeOf(reducedLoops.sizes);
  const results = sizeOf(keptLoops.sizes);
  const kernels = kernelsFor(name, x.dtype, out.dtype);
  const [r, t] = padded(reducedLoops, 2, bytes);
  const inner = keptLoops.sizes.length - 1;
  const sideBySide = inner >= 0 && inner <= 3 && keptLoops.strides[inner] === 1;
  if (sideBySide && keptLoops.sizes[inner] >= 4 && reducedLoops.strides.at(-1) !== 1) {
    const n = keptLoops.sizes[inner];
    const rest = { sizes: keptLoops.sizes.slice(0, -1), strides: keptLoops.strides.slice(0, -1) };
    const [k, s] = padded(rest, 3, bytes);
    const blocks = (results / n) * Math.ceil(n / BLOCK);
    const grain = Math.max(1, Math.ceil(WORTH_A_THREAD / (perResult * Math.min(n, BLOCK))));
    return work(kernels.across, [n, k[1], k[2], ...s, ...r, ...t], blocks, grain);
  }
  const [k, s] = padded(keptLoops, 4, bytes);
  const grain = Math.max(1, Math.ceil(WORTH_A_THREAD / perResult));
  return work(kernels.along, [k[1], k[2], k[3], ...s, ...r, ...t], results, grain);
}

function kernelsFor(name: Reduction, input: DType, output: DType): Record<"along" | "across", PoolKernel> {
  const key = `${name} ${input} ${output}`;
  let kernels = compiled.get(key);
  if (!kernels) {
    kernels = compileKernels(reduceModule(name, input, output), ["along", "across"]);
    compiled.set(key, kernels);
  }
  return kernels;
}

/** Sizes and strides (elements) of some axes in order, merging those that one loop walks evenly. */
function merge(axes: readonly number[], x: HostArray): Loops {
  const sizes: number[] = [];
  const strides: number[] = [];
  for (const axis of axes) {
    const [size, stride] = [x.shape[axis], x.strides[axis]];
    if (size === 1) continue;
    const last = sizes.length - 1;
    if (last >= 0 && strides[last] === stride * size) {
      sizes[last] *= size;
      strides[last] = stride;
    } else {
      sizes.push(size);
      strides.push(stride);
    }
  }
  return { sizes, strides };
}

/** With axes of size 1 in front, up to `count`; strides in bytes. */
function padded({ sizes, strides }: Loops, count: number, bytes: number): readonly [number[], number[]] {
  const missing = count - sizes.length;
  return [
    [...new Array<number>(missing).fill(1), ...sizes],
    [...new Array<number>(missing).fill(0), ...strides.map((s) => s * bytes)],
  ];
}
