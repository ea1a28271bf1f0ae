/** Compiled kernels against the TypeScript target: random kernels, random sizes, random accelerators. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { typescriptFunction } from "../codegen/typescript/source.js";
import { Dice } from "../dice.js";
import { parseKernel } from "../loop/parse.js";
import { printKernel } from "../loop/print.js";
import { type Instance, randomBuffers, randomKernel, randomSchedule } from "../random-schedule.js";
import { compileKernel, runKernel } from "./compile.js";
import { type Dataflow, type NpuConfig, NpuError, npuConfig } from "./config.js";

/** Differences beyond rounding; integers must be equal. */
function mismatch(
  { kernel }: Instance,
  found: ReturnType<typeof randomBuffers>,
  wanted: typeof found,
): string | null {
  for (const b of kernel.params) {
    const [x, y] = [found[b.name], wanted[b.name]];
    const scale = Math.max(1, ...Array.from(y, (v) => (Number.isFinite(v) ? Math.abs(v) : 0)));
    for (let i = 0; i < y.length; i++) {
      const near = b.dtype === "float32" && Math.abs(x[i] - y[i]) <= 3e-5 * scale;
      if (!Object.is(x[i], y[i]) && x[i] !== y[i] && !near) return `${b.name}[${i}] is ${x[i]}, not ${y[i]}`;
    }
  }
  return null;
}

const copy = (b: ReturnType<typeof randomBuffers>) =>
  Object.fromEntries(Object.entries(b).map(([name, x]) => [name, x.slice()]));

function configFor(dice: Dice, type: NpuConfig["type"]): NpuConfig {
  const dataflow = dice.pick<Dataflow>(["weight", "input", "output", "cube"]);
  const size = dice.pick([2, 4, 5]);
  return npuConfig("teaching-4x4", {
    dataflow,
    type,
    rows: size,
    columns: dataflow === "cube" ? size : dice.pick([2, 4, 7]),
    buffers: dice.pick([1, 2]),
    memory: { input: { rows: 96 }, weight: { rows: 96 }, acc: { rows: 96, ports: 1 + dice.below(4) } },
    load: { bytesPerCycle: dice.pick([2, 8]) },
  });
}

function check(seed: number, scheduled: boolean): "ran" | "refused" {
  const dice = new Dice(seed);
  const plain = randomKernel(dice);
  const kernel = scheduled ? randomSchedule(dice, plain.kernel, 1 + dice.below(6)).kernel : plain.kernel;
  const types = plain.kernel.params.map((p) => p.dtype);
  const config = configFor(
    dice,
    types.includes("int8") ? "int8" : types.includes("bfloat16") ? "bfloat16" : "float32",
  );
  const buffers = randomBuffers(dice, plain);
  let program: ReturnType<typeof compileKernel>;
  try {
    program = compileKernel(config, kernel, { sizes: plain.sizes });
  } catch (error) {
    if (!(error instanceof NpuError)) throw error;
    expect(error.message).toMatch(
      /float64|rows of accumulators|values of indices|changes from row to row|rounded to bfloat16/,
    );
    return "refused";
  }
  const [found, wanted] = [copy(buffers), copy(buffers)];
  runKernel(program, found);
  typescriptFunction(plain.kernel)(wanted, plain.sizes);
  const problem = mismatch(plain, found, wanted);
  if (problem)
    throw new Error(`seed ${seed}: ${problem}\n${JSON.stringify(plain.sizes)}\n${printKernel(kernel)}`);
  return "ran";
}

describe("kernels on the accelerator", () => {
  it("once failed: lanes whose bounds depend on the loops that are summed over", () => {
    const text = `kernel sums(X: int32[3, 17], out Y: int32[3]) {
  for i in 0..3 {
    for p in 0..2 {
      for q in 0..min(2, 3 - 2*p) {
        for r in 0..min(8, 17 - 8*q - 16*p) {
          Y[i] += X[i, r + 8*q + 16*p]
        }
      }
    }
  }
}
`;
    const kernel = parseKernel(text);
    const X = Int32Array.from({ length: 51 }, (_, i) => i * i);
    const [found, wanted] = [new Int32Array([1, 2, 3]), new Int32Array([1, 2, 3])];
    runKernel(compileKernel(npuConfig("teaching-4x4"), kernel), { X, Y: found });
    typescriptFunction(kernel)({ X, Y: wanted });
    expect(found).toEqual(wanted);
  });

  it("give what the TypeScript target gives, integers exactly", () => {
    let ran = 0;
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        if (check(seed, false) === "ran") ran++;
      }),
      { numRuns: process.env.MLSYS_TEST_ALL === "1" ? 1000 : 60 },
    );
    expect(ran).toBeGreaterThan(25);
  }, 120_000);

  it("also under random schedules", () => {
    let ran = 0;
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        if (check(seed, true) === "ran") ran++;
      }),
      { numRuns: process.env.MLSYS_TEST_ALL === "1" ? 1000 : 40 },
    );
    expect(ran).toBeGreaterThan(12);
  }, 120_000);
});
