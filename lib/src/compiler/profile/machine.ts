/**
 * What this machine can do at most, measured: multiply-adds that stay in registers, and a sum of two arrays that fit in
 * no cache. The roofs of the roofline plot.
 */
import { clock } from "../../core/clock.js";
import { add } from "../../ops/binary.js";
import { full } from "../../ops/create.js";
import { tidy } from "../../ops/tidy.js";
import { getNumThreads, launch, type PoolKernel } from "../../runtime/pool/pool.js";
import { i32, type Local, ModuleBuilder } from "../../runtime/wasm/assembler.js";
import { wasmFeatures } from "../../runtime/wasm/features.js";
import { compileKernels } from "../../runtime/wasm/module.js";
import { Lanes } from "../../runtime/wasm/vector.js";

export interface MachinePeaks {
  /** Threads that were used. */
  readonly threads: number;
  /** 10⁹ float32 operations per second, by WebAssembly's vectors of four; a multiply-add counts two. */
  readonly gflops: number;
  /** 10⁹ bytes per second between memory and processor, both directions together. */
  readonly gbytes: number;
}

const CHAINS = 8; // independent sums hide the latency of multiply-adds
const LANES = 4;
const ROUNDS = 4096;
const ELEMENTS = 1 << 23; // 32 MiB per array

const measured = new Map<number, MachinePeaks>();

/**
 * Measures once per number of threads, in about 0.3 s; the best of several tries counts.
 * @example compiler.machinePeaks().gflops > 0 // true
 */
export function machinePeaks(): MachinePeaks {
  const threads = getNumThreads();
  let peaks = measured.get(threads);
  if (!peaks) {
    peaks = { threads, gflops: arithmeticPeak(threads), gbytes: memoryPeak() };
    measured.set(threads, peaks);
  }
  return peaks;
}

function arithmeticPeak(threads: number): number {
  const kernel = multiplyAdds();
  const items = 64 * threads;
  const flops = items * ROUNDS * CHAINS * LANES * 2;
  return flops / best(5, () => launch(kernel, [], items, 1)) / 1e6;
}

function memoryPeak(): number {
  return tidy(() => {
    const [a, b] = [full([ELEMENTS], 1), full([ELEMENTS], 2)].map((x) => add(x, 0)); // no views of one element
    return (3 * ELEMENTS * 4) / best(10, () => add(a, b).dispose()) / 1e6;
  });
}

/** Milliseconds of the fastest run. */
function best(tries: number, run: () => void): number {
  run();
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < tries; i++) {
    const start = clock();
    run();
    least = Math.min(least, clock() - start);
  }
  return least;
}

/** Each item: rounds of multiply-adds on vectors in registers. What they sum up to is stored, so that no engine drops them. */
function multiplyAdds(): PoolKernel {
  const module = new ModuleBuilder();
  module.func("multiplyAdds", ["i32", "i32", "i32"], null, (f) => {
    const k = new Lanes(f, "f32x4", wasmFeatures().relaxed);
    const [from, to, scratch] = [0, 1, 2].map((i) => f.param<"i32">(i));
    const factor = f.let(k.splat(0.999));
    const summand = f.let(k.splat(0.001));
    const sums = Array.from({ length: CHAINS }, (_, i): Local<"v128"> => f.let(k.splat(i)));
    const round = f.local("i32");
    const item = f.let(from);
    f.for(item, to, 1, () => {
      f.set(round, i32(0));
      f.for(round, i32(ROUNDS), 1, () => {
        for (const sum of sums) f.set(sum, k.madd(sum, factor, summand));
      });
    });
    sums.forEach((sum, i) => {
      f.store("v128.store", scratch, sum, i * 16);
    });
  });
  return compileKernels(module, ["multiplyAdds"]).multiplyAdds;
}
