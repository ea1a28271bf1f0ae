/** Random layouts (turned, cut, stepped, reversed, repeated, in windows), taken apart as the device does, against the elements' positions. */
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  broadcastLayout,
  contiguousLayout,
  type Layout,
  permuteLayout,
  sliceLayout,
} from "../../src/core/layout.js";
import { sizeOf } from "../../src/core/shape.js";
import { useTfjs } from "../../src/extend.js";
import { elementPositions } from "../../src/runtime/host-array.js";
import { viewed } from "../../src/runtime/tfjs/view.js";
import { plainTfjs } from "../support/tfjs.js";

const t = await plainTfjs();
useTfjs(t);

type Move = (layout: Layout) => Layout;

const shuffled = fc.infiniteStream(fc.nat()).map(
  (draws): Move =>
    (x) => {
      const order = x.shape.map((_, i) => ({ i, at: draws.next().value ?? 0 }));
      return permuteLayout(
        x,
        order.sort((a, b) => a.at - b.at).map(({ i }) => i),
      );
    },
);

/** Along each axis: a step, forwards or backwards, and as many elements as fit from a random start. */
const cut = fc.infiniteStream(fc.nat(11)).map(
  (draws): Move =>
    (x) => {
      const parts = x.shape.map((dim) => {
        const [a, b, c] = [draws.next().value ?? 0, draws.next().value ?? 0, draws.next().value ?? 0];
        const step = ((a % 3) + 1) * (b % 2 === 0 ? 1 : -1);
        const start = step > 0 ? c % 3 : dim - 1 - (c % 3);
        const room = step > 0 ? dim - 1 - start : start;
        return start < 0 || start >= dim
          ? { start: 0, size: dim, step: 1 }
          : { start, size: Math.floor(room / Math.abs(step)) + 1, step };
      });
      return sliceLayout(
        x,
        parts.map(({ start }) => start),
        parts.map(({ size }) => size),
        parts.map(({ step }) => step),
      );
    },
);

const repeated: fc.Arbitrary<Move> = fc
  .record({ front: fc.nat(2), times: fc.integer({ min: 1, max: 3 }) })
  .map(
    ({ front, times }) =>
      (x) =>
        broadcastLayout(
          x,
          [...Array<number>(front).fill(times), ...x.shape.map((dim) => (dim === 1 ? times : dim))],
          "test",
        ),
  );

/** Windows of 2 over the last axis, which overlap. */
const windows: Move = (x) => {
  const last = x.shape.length - 1;
  if (last < 0 || x.shape[last] < 2) return x;
  return {
    shape: [...x.shape.slice(0, last), x.shape[last] - 1, 2],
    strides: [...x.strides, x.strides[last]],
    offset: x.offset,
  };
};

const moves = fc.array(fc.oneof(shuffled, cut, repeated, fc.constant(windows)), { maxLength: 4 });
const bases = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 4 });

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;
const dtypes = fc.constantFrom("float32", "int32", "bool");

it("reads every element of a view", () => {
  fc.assert(
    fc.property(bases, moves, dtypes, (base, list, dtype) => {
      const length = sizeOf(base);
      const layout = list.reduce((x, move) => move(x), contiguousLayout(base));
      const elements = arrays[dtype].from({ length }, (_, i) => (dtype === "bool" ? (i * i) % 3 : i));
      const found = t.tidy(() => {
        const handle = { tensor: t.tensor(elements, [length], dtype), dtype, length };
        const y = viewed(t, { ...layout, dtype, length, handle });
        expect(y.shape).toEqual(layout.shape);
        return [...y.dataSync()];
      });
      expect(found).toEqual([...elementPositions(layout)].map((p) => elements[p]));
    }),
    { numRuns: 1000 },
  );
});

it.each<[string, Layout, number[]]>([
  ["a transposed matrix", { shape: [4, 3], strides: [1, 4], offset: 0 }, [12]],
  ["a reversed axis", { shape: [3, 4], strides: [4, -1], offset: 3 }, [12]],
  ["every second row", { shape: [3, 4], strides: [8, 1], offset: 4 }, [24]],
  ["a part of a matrix, repeated", { shape: [2, 3, 2], strides: [0, 5, 1], offset: 6 }, [20]],
  ["windows that fit", { shape: [2, 3, 2, 2], strides: [12, 2, 6, 1], offset: 0 }, [24]],
  ["windows of 2 × 2 over 5 × 7", { shape: [2, 2, 3, 2, 2], strides: [35, 14, 2, 7, 1], offset: 0 }, [70]],
  ["windows of 3 × 3 that overlap", { shape: [2, 4, 4, 3, 3], strides: [81, 18, 2, 9, 1], offset: 0 }, [162]],
])("needs no positions for %s", (_, layout, [length]) => {
  const bare = {
    ...t,
    gather: () => {
      throw new Error("gathered");
    },
  } as unknown as typeof t;
  const elements = Float32Array.from({ length }, (_, i) => i);
  const found = t.tidy(() => {
    const handle = { tensor: t.tensor(elements, [length]), dtype: "float32", length } as const;
    return [...viewed(bare, { ...layout, dtype: "float32", length, handle }).dataSync()];
  });
  expect(found).toEqual([...elementPositions(layout)]);
});
