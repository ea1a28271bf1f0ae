import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { displaySymbol } from "../../core/display.js";
import { schedulePicture } from "./picture.js";
import { pipelineSchedule, SCHEDULES, scheduleRule } from "./schedules/index.js";
import { nameOf, type Schedule, type ScheduleShape } from "./schedules/schedule.js";
import { timeSchedule } from "./timing.js";

const shapes = fc
  .record({
    rule: fc.constantFrom(...SCHEDULES),
    ranks: fc.integer({ min: 1, max: 8 }),
    groups: fc.integer({ min: 1, max: 12 }),
    chunks: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ rule, ranks, groups, chunks }) => ({
    rule,
    shape:
      rule.name === "interleaved"
        ? { ranks, microBatches: groups * ranks, chunks }
        : { ranks, microBatches: groups, chunks: 1 },
  }));

describe("pipeline schedules", () => {
  it("end, wait as long and hold as many micro-batches as published", () => {
    fc.assert(
      fc.property(shapes, ({ rule, shape }) => {
        const timing = timeSchedule(pipelineSchedule(rule.name, shape));
        expect(timing.bubble).toBeCloseTo(rule.bubble(shape), 9);
        expect(timing.live).toEqual(Array.from({ length: shape.ranks }, (_, rank) => rule.live(shape, rank)));
      }),
    );
  });

  it("the book's four stages and two micro-batches", () => {
    const { actions } = pipelineSchedule("gpipe", { ranks: 4, microBatches: 2 });
    expect(actions[0].map(nameOf)).toEqual(["F0.0", "F0.1", "B0.0", "B0.1"]);
    const timing = timeSchedule(pipelineSchedule("gpipe", { ranks: 4, microBatches: 2 }), { backward: 1 });
    // F(i, j) in slot i + j, B(i, j) in slot 5 + (3 − i) + j: ten slots, of which each device works in four
    for (const list of timing.actions)
      for (const { phase, stage, microBatch, start } of list)
        expect(start).toBe(phase === "forward" ? stage + microBatch : 8 - stage + microBatch);
    expect([timing.total, timing.bubble]).toEqual([10, 0.6]);
    const whole = timeSchedule(pipelineSchedule("gpipe", { ranks: 4, microBatches: 1 }), { backward: 2 });
    expect(whole.bubble).toBe(0.75); // without micro-batches one of four devices works at a time
  });

  it("1F1B holds no more than its depth, GPipe the whole batch", () => {
    const shape = { ranks: 4, microBatches: 16 };
    expect(timeSchedule(pipelineSchedule("gpipe", shape)).live).toEqual([16, 16, 16, 16]);
    expect(timeSchedule(pipelineSchedule("1f1b", shape)).live).toEqual([4, 3, 2, 1]);
  });

  it("interleaving divides the bubble by the number of chunks", () => {
    const time = (chunks: number): number =>
      timeSchedule(pipelineSchedule("interleaved", { ranks: 4, microBatches: 8, chunks }), {
        forward: 4 / chunks,
      }).total;
    // total = m·(f + b) + (p − 1)·(f + b) / v
    expect([1, 2, 4].map(time)).toEqual([96 + 36, 96 + 18, 96 + 9]);
  });

  it("transfers and uneven stages count", () => {
    const one = pipelineSchedule("gpipe", { ranks: 3, microBatches: 1 });
    expect(timeSchedule(one, { transfer: 0.5 }).total).toBe(9 + 4 * 0.5);
    expect(timeSchedule(one, { forward: [1, 5, 1], backward: [0, 0, 0] }).total).toBe(7);
    expect(() => timeSchedule(one, { forward: [1, 2] })).toThrow(
      "a forward cost for each of 3 stages wanted",
    );
  });

  it("refuses what can't be", () => {
    const shape: ScheduleShape = { ranks: 2, microBatches: 2, chunks: 1 };
    expect(() => pipelineSchedule("dream", shape)).toThrow(
      'no pipeline schedule "dream"; there are gpipe, 1f1b',
    );
    expect(() => pipelineSchedule("1f1b", { ...shape, chunks: 2 })).toThrow(
      "one stage on each device, not 2",
    );
    expect(() => pipelineSchedule("interleaved", { ...shape, microBatches: 3 })).toThrow("groups of 2");
    expect(() => pipelineSchedule("gpipe", { ...shape, ranks: 0 })).toThrow("ranks is a whole number from 1");
    expect(() => scheduleRule("")).toThrow("there are");
  });

  it("the checker finds deadlocks, gaps, doubles and wrong orders", () => {
    const good = pipelineSchedule("gpipe", { ranks: 2, microBatches: 2 });
    const [first, second] = good.actions;
    const broken =
      (...actions: Schedule["actions"]): (() => unknown) =>
      () =>
        timeSchedule({ ...good, actions });
    const [f0, f1, b0, b1] = second;
    // device 0 wants B0.0 before it sends F0.1, device 1 wants F1.1 before it sends B1.0
    expect(broken([first[0], first[2], first[1], first[3]], second)).toThrow(
      "device 0 at B0.0, device 1 at F1.1",
    );
    expect(broken(first, [f0, f1, b0])).toThrow("8 actions wanted, there are 7");
    expect(broken(first, [f0, f1, b0, b0])).toThrow("B1.0 is there twice");
    expect(broken(first, [b0, f0, f1, b1])).toThrow("B1.0 comes before its forward");
    expect(broken(second, first)).toThrow("F1.0 stands on device 0, its stage on 1");
    expect(broken(first)).toThrow("lists for 2 devices");
    expect(broken(first, [{ ...f0, stage: 5 }])).toThrow("F5.0 is of no stage");
  });

  it("a picture has a box for each action, and a line for each device", () => {
    const picture = schedulePicture(
      pipelineSchedule("interleaved", { ranks: 2, microBatches: 2, chunks: 2 }),
    );
    expect(picture.svg().match(/<title>/g)).toHaveLength(16);
    expect(picture.svg()).toContain("<title>B3.1: 7–9</title>");
    const one = schedulePicture(pipelineSchedule("1f1b", { ranks: 2, microBatches: 2 }));
    expect(String(one).split("\n")).toEqual([
      "device 0 F0 F1 .. .. B0 B0 .. B1 B1",
      "device 1 .. F0 B0 B0 F1 B1 B1 .. ..",
    ]);
    expect(one[displaySymbol]()).toMatchObject({ "text/plain": String(one) });
  });
});
