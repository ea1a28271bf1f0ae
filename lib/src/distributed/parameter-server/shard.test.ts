/** One partition's state machine against the library's optimizers on whole tensors, and against its own snapshots. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { optim, tensor, Variable } from "../../index.js";
import { type Consistency, checkJob, type JobOptions, type OptimizerSpec } from "./job.js";
import { Layout } from "./layout.js";
import { placesOf } from "./ring.js";
import { type Part, type PushOp, Shard } from "./shard.js";
import { HotKeys } from "./sketch.js";
import { bytesOf } from "./wire.js";

const SHAPE = [5, 3];
const WIDTH = 2;
const ROWS = 12;

const jobOf = (more: Partial<JobOptions> = {}) =>
  checkJob({
    tensors: [
      { kind: "dense", name: "w", shape: SHAPE },
      { kind: "rows", name: "e", rows: ROWS, width: WIDTH, deviation: 0.5, seed: 3 },
    ],
    optimizer: { rule: "SGD", lr: 0.1 },
    partitions: 3,
    sliceElements: 4,
    ...more,
  });

const shardsOf = (layout: Layout): Shard[] =>
  Array.from({ length: layout.job.partitions }, (_, p) => new Shard(layout, p));

interface Gradient {
  readonly dense: Float32Array;
  readonly rows: ReadonlyMap<number, Float32Array>;
}

/** A gradient for each partition. */
function pieces(layout: Layout, { dense, rows }: Gradient) {
  return Array.from({ length: layout.job.partitions }, (_, p) => {
    const [parts, frames]: [Part[], Uint8Array[]] = [[], []];
    for (const { partition, index, start, end } of layout.slicesOf("w"))
      if (partition === p) {
        parts.push({ k: "w", s: index });
        frames.push(bytesOf(dense.slice(start, end)));
      }
    const table = layout.tableOf("e");
    const ids = [...rows.keys()].sort((a, b) => a - b).filter((id) => layout.partitionOfRow(table, id) === p);
    if (ids.length > 0) {
      parts.push({ k: "e", r: ids.length });
      const values = ids.flatMap((id) => [...(rows.get(id) as Float32Array)]);
      frames.push(bytesOf(Uint32Array.from(ids)), bytesOf(Float32Array.from(values)));
    }
    return { parts, frames };
  });
}

function pushAll(
  shards: readonly Shard[],
  layout: Layout,
  gradient: Gradient,
  w: number,
  k: number,
  b = k,
): boolean[] {
  return pieces(layout, gradient).map(({ parts, frames }, p) => {
    const c = `client ${w}`;
    const op: PushOp = { kind: "push", c, n: shards[p].numberOf(c) + 1, w, k, b, parts };
    shards[p].check(op, frames);
    return shards[p].apply(op, frames);
  });
}

function denseOf(shards: readonly Shard[], layout: Layout): number[] {
  const out = new Float32Array(SHAPE[0] * SHAPE[1]);
  for (const { partition, index, start } of layout.slicesOf("w"))
    out.set(shards[partition].read([{ k: "w", s: index }], [])[0], start);
  return [...out];
}

function rowOf(shards: readonly Shard[], layout: Layout, id: number): number[] {
  const p = layout.partitionOfRow(layout.tableOf("e"), id);
  return [...shards[p].read([{ k: "e", r: 1 }], [bytesOf(Uint32Array.of(id))])[0]];
}

const gradients = fc
  .record({
    dense: fc.array(fc.integer({ min: -64, max: 64 }), { minLength: 15, maxLength: 15 }),
    rows: fc.uniqueArray(fc.nat(ROWS - 1), { maxLength: 6 }),
    value: fc.integer({ min: -8, max: 8 }),
  })
  .map(
    ({ dense, rows, value }): Gradient => ({
      dense: Float32Array.from(dense, (x) => x / 32),
      rows: new Map(rows.map((id, i) => [id, Float32Array.of(value + i, (value - id) / 4)])),
    }),
  );

const RULES: OptimizerSpec[] = [
  { rule: "SGD", lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01 },
  { rule: "Adam", lr: 0.01 },
  { rule: "AdamW", lr: 0.01, weightDecay: 0.1 },
  { rule: "AdaGrad", lr: 0.1 },
  { rule: "RMSProp", lr: 0.01, momentum: 0.5, centered: true },
  { rule: "Adadelta", lr: 0.5 },
  { rule: "Adamax", lr: 0.01 },
  { rule: "Lion", lr: 0.01 },
];

describe("partitions", () => {
  it.each(RULES)(
    "take the steps that $rule takes on whole tensors, and on rows those of the rows alone",
    ({ rule, ...options }) => {
      fc.assert(
        fc.property(
          fc.array(gradients, { minLength: 1, maxLength: 5 }),
          fc.constantFrom("range", "hash"),
          (list, partitioner) => {
            const layout = new Layout(
              jobOf({ optimizer: { rule, ...options }, partitioner: partitioner as "range" }),
            );
            const shards = shardsOf(layout);
            const whole = new Variable(tensor(new Float32Array(15), { shape: SHAPE }));
            const make = (variable: Variable) => new optim[rule]([variable], options as never);
            const optimizer = make(whole);
            const rows = Array.from({ length: ROWS }, (_, id) => {
              const variable = new Variable(tensor(Float32Array.from(rowOf(shards, layout, id))));
              return { variable, optimizer: make(variable) };
            });
            list.forEach((gradient, step) => {
              pushAll(shards, layout, gradient, 0, step);
              optimizer.step([tensor(gradient.dense, { shape: SHAPE })]);
              for (const [id, values] of gradient.rows) rows[id].optimizer.step([tensor(values)]);
            });
            expect(denseOf(shards, layout)).toEqual([...whole.value.toTypedArray()]);
            rows.forEach(({ variable }, id) => {
              expect(rowOf(shards, layout, id), `row ${id}`).toEqual([...variable.value.toTypedArray()]);
            });
          },
        ),
        { numRuns: 15 },
      );
    },
  );

  it("in step apply the mean of all workers' gradients, in whatever order they come", () => {
    fc.assert(
      fc.property(
        fc.array(gradients, { minLength: 3, maxLength: 3 }),
        fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
        (list, order) => {
          const layout = new Layout(jobOf({ workers: 3 }));
          const [inOrder, shuffled] = [shardsOf(layout), shardsOf(layout)];
          for (const [w, gradient] of list.entries()) pushAll(inOrder, layout, gradient, w, 0);
          for (const w of order) {
            expect(shuffled.map(({ version }) => version)).toEqual([0, 0, 0]);
            pushAll(shuffled, layout, list[w], w, 0);
          }
          expect(shuffled.map(({ version }) => version)).toEqual([1, 1, 1]);
          expect(denseOf(shuffled, layout)).toEqual(denseOf(inOrder, layout));
          const mean = Array.from(
            { length: 15 },
            (_, i) => list.reduce((sum, { dense }) => sum + dense[i], 0) / 3,
          );
          denseOf(shuffled, layout).forEach((value, i) => {
            expect(value).toBeCloseTo(-0.1 * mean[i], 6);
          });
        },
      ),
      { numRuns: 30 },
    );
  });

  it("with backup workers go on with those that are there, and drop and count the others", () => {
    const layout = new Layout(jobOf({ workers: 10, consistency: { mode: "backup", fraction: 0.9 } }));
    const shards = shardsOf(layout);
    const gradient = (value: number): Gradient => ({
      dense: new Float32Array(15).fill(value),
      rows: new Map(),
    });
    for (let w = 0; w < 8; w++) pushAll(shards, layout, gradient(1), w, 0);
    expect(shards.every((shard) => !shard.allows(1, 0))).toBe(true);
    pushAll(shards, layout, gradient(1), 8, 0);
    expect(shards.every((shard) => shard.version === 1 && shard.allows(1, 0))).toBe(true);
    expect(pushAll(shards, layout, gradient(100), 9, 0)).toEqual([true, true, true]);
    expect(denseOf(shards, layout)).toEqual(Array(15).fill(Math.fround(-0.1)));
    expect(shards.map(({ counts }) => [counts.applied, counts.late])).toEqual(Array(3).fill([9, 1]));
  });

  it("stale by a bound let nobody run further ahead than that", () => {
    fc.assert(
      fc.property(fc.nat(3), fc.array(fc.nat(2), { maxLength: 60 }), (bound, picks) => {
        const layout = new Layout(jobOf({ workers: 3, consistency: { mode: "stale", bound } }));
        const [shard] = shardsOf(layout);
        const clocks = [0, 0, 0];
        for (const w of picks) {
          const may = shard.allows(clocks[w], w);
          expect(may).toBe(clocks[w] - Math.min(...clocks) <= bound);
          if (!may) continue;
          shard.apply(
            {
              kind: "push",
              c: `client ${w}`,
              n: clocks[w] + 1,
              w,
              k: clocks[w],
              b: shard.version,
              parts: [],
            },
            [],
          );
          clocks[w]++;
        }
      }),
      { numRuns: 50 },
    );
  });

  it("wait for nobody who is gone", () => {
    const layout = new Layout(jobOf({ workers: 2 }));
    const shards = shardsOf(layout);
    pushAll(shards, layout, { dense: new Float32Array(15).fill(2), rows: new Map() }, 0, 0);
    expect(shards[0].version).toBe(0);
    for (const shard of shards) shard.apply({ kind: "workers", list: [0] }, []);
    expect(shards[0].version).toBe(1);
    expect(denseOf(shards, layout)[0]).toBeCloseTo(-0.2, 6);
    for (const shard of shards) shard.apply({ kind: "workers", list: [0, 1] }, []);
    expect(shards[0].clockOf(1), "one that comes back begins where the others are").toBe(1);
  });

  it("weigh late gradients, and cut large ones", () => {
    const layout = new Layout(jobOf({ consistency: { mode: "async" }, lateWeight: "inverse", clipValue: 1 }));
    const shards = shardsOf(layout);
    const gradient = { dense: new Float32Array(15).fill(3), rows: new Map<number, Float32Array>() };
    pushAll(shards, layout, gradient, 0, 0, 0);
    expect(denseOf(shards, layout)[0]).toBeCloseTo(-0.1, 6); // 3, cut to 1
    for (let i = 1; i < 6; i++)
      pushAll(shards, layout, { ...gradient, dense: new Float32Array(15) }, 0, i, i);
    pushAll(shards, layout, gradient, 0, 6, 0); // six versions late: 3 / 6
    expect(denseOf(shards, layout)[0]).toBeCloseTo(-0.15, 6);
    expect(shards[0].counts.staleness).toEqual([6, 0, 0, 0, 0, 0, 1]);
  });

  it("go on from a snapshot as if nothing had been, to the bit", () => {
    const modes: Consistency[] = [
      { mode: "sync" },
      { mode: "async" },
      { mode: "stale", bound: 2 },
      { mode: "backup", fraction: 0.5 },
    ];
    fc.assert(
      fc.property(
        fc.array(gradients, { minLength: 2, maxLength: 8 }),
        fc.constantFrom(...modes),
        fc.nat(),
        (list, consistency, cut) => {
          const layout = new Layout(
            jobOf({ workers: 3, consistency, optimizer: { rule: "Adam", lr: 0.01 } }),
          );
          const original = shardsOf(layout);
          let copies: Shard[] | null = null;
          list.forEach((gradient, i) => {
            if (i === cut % list.length)
              copies = original.map((shard, p) => {
                const { head, frames } = shard.snapshot();
                return Shard.restore(
                  layout,
                  p,
                  JSON.parse(JSON.stringify(head)),
                  frames.map((frame) => frame.slice()),
                );
              });
            const [w, k] = [i % 3, Math.floor(i / 3)];
            pushAll(original, layout, gradient, w, k);
            if (copies) pushAll(copies, layout, gradient, w, k);
          });
          const state = (shards: readonly Shard[]) => shards.map((shard) => shard.snapshot());
          expect(state(copies as unknown as Shard[])).toEqual(state(original));
        },
      ),
      { numRuns: 40 },
    );
  });

  it("refuse what doesn't fit, and stay as they are", () => {
    const layout = new Layout(jobOf());
    const [shard] = shardsOf(layout);
    const before = shard.snapshot();
    const op = (parts: unknown): PushOp => ({
      kind: "push",
      c: "c",
      n: 1,
      w: 0,
      k: 0,
      b: 0,
      parts: parts as Part[],
    });
    const slice = layout.slicesOf("w").find(({ partition }) => partition === 0);
    const fit = new Uint8Array(4 * ((slice?.end ?? 0) - (slice?.start ?? 0)));
    const cases: [unknown, Uint8Array[]][] = [
      [[{ k: "w", s: 99 }], [fit]],
      [[{ k: "w", s: slice?.index }], [fit.subarray(1)]],
      [[{ k: "w", s: slice?.index }], [fit, fit]],
      [[{ k: "w", s: slice?.index }], []],
      [[{ k: "nothing", r: 1 }], [new Uint8Array(4), new Uint8Array(8)]],
      [[{ k: "e", r: 2 }], [bytesOf(Uint32Array.of(1, 1)), new Uint8Array(16)]],
      [[{ k: "e", r: 1 }], [bytesOf(Uint32Array.of(11)), new Uint8Array(8)]],
      [[{ k: "e", r: 2 ** 40 }], [new Uint8Array(8), new Uint8Array(8)]],
      [[null], []],
      ["parts", []],
    ];
    for (const [parts, frames] of cases)
      expect(() => shard.check(op(parts), frames), JSON.stringify(parts)).toThrow(/parameter server/);
    expect(() => shard.check({ ...op([]), k: 1e6 }, [])).toThrow(/ahead/);
    expect(shard.snapshot()).toEqual(before);
    expect(() => checkJob({ tensors: [], optimizer: { rule: "SGD", lr: 1 } })).toThrow(/no tensor/);
    expect(() => jobOf({ optimizer: { rule: "LAMB" as never, lr: 1 } })).toThrow(/rule is one of SGD/);
    expect(() => jobOf({ consistency: { mode: "backup", fraction: 0 } })).toThrow(/\(0, 1\]/);
    expect(() => jobOf({ replication: { mode: "leader", copies: 2, acknowledgements: 2 } })).toThrow(
      /acknowledgements/,
    );
  });
});

describe("places", () => {
  it("lie in one partition each, of about the same size, and cover all", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 50 }),
        (sizes, partitions, sliceElements) => {
          const tensors = sizes.map((size, i) => ({ kind: "dense" as const, name: `t${i}`, shape: [size] }));
          const layout = new Layout(
            checkJob({ tensors, optimizer: { rule: "SGD", lr: 1 }, partitions, sliceElements }),
          );
          const held = Array<number>(partitions).fill(0);
          sizes.forEach((size, i) => {
            const slices = layout.slicesOf(`t${i}`);
            expect(slices.map(({ start }) => start)).toEqual(
              [0, ...slices.map(({ end }) => end)].slice(0, slices.length),
            );
            expect(slices.at(-1)?.end ?? 0).toBe(size);
            for (const { partition, start, end } of slices) held[partition] += end - start;
          });
          const total = sizes.reduce((a, b) => a + b, 0);
          expect(Math.max(...held)).toBeLessThanOrEqual(Math.ceil(total / partitions));
        },
      ),
    );
  });

  it("on the ring move only to and from a server that comes", () => {
    const servers = ["a", "b", "c", "d"];
    const count = (list: readonly string[]) => Array.from({ length: 512 }, (_, p) => placesOf(p, list, 2));
    const [before, after] = [count(servers), count([...servers, "e"])];
    let moved = 0;
    before.forEach((places, p) => {
      expect(new Set(places).size).toBe(2);
      if (places[0] !== after[p][0]) {
        expect(after[p][0]).toBe("e");
        moved++;
      }
    });
    expect(moved / 512).toBeGreaterThan(0.08);
    expect(moved / 512).toBeLessThan(0.4);
  });
});

describe("hot keys", () => {
  it("are found among Zipf's, counts are never too low, and what was hot cools down", () => {
    const hot = new HotKeys();
    const counts = new Map<number, number>();
    let seed = 1;
    const random = (): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return seed / 2 ** 32;
    };
    const zipf = (): number => Math.floor(Math.exp(random() * Math.log(100_000))); // share of id k about 1 / k
    const found = new Set<number>();
    for (let i = 0; i < 30_000; i++) {
      const id = zipf();
      counts.set(id, (counts.get(id) ?? 0) + 1);
      if (hot.add(7, id)) found.add(id);
    }
    for (const [id, count] of counts) expect(hot.estimate(7, id)).toBeGreaterThanOrEqual(count);
    for (const id of [1, 2, 3, 5, 8]) expect(found.has(id), `id ${id}`).toBe(true);
    expect(found.size).toBeLessThan(1500);
    for (let i = 0; i < 400_000; i++) hot.add(7, 200_000 + (i % 50_000));
    expect(hot.add(7, 3), "3 was not asked for in a long time").toBe(false);
  });
});
