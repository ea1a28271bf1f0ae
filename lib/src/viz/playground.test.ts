import { describe, expect, it } from "vitest";
import { compiler, viz } from "../index.js";
import { displaySymbol } from "./bundle.js";

const { loop, schedule, codegen } = compiler;
const SCHEDULES = { "as defined": "", blocks: "tile i j 4 8\nvectorize j_i" };
const QUICK = { repeats: 1, warmUp: 0, targets: ["wasm", "typescript"] } as const;
const play = (options = {}) =>
  viz.schedulePlayground(loop.matmul(16, 16, 16), SCHEDULES, { ...QUICK, ...options });

describe("the schedule playground", () => {
  it("shows what the schedule made: the loop IR, the code of the target, a time", () => {
    const attempt = play().run("blocks");
    const s = schedule.applyText(new schedule.Schedule(loop.matmul(16, 16, 16)), SCHEDULES.blocks);
    expect(attempt).toMatchObject({
      name: "blocks",
      schedule: SCHEDULES.blocks,
      problem: null,
      loopIr: String(s),
    });
    expect(attempt.code).toBe(codegen.wasmText(codegen.wasmModule(s.kernel).bytes()));
    expect(attempt.code).toMatch(/f32x4\./);
    expect(attempt.milliseconds).toBeGreaterThan(0);
    const read = play().run("blocks", "typescript");
    expect(read).toMatchObject({ code: codegen.typescriptSource(s.kernel), milliseconds: null });
  });

  it.runIf(codegen.nativeAvailable())("compiles C, and shows it without what all kernels share", () => {
    const attempt = viz
      .schedulePlayground(loop.matmul(8, 8, 8), SCHEDULES, { repeats: 1, warmUp: 0 })
      .run("", "c");
    expect(attempt.code).toMatch(/^static void phase0/);
    expect(attempt.milliseconds).toBeGreaterThan(0);
  });

  it("says why a schedule is refused, and shows the lines before it", () => {
    const attempt = play().run("split i 4\nvectorize k");
    expect(attempt).toMatchObject({ name: "yours", milliseconds: null });
    expect(attempt.problem).toMatch(/^line 2: vectorized "k": a later iteration of "k" writes again/);
    expect(attempt.loopIr).toContain("for i_o in 0..4");
    expect(() => viz.schedulePlayground(loop.matmul(2, 2, 2), {})).toThrow(
      "there is no schedule to begin with",
    );
  });

  it("measures each schedule once, and keeps the attempts for comparison", () => {
    const playground = play({ flops: 2 * 16 ** 3 });
    const first = playground.run("as defined");
    playground.run("blocks");
    expect(playground.run("")).toBe(first);
    expect(playground.attempts.map(({ name }) => name)).toEqual(["as defined", "blocks"]);
    expect(String(playground)).toMatch(/as defined, WebAssembly: .*GFLOP\/s/);
  });

  it("the controls: a schedule fills the text, the text is what runs", () => {
    const playground = play();
    const { controls } = playground.widget();
    const names = (): string[] => playground.attempts.map(({ name }) => name);
    controls.schedule.value = SCHEDULES.blocks as never;
    expect(names()).toEqual(["as defined", "blocks"]);
    expect(controls.steps.value).toBe(SCHEDULES.blocks);
    controls.steps.value = "split k 2" as never;
    expect(names()).toEqual(["as defined", "blocks", "yours"]);
  });

  it("is shown as HTML where there is no kernel, with every schedule's columns", () => {
    const bundle = play()[displaySymbol]();
    const html = String(bundle["text/html"]);
    expect(html.match(/<details/g)).toHaveLength(2);
    for (const column of ["loop IR", "WebAssembly", "measured"]) expect(html).toContain(`<b>${column}</b>`);
    expect(html).toContain("lines more"); // a stored page is no listing
    expect(html).not.toMatch(/<script/);
  });
});
