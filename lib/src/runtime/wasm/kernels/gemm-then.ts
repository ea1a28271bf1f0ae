/** A matrix product whose blocks go through an elementwise program while they are in the cache: bias, activation, sums. */
import { bytesPerElement } from "../../../core/dtype.js";
import { broadcastLayout } from "../../../core/layout.js";
import { memory } from "../../heap.js";
import type { HostArray } from "../../host-array.js";
import type { PreparedKernel } from "../../kernels.js";
import { launch, type PoolKernel } from "../../pool/pool.js";
import { addFlat } from "../elementwise/codegen.js";
import { constantsOf, type ElementwiseProgram, signatureOf } from "../elementwise/program.js";
import { wasmFeatures } from "../features.js";
import { compileKernels } from "../module.js";
import { hasOwnProduct, planGemm } from "./gemm.js";
import { type EpiloguePattern, epilogueWords, type GemmType, gemmThenModule } from "./gemm-code.js";
import { products } from "./matmul.js";

const compiled = new Map<string, Record<"gemmThen", PoolKernel>>();

/**
 * `out = program(a · b, operands…)`, in place on each block. `null` where the product is not one of two matrices, or is
 * computed by another kernel, or an operand lies in another way than along rows.
 */
export function prepareGemmThen(
  [a, b]: readonly HostArray[],
  out: HostArray,
  program: ElementwiseProgram,
  operands: readonly HostArray[],
): PreparedKernel | null {
  if (a.dtype !== b.dtype || (a.dtype !== "float32" && a.dtype !== "float64") || out.dtype !== a.dtype)
    return null;
  if (a.shape[a.shape.length - 1] === 0 || program.outputs.length !== 1) return null;
  const { calls, type } = products(a, b, out);
  if (calls.length !== 1) return null;
  const [size, p, q, r, count] = calls[0];
  const [m, n] = size;
  if (count !== 1 || m * n !== out.shape.reduce((x, dim) => x * dim, 1)) return null;
  if (hasOwnProduct()) return null; // the device's product is faster than the fusion
  const plan = planGemm(type, size, p, q, r, 1, false);
  if (plan?.kernel !== "gemm") return null;
  const ways = operands.map((x) => rowsOf(x, out, m, n));
  if (ways.some((way) => way === null)) return null;
  const rows = ways as readonly Rows[];
  const constants = constantsOf(program);
  const words = epilogueWords(operands.length);
  const kernel = kernelFor(type, program, rows, constants.length);
  const bytes = bytesPerElement(type);
  const starts = [p.ptr - a.ptr, q.ptr - b.ptr, r.ptr - out.ptr];
  const args = [0, 0, 0, ...plan.rest, 0];
  const table = new Int32Array(words);
  const run = (at: number): void => {
    args[0] = a.ptr + starts[0];
    args[1] = b.ptr + starts[1];
    args[2] = out.ptr + starts[2];
    args[args.length - 1] = at;
    rows.forEach(({ row, column, width }, o) => {
      table[o * 3] = operands[o].ptr + operands[o].offset * width;
      table[o * 3 + 1] = row * width;
      table[o * 3 + 2] = column * width;
    });
    new Int32Array(memory.buffer, at, words).set(table);
    if (constants.length > 0)
      new Float64Array(memory.buffer, at + words * 4, constants.length).set(constants);
    launch(kernel, args, plan.items, plan.grain);
  };
  return { workspace: words * 4 + constants.length * 8 + bytes, run };
}

/** How an operand is walked beside the product seen as one matrix; strides and width of an element. */
interface Rows {
  readonly pattern: EpiloguePattern;
  readonly row: number;
  readonly column: number;
  readonly width: number;
}

function rowsOf(x: HostArray, out: HostArray, m: number, n: number): Rows | null {
  const { strides } = broadcastLayout(x, out.shape, "epilogue");
  const width = bytesPerElement(x.dtype);
  const column = n === 1 ? 0 : strides[strides.length - 1];
  if (column !== 0 && column !== 1) return null;
  const outer = strides.slice(0, -1);
  const dims = out.shape.slice(0, -1);
  let row = 0;
  let step = 1;
  for (let d = dims.length - 1; d >= 0; d--) {
    if (dims[d] === 1) continue;
    if (step === 1) row = outer[d];
    else if (outer[d] !== row * step) return null; // rows of the batch do not go on evenly
    step *= dims[d];
  }
  return { pattern: column === 1 ? "unit" : "same", row: m === 1 ? 0 : row, column, width };
}

function kernelFor(
  type: GemmType,
  program: ElementwiseProgram,
  rows: readonly Rows[],
  constants: number,
): PoolKernel {
  const patterns = rows.map(({ pattern }) => pattern);
  const key = `${type} ${signatureOf(program)} ${patterns.join()}`;
  let kernels = compiled.get(key);
  if (!kernels) {
    const { relaxed } = wasmFeatures();
    const module = gemmThenModule(type, relaxed, rows.length, constants, (m) =>
      addFlat(m, program, ["unit", ...patterns], relaxed),
    );
    kernels = compileKernels(module, ["gemmThen"]);
    compiled.set(key, kernels);
  }
  return kernels.gemmThen;
}
