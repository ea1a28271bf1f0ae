/** The codec of HTTP: what it reads, what it writes, and one clear error for whatever else comes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DATATYPES, type Datatype } from "./datatypes.js";
import { ServeError } from "./errors.js";
import { decodeInfer, encodeResponse, type HttpInferRequest } from "./http-codec.js";
import { encodeNumbers, numbersOf } from "./numbers.js";

const read = (json: unknown, behind: Uint8Array | null = null): HttpInferRequest => {
  const head = Buffer.from(typeof json === "string" ? json : JSON.stringify(json));
  return behind === null
    ? decodeInfer(head, undefined)
    : decodeInfer(Buffer.concat([head, behind]), String(head.length));
};
const input = (more: object = {}) => ({
  name: "x",
  datatype: "FP32",
  shape: [2, 2],
  data: [1, 2, 3, 4],
  ...more,
});
const inputs = (more: object = {}) => ({ inputs: [input(more)] });
const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

describe("requests", () => {
  it("come with data flat or in rows", () => {
    for (const data of [
      [1, 2, 3, 4],
      [
        [1, 2],
        [3, 4],
      ],
    ]) {
      const { inputs: found } = read(inputs({ data }));
      expect(found).toEqual([{ name: "x", datatype: "FP32", shape: [2, 2], data: floats(1, 2, 3, 4) }]);
    }
  });

  it("come with binary data behind the JSON, in the order of the inputs", () => {
    const binary = (name: string, shape: number[], size: number) => ({
      ...{ name, datatype: "FP32", shape },
      parameters: { binary_data_size: size },
    });
    const json = { id: "7", inputs: [binary("a", [2], 8), input(), binary("b", [1], 4)] };
    const found = read(json, floats(1, 2, 3));
    expect(found.id).toBe("7");
    expect(found.inputs.map(({ name, data }) => [name, ...numbersOf("FP32", data)])).toEqual([
      ["a", 1, 2],
      ["x", 1, 2, 3, 4],
      ["b", 3],
    ]);
  });

  it("ask for outputs, binary or not", () => {
    const found = read({
      ...inputs(),
      parameters: { binary_data_output: true },
      outputs: [{ name: "y" }, { name: "z", parameters: { binary_data: false } }],
    });
    expect(found.outputs).toEqual(["y", "z"]);
    expect([found.isBinary("y"), found.isBinary("z")]).toEqual([true, false]);
    expect(read({ ...inputs(), outputs: [] }).outputs).toBeNull();
    expect(read(inputs()).isBinary("y")).toBe(false);
  });

  it("hold every number of every datatype, both ways", () => {
    for (const datatype of Object.keys(DATATYPES) as Datatype[]) {
      const { range } = DATATYPES[datatype];
      const safe = Number.MAX_SAFE_INTEGER;
      const number = range
        ? fc.integer({ min: Math.max(range[0], -safe), max: Math.min(range[1], safe) })
        : fc.integer({ min: -100, max: 100 }).map((x) => x / 4);
      fc.assert(
        fc.property(fc.array(number, { minLength: 1 }), (data) => {
          const given = datatype === "BOOL" ? data.map((x) => x === 1) : data;
          const [x] = read(inputs({ datatype, shape: [data.length], data: given })).inputs;
          expect(numbersOf(datatype, x.data)).toEqual(data);
          const { body } = encodeResponse({ id: "1" }, [{ ...x, name: "y" }], () => false);
          expect(JSON.parse(body.toString())).toEqual({
            id: "1",
            outputs: [{ name: "y", datatype, shape: [data.length], data: given }],
          });
        }),
        { numRuns: 20 },
      );
    }
  });

  const deep = (levels: number): string => `${"[".repeat(levels)}1${"]".repeat(levels)}`;

  // biome-ignore format: a table
  const WRONG: [string, () => unknown, RegExp][] = [
    ["no JSON", () => read("{"), /^the request is not JSON/],
    ["bytes that are no text", () => decodeInfer(Buffer.from([0xff, 0xfe]), undefined), /not JSON/],
    ["an empty body", () => read(""), /not JSON/],
    ["a list", () => read([1]), /no JSON object, but \[1\]/],
    ["no inputs", () => read({}), /inputs is a list of at most 1024 objects, got undefined/],
    ["inputs that an object inherits", () => read('{"__proto__":{"inputs":[]}}'), /inputs is a list/],
    ["an input that is none", () => read({ inputs: [3] }), /an object is expected, got 3/],
    ["lists without end", () => read(`{"inputs":${deep(100_000)}}`), /an object is expected, got a list of 1/],
    ["a name that is none", () => read(inputs({ name: 3 })), /has no name, but 3/],
    ["an id that is none", () => read({ ...inputs(), id: {} }), /id is text, got an object/],
    ["an unknown datatype", () => read(inputs({ datatype: "FP8" })), /unknown datatype "FP8"; known: BOOL/],
    ["a datatype of Object's", () => read(inputs({ datatype: "constructor" })), /unknown datatype/],
    ["text", () => read(inputs({ datatype: "BYTES" })), /BYTES is not served/],
    ["no shape", () => read(inputs({ shape: undefined })), /shape is a list of at most 32 whole numbers from 0, got undefined/],
    ["a negative size", () => read(inputs({ shape: [-1, 4] })), /shape is a list .* got \[-1, 4\]/],
    ["a size that is no whole number", () => read(inputs({ shape: [1.5] })), /shape is a list/],
    ["too many axes", () => read(inputs({ shape: Array(33).fill(1) })), /shape is a list/],
    ["sizes beyond all memory", () => read(inputs({ shape: [1e9, 1e9, 1e9, 1e9] })), /larger than a request may be/],
    ["no elements and a size beyond all memory", () => read(inputs({ shape: [0, 2 ** 50], data: [] })), /larger than a request may be/],
    ["fewer elements than the shape has", () => read(inputs({ data: [1] })), /1 elements, its shape has 4/],
    ["rows of lists and elements", () => read(inputs({ data: [[1, 2], 3, 4] })), /side by side/],
    ["data too deep", () => read(`{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":${deep(5000)}}]}`), /too deep/],
    ["text for a number", () => read(inputs({ data: [1, 2, "3", 4] })), /element 2: FP32 cannot hold "3": a number is expected/],
    ["nothing for a number", () => read(inputs({ data: [1, 2, 3, null] })), /element 3: FP32 cannot hold null/],
    ["a number that is too large", () => read(inputs({ datatype: "INT8", data: [1, 2, 3, 128] })), /128: it is outside -128 … 127/],
    ["a fraction for a whole number", () => read(inputs({ datatype: "INT32", data: [1, 2, 3, 0.5] })), /a whole number is expected/],
    ["a number that JSON does not hold", () => read(inputs({ datatype: "INT64", data: [1, 2, 3, 2 ** 60] })), /up to 2\^53 only/],
    ["data of no kind", () => read(inputs({ data: undefined })), /has no list of data, but undefined/],
    ["data twice", () => read(inputs({ parameters: { binary_data_size: 16 } }), floats(1, 2, 3, 4)), /one of them is meant/],
    ["a binary size that is not the shape's", () => read(inputs({ data: undefined, parameters: { binary_data_size: 15 } }), floats(1, 2, 3, 4)), /binary_data_size is 15, FP32\[2,2\] has 16 bytes/],
    ["a negative binary size", () => read(inputs({ data: undefined, parameters: { binary_data_size: -16 } }), floats(1)), /binary_data_size is -16/],
    ["binary data cut short", () => read(inputs({ data: undefined, parameters: { binary_data_size: 16 } }), floats(1, 2)), /16 bytes of binary data are announced, 8 are there/],
    ["binary data of nobody's", () => read(inputs(), floats(1)), /4 bytes of binary data belong to no input/],
    ["a header that is no length", () => decodeInfer(Buffer.from("{}"), "-1"), /inference-header-content-length is "-1"; the body has 2 bytes/],
    ["a header beyond the body", () => decodeInfer(Buffer.from("{}"), "3"), /the body has 2 bytes/],
    ["a parameter that is an object", () => read({ ...inputs(), parameters: { a: {} } }), /the parameter "a" is text, a number or a truth value/],
    ["parameters that are none", () => read({ ...inputs(), parameters: 1 }), /parameters are an object, got 1/],
    ["shared memory", () => read(inputs({ parameters: { shared_memory_region: "r" } })), /shared memory is not served/],
    ["a classification", () => read({ ...inputs(), outputs: [{ name: "y", parameters: { classification: 3 } }] }), /classification is not served/],
  ];

  it.each(WRONG)("with %s are one clear error", (_, act, message) => {
    expect(act).toThrowError(ServeError);
    expect(act).toThrowError(message);
  });

  it("of any bytes are read, or are one ServeError", () => {
    const known = JSON.stringify({ ...inputs(), outputs: [{ name: "y" }], parameters: { timeout: 1 } });
    const damaged = fc
      .tuple(fc.nat({ max: known.length - 1 }), fc.string({ maxLength: 3 }), fc.nat({ max: 4 }))
      .map(([at, put, cut]) => known.slice(0, at) + put + known.slice(at + cut));
    fc.assert(
      fc.property(
        fc.oneof(
          damaged,
          fc.json().map((value) => `{"inputs":[${value}]}`),
          fc.string(),
        ),
        fc.option(fc.oneof(fc.nat({ max: 200 }).map(String), fc.string()), { nil: undefined }),
        (text, header) => {
          try {
            decodeInfer(Buffer.from(text), header);
          } catch (error) {
            expect(error).toBeInstanceOf(ServeError);
            expect((error as ServeError).message.length).toBeLessThan(1000);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("answers", () => {
  const y = { name: "y", datatype: "FP32" as const, shape: [2], data: floats(1, 0.5) };

  it("have binary data behind the JSON where that was asked for", () => {
    const z = { ...y, name: "z", data: floats(3, 4) };
    const { body, jsonLength } = encodeResponse({ model_name: "m" }, [y, z], (name) => name === "z");
    expect(JSON.parse(body.subarray(0, jsonLength as number).toString())).toEqual({
      model_name: "m",
      outputs: [
        { name: "y", datatype: "FP32", shape: [2], data: [1, 0.5] },
        { name: "z", datatype: "FP32", shape: [2], parameters: { binary_data_size: 8 } },
      ],
    });
    expect(numbersOf("FP32", body.subarray(jsonLength as number))).toEqual([3, 4]);
  });

  it("hold whole numbers of 64 bits exactly", () => {
    const data = new Uint8Array(BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n)).buffer);
    const { body } = encodeResponse(
      { id: "" },
      [{ name: "y", datatype: "INT64", shape: [2], data }],
      () => false,
    );
    expect(body.toString()).toContain('"data":[9223372036854775807,-9223372036854775808]');
  });

  it("say so where JSON has no word for an element", () => {
    const bad = { ...y, data: encodeNumbers("FP32", [1, Number.NaN]) };
    expect(() => encodeResponse({ id: "" }, [bad], () => false)).toThrowError(
      /output "y", element 1, is NaN, which JSON can't hold: ask for it as binary_data/,
    );
  });
});
