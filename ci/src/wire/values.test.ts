import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { firstDifference } from "../kit/difference.js";
import { TensorData } from "./tensor.js";
import { WireError } from "./typed-arrays.js";
import { type DecodeContext, decode, type EncodeContext, encode, LIMITS } from "./values.js";

const noHandles: EncodeContext & DecodeContext = {
  handle: () => {
    throw new Error("no handles here");
  },
};

/** Through JSON, as on the wire. */
function cross(value: unknown): unknown {
  return decode(JSON.parse(JSON.stringify(encode(value, noHandles))), noHandles);
}

const typedArrays = fc.oneof(
  fc.float64Array(), fc.float32Array(), fc.int32Array(), fc.int16Array(), fc.int8Array(),
  fc.uint8Array(), fc.uint16Array(), fc.uint32Array(), fc.uint8ClampedArray(),
); // biome-ignore format: a table
const tensors = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }).chain((shape) => {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return fc
    .float32Array({ minLength: size, maxLength: size })
    .map((data) => new TensorData("float32", shape, data));
});
const values = fc.letrec((tie) => ({
  leaf: fc.oneof(
    fc.constantFrom(undefined, null, true, false, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0),
    fc.double(), fc.integer(), fc.bigInt(), fc.string({ unit: "binary" }), fc.date(), typedArrays, tensors,
  ), // biome-ignore format: a table
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    tie("leaf"),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(
      fc.string().filter((key) => key !== "__proto__"),
      tie("value"),
      { maxKeys: 5 },
    ),
    fc.array(fc.tuple(tie("leaf"), tie("value")), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie("leaf"), { maxLength: 4 }).map((items) => new Set(items)),
  ),
})).value;

describe("what crosses", () => {
  it("comes back equal, by node's comparison and by our own", () => {
    fc.assert(
      fc.property(values, (value) => {
        const back = cross(value);
        expect(firstDifference(back, value)).toBeUndefined();
        expect(back).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  it("keeps -0, NaN and sparse places apart", () => {
    expect(Object.is(cross(-0), -0)).toBe(true);
    expect(cross(Number.NaN)).toBeNaN();
    // biome-ignore lint/suspicious/noSparseArray: it is what is tested
    expect(cross([1, , 2])).toEqual([1, undefined, 2]);
    expect(cross(Object.create(null, { a: { value: 1, enumerable: true } }))).toEqual({ a: 1 });
  });

  it("is a copy: typed arrays share no memory", () => {
    const memory = new Float32Array([1, 2, 3]);
    const back = cross(memory.subarray(1)) as Float32Array;
    memory[1] = 9;
    expect([...back]).toEqual([2, 3]);
  });

  it("reads a getter once", () => {
    let reads = 0;
    const back = cross({ get value() { return ++reads; } }) as { value: number }; // biome-ignore format: short
    expect([back.value, back.value, reads]).toEqual([1, 1, 1]);
  });
});

describe("what is refused", () => {
  const cycle: Record<string, unknown> = { list: [] };
  (cycle.list as unknown[]).push(cycle);
  let deep: unknown = 0;
  for (let i = 0; i < LIMITS.depth + 1; i++) deep = [deep];
  const cases: [string, unknown, RegExp][] = [
    ["a cycle", cycle, /at \.list\[0\]: the value contains itself/],
    ["a symbol", { a: Symbol("s") }, /at \.a: a symbol/],
    ["a promise", [Promise.resolve(1)], /at \[0\]: a Promise: await it first/],
    ["depth", deep, /nested more than 100 deep/],
    ["an endless array", new Proxy([], { get: (_, key) => (key === "length" ? 1e12 : 0) }), /too long/],
    ["a getter that throws", { get x() { throw new Error("boo"); } }, /reading the value failed: boo/],
    ["__proto__", JSON.parse('{"__proto__": {"score": 1}}'), /"__proto__" is refused/],
    ["a lying tensor", { dtype: "float32", shape: [3], toTypedArray: () => new Float32Array(2) }, /shape \(3\) with 2 elements/],
  ]; // biome-ignore format: a table
  for (const [name, value, message] of cases) {
    it(name, () => expect(() => encode(value, noHandles)).toThrow(message));
  }

  it("shared parts are no cycle", () => {
    const shared = [1];
    expect(cross([shared, shared])).toEqual([[1], [1]]);
  });

  it("messages that nobody wrote by encode", () => {
    const bad: unknown[] = [
      { $: "object", v: [["__proto__", 1]] },
      { $: "object", v: [["a"]] },
      { $: "object", v: { a: 1 } },
      { $: "typed", type: "constructor", v: "" },
      { $: "typed", type: "Float64Array", v: "AAAA" },
      { $: "tensor", dtype: "float32", shape: [2], type: "Float32Array", v: "" },
      { $: "tensor", dtype: "float32", shape: [-1], type: "Float32Array", v: "" },
      { $: "number", v: "1e9" },
      { $: "bigint", v: "z" },
      { $: "regexp", source: "(", flags: "" },
      { $: "handle", id: -1, kind: "function", name: "f", owner: "sender" },
      { $: "portable", source: "process.exit()", scope: [] },
      { $: "nonsense" },
      {},
    ];
    for (const wire of bad) expect(() => decode(wire, noHandles), JSON.stringify(wire)).toThrow(WireError);
  });

  it("any JSON at all: decoding gives a value or a WireError, and never pollutes", () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom("object", "map", "set", "typed", "tensor", "handle", "date"),
        (json, tag) => {
          for (const wire of [
            json,
            { $: tag, v: json },
            { $: tag, v: [[json, json]], shape: json, type: json, dtype: json, id: json },
          ]) {
            try {
              decode(wire, noHandles);
            } catch (error) {
              if (!(error instanceof WireError)) throw error;
            }
          }
          expect(Object.keys(Object.prototype)).toEqual([]);
        },
      ),
      { numRuns: 500 },
    );
  });
});
