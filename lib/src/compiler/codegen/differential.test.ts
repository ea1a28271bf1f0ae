/** Random kernels under random schedules: the scheduled loop IR means what the plain one means, on every target. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allocate, memory, release } from "../../runtime/heap.js";
import { nativeSupport } from "../../runtime/native/library.js";
import { Dice } from "../dice.js";
import { LoopError } from "../loop/ir.js";
import { parseKernel } from "../loop/parse.js";
import { printKernel } from "../loop/print.js";
import { problemsOf } from "../loop/verify.js";
import { type Instance, randomBuffers, randomKernel, randomSchedule } from "../random-schedule.js";
import { compileC } from "./c/compile.js";
import type { LoopProgram } from "./program.js";
import { type ElementArray, typescriptFunction } from "./typescript/source.js";
import { compileWasm } from "./wasm/compile.js";

const RUNS = process.env.MLSYS_TEST_ALL === "1" ? 1500 : 120;

type Buffers = Record<string, ElementArray>;
const copyOf = (b: Buffers): Buffers =>
  Object.fromEntries(Object.entries(b).map(([name, x]) => [name, x.slice()]));

/** Runs a compiled kernel on copies of the buffers in shared memory. */
function runProgram(program: LoopProgram, { kernel, sizes }: Instance, buffers: Buffers): Buffers {
  const pointers = kernel.params.map((b) => allocate(Math.max(1, buffers[b.name].byteLength)));
  const views = kernel.params.map((b, i) => {
    const from = buffers[b.name];
    const view = new (from.constructor as Float32ArrayConstructor)(memory.buffer, pointers[i], from.length);
    view.set(from);
    return view;
  });
  program.run(
    pointers,
    kernel.sizes.map((name) => sizes[name]),
  );
  const out = Object.fromEntries(kernel.params.map((b, i) => [b.name, views[i].slice()]));
  kernel.params.forEach((b, i) => {
    release(pointers[i], Math.max(1, buffers[b.name].byteLength));
  });
  return out;
}

/** The largest difference beyond rounding, or null. */
function mismatch({ kernel }: Instance, found: Buffers, wanted: Buffers): string | null {
  for (const b of kernel.params) {
    const [x, y] = [found[b.name], wanted[b.name]];
    const exact = b.dtype !== "float32" && b.dtype !== "float64";
    const room = b.dtype === "float32" ? 2e-5 : 1e-11;
    // The stencil's values grow from step to step.
    const scale = Math.max(1, ...Array.from(y, (v) => (Number.isFinite(v) ? Math.abs(v) : 0)));
    for (let i = 0; i < y.length; i++) {
      const same =
        Object.is(x[i], y[i]) || x[i] === y[i] || (!exact && Math.abs(x[i] - y[i]) <= room * scale);
      if (!same) return `${b.name}[${i}] is ${x[i]}, not ${y[i]}`;
    }
  }
  return null;
}

function check(seed: number, compile: ((k: Instance["kernel"]) => LoopProgram) | null): void {
  const dice = new Dice(seed);
  const plain = randomKernel(dice);
  const schedule = randomSchedule(dice, plain.kernel, 4 + dice.below(14));
  const instance = { kernel: schedule.kernel, sizes: plain.sizes };
  const text = printKernel(instance.kernel);
  const note = (what: string): string => `${what}\nsizes ${JSON.stringify(plain.sizes)}\n${text}`;
  const buffers = randomBuffers(dice, plain);
  const wanted = copyOf(buffers);
  typescriptFunction(plain.kernel)(wanted, plain.sizes);
  if (compile === null) {
    expect(problemsOf(instance.kernel), note("verifier")).toEqual([]);
    expect(printKernel(parseKernel(text))).toBe(text);
    const found = copyOf(buffers);
    typescriptFunction(instance.kernel)(found, plain.sizes);
    const problem = mismatch(plain, found, wanted);
    if (problem) throw new Error(note(problem));
    return;
  }
  let program: LoopProgram;
  try {
    program = compile(instance.kernel);
  } catch (error) {
    // Local buffers may be too large, register buffers indexed by loops: told so, by name.
    if (error instanceof LoopError) return;
    throw new Error(note(String(error)));
  }
  const problem = mismatch(plain, runProgram(program, instance, buffers), wanted);
  if (problem) throw new Error(note(problem));
}

describe("random schedules of random kernels", () => {
  it
    .skipIf(typeof nativeSupport() === "string")
    .each([[906703537, "a local buffer inside an unrolled loop"]])(
    "once failed as C: seed %i, %s",
    (seed) => check(seed, (k) => compileC(k, { keep: false })),
    300_000,
  );

  it("keep the meaning, the rules and the text form", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => check(seed, null)),
      { numRuns: RUNS },
    );
  }, 300_000);

  it("agree with the oracle as WebAssembly, with and without fused multiply-add", () => {
    fc.assert(
      fc.property(fc.integer(), fc.boolean(), (seed, fused) =>
        check(seed, (k) => compileWasm(k, fused ? {} : { relaxed: false })),
      ),
      { numRuns: RUNS },
    );
  }, 300_000);

  it.skipIf(typeof nativeSupport() === "string")(
    "agree with the oracle as C (needs a C compiler and koffi)",
    () => {
      fc.assert(
        fc.property(fc.integer(), (seed) => check(seed, (k) => compileC(k, { keep: false }))),
        { numRuns: process.env.MLSYS_TEST_ALL === "1" ? 60 : 6 },
      );
    },
    300_000,
  );
});
