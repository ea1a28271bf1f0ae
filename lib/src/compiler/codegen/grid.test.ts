/** Random kernels under random schedules with blocks and threads: what they mean stays, wherever they run. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gpuCases } from "../../../test/support/gpu-cases.js";
import { allocate, memory, release } from "../../runtime/heap.js";
import { nativeSupport } from "../../runtime/native/library.js";
import { Dice } from "../dice.js";
import { gpuSchedule } from "../kernels/gpu.js";
import { LADDER_TILES, ladder } from "../kernels/ladder.js";
import { gemm, softmaxRows } from "../loop/definitions.js";
import { LoopError, type LoopKernel, type Stmt } from "../loop/ir.js";
import { parseKernel } from "../loop/parse.js";
import { printKernel } from "../loop/print.js";
import { problemsOf } from "../loop/verify.js";
import { randomBuffers, randomGridSchedule, randomKernel } from "../random-schedule.js";
import { Schedule } from "../schedule/schedule.js";
import { applyText, scheduleText } from "../schedule/text.js";
import { substituteAll } from "../schedule/tree.js";
import { compileC } from "./c/compile.js";
import type { LoopProgram } from "./program.js";
import { type ElementArray, typescriptFunction } from "./typescript/source.js";
import { compileWasm } from "./wasm/compile.js";

const RUNS = process.env.MLSYS_TEST_ALL === "1" ? 1500 : 120;
const used = new Map<string, number>();
type Data = Record<string, ElementArray>;

const copyOf = (b: Data): Data => Object.fromEntries(Object.entries(b).map(([name, x]) => [name, x.slice()]));

/** The kernel with blocks and threads in the other order, which must make no difference. */
function backwards(kernel: LoopKernel): LoopKernel {
  const go = (s: Stmt): Stmt => {
    if (s.kind === "if") return { ...s, body: s.body.map(go) };
    if (s.kind !== "for") return s;
    const body = s.body.map(go);
    if (s.loop !== "block" && s.loop !== "thread") return { ...s, body };
    const last = s.from.plus(s.to).minus(1).minus(s.variable);
    return { ...s, body: substituteAll(body, new Map([[s.variable, last]])) };
  };
  return { ...kernel, body: kernel.body.map(go) };
}

function expectSame(kernel: LoopKernel, found: Data, wanted: Data, note: string): void {
  for (const b of kernel.params) {
    const room = b.dtype === "float32" ? 2e-5 : b.dtype === "float64" ? 1e-11 : 0;
    const scale = Math.max(1, ...Array.from(wanted[b.name], (x) => (Number.isFinite(x) ? Math.abs(x) : 0)));
    found[b.name].forEach((x, i) => {
      const y = wanted[b.name][i];
      if (!(Object.is(x, y) || Math.abs(x - y) <= room * scale))
        throw new Error(`${b.name}[${i}] is ${x}, not ${y}\n${note}`);
    });
  }
}

const asWasm = (kernel: LoopKernel, sizes: Readonly<Record<string, number>>, buffers: Data): Data =>
  run(compileWasm(kernel), sizes, buffers);

/** Runs a compiled kernel on copies of the buffers in shared memory. */
function run(program: LoopProgram, sizes: Readonly<Record<string, number>>, buffers: Data): Data {
  const { kernel } = program;
  const bytes = kernel.params.map((b) => Math.max(1, buffers[b.name].byteLength));
  const pointers = bytes.map(allocate);
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
  for (const [i, p] of pointers.entries()) release(p, bytes[i]);
  return out;
}

function check(seed: number): void {
  const dice = new Dice(seed);
  const plain = randomKernel(dice);
  const s = randomGridSchedule(dice, plain.kernel, 4 + dice.below(14));
  for (const step of s.steps) {
    const name = step.do === "kind" ? step.kind : step.do;
    used.set(name, (used.get(name) ?? 0) + 1);
  }
  const text = printKernel(s.kernel);
  const note = `seed ${seed}, sizes ${JSON.stringify(plain.sizes)}\n${scheduleText(s.steps)}\n${text}`;
  expect(problemsOf(s.kernel), note).toEqual([]);
  expect(printKernel(parseKernel(text)), note).toBe(text);
  expect(applyText(new Schedule(plain.kernel), scheduleText(s.steps)).steps, note).toEqual(s.steps);
  const buffers = randomBuffers(dice, plain);
  const wanted = copyOf(buffers);
  typescriptFunction(plain.kernel)(wanted, plain.sizes);
  for (const kernel of [s.kernel, backwards(s.kernel)]) {
    const found = copyOf(buffers);
    typescriptFunction(kernel)(found, plain.sizes);
    expectSame(kernel, found, wanted, kernel === s.kernel ? note : `backwards: ${note}`);
  }
  if (seed % 4 !== 0) return;
  try {
    expectSame(s.kernel, asWasm(s.kernel, plain.sizes, buffers), wanted, `WebAssembly: ${note}`);
  } catch (error) {
    if (!(error instanceof LoopError)) throw error; // registers that a loop indexes: told so, by name
  }
}

describe("random schedules with blocks and threads", () => {
  it("once failed as WebAssembly: a register that a guarded vector reads, the same in all lanes", () => {
    check(-1767179072);
  });

  it("keep the meaning, the rules and both text forms, in either order, and reach every primitive", () => {
    fc.assert(fc.property(fc.integer(), check), { numRuns: RUNS });
    for (const name of [
      "block",
      "thread",
      "guard",
      "treeReduce",
      "layout",
      "prefetch",
      "cacheRead",
      "cacheWrite",
    ])
      expect(used.get(name) ?? 0, name).toBeGreaterThan(0);
  }, 300_000);
});

describe("automatic schedules", () => {
  it.each(gpuCases.map((c) => [c.name, c] as const))("keep the meaning: %s", (_, { kernel, sizes }) => {
    const s = gpuSchedule(kernel, { threads: 16 });
    const note = `${scheduleText(s.steps)}\n${s}`;
    expect(problemsOf(s.kernel), note).toEqual([]);
    expect(printKernel(applyText(new Schedule(kernel), scheduleText(s.steps)).kernel)).toBe(String(s));
    const buffers = randomBuffers(new Dice(7), { kernel, sizes });
    const wanted = copyOf(buffers);
    typescriptFunction(kernel)(wanted, sizes);
    const found = copyOf(buffers);
    typescriptFunction(backwards(s.kernel))(found, sizes);
    expectSame(kernel, found, wanted, note);
    if (kernel.params.some((b) => b.dtype === "float16"))
      expect(() => asWasm(s.kernel, sizes, buffers)).toThrow(
        '"A" is float16, which only TypeScript and GPUs have',
      );
    else expectSame(kernel, asWasm(s.kernel, sizes, buffers), wanted, `WebAssembly: ${note}`);
  });

  it("keep what a row's stages share in the block's memory", () => {
    const text = scheduleText(gpuSchedule(softmaxRows("M", 1000)).steps);
    expect(text).toContain("localize Max at=im_0 scope=workgroup\nlocalize Sum at=im_0 scope=workgroup");
    expect(text).toContain("treeReduce jm_thread -> Max_jm");
  });
});

describe("the ladder of matrix products", () => {
  const [m, n, k] = [130, 128, 33];
  const dice = new Dice(5);
  const plain = { kernel: gemm(m, n, k), sizes: {} };
  const buffers = randomBuffers(dice, plain);
  const wanted = copyOf(buffers);
  typescriptFunction(plain.kernel)(wanted);

  it.each(ladder.map((step) => [step.name, step] as const))(
    "keeps the meaning with the book's tiles, as text and as WebAssembly: %s",
    (_, step) => {
      const { kernel, steps } = step.schedule(m, n, k, LADDER_TILES);
      expect(problemsOf(kernel)).toEqual([]);
      expect(printKernel(applyText(new Schedule(plain.kernel), scheduleText(steps)).kernel)).toBe(
        printKernel(kernel),
      );
      const found = copyOf(buffers);
      typescriptFunction(backwards(kernel))(found);
      expectSame(kernel, found, wanted, step.name);
      expectSame(kernel, asWasm(kernel, {}, buffers), wanted, `WebAssembly: ${step.name}`);
    },
    120_000,
  );

  it.skipIf(typeof nativeSupport() === "string")(
    "keeps the meaning as C (needs a C compiler and koffi)",
    () => {
      const { kernel } = ladder[6].schedule(m, n, k, LADDER_TILES);
      expectSame(kernel, run(compileC(kernel, { keep: false }), {}, buffers), wanted, "C");
    },
    120_000,
  );

  it("says which tiles do not fit", () => {
    const [, wide] = ladder;
    expect(() => wide.schedule(8, 8, 8, { ...LADDER_TILES, threadRows: 6 })).toThrow(
      "ladder: threadRows 6 does not divide rows 128",
    );
    expect(() => wide.schedule(8, 8, 8, { ...LADDER_TILES, depth: 2 })).toThrow(
      "ladder: lanes 4 does not divide depth 2",
    );
  });
});
