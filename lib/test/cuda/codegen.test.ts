/** CUDA C++ generated from loop IR, computed by the emulator, against the plain kernel in TypeScript. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gpuProgram } from "../../src/compiler/codegen/gpu/index.js";
import { type ElementArray, typescriptFunction } from "../../src/compiler/codegen/typescript/source.js";
import { Dice } from "../../src/compiler/dice.js";
import { gpuSchedule } from "../../src/compiler/kernels/gpu.js";
import { ladder } from "../../src/compiler/kernels/ladder.js";
import { gemm } from "../../src/compiler/loop/definitions.js";
import { LoopError, type LoopKernel } from "../../src/compiler/loop/ir.js";
import { randomBuffers, randomGridSchedule, randomKernel } from "../../src/compiler/random-schedule.js";
import { i32, type KernelArgument, pointer } from "../../src/runtime/cuda/module.js";
import { EmulatedCuda } from "../support/cuda/device.js";
import { emulatorMissing } from "../support/cuda/emulator.js";
import { gpuCases } from "../support/gpu-cases.js";

const all = process.env.MLSYS_TEST_ALL === "1";
type Data = Record<string, ElementArray>;

const bytesOf = (x: ElementArray): Uint8Array => new Uint8Array(x.buffer, x.byteOffset, x.byteLength);

/** The buffers after the scheduled kernel has run as CUDA, block by block in any order. */
function runCuda(kernel: LoopKernel, sizes: readonly number[], buffers: Data, seed: number): Data {
  using cuda = new EmulatedCuda({ seed });
  const program = gpuProgram(kernel, "cuda");
  const places = program.buffers.map(({ name, temporary, bytes }) => {
    const room = Math.ceil(Math.max(16, bytes(sizes)) / 16) * 16;
    const address = cuda.empty(room);
    if (!temporary) cuda.fake.memory.write(address, bytesOf(buffers[name]));
    return address;
  });
  const values: KernelArgument[] = [...places.map(pointer), ...sizes.map(i32)];
  for (const { entry, threads, blocks } of program.launches) {
    const grid = blocks(sizes);
    if (grid.includes(0)) continue;
    cuda.launch(program.source, entry, { grid, block: [threads] }, values);
  }
  cuda.context.synchronize();
  return Object.fromEntries(
    kernel.params.map(({ name }, i) => {
      const out = buffers[name].slice();
      bytesOf(out).set(cuda.fake.memory.read(places[i], out.byteLength));
      return [name, out];
    }),
  );
}

function check(
  plain: { kernel: LoopKernel; sizes: Readonly<Record<string, number>> },
  scheduled: LoopKernel,
  seed: number,
): void {
  const buffers: Data = randomBuffers(new Dice(seed), plain as never);
  const wanted = Object.fromEntries(Object.entries(buffers).map(([name, x]) => [name, x.slice()]));
  typescriptFunction(plain.kernel)(wanted, plain.sizes as never);
  const sizes = plain.kernel.sizes.map((name) => plain.sizes[name]);
  const found = runCuda(scheduled, sizes, buffers, seed);
  for (const { name, dtype } of plain.kernel.params) {
    const y = wanted[name];
    const scale = Math.max(1, ...Array.from(y, (v) => (Number.isFinite(v) ? Math.abs(v) : 0)));
    const room = dtype === "float32" ? 2e-5 * scale : dtype === "float64" ? 1e-11 * scale : 0;
    found[name].forEach((x, i) => {
      if (!(Object.is(x, y[i]) || x === y[i] || Math.abs(x - y[i]) <= room))
        throw new Error(`${name}[${i}] is ${x}, not ${y[i]}\n${gpuProgram(scheduled, "cuda").source}`);
    });
  }
}

const TILES = { rows: 8, columns: 8, depth: 4, threadRows: 4, threadColumns: 4, lanes: 4 };

describe.skipIf(emulatorMissing)("CUDA from loop IR", () => {
  it.each(ladder.map((step) => [step.name, step] as const))("the ladder's step: %s", (_, step) => {
    check({ kernel: gemm(16, 16, 8), sizes: {} }, step.schedule(16, 16, 8, TILES).kernel, 2);
    if (!all) return;
    const sizes = { M: 9, N: 11, K: 10 };
    check({ kernel: gemm("M", "N", "K"), sizes }, step.schedule("M", "N", "K", TILES).kernel, 2);
  });

  it.each(gpuCases.filter((_, i) => all || i % 3 === 0).map((c) => [c.name, c] as const))(
    "%s by the automatic schedule",
    (_, { kernel, sizes }) => {
      check({ kernel, sizes }, gpuSchedule(kernel, { threads: 32 }).kernel, 3);
    },
  );

  it("random schedules of random kernels", () => {
    let ran = 0;
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const dice = new Dice(seed);
        const plain = randomKernel(dice);
        const schedule = randomGridSchedule(dice, plain.kernel, 4 + dice.below(10));
        try {
          check(plain, schedule.kernel, seed >>> 0);
          ran++;
        } catch (error) {
          if (!(error instanceof LoopError))
            throw new Error(
              `seed ${seed}: ${(error as { suppressed?: unknown }).suppressed ?? error}\n${schedule}`,
            );
        }
      }),
      { numRuns: all ? 100 : 10, endOnFailure: true },
    );
    expect(ran).toBeGreaterThan(all ? 30 : 1);
  }, 600_000);
});
