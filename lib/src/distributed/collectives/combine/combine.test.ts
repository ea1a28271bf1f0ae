/** The vector kernels against plain loops, bit by bit. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesPerElement, DTYPES, type DType, encodingOf, hostView } from "../../../core/dtype.js";
import type { CombineOp } from "../../transport/reduce-op.js";
import { combine, combinerOver, divide } from "./combine.js";
import { combineInLoops, divideInLoops } from "./loops.js";

const OPS: readonly CombineOp[] = ["sum", "product", "min", "max"];
const memory = new WebAssembly.Memory({ initial: 8, maximum: 16, shared: true });
const inMemory = combinerOver(memory, { at: 0, bytes: 1000 }); // several pieces, no multiple of 16
const into = new Uint8Array(memory.buffer, 1024, 128 * 1024);

/** The first element that differs, as what it should be and what it is; any NaN is as good as another. */
function difference(expected: Uint8Array, actual: Uint8Array, dtype: DType): unknown {
  if (Buffer.compare(actual, expected) === 0) return null;
  const [right, given] = [numbers(expected, dtype), numbers(actual, dtype)];
  for (let i = 0; i < right.length; i++)
    if (!Object.is(right[i], given[i])) return { element: i, expected: right[i], given: given[i] };
  return null;
}

function numbers(bytes: Uint8Array, dtype: DType): ArrayLike<unknown> {
  const length = bytes.length / bytesPerElement(dtype);
  if (dtype === "int64") return new BigInt64Array(bytes.slice().buffer);
  return (
    encodingOf(dtype)?.decode(bytes.slice().buffer, 0, length) ??
    hostView(dtype, bytes.slice().buffer, 0, length)
  );
}

function check(a: Uint8Array, b: Uint8Array, dtype: DType, op: CombineOp): void {
  const expected = a.slice();
  combineInLoops(expected, b.slice(), dtype, op);
  const copied = a.slice();
  combine(copied, b, dtype, op);
  const target = into.subarray(0, a.length);
  target.set(a);
  inMemory(target, b, dtype, op);
  const apart = new Uint8Array(a.length);
  combine(apart, b, dtype, op, a);
  const own = new Uint8Array(memory.buffer, 512 * 1024 - 128 * 1024, a.length);
  own.set(a);
  const combined = target.slice();
  const elsewhere = into.subarray(0, a.length).fill(0xee);
  inMemory(elsewhere, b, dtype, op, own);
  expect(Buffer.compare(own, a)).toBe(0);
  for (const actual of [copied, combined, apart, elsewhere])
    expect(difference(expected, actual, dtype)).toBeNull();
}

for (const dtype of DTYPES)
  test(`${dtype}: any bits, any length, any alignment of the message`, () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...OPS),
        fc.integer({ min: 0, max: 2500 }),
        fc.integer({ min: 0, max: 7 }),
        fc.integer(),
        (op, elements, shift, seed) => {
          const bytes = elements * bytesPerElement(dtype);
          const random = randomBytes(2 * bytes + shift, seed);
          check(random.slice(0, bytes), random.subarray(bytes + shift), dtype, op);
        },
      ),
      { numRuns: 60 },
    );
  });

test("pieces that leave a short one: a window and 16, 32, 48 bytes more", () => {
  for (const windows of [1, 2, 5])
    for (const rest of [0, 16, 32, 48, 60])
      check(
        randomBytes(windows * 16 * 1024 + rest, rest),
        randomBytes(windows * 16 * 1024 + rest, windows),
        "int32",
        "sum",
      );
});

test.each(["float16", "bfloat16"] as const)("%s: every number, beside some", (dtype) => {
  const codes = Uint16Array.from({ length: 1 << 15 }, (_, i) => i);
  for (const half of [0, 1 << 15])
    for (const other of [0x8000, 0x0001, 0x3f01, 0x7bff, 0xfc00])
      for (const op of ["sum", "product"] as const) {
        const all = codes.map((code) => code + half);
        check(
          new Uint8Array(all.buffer),
          new Uint8Array(new Uint16Array(all.length).fill(other).buffer),
          dtype,
          op,
        );
      }
});

test.each(["float64", "float32", "float16", "bfloat16"] as const)(
  "%s: the quotients of any bits",
  (dtype) => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 20_000 }),
        fc.integer({ min: 1, max: 1000 }),
        fc.integer(),
        (elements, by, seed) => {
          const data = randomBytes(elements * bytesPerElement(dtype), seed);
          const expected = data.slice();
          divideInLoops(expected, dtype, by);
          divide(data, dtype, by);
          expect(difference(expected, data, dtype)).toBeNull();
        },
      ),
      { numRuns: 10 },
    );
  },
);

test("a memory that has grown: buffers from before are still its own", () => {
  const growing = new WebAssembly.Memory({ initial: 1, maximum: 4, shared: true });
  const before = growing.buffer;
  growing.grow(1);
  const combineThere = combinerOver(growing, { at: 0, bytes: 4096 });
  const old = new Float32Array(before, 8192, 1000).fill(1);
  growing.grow(1);
  const fresh = new Float32Array(growing.buffer, 100_000, 1000).fill(2);
  combineThere(
    new Uint8Array(old.buffer, 8192, 4000),
    new Uint8Array(fresh.buffer, 100_000, 4000),
    "float32",
    "sum",
  );
  combineThere(
    new Uint8Array(fresh.buffer, 100_000, 4000),
    new Uint8Array(old.buffer, 8192, 4000),
    "float32",
    "sum",
  );
  expect([old[0], old[999], fresh[0], fresh[999]]).toEqual([3, 3, 5, 5]);
});

/** xorshift32: as many bytes as fast-check would make in a minute. */
function randomBytes(length: number, seed: number): Uint8Array {
  const out = new Uint32Array(Math.ceil(length / 4));
  let x = seed | 1;
  for (let i = 0; i < out.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    out[i] = x;
  }
  return new Uint8Array(out.buffer, 0, length);
}
