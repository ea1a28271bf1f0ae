/** From loop IR to programs: products go to the array, everything else to the vector unit. */
import type { ElementArray } from "../codegen/typescript/source.js";
import type { LoopKernel } from "../loop/ir.js";
import { verifyKernel } from "../loop/verify.js";
import { type UndoneCache, withoutCaches } from "./caches.js";
import { lanesOf, type NpuConfig, NpuError } from "./config.js";
import type { Instruction } from "./isa.js";
import { Emitter, fixKernel, type Placed } from "./kernel.js";
import { type Lowered, type LowerOptions, lower } from "./lower.js";
import type { RunReport } from "./report.js";
import { type SimulateOptions, simulate } from "./simulate.js";
import { synchronize } from "./synchronize.js";

export interface NpuProgram {
  readonly config: NpuConfig;
  readonly kernel: LoopKernel;
  readonly instructions: readonly Instruction[];
  /** Where each buffer lies in outer memory. */
  readonly buffers: ReadonlyMap<string, Placed>;
  readonly dramBytes: number;
  /** What became of each statement of the kernel. */
  readonly statements: readonly Lowered[];
}

export interface NpuCompileOptions extends LowerOptions {
  /** Values of the kernel's sizes: programs are made for one set of sizes. */
  readonly sizes?: Readonly<Record<string, number>>;
}

/**
 * A program for the kernel.
 * @throws NpuError for what the accelerator has no path for, LoopError for a kernel that breaks the rules of loop IR.
 * @example compileKernel(npuConfig("teaching-4x4"), loop.matmul(4, 4, 4, { dtype: "int8" })).instructions.length > 3 // true
 */
export function compileKernel(
  config: NpuConfig,
  kernel: LoopKernel,
  options: NpuCompileOptions = {},
): NpuProgram {
  const { kernel: bare, caches } = withoutCaches(verifyKernel(kernel));
  checkCaches(config, kernel.name, caches);
  const fixed = fixKernel(bare, options.sizes ?? {});
  const out = new Emitter();
  const statements = lower(config, fixed, out, options);
  return {
    config,
    kernel,
    instructions: synchronize(config, out.program),
    buffers: fixed.buffers,
    dramBytes: fixed.bytes,
    statements,
  };
}

/** @throws NpuError if the schedule copies more than the two memories of operands hold. */
function checkCaches(config: NpuConfig, name: string, caches: readonly UndoneCache[]): void {
  const room = Math.max(
    ...(["input", "weight"] as const).map((m) => config.memory[m].rows * lanesOf(config, m)),
  );
  for (const { source, copy, elements } of caches)
    if (elements > room)
      throw new NpuError(
        `${name}: the copy "${copy}" of "${source}" has ${elements} elements; a memory of ${config.name} holds ${room}`,
      );
}

/**
 * Runs a compiled kernel on buffers (typed arrays by name, as the TypeScript target takes them); outputs are written into them.
 * @throws NpuError naming a buffer that is missing or too small.
 * @example
 * const [A, B, C] = [new Int8Array([2]), new Int8Array([3]), new Int32Array(1)];
 * runKernel(compileKernel(npuConfig("teaching-4x4"), loop.matmul(1, 1, 1, { dtype: "int8" })), { A, B, C });
 * C[0] // 6
 */
export function runKernel(
  program: NpuProgram,
  buffers: Readonly<Record<string, ElementArray>>,
  options: Omit<SimulateOptions, "dram"> = {},
): RunReport {
  const dram = new ArrayBuffer(program.dramBytes);
  const params = [...program.buffers.values()].filter(({ role }) => role !== "temporary");
  for (const p of params) {
    const from = buffers[p.name];
    if (!from || from.length < p.elements)
      throw new NpuError(
        `${program.kernel.name}: "${p.name}" has ${from?.length ?? 0} elements, not ${p.elements}`,
      );
    new Uint8Array(dram).set(bytesOf(from, p.elements), p.offset);
  }
  const run = simulate(program.config, program.instructions, { ...options, dram });
  for (const p of params) {
    if (p.role !== "output") continue;
    const to = bytesOf(buffers[p.name], p.elements);
    to.set(new Uint8Array(dram, p.offset, to.length));
  }
  return run;
}

const bytesOf = (array: ElementArray, elements: number): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, elements * array.BYTES_PER_ELEMENT);
