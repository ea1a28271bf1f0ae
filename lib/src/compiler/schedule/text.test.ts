/** Schedules as text: every primitive, names left out, what is refused and on which line; print and parse. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Dice } from "../dice.js";
import { gemmSchedule } from "../kernels/gemm.js";
import { softmaxSchedule } from "../kernels/rows.js";
import { layerNormRows, matmul, rowReduce, softmaxRows, stencil } from "../loop/definitions.js";
import { LoopError } from "../loop/ir.js";
import { randomKernel, randomSchedule } from "../random-schedule.js";
import { Schedule } from "./schedule.js";
import { applyText, scheduleText } from "./text.js";

describe("text of schedules", () => {
  it("says the same as the methods", () => {
    const text = applyText(
      new Schedule(matmul(32, 32, 32)),
      `tile i j 8 16      # blocks
       split k 4 -> kb ki

       reorder i_o j_o kb ki i_i j_i
       cacheRead B at=kb pack=1,4 -> Bp
       unroll i_i
       vectorize j_i
       parallel i_o`,
    );
    const calls = new Schedule(matmul(32, 32, 32));
    calls.tile("i", "j", [8, 16]);
    calls.split("k", 4, ["kb", "ki"]);
    calls.reorder("i_o", "j_o", "kb", "ki", "i_i", "j_i");
    calls.cacheRead("B", "kb", { name: "Bp", pack: { axis: 1, by: 4 } });
    calls.unroll("i_i").vectorize("j_i").parallel("i_o");
    expect(text.steps).toEqual(calls.steps);
    expect(String(text)).toBe(String(calls));
  });

  it.each([
    ["fuse", matmul(8, 8, 8), "tile i j 4 4\nfuse i_o j_o -> block\nserial block"],
    ["merge", softmaxRows("M", "N"), "merge im_0 im ie is_0 is i\nparallel im_0"],
    ["skew", stencil(6, 9), "skew i j 2 -> wave\nreorder wave i"],
    ["pad", matmul(10, 8, 4), "split i 4\ncacheRead A scope=shared pack=0,4 -> Ap"],
    ["room", matmul(10, 8, 4, { dtype: "bfloat16" }), "cacheRead A room=6,0 as=float32 -> Ap"],
    [
      "pad to a multiple",
      matmul(10, 8, 4),
      "split i 4 -> it ir\nreorder it j k ir\ncacheWrite C at=j -> sum\ncacheRead A at=it pack=0,4 -> Ap\npad ir 2",
    ],
    ["computeAt", layerNormRows("M", 8), "computeAt Variance at=i scope=register"],
    ["cacheWrite", matmul(4, 4, 8), "cacheWrite C at=j -> sum"],
    ["rfactor", rowReduce("sum", 4, 20, "add"), "split j 4\nrfactor j_i j_o -> part"],
  ])("prints as it is read: %s", (_, kernel, text) => {
    const s = applyText(new Schedule(kernel), text);
    const again = applyText(new Schedule(kernel), scheduleText(s.steps));
    expect(again.steps).toEqual(s.steps);
    expect(scheduleText(again.steps)).toBe(scheduleText(s.steps));
  });

  it("prints the library's own schedules and random ones so that they read back", () => {
    for (const s of [
      gemmSchedule({ rows: 2, columns: 16, down: 8, across: 8, depth: 64 }),
      softmaxSchedule(32),
    ])
      expect(applyText(new Schedule(s.source), scheduleText(s.steps)).steps).toEqual(s.steps);
    fc.assert(
      fc.property(fc.nat(1e6), (seed) => {
        const dice = new Dice(seed);
        const { kernel } = randomKernel(dice);
        const s = randomSchedule(dice, kernel, 8);
        expect(applyText(new Schedule(kernel), scheduleText(s.steps)).steps).toEqual(s.steps);
      }),
      { numRuns: 60 },
    );
  });

  it("names the line, and what was expected", () => {
    const refused = (text: string, message: string): void => {
      const apply = () => applyText(new Schedule(matmul(8, 8, 8)), text);
      expect(apply).toThrow(LoopError);
      expect(apply).toThrow(message);
    };
    refused(
      "# nothing\n\nspilt i 4",
      'line 3: "spilt i 4": there is no primitive "spilt"; there are split, tile',
    );
    refused("split i", 'line 1: "split i": expected split LOOP FACTOR [-> OUTER INNER]');
    refused("split i four", "four is no number");
    refused("split i 4 -> a", "expected split");
    refused("tile i j 4 4 speed=2", "expected tile LOOP LOOP FACTOR FACTOR");
    refused("cacheWrite C -> sum", "expected cacheWrite BUFFER at=LOOP");
    refused("cacheRead A at=i scope=moon -> Ac", "the scope is one of shared, workgroup, local, register");
    refused("split i 4\nvectorize k", 'line 2: vectorized "k"');
    const part = new Schedule(matmul(8, 8, 8));
    expect(() => applyText(part, "split i 4\nsplit i 2 -> a b")).toThrow(
      'line 2: matmul: there is no loop "i"',
    );
    expect(part.steps).toHaveLength(1);
  });
});
