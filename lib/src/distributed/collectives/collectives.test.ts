/** Every algorithm over members of one thread, any dtype, operation, size and number of members, against plain arithmetic. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesPerElement, DTYPES, type DType, encodingOf, hostView, isFloat } from "../../core/dtype.js";
import { inProcess, samePlace } from "../transport/in-process.js";
import { REDUCE_OPS, type ReduceOp } from "../transport/reduce-op.js";
import type { Place } from "../transport/transport.js";
import type { CollectiveKind, Requests } from "./collective.js";
import { memberOf } from "./member.js";
import { partsOf, total } from "./parts.js";
import { ALGORITHMS, runCollective } from "./registry.js";

const SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17];

/** A member's elements: numbers whose results are exact in each dtype in any order; 64-bit integers are bigints. */
type Values = readonly (number | bigint)[];

interface Case {
  readonly size: number;
  readonly places: readonly Place[];
  readonly dtype: DType;
  readonly op: ReduceOp;
  readonly root: number;
  readonly exclusive: boolean;
  /** By member. */
  readonly values: readonly Values[];
  /** Elements of each member's part. */
  readonly counts: readonly number[];
}

const elementOf = (dtype: DType, op: ReduceOp): fc.Arbitrary<number | bigint> => {
  if (dtype === "int64") return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  if (dtype === "bool") return fc.integer({ min: 0, max: 1 });
  if (dtype === "uint8") return fc.integer({ min: 0, max: 255 });
  const bits = 8 * bytesPerElement(dtype);
  if (!isFloat(dtype)) return fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });
  return op === "product" ? fc.constantFrom(1, -1, 0.5, 2) : fc.integer({ min: -4, max: 4 });
};

/** @param elements of each member; default: as the counts say */
const cases = (elements?: number): fc.Arbitrary<Case> =>
  fc
    .record({
      size: fc.constantFrom(...SIZES),
      dtype: fc.constantFrom(...DTYPES),
      op: fc.constantFrom(...REDUCE_OPS),
      exclusive: fc.boolean(),
      hosts: fc.integer({ min: 1, max: 4 }),
    })
    .filter(({ dtype, op }) => op !== "mean" || isFloat(dtype))
    .chain(({ size, dtype, op, exclusive, hosts }) =>
      fc
        .record({
          root: fc.integer({ min: 0, max: size - 1 }),
          counts: fc.oneof(
            fc.array(fc.integer({ min: 0, max: 5 }), { minLength: size, maxLength: size }),
            fc.integer({ min: 0, max: 4 }).map((count) => Array<number>(size).fill(count)),
          ),
        })
        .chain(({ root, counts }) => {
          const length = elements ?? total(counts);
          const row = fc.array(elementOf(dtype, op), { minLength: length, maxLength: length });
          return fc.array(row, { minLength: size, maxLength: size }).map((values) => ({
            size,
            dtype,
            op,
            exclusive,
            root,
            counts,
            values,
            places: Array.from({ length: size }, (_, rank) => ({ host: `h${rank % hosts}` })),
          }));
        }),
    );

function encode(values: Values, dtype: DType): Uint8Array {
  const bytes = new Uint8Array(values.length * bytesPerElement(dtype));
  if (dtype === "int64") new BigInt64Array(bytes.buffer).set(values as bigint[]);
  else if (encodingOf(dtype)) encodingOf(dtype)?.encode(values as number[], bytes.buffer, 0);
  else hostView(dtype, bytes.buffer, 0, values.length).set(values as number[]);
  return bytes;
}

/** The members' values, combined by the letter of what each operation is; `mean` of so many. */
function combined(rows: readonly Values[], { dtype, op }: Case): Uint8Array {
  const columns = (rows[0] ?? []).map((_, i) => rows.map((row) => row[i]));
  if (dtype === "int64")
    return encode(
      columns.map((column) => {
        const all = column as bigint[];
        const sorted = [...all].sort((a, b) => Number(a > b) - Number(a < b));
        if (op === "min") return sorted[0];
        if (op === "max") return sorted[sorted.length - 1];
        return BigInt.asIntN(
          64,
          all.reduce((x, y) => (op === "sum" ? x + y : x * y)),
        );
      }),
      dtype,
    );
  return encode(
    columns.map((column) => {
      const all = column as number[];
      if (op === "min") return Math.min(...all);
      if (op === "max") return Math.max(...all);
      if (dtype === "bool") return Number(op === "sum" ? all.includes(1) : !all.includes(0));
      const sum = all.reduce((x, y) => x + y);
      if (op !== "product") return op === "mean" ? sum / all.length : sum;
      // exact, however many wrap around
      return isFloat(dtype)
        ? all.reduce((x, y) => x * y)
        : Number(
            BigInt.asIntN(
              32,
              all.reduce((x, y) => x * BigInt(y), 1n),
            ),
          );
    }),
    dtype,
  );
}

/** Runs a collective on all members. */
async function run<K extends CollectiveKind>(
  kind: K,
  { size, places }: Pick<Case, "size" | "places">,
  requests: readonly Requests[K][],
  algorithm?: string,
): Promise<void> {
  await Promise.all(
    inProcess(size, places).map((transport, rank) =>
      runCollective(kind, memberOf(transport, 7), requests[rank], algorithm),
    ),
  );
}

/** What a kind is given and should give: requests by member, and bytes to be compared, after the run. */
type Checks = { [K in CollectiveKind]: (c: Case) => { requests: Requests[K][]; check: () => void } };

const bytesOf = (c: Case): number[] => c.counts.map((count) => count * bytesPerElement(c.dtype));
const dataOf = (c: Case): Uint8Array[] => c.values.map((row) => encode(row, c.dtype));
const same = (actual: Uint8Array, expected: Uint8Array): void => {
  if (Buffer.compare(actual, expected) !== 0) expect([...actual]).toEqual([...expected]);
};

const CHECKS: Checks = {
  barrier: ({ size }) => ({ requests: Array.from({ length: size }, () => ({})), check() {} }),
  broadcast(c) {
    const data = dataOf(c);
    const expected = data[c.root].slice();
    return {
      requests: data.map((row) => ({ data: row, root: c.root })),
      check() {
        for (const row of data) same(row, expected);
      },
    };
  },
  reduce(c) {
    const data = dataOf(c);
    return {
      requests: data.map((row) => ({ data: row, dtype: c.dtype, op: c.op, root: c.root })),
      check: () => same(data[c.root], combined(c.values, c)),
    };
  },
  allReduce(c) {
    const data = dataOf(c);
    return {
      requests: data.map((row) => ({ data: row, dtype: c.dtype, op: c.op })),
      check() {
        for (const row of data) same(row, combined(c.values, c));
      },
    };
  },
  allGather(c) {
    const counts = bytesOf(c);
    const whole = dataOf(c)[0];
    const data = partsOf(whole, counts).map((part, rank) => {
      const own = new Uint8Array(whole.length).fill(0xee);
      partsOf(own, counts)[rank].set(part);
      return own;
    });
    return {
      requests: data.map((row) => ({ data: row, counts })),
      check() {
        for (const row of data) same(row, whole);
      },
    };
  },
  reduceScatter(c) {
    const counts = bytesOf(c);
    const data = dataOf(c);
    return {
      requests: data.map((row) => ({ data: row, counts, dtype: c.dtype, op: c.op })),
      check() {
        const expected = partsOf(combined(c.values, c), counts);
        for (const [rank, row] of data.entries()) same(partsOf(row, counts)[rank], expected[rank]);
      },
    };
  },
  scatter(c) {
    const counts = bytesOf(c);
    const whole = dataOf(c)[c.root];
    const expected = partsOf(whole.slice(), counts);
    const data = counts.map((count, rank) => (rank === c.root ? whole : new Uint8Array(count)));
    return {
      requests: data.map((row) => ({ data: row, counts, root: c.root })),
      check: () =>
        data.forEach((row, rank) => {
          same(rank === c.root ? partsOf(row, counts)[rank] : row, expected[rank]);
        }),
    };
  },
  gather(c) {
    const counts = bytesOf(c);
    const whole = dataOf(c)[c.root];
    const into = new Uint8Array(whole.length);
    return {
      requests: partsOf(whole, counts).map((own, rank) => ({
        own,
        data: rank === c.root ? into : null,
        counts,
        root: c.root,
      })),
      check: () => same(into, whole),
    };
  },
  allToAll(c) {
    // member i sends member j as many bytes as the counts of both say
    const length = (i: number, j: number): number => (c.counts[i] * 3 + c.counts[j] * j) % 11;
    const ranks = Array.from({ length: c.size }, (_, i) => i);
    const block = (i: number, j: number): Uint8Array =>
      Uint8Array.from({ length: length(i, j) }, (_, k) => i * 31 + j * 7 + k);
    const requests = ranks.map((me) => ({
      from: Uint8Array.from(ranks.flatMap((to) => [...block(me, to)])),
      into: new Uint8Array(total(ranks.map((from) => length(from, me)))),
      sendCounts: ranks.map((to) => length(me, to)),
      receiveCounts: ranks.map((from) => length(from, me)),
    }));
    return {
      requests,
      check: () =>
        ranks.forEach((me) => {
          same(requests[me].into, Uint8Array.from(ranks.flatMap((from) => [...block(from, me)])));
        }),
    };
  },
  scan(c) {
    const data = dataOf(c);
    return {
      requests: data.map((row) => ({ data: row, dtype: c.dtype, op: c.op, exclusive: c.exclusive })),
      check: () =>
        data.forEach((row, rank) => {
          const before = c.values.slice(0, rank + (c.exclusive ? 0 : 1));
          same(row, before.length > 0 ? combined(before, c) : new Uint8Array(row.length));
        }),
    };
  },
};

for (const kind of Object.keys(ALGORITHMS) as CollectiveKind[])
  describe(kind, () => {
    for (const { name, unfit } of ALGORITHMS[kind])
      test(name, async () => {
        await fc.assert(
          fc.asyncProperty(cases(), async (c) => {
            if (unfit?.(c) !== undefined) return;
            const { requests, check } = CHECKS[kind](c) as {
              requests: Requests[typeof kind][];
              check: () => void;
            };
            await run(kind, c, requests, name);
            check();
          }),
          { numRuns: 80 },
        );
      });
  });

describe("allReduce gives all members the same bits", () => {
  const float = fc.oneof(fc.float(), fc.float({ min: -1, max: 1 })).map(Math.fround);
  for (const { name, unfit } of ALGORITHMS.allReduce)
    test(name, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...SIZES),
          fc.constantFrom("sum", "product", "min", "max", "mean"),
          fc.integer({ min: 0, max: 40 }).chain((length) =>
            fc.array(fc.array(float, { minLength: length, maxLength: length }), {
              minLength: 17,
              maxLength: 17,
            }),
          ),
          async (size, op, rows) => {
            const places = Array.from({ length: size }, (_, rank) => ({ host: `h${rank % 3}` }));
            if (unfit?.({ size, places }) !== undefined) return;
            const data = rows.slice(0, size).map((row) => Float32Array.from(row));
            const requests = data.map(({ buffer }) => ({
              data: new Uint8Array(buffer),
              dtype: "float32" as const,
              op,
            }));
            await run("allReduce", { size, places }, requests, name);
            for (const row of data) expect(row).toEqual(data[0]); // Object.is: NaN is NaN, −0 is not 0
          },
        ),
        { numRuns: 30 },
      );
    });
});

test("long messages travel in pieces, the last one shorter", async () => {
  const length = 200_001;
  for (const { name } of ALGORITHMS.allReduce) {
    const data = [1, 2, 3, 4].map((x) => Float32Array.from({ length }, (_, i) => x * (i % 1000)));
    const requests = data.map(({ buffer }) => ({
      data: new Uint8Array(buffer),
      dtype: "float32" as const,
      op: "sum" as const,
    }));
    await run("allReduce", { size: 4, places: samePlace(4) }, requests, name);
    for (const row of data) expect(row.findIndex((x, i) => x !== 10 * (i % 1000))).toBe(-1);
  }
});

describe("what is combined may lie elsewhere, and stays as it is", () => {
  const kinds = ["reduce", "allReduce", "reduceScatter", "scan"] as const;
  for (const kind of kinds)
    test.each(ALGORITHMS[kind].map(({ name }) => name))(`${kind} %s`, async (name) => {
      await fc.assert(
        fc.asyncProperty(cases(), async (c) => {
          if (ALGORITHMS[kind].find((a) => a.name === name)?.unfit?.(c) !== undefined) return;
          const { requests, check } = CHECKS[kind](c);
          const from = requests.map(({ data }) => data.slice());
          for (const { data } of requests) data.fill(0xee);
          const apart = requests.map((request, rank) => ({ ...request, from: from[rank] }));
          await run(kind, c, apart as never, name);
          check();
          for (const [rank, row] of from.entries()) same(row, encode(c.values[rank], c.dtype));
        }),
        { numRuns: 25 },
      );
    });
});

test("several operations of a group may be under way at once", async () => {
  const data = Array.from({ length: 3 }, () => [1, 2, 3].map((x) => Float64Array.of(x, 10 * x)));
  const transports = inProcess(3);
  await Promise.all(
    data.flatMap((rows, tag) =>
      transports.map((transport, rank) =>
        runCollective("allReduce", memberOf(transport, tag), {
          data: new Uint8Array(rows[rank].buffer),
          dtype: "float64",
          op: "sum",
        }),
      ),
    ),
  );
  for (const rows of data) for (const row of rows) expect([...row]).toEqual([6, 60]);
});

test("a group of some members, in another order", async () => {
  const ranks = [4, 1, 3];
  const data = [10, 20, 30].map((x) => Int32Array.of(x));
  const transports = inProcess(5);
  await Promise.all(
    ranks.map((rank, i) =>
      runCollective("scan", memberOf(transports[rank], 0, ranks), {
        data: new Uint8Array(data[i].buffer),
        dtype: "int32",
        op: "sum",
        exclusive: false,
      }),
    ),
  );
  expect(data.map((row) => row[0])).toEqual([10, 30, 60]);
});

test("what can't be done is said", async () => {
  const [first] = inProcess(3);
  const member = memberOf(first, 0);
  const whole = { data: new Uint8Array(8), dtype: "int32", op: "mean" } as const;
  await expect(runCollective("allReduce", member, whole)).rejects.toThrow(
    "mean: floating-point elements expected, given int32",
  );
  await expect(runCollective("allReduce", member, whole, "star")).rejects.toThrow(
    'allReduce: no algorithm is called "star"; there are ring, halving-doubling',
  );
  const parts = { ...whole, op: "sum", counts: [4, 4, 0] } as const;
  await expect(runCollective("reduceScatter", member, parts, "recursive-halving")).rejects.toThrow(
    "reduceScatter: recursive-halving needs a number of members that is a power of two, this group has 3",
  );
  await expect(runCollective("allReduce", member, { ...whole, op: "sum" }, "torus")).rejects.toThrow(
    "allReduce: torus needs members that make a grid, 3 do not",
  );
});
