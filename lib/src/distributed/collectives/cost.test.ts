/** The closed forms against what the code does on a clock of its own; the book's formulas and figures. */
import { describe, expect, test } from "vitest";
import { samePlace } from "../transport/in-process.js";
import type { Place } from "../transport/transport.js";
import { PIECE } from "./broadcast/chain.js";
import type { CollectiveKind, Requests } from "./collective.js";
import { algorithmBandwidth, busBandwidth, type CostModel, fastest, secondsOf } from "./cost.js";
import { evenCounts, partsOf } from "./parts.js";
import { ALGORITHMS, algorithmOf } from "./registry.js";
import { simulate } from "./simulate.js";

/** No term hides another. */
const UNIFORM: CostModel = {
  near: { alpha: 3e-5, beta: 7e-9 },
  far: { alpha: 3e-5, beta: 7e-9 },
  gamma: 1.3e-9,
};
const TWO_LEVELS: CostModel = { ...UNIFORM, far: { alpha: 2e-4, beta: 9e-8 } };

/** Requests with `bytes` bytes in all, in even parts. */
function requestsOf<K extends CollectiveKind>(kind: K, size: number, bytes: number): Requests[K][] {
  const counts = Array<number>(size).fill(bytes / size);
  const make = (rank: number): { [P in CollectiveKind]: Requests[P] } => {
    const data = new Uint8Array(bytes);
    const part = new Uint8Array(bytes / size);
    const elements = { data, dtype: "uint8", op: "sum" } as const;
    return {
      barrier: {},
      broadcast: { data, root: 0 },
      reduce: { ...elements, root: 0 },
      allReduce: elements,
      allGather: { data, counts },
      reduceScatter: { ...elements, counts },
      scatter: { data: rank === 0 ? data : part, counts, root: 0 },
      gather: { own: part, data: rank === 0 ? data : null, counts, root: 0 },
      allToAll: { from: data, into: new Uint8Array(bytes), sendCounts: counts, receiveCounts: counts },
      scan: { ...elements, exclusive: false },
    };
  };
  return Array.from({ length: size }, (_, rank) => make(rank)[kind]);
}

async function simulated(
  kind: CollectiveKind,
  algorithm: string,
  on: { size: number; bytes: number; places: readonly Place[] },
  model: CostModel,
): Promise<{ formula: number; clock: number }> {
  const { size, places } = on;
  const schedule = await simulate(kind, requestsOf(kind, size, on.bytes), { size, places, model, algorithm });
  const formula = secondsOf(algorithmOf(kind, algorithm, on).cost(on), places, model);
  return { formula, clock: schedule.seconds };
}

const SIZES = [1, 2, 3, 4, 5, 6, 8, 9, 16, 17];

for (const kind of Object.keys(ALGORITHMS) as CollectiveKind[])
  describe(kind, () => {
    test.each(ALGORITHMS[kind].map(({ name }) => name))("%s: formula and code agree", async (name) => {
      let agreed = 0;
      for (const size of SIZES)
        for (const hosts of [1, 3]) {
          const places = Array.from({ length: size }, (_, rank) => ({
            host: `h${Math.floor((rank * hosts) / size)}`,
          }));
          const bytes = size * hosts * 2 ** Math.floor(Math.log2(size)) * 24; // every part is whole
          const on = { size, bytes, places };
          if (ALGORITHMS[kind].find((a) => a.name === name)?.unfit?.(on) !== undefined) continue;
          const { formula, clock } = await simulated(kind, name, on, UNIFORM);
          expect(clock / formula || 1, `${size} members on ${hosts} hosts`).toBeCloseTo(1, 9);
          agreed++;
          if (hosts === 1) continue;
          const levels = await simulated(kind, name, on, TWO_LEVELS);
          // by an algorithm that does not look at hosts, some messages stay inside of one
          expect(levels.clock).toBeLessThanOrEqual(levels.formula * (1 + 1e-9));
        }
      expect(agreed).toBeGreaterThan(4);
    });
  });

test.each(["hierarchical", "torus"])("%s over fast and slow links: formula and code agree", async (name) => {
  for (const [size, hosts] of [
    [4, 2],
    [6, 3],
    [12, 3],
    [16, 4],
  ]) {
    const places = Array.from({ length: size }, (_, rank) => ({ host: `h${rank % hosts}` }));
    const { formula, clock } = await simulated(
      "allReduce",
      name,
      { size, bytes: size * hosts * 8, places },
      TWO_LEVELS,
    );
    expect(clock / formula).toBeCloseTo(1, 9);
  }
});

test("a chain of several pieces: formula and code agree", async () => {
  for (const size of [2, 3, 5]) {
    const on = { size, bytes: 60 * PIECE, places: samePlace(size) };
    const { formula, clock } = await simulated("broadcast", "chain", on, UNIFORM);
    expect(clock / formula).toBeCloseTo(1, 9);
  }
});

describe("the book's formulas, with a = α, b = β and messages of l bytes", () => {
  const [a, b, l] = [5e-5, 2e-9, 4096];
  const model: CostModel = { near: { alpha: a, beta: b }, far: { alpha: a, beta: b }, gamma: 0 };
  const seconds = (kind: CollectiveKind, name: string, p: number, bytes: number): number => {
    const on = { size: p, bytes, places: samePlace(p) };
    return secondsOf(algorithmOf(kind, name, on).cost(on), on.places, model);
  };
  test.each([4, 8, 16])("%i members", (p) => {
    const log = Math.log2(p);
    expect(seconds("broadcast", "naive", p, l)).toBeCloseTo((p - 1) * (a + b * l), 12);
    expect(seconds("broadcast", "tree", p, l)).toBeCloseTo(log * (a + b * l), 12);
    expect(seconds("reduce", "tree", p, l)).toBeCloseTo(log * (a + b * l), 12);
    expect(seconds("allReduce", "tree", p, l)).toBeCloseTo(2 * log * (a + b * l), 12);
    expect(seconds("gather", "binomial", p, p * l)).toBeCloseTo(a * log + (p - 1) * b * l, 12);
    expect(seconds("scatter", "binomial", p, p * l)).toBeCloseTo(a * log + (p - 1) * b * l, 12);
    expect(seconds("allGather", "recursive-doubling", p, p * l)).toBeCloseTo(a * log + (p - 1) * b * l, 12);
    // of the order of a·log p + p·l·b·log p: the gather before the broadcast doubles the latency and adds (p − 1)·b·l
    const naive = 2 * a * log + (p - 1) * b * l + p * l * b * log;
    expect(seconds("allGather", "naive", p, p * l)).toBeCloseTo(naive, 12);
  });
});

describe("the book's allReduce of three devices", () => {
  const rows = [
    [2, 4, 6],
    [1, 2, 3],
    [4, 8, 12],
  ];
  const run = async (algorithm: string) => {
    const data = rows.map((row) => Float32Array.from(row));
    const requests = data.map(({ buffer }) => ({
      ...{ data: new Uint8Array(buffer), dtype: "float32" as const, op: "sum" as const },
    }));
    const schedule = await simulate("allReduce", requests, { size: 3, algorithm });
    return { data, schedule };
  };

  test.each(ALGORITHMS.allReduce.filter(({ unfit }) => !unfit).map(({ name }) => name))(
    "%s: 7, 14, 21",
    async (name) => {
      for (const row of (await run(name)).data) expect([...row]).toEqual([7, 14, 21]);
    },
  );

  test("the ring: M − 1 steps to combine, M − 1 to pass on; 7 is device 3's, 14 device 1's, 21 device 2's", async () => {
    const { schedule } = await run("ring");
    const sends = schedule.steps.filter(({ what }) => what === "send");
    expect(new Set(sends.map(({ start }) => start.toFixed(12))).size).toBe(4);
    expect(sends.length).toBe(3 * 4);
    expect(sends.every(({ bytes, rank, peer }) => bytes === 4 && peer === (rank + 1) % 3)).toBe(true);
    const last = schedule.steps.filter(({ what }) => what === "combine").slice(-3);
    expect(last.map(({ rank }) => rank).sort()).toEqual([0, 1, 2]);

    const data = rows.map((row) => Float32Array.from(row));
    const halfway = rows.map((_, rank) => data[rank][(rank + 1) % 3]);
    expect(halfway).toEqual([4, 3, 4]); // before
    const { inProcess } = await import("../transport/in-process.js");
    const { memberOf } = await import("./member.js");
    const { reduceAround } = await import("./reduce-scatter/ring.js");
    await Promise.all(
      inProcess(3).map((transport, rank) => {
        const bytes = new Uint8Array(data[rank].buffer);
        const parts = partsOf(bytes, evenCounts(bytes.length, 3, "float32"));
        return reduceAround(memberOf(transport, 0), [...parts.slice(1), parts[0]], "float32", "sum");
      }),
    );
    expect([data[2][0], data[0][1], data[1][2]]).toEqual([7, 14, 21]);
  });
});

test("bandwidths by the book's factors", () => {
  expect(algorithmBandwidth(3e9, 1.5)).toBe(2e9);
  expect(busBandwidth("allReduce", 8, 1e9, 1)).toBeCloseTo((1e9 * 2 * 7) / 8, 0);
  expect(busBandwidth("reduceScatter", 8, 1e9, 1)).toBeCloseTo((1e9 * 7) / 8, 0);
  expect(busBandwidth("allGather", 8, 1e9, 1)).toBeCloseTo((1e9 * 7) / 8, 0);
  expect(busBandwidth("broadcast", 8, 1e9, 1)).toBe(1e9);
  expect(busBandwidth("reduce", 8, 1e9, 1)).toBe(1e9);
});

test("M devices around a ring use M times the bandwidth of a link", async () => {
  const [size, bytes, beta] = [8, 8 << 16, 1e-8];
  const link = { alpha: 0, beta };
  const schedule = await simulate("allReduce", requestsOf("allReduce", size, bytes), {
    ...{ size, algorithm: "ring", model: { near: link, far: link, gamma: 0 } },
  });
  const sent = Array.from({ length: size }, (_, rank) => schedule.sentBy(rank)).reduce((x, y) => x + y);
  expect(sent / schedule.seconds).toBeCloseTo(size / beta, -3);
  expect(busBandwidth("allReduce", size, bytes, schedule.seconds)).toBeCloseTo(1 / beta, -3);
});

describe("the choice", () => {
  const on = (size: number, bytes: number, hosts = 1) => ({
    size,
    bytes,
    places: Array.from({ length: size }, (_, rank) => ({ host: `h${Math.floor((rank * hosts) / size)}` })),
  });
  test.each([
    ["few bytes: few rounds", on(16, 64), "recursive-doubling"],
    ["many bytes, a power of two", on(16, 64e6), "halving-doubling"],
    ["many bytes, no power of two", on(17, 64e6), "ring"],
    ["hosts with a slow link between them", on(16, 64e6, 4), "torus"],
    ["few bytes between hosts", on(8, 64, 2), "hierarchical"],
  ])("%s", (_, situation, name) => {
    const model: CostModel = {
      near: { alpha: 1e-5, beta: 1e-10 },
      far: { alpha: 1e-4, beta: 1e-9 },
      gamma: 1e-10,
    };
    expect(fastest(ALGORITHMS.allReduce, situation, model).name).toBe(name);
  });

  test("is that of the least time on the clock", async () => {
    for (const size of [3, 4, 6, 8])
      for (const bytes of [size * 24, size * 48_000]) {
        const times = new Map<string, number>();
        for (const { name, unfit } of ALGORITHMS.allReduce)
          if (unfit?.(on(size, bytes)) === undefined)
            times.set(name, (await simulated("allReduce", name, on(size, bytes), UNIFORM)).clock);
        const { name } = fastest(ALGORITHMS.allReduce, on(size, bytes), UNIFORM);
        expect(times.get(name)).toBeCloseTo(Math.min(...times.values()), 9);
      }
  });
});

test("members that wait for each other for ever are found", async () => {
  const requests = [8, 4].map((length) => ({ data: new Uint8Array(length), root: 0 }));
  await expect(simulate("broadcast", requests, { size: 2, algorithm: "tree" })).rejects.toThrow(
    "member 0 sends 8 bytes, member 1 expects 4",
  );
  const roots = [0, 1].map((rank) => ({ data: new Uint8Array(4), root: rank }));
  await expect(simulate("broadcast", roots, { size: 2, algorithm: "tree" })).rejects.toThrow(
    "broadcast: 2 of 2 members wait for messages that nobody will send",
  );
});
