import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventQueue } from "./event-queue.js";
import { Fluid } from "./fluid.js";
import { type Demand, maxMinRates } from "./max-min.js";
import { simulateTasks, spansOf, type Task } from "./tasks.js";

/** Links with capacities, and flows over some of them. */
const shares = fc.integer({ min: 1, max: 6 }).chain((links) =>
  fc.record({
    capacities: fc.array(fc.integer({ min: 1, max: 50 }), { minLength: links, maxLength: links }),
    demands: fc.array(
      fc.record({
        links: fc.uniqueArray(fc.integer({ min: 0, max: links - 1 }), { minLength: 1 }),
        cap: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
      }),
      { minLength: 1, maxLength: 10 },
    ),
  }),
);

const useOf = (link: number, demands: readonly Demand[], rates: ArrayLike<number>): number =>
  demands.reduce((sum, { links }, f) => sum + (Array.from(links).includes(link) ? rates[f] : 0), 0);

/** Water poured in drops: everybody who can rises by a drop at a time. */
function pour(capacities: readonly number[], demands: readonly Demand[], drop: number): number[] {
  const rates = demands.map(() => 0);
  const open = new Set(demands.keys());
  while (open.size > 0) {
    for (const f of open) rates[f] += drop;
    const full = capacities.map(
      (capacity, link) => useOf(link, demands, rates) + drop * demands.length > capacity,
    );
    for (const f of open)
      if (Array.from(demands[f].links).some((link) => full[link]) || rates[f] >= (demands[f].cap ?? Infinity))
        open.delete(f);
  }
  return rates;
}

describe("event queue", () => {
  it("gives events by time, and in order where times are equal", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 })), (times) => {
        const queue = new EventQueue();
        for (const [i, time] of times.entries()) queue.push(time, i);
        const out = times.map(() => queue.pop());
        const wanted = [...times.keys()].sort((a, b) => times[a] - times[b] || a - b);
        expect(out).toEqual(wanted);
        expect(queue.pop()).toBeUndefined();
      }),
    );
  });
});

describe("max–min fair rates", () => {
  it("fill no link beyond its capacity, and every flow has a link (or its cap) that holds it back", () => {
    fc.assert(
      fc.property(shares, ({ capacities, demands }) => {
        const rates = maxMinRates(capacities, demands);
        for (const [link, capacity] of capacities.entries())
          expect(useOf(link, demands, rates)).toBeLessThanOrEqual(capacity * (1 + 1e-12));
        // the definition's other half: a full link on which nobody gets more than this flow
        for (const [f, { links, cap }] of demands.entries()) {
          const bottleneck = Array.from(links).some(
            (link) =>
              useOf(link, demands, rates) >= capacities[link] * (1 - 1e-9) &&
              demands.every(
                (other, g) => !Array.from(other.links).includes(link) || rates[g] <= rates[f] * (1 + 1e-9),
              ),
          );
          expect(bottleneck || rates[f] === cap).toBe(true);
        }
      }),
    );
  });

  it("are those of water poured in drops", () => {
    fc.assert(
      fc.property(shares, ({ capacities, demands }) => {
        const drop = 1e-3;
        const poured = pour(capacities, demands, drop);
        // a drop too few for each flow that was stopped before this one
        const off = drop * (demands.length + 1) ** 2;
        for (const [f, rate] of maxMinRates(capacities, demands).entries())
          expect(Math.abs(rate - poured[f])).toBeLessThan(off);
      }),
      { numRuns: 25 },
    );
  });

  it("weights count, and what nothing bounds is infinite", () => {
    // a copy takes 2 of the memory's bandwidth and a core's time, work only the core
    const rates = maxMinRates(
      [8, 2],
      [{ links: [0, 1], weights: [2, 0.1] }, { links: [1], cap: 1 }, { links: [] }],
    );
    expect([...rates]).toEqual([4, 1, Number.POSITIVE_INFINITY]);
  });
});

describe("fluid", () => {
  const flows = fc.integer({ min: 1, max: 4 }).chain((links) =>
    fc.record({
      capacities: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: links, maxLength: links }),
      flows: fc.array(
        fc.record({
          links: fc.uniqueArray(fc.integer({ min: 0, max: links - 1 }), { minLength: 1 }),
          amount: fc.integer({ min: 0, max: 100 }),
          start: fc.integer({ min: 0, max: 10 }),
          delay: fc.integer({ min: 0, max: 3 }),
        }),
        { minLength: 1, maxLength: 12 },
      ),
    }),
  );

  it("carries all of every flow, and at no time more than a link holds", () => {
    fc.assert(
      fc.property(flows, ({ capacities, flows: list }) => {
        const fluid = new Fluid(capacities, { record: true });
        const ends = list.map(() => Number.NaN);
        for (const [i, flow] of list.entries())
          fluid.at(flow.start, () => fluid.start(flow, () => (ends[i] = fluid.time)));
        fluid.run();
        for (const [i, { amount, start, delay, links }] of list.entries()) {
          const least = amount / Math.min(...links.map((link) => capacities[link]));
          expect(ends[i]).toBeGreaterThanOrEqual((start + delay + least) * (1 - 1e-9));
        }
        for (const [link, uses] of fluid.uses.entries()) {
          for (const { rate } of uses) expect(rate).toBeLessThanOrEqual(capacities[link] * (1 + 1e-9));
          const wanted = list.reduce((sum, f) => sum + (f.links.includes(link) ? f.amount : 0), 0);
          expect(fluid.carried[link]).toBeCloseTo(wanted, 6);
          // the recorded curve holds the same
          const area = uses.reduce(
            (sum, { time, rate }, i) => sum + rate * ((uses[i + 1]?.time ?? time) - time),
            0,
          );
          expect(area).toBeCloseTo(wanted, 6);
        }
      }),
    );
  });

  it("never leaves a link idle that somebody wants: one link is as fast as its bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 20 }), (amounts) => {
        const fluid = new Fluid([7]);
        for (const amount of amounts) fluid.start({ links: [0], amount }, () => {});
        fluid.run();
        expect(fluid.time).toBeCloseTo(amounts.reduce((a, b) => a + b) / 7, 9);
      }),
    );
  });

  it("more bandwidth is never slower where all flows take one link", () => {
    fc.assert(
      fc.property(flows, fc.integer({ min: 1, max: 5 }), ({ flows: list }, more) => {
        const time = (capacity: number): number => {
          const fluid = new Fluid([capacity]);
          for (const flow of list) fluid.at(flow.start, () => fluid.start({ ...flow, links: [0] }, () => {}));
          fluid.run();
          return fluid.time;
        };
        expect(time(3 + more)).toBeLessThanOrEqual(time(3) * (1 + 1e-12));
      }),
    );
  });

  it("refuses what can't be", () => {
    expect(() => new Fluid([1, 0])).toThrow("link 1 has capacity 0");
    expect(() => new Fluid([1]).start({ links: [0], amount: -1 }, () => {})).toThrow(
      "carries 0 or more, got -1",
    );
    const fluid = new Fluid([1]);
    fluid.at(2, () => {});
    fluid.run();
    expect(() => fluid.at(1, () => {})).toThrow("nothing can happen at 1 s");
  });
});

describe("tasks", () => {
  it("lanes keep their order, dependencies are waited for, transfers share", () => {
    const tasks: Task[] = [
      { name: "a", lane: "x", work: 1 },
      { name: "send a", after: [0], work: { links: [0], amount: 10, delay: 0.5 } },
      { name: "b", lane: "x", work: 2 },
      { name: "send b", after: [0], work: { links: [0], amount: 10, delay: 0.5 } },
      { name: "c", lane: "y", after: [1, 3], work: 1 },
    ];
    const run = simulateTasks(tasks, [10]);
    expect([...run.start]).toEqual([0, 1, 1, 1, 3.5]);
    expect([...run.end]).toEqual([1, 3.5, 3, 3.5, 4.5]);
    expect(run.seconds).toBe(4.5);
    expect(spansOf(tasks, run).map(({ lane, name }) => `${lane} ${name}`)).toEqual(["x a", "x b", "y c"]);
  });

  it("circles and unknown tasks are errors", () => {
    expect(() =>
      simulateTasks([
        { name: "a", work: 1, after: [1] },
        { name: "b", work: 1, after: [0] },
      ]),
    ).toThrow("a, b wait for each other in a circle");
    expect(() => simulateTasks([{ name: "a", work: 1, after: [7] }])).toThrow(
      "a waits for task 7; there are 1",
    );
  });
});
