/** What members did: of a clock that is reckoned, of a real one, in words, as a picture, as a timeline. */
import { expect, test } from "vitest";
import { displaySymbol } from "../../core/display.js";
import { gantt } from "../../viz/timeline.js";
import { inProcess } from "../transport/in-process.js";
import { calibrate } from "./calibrate.js";
import { memberOf } from "./member.js";
import { runCollective } from "./registry.js";
import { Schedule, type Step } from "./schedule.js";
import { simulate } from "./simulate.js";

const link = { alpha: 1e-6, beta: 1e-9 };
const model = { near: link, far: link, gamma: 0 };

const elements = (values: number[]) => ({
  ...{
    data: new Uint8Array(Float32Array.from(values).buffer),
    dtype: "float32" as const,
    op: "sum" as const,
  },
});

test("a table of rounds, a picture with an arrow for each message, spans for each member", async () => {
  const requests = [0, 1, 2].map((rank) => ({ data: new Uint8Array(500).fill(rank), root: 0 }));
  const schedule = await simulate("broadcast", requests, { size: 3, model, algorithm: "tree" });
  expect(String(schedule)).toBe(
    ["        0.0 µs    1.5 µs", "rank 0  →2 500 B  →1 500 B", "rank 1", "rank 2"].join("\n"),
  );
  expect(schedule.seconds).toBeCloseTo(3e-6, 12);
  expect([0, 1, 2].map((rank) => schedule.sentBy(rank))).toEqual([1000, 0, 0]);
  const bundle = schedule[displaySymbol]();
  expect(bundle["text/plain"]).toBe(String(schedule));
  expect(String(bundle["image/svg+xml"]).match(/marker-end/g)).toHaveLength(2);
  expect(bundle["image/svg+xml"]).toContain("rank 0 sends rank 1 500 bytes");
  expect(schedule.spans()).toContainEqual({ lane: "rank 2 receive", name: "receive", start: 0, end: 0.0015 });
  expect(gantt(schedule.spans()).data.length).toBe(2);
});

test("steps of a real clock: every member's sends and receipts, whatever the algorithm", async () => {
  const steps: Step[] = [];
  await Promise.all(
    inProcess(4).map((transport) =>
      runCollective(
        "allReduce",
        memberOf(transport, 0, undefined, { trace: (step) => steps.push(step) }),
        elements([1, 2, 3, 4]),
        "ring",
      ),
    ),
  );
  const schedule = new Schedule(steps, 4);
  for (let rank = 0; rank < 4; rank++) {
    const own = schedule.steps.filter((step) => step.rank === rank);
    expect(own.filter(({ what }) => what === "send").map(({ peer }) => peer)).toEqual(
      Array(6).fill((rank + 1) % 4),
    );
    expect(own.filter(({ what }) => what === "receive").map(({ peer }) => peer)).toEqual(
      Array(6).fill((rank + 3) % 4),
    );
  }
  expect(schedule.sentBy(0)).toBe(24);
  for (const { start, end } of steps) expect(end).toBeGreaterThanOrEqual(start);
});

test("calibration: every member has the same model, without nonsense in it", async () => {
  const places = [{ host: "a" }, { host: "a" }, { host: "b" }];
  const models = await Promise.all(
    inProcess(3, places).map((transport) => calibrate(memberOf(transport, 0))),
  );
  expect(models[1]).toEqual(models[0]);
  expect(models[2]).toEqual(models[0]);
  const { near, far, gamma } = models[0];
  for (const value of [near.alpha, near.beta, far.alpha, far.beta, gamma]) expect(value).toBeGreaterThan(0);
  const [alone] = inProcess(1);
  expect((await calibrate(memberOf(alone, 0, undefined, { model }))).near).toEqual(link);
});
