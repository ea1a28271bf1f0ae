/** The codec of gRPC: any message is a request, or one clear error. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DATATYPES, type Datatype } from "./datatypes.js";
import { ServeError } from "./errors.js";
import { decodeInferMessage, responseMessage } from "./grpc-codec.js";
import { type InferRequestMessage, inferenceService } from "./grpc-schema.js";
import { numbersOf } from "./numbers.js";

const { requestSerialize, requestDeserialize, responseSerialize, responseDeserialize } = (
  await inferenceService()
).ModelInfer;
const read = (message: object) =>
  decodeInferMessage(requestDeserialize(requestSerialize(message)) as InferRequestMessage, 1 << 20);

const VALUES: Partial<Record<Datatype, (number | boolean | string)[]>> = {
  BOOL: [true, false],
  INT64: ["-9223372036854775808", "9223372036854775807"],
  UINT64: ["0", "18446744073709551615"],
  FP32: [0.5, -2],
  FP64: [1e300, -1e-300],
};

describe("messages", () => {
  it("hold the elements of every datatype in its own field, 64 bits exactly", () => {
    for (const [name, { field, range }] of Object.entries(DATATYPES)) {
      const datatype = name as Datatype;
      const values = VALUES[datatype] ?? [range?.[0] ?? 0, range?.[1] ?? 0];
      const contents = field === null ? {} : { [field]: values };
      const message = { inputs: [{ name: "x", datatype, shape: [2], contents }] };
      if (field === null) expect(() => read(message)).toThrowError(/is sent as raw_input_contents/);
      else {
        const [x] = read(message).inputs;
        if (datatype.endsWith("INT64"))
          expect([...new BigUint64Array(x.data.slice().buffer)].map((v) => BigInt.asUintN(64, v))).toEqual(
            values.map((v) => BigInt.asUintN(64, BigInt(v))),
          );
        else expect(numbersOf(datatype, x.data)).toEqual(values.map(Number));
      }
    }
  });

  it("with an element outside its datatype are refused", () => {
    const contents = { int_contents: [128] };
    expect(() => read({ inputs: [{ name: "x", datatype: "INT8", shape: [1], contents }] })).toThrowError(
      /128 is outside INT8/,
    );
  });

  it("keep parameters as they are, both ways", () => {
    const parameters = {
      a: { bool_param: true },
      b: { int64_param: -3 },
      c: { string_param: "s" },
      d: { double_param: 0.5 },
    };
    const plain = { a: true, b: -3, c: "s", d: 0.5 };
    expect(read({ parameters }).parameters).toEqual(plain);
    const head = { name: "m", version: "1", id: "i", parameters: plain };
    const back = responseDeserialize(responseSerialize(responseMessage(head, []))) as InferRequestMessage;
    expect(back.parameters.b.int64_param?.toString()).toBe("-3");
    expect(() => read({ parameters: { e: {} } })).toThrowError(/the parameter "e" has no value/);
  });

  it("of any bytes are read, or are one ServeError, if they are messages at all", () => {
    const whole = requestSerialize({
      ...{ model_name: "m", parameters: { timeout: { int64_param: 5 } }, outputs: [{ name: "y" }] },
      inputs: [{ name: "x", datatype: "FP32", shape: [2, 1], contents: { fp32_contents: [1, 2] } }],
    });
    const damage = fc.array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(damage, fc.nat({ max: whole.length }), (changes, length) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        let message: InferRequestMessage;
        try {
          message = requestDeserialize(bytes.subarray(0, length)) as InferRequestMessage;
        } catch {
          return; // grpc-js tells the client
        }
        try {
          decodeInferMessage(message, 1 << 20);
        } catch (error) {
          expect(error).toBeInstanceOf(ServeError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
