/** Time of a compiled kernel on buffers of its own. */
import { bytesPerElement } from "../../core/dtype.js";
import { allocate, memory, release } from "../../runtime/heap.js";
import { compileC } from "../codegen/c/compile.js";
import type { LoopProgram } from "../codegen/program.js";
import { compileWasm } from "../codegen/wasm/compile.js";
import type { LoopKernel } from "../loop/ir.js";

export interface MeasureOptions {
  /** Values of the kernel's sizes. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** Runs that count; the fastest is the result. */
  readonly repeats?: number;
  /** At least so long is run before (V8 compiles hot code anew in the background), in milliseconds. */
  readonly warmUp?: number;
}

/**
 * Seconds of one run: the best of several, after a warm-up. Buffers hold small numbers.
 * @example measureProgram(codegen.compileWasm(loop.matmul(4, 4, 4)), { repeats: 1, warmUp: 0 }) > 0 // true
 */
export function measureProgram(program: LoopProgram, options: MeasureOptions = {}): number {
  const { sizes = {}, repeats = 7, warmUp = 20 } = options;
  const { kernel } = program;
  const values = new Map(Object.entries(sizes));
  const bytes = kernel.params.map((b) =>
    Math.max(64, b.shape.reduce((n, d) => n * d.evaluate(values), 1) * bytesPerElement(b.dtype)),
  );
  const pointers = bytes.map(allocate);
  try {
    kernel.params.forEach((b, i) => {
      if (b.dtype === "float32") new Float32Array(memory.buffer, pointers[i], bytes[i] / 4).fill(0.5);
      else if (b.dtype === "float64") new Float64Array(memory.buffer, pointers[i], bytes[i] / 8).fill(0.5);
      else new Uint8Array(memory.buffer, pointers[i], bytes[i]).fill(1);
    });
    const numbers = kernel.sizes.map((name) => values.get(name) ?? 0);
    const run = (): number => {
      const start = performance.now();
      program.run(pointers, numbers);
      return (performance.now() - start) / 1000;
    };
    const until = performance.now() + warmUp;
    let best = run();
    while (performance.now() < until) best = Math.min(best, run());
    for (let i = 0; i < repeats; i++) best = Math.min(best, run());
    return best;
  } finally {
    pointers.forEach((p, i) => {
      release(p, bytes[i]);
    });
  }
}

/** Compiles for a target. */
export function compileFor(target: "wasm" | "c", kernel: LoopKernel): LoopProgram {
  return target === "c" ? compileC(kernel, { keep: false }) : compileWasm(kernel);
}
