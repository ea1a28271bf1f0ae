/** Random kernels under random schedules with blocks and threads: what they mean stays, wherever they run. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Dice } from "../dice.js";
import { parseKernel } from "../loop/parse.js";
import { printKernel } from "../loop/print.js";
import { problemsOf } from "../loop/verify.js";
import { randomBuffers, randomGridSchedule, randomKernel } from "../random-schedule.js";
import { Schedule } from "../schedule/schedule.js";
import { applyText, scheduleText } from "../schedule/text.js";
import { type ElementArray, typescriptFunction } from "./typescript/source.js";

const RUNS = process.env.MLSYS_TEST_ALL === "1" ? 1500 : 150;
const used = new Map<string, number>();

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
  const found = copyOf(buffers);
  typescriptFunction(s.kernel)(found, plain.sizes);
  for (const b of plain.kernel.params) {
    const room = b.dtype === "float32" ? 2e-5 : b.dtype === "float64" ? 1e-11 : 0;
    const scale = Math.max(1, ...Array.from(wanted[b.name], (x) => (Number.isFinite(x) ? Math.abs(x) : 0)));
    found[b.name].forEach((x, i) => {
      const y = wanted[b.name][i];
      if (!(Object.is(x, y) || Math.abs(x - y) <= room * scale))
        throw new Error(`${b.name}[${i}] is ${x}, not ${y}\n${note}`);
    });
  }
}

const copyOf = (b: Record<string, ElementArray>): Record<string, ElementArray> =>
  Object.fromEntries(Object.entries(b).map(([name, x]) => [name, x.slice()]));

describe("random schedules with blocks and threads", () => {
  it("keep the meaning, the rules and both text forms, and reach every primitive", () => {
    fc.assert(fc.property(fc.integer(), check), { numRuns: RUNS });
    for (const name of ["block", "thread", "treeReduce", "layout", "prefetch", "cacheRead", "cacheWrite"])
      expect(used.get(name) ?? 0, name).toBeGreaterThan(0);
  }, 300_000);
});
