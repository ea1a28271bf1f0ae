/** Reductions over elements that a program computes on the way: sums of squares, of products, of exponentials. */
import { bytesPerElement } from "../../../core/dtype.js";
import { broadcastLayout, contiguousLayout } from "../../../core/layout.js";
import { type Shape, sizeOf } from "../../../core/shape.js";
import { memory } from "../../heap.js";
import type { HostArray } from "../../host-array.js";
import type { PreparedKernel } from "../../kernels.js";
import { launch, type PoolKernel } from "../../pool/pool.js";
import type { Pattern } from "../elementwise/codegen.js";
import { type CompiledElementwise, hasOwnElementwise } from "../elementwise/compile.js";
import { constantsOf, type ElementwiseProgram, signatureOf } from "../elementwise/program.js";
import { RULES } from "../elementwise/rules.js";
import { wasmFeatures } from "../features.js";
import { compileKernels } from "../module.js";
import {
  type FusedReduceForm,
  type FusedReduction,
  fusedReduceModule,
  HEADER,
  reduceTableWords,
} from "./fused-reduce-code.js";
import { prepareReduce } from "./reduce.js";

/** Results of one item where the inner loop is over results. */
const COLUMNS = 256;
/** What is reduced to few results is split into so many items, of so many elements at least. */
const ITEMS = 8;
const SPLIT_ELEMENTS = 16_384;
const WORTH_A_THREAD_NS = 50_000;
const compiled = new Map<string, PoolKernel>();

/**
 * Reduces `axes` of what the program makes of inputs that broadcast to `shape`, into the contiguous `out` of its result's
 * dtype. The order of summation depends on shapes and layouts only, not on the number of threads.
 */
export function prepareFusedReduce(
  reduction: FusedReduction,
  elements: CompiledElementwise,
  inputs: readonly HostArray[],
  out: HostArray,
  shape: Shape,
  axes: readonly number[],
): PreparedKernel {
  if (sizeOf(out.shape) === 0) return { run: () => {} };
  const apart = hasOwnElementwise(sizeOf(shape))
    ? prepareApart(reduction, elements, inputs, out, shape, axes)
    : null;
  return apart ?? prepareTogether(reduction, elements.program, inputs, out, shape, axes);
}

/** In two steps by the device's own code, which has wider vectors; `null` if the axes lie so that a copy is needed. */
function prepareApart(
  reduction: FusedReduction,
  elements: CompiledElementwise,
  inputs: readonly HostArray[],
  out: HostArray,
  shape: Shape,
  axes: readonly number[],
): PreparedKernel | null {
  const middle = { ...contiguousLayout(shape), dtype: out.dtype, data: out.data, ptr: 0 };
  const second = prepareReduce(reduction, middle, out, axes);
  if (!second) return null;
  const first = elements.prepare(inputs, [middle]);
  const bytes = Math.ceil((sizeOf(shape) * bytesPerElement(out.dtype)) / 16) * 16;
  const run = (at: number): void => {
    middle.ptr = at;
    first.run(at + bytes);
    second.run(at + bytes);
  };
  return { workspace: bytes + Math.max(first.workspace ?? 0, second.workspace ?? 0), run };
}

function prepareTogether(
  reduction: FusedReduction,
  program: ElementwiseProgram,
  inputs: readonly HostArray[],
  out: HostArray,
  shape: Shape,
  axes: readonly number[],
): PreparedKernel {
  const strides = inputs.map((x) => broadcastLayout(x, shape, reduction).strides);
  const kept = merged(
    shape.map((_, d) => d).filter((d) => !axes.includes(d)),
    shape,
    strides,
  );
  const reduced = merged(axes, shape, strides);
  if (reduced.length === 0) reduced.push({ size: 1, strides: inputs.map(() => 0) });
  const along = kept.length === 0 || isInner(reduced, kept);
  const inner = (along ? reduced : kept).pop() as Loop;
  const widths = inputs.map((x) => bytesPerElement(x.dtype));
  const patterns = inner.strides.map(patternOf);
  const form: FusedReduceForm = {
    ...{ reduction, program, dtype: out.dtype, patterns, along },
    ...{ kept: kept.length, reduced: reduced.length },
  };
  const rows = product(reduced);
  const blocks = along ? 1 : Math.ceil(inner.size / COLUMNS);
  const whole = product(kept) * blocks;
  const elements = sizeOf(shape);
  const inRows = !along || rows >= inner.size;
  const parts = splitsOf(whole, elements, inRows ? rows : inner.size, inRows ? 1 : 16);
  const words = reduceTableWords(form);
  const header: Record<(typeof HEADER)[number], number> = {
    ...{ inner: inner.size, rows, splits: parts.count, blocks, target: 0 },
    ...{ rowsOfSplit: inRows ? parts.size : rows, rowStep: inRows ? parts.size : 0 },
    innerOfItem: along ? (inRows ? inner.size : parts.size) : COLUMNS,
    innerStep: along ? (inRows ? 0 : parts.size) : COLUMNS,
  };
  const loops = [...kept, ...reduced];
  const table = [...HEADER.map((name) => header[name]), ...loops.map(({ size }) => size)];
  const places = inputs.map((_, i) => {
    const place = table.push(0, ...loops.map((loop) => loop.strides[i] * widths[i])) - loops.length - 1;
    return place;
  });
  inner.strides.forEach((stride, i) => {
    if (patterns[i] === "strided") table.push(stride * widths[i]);
  });
  const constants = constantsOf(program);
  const kernel = kernelFor(form);
  const items = whole * parts.count;
  const grain = Math.max(1, Math.ceil(WORTH_A_THREAD_NS / ((elements / items) * costOf(program))));
  const width = bytesPerElement(out.dtype);
  const partial = partialResults(out, product(kept), parts.count, along ? 1 : inner.size);
  const combine = parts.count > 1 ? prepareReduce(reduction, partial, out, [1]) : null;
  const partialAt = Math.ceil((words * 4 + constants.length * 8) / 16) * 16;
  const targetAt = HEADER.indexOf("target");
  const run = (at: number): void => {
    partial.ptr = at + partialAt;
    table[targetAt] = combine ? partial.ptr : out.ptr + out.offset * width;
    for (let i = 0; i < places.length; i++) table[places[i]] = inputs[i].ptr + inputs[i].offset * widths[i];
    new Int32Array(memory.buffer, at, table.length).set(table);
    if (constants.length > 0)
      new Float64Array(memory.buffer, at + words * 4, constants.length).set(constants);
    launch(kernel, [at], items, grain);
    combine?.run(0);
  };
  return { workspace: partialAt + (combine ? sizeOf(partial.shape) * width : 0), run };
}

/** A loop over axes that every input walks evenly; a stride, in elements, for each input. */
interface Loop {
  size: number;
  strides: readonly number[];
}

function merged(axes: readonly number[], shape: Shape, strides: readonly (readonly number[])[]): Loop[] {
  const loops: Loop[] = [];
  for (const axis of axes) {
    if (shape[axis] === 1) continue;
    const here = strides.map((s) => s[axis]);
    const last = loops.at(-1);
    if (last?.strides.every((stride, i) => stride === here[i] * shape[axis])) {
      last.size *= shape[axis];
      last.strides = here;
    } else loops.push({ size: shape[axis], strides: here });
  }
  return loops;
}

const product = (loops: readonly Loop[]): number => loops.reduce((n, { size }) => n * size, 1);

const patternOf = (stride: number): Pattern => (stride === 0 ? "same" : stride === 1 ? "unit" : "strided");

/** True if the inner loop is to be the last of `loops`: there, fewer inputs have to be gathered than in the last of `others`. */
function isInner(loops: readonly Loop[], others: readonly Loop[]): boolean {
  const gathered = (all: readonly Loop[]): number =>
    (all.at(-1) as Loop).strides.filter((stride) => patternOf(stride) === "strided").length;
  return gathered(loops) <= gathered(others);
}

/** Into how many parts, and of what size, `length` rounds are cut so that there are items enough for the threads. */
function splitsOf(
  items: number,
  elements: number,
  length: number,
  align: number,
): { readonly count: number; readonly size: number } {
  const wanted = Math.min(Math.ceil(ITEMS / items), Math.floor(elements / items / SPLIT_ELEMENTS), length);
  if (wanted < 2) return { count: 1, size: length };
  const size = Math.ceil(Math.ceil(length / wanted) / align) * align;
  return { count: Math.ceil(length / size), size };
}

/** Rough nanoseconds per element. */
function costOf({ inputs, nodes }: ElementwiseProgram): number {
  return nodes.reduce((sum, node) => sum + (RULES[node.op]?.cost ?? 0.2), 0.3 * inputs.length + 0.2);
}

/** What the splits leave, wherever it lies at the time; kernels reach it by address. */
function partialResults(
  out: HostArray,
  results: number,
  splits: number,
  columns: number,
): HostArray & { ptr: number } {
  const layout = contiguousLayout([results, splits, columns]);
  return { ...layout, dtype: out.dtype, data: out.data, ptr: 0 };
}

function kernelFor(form: FusedReduceForm): PoolKernel {
  const { reduction, program, patterns, along, kept, reduced } = form;
  const key = `${reduction} ${signatureOf(program)} ${patterns} ${along} ${kept} ${reduced}`;
  let kernel = compiled.get(key);
  if (!kernel) {
    const module = fusedReduceModule(form, wasmFeatures().relaxed);
    kernel = compileKernels(module, ["reduce"]).reduce;
    compiled.set(key, kernel);
  }
  return kernel;
}
