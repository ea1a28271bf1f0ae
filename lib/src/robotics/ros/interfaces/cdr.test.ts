import { readFileSync } from "node:fs";
import { MessageReader, MessageWriter } from "@foxglove/rosmsg2-serialization";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CdrError, deserialize, encode, serialize } from "./cdr.js";
import { defineMessage, findInterface, msg } from "./registry.js";
import type { MessageType } from "./types.js";

const cases = JSON.parse(
  readFileSync(new URL("../../../../test/expected/ros_cdr.json", import.meta.url), "utf8"),
  (_, value) => {
    if (typeof value !== "string" || !/^[nf]:/.test(value)) return value;
    const text = value.slice(2);
    return value[0] === "n" ? BigInt(text) : Number(text.replace("inf", "Infinity"));
  },
) as { type: string; message: object; bytes: string }[];

test("the bytes of rclpy, for every message of the common packages, and back", () => {
  expect(cases.length).toBeGreaterThan(250);
  for (const [i, { type: name, message, bytes }] of cases.entries()) {
    const type = findInterface(name) as MessageType<object>;
    const made = type.create(message);
    const ours = Buffer.from(serialize(type, message)).toString("hex");
    expect(bytes.slice(0, ours.length), name).toBe(ours);
    // Fast DDS sends its estimate of the length, which may be a little more.
    expect(bytes.slice(ours.length), name).toMatch(/^(00){0,11}$/);
    expect(deserialize(type, Buffer.from(bytes, "hex")), name).toEqual(made);
    // Every other case is a message as rclpy's constructor leaves it.
    if (i % 2 === 0) expect(type.create(), name).toEqual(made);
  }
});

test("Foxglove's reader and writer agree on strings, arrays and alignment of own types", () => {
  const Inner = defineMessage("cdr_pkg/msg/Inner", "int8 a\nfloat64 b\nuint16 c");
  const Outer = defineMessage(
    "cdr_pkg/msg/Outer",
    "bool flag\nInner[] inner\nstring text\nint64[] big\nbool[] bits\nInner[2] two\nfloat32[3] three\nstring[<=4] words\nuint8 end",
    [Inner],
  );
  const definitions = [Outer, Inner].map(({ definition }) => ({
    name: definition.name,
    definitions: definition.fields.map((f) => ({
      name: f.name,
      type: f.type,
      isComplex: f.isMessage,
      isArray: f.array !== undefined,
      arrayLength: f.array?.length,
    })),
  }));
  const reader = new MessageReader(definitions);
  const writer = new MessageWriter(definitions);
  const inner = fc.record({
    a: fc.integer({ min: -128, max: 127 }),
    b: fc.double(),
    c: fc.integer({ min: 0, max: 65535 }),
  });
  const outer = fc.record({
    flag: fc.boolean(),
    inner: fc.array(inner, { maxLength: 4 }),
    text: fc.string(),
    big: fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { maxLength: 4 }),
    bits: fc.array(fc.boolean(), { maxLength: 5 }),
    two: fc.tuple(inner, inner),
    three: fc.tuple(fc.float(), fc.float(), fc.float()),
    words: fc.array(fc.string(), { maxLength: 4 }),
    end: fc.integer({ min: 0, max: 255 }),
  });
  fc.assert(
    fc.property(outer, (given) => {
      const message = Outer.create(given);
      const bytes = encode(Outer, message);
      expect(reader.readMessage(bytes)).toEqual(message);
      expect(deserialize(Outer, writer.writeMessage(message))).toEqual(message);
    }),
  );
});

test("strings of any characters keep their UTF-8", () => {
  const type = msg("std_msgs/msg/String");
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (data) => {
      const bytes = serialize(type, { data });
      expect(Buffer.from(bytes.subarray(8, -1)).toString()).toBe(data);
      expect(deserialize(type, bytes)).toEqual({ data });
    }),
  );
});

test("big-endian bytes", () => {
  const bytes = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9, 0, 0, 0, 2, 0x61, 0);
  expect(deserialize(msg("std_msgs/msg/Header"), bytes)).toEqual({
    stamp: { sec: 7, nanosec: 9 },
    frame_id: "a",
  });
  const Arrays = defineMessage("cdr_pkg/msg/Arrays", "int16[] x\nfloat64[1] y");
  const body = Buffer.alloc(4 + 8);
  body.writeUInt32BE(1, 4);
  body.writeInt16BE(-2, 8);
  expect(deserialize(Arrays, Buffer.concat([body, Buffer.from("3ff0000000000000", "hex")]))).toEqual({
    x: Int16Array.of(-2),
    y: Float64Array.of(1),
  });
});

test("what is read shares no memory with the bytes, nor messages with the next", () => {
  const type = msg("sensor_msgs/msg/Image");
  const bytes = serialize(type, { data: [1, 2, 3] });
  const image = deserialize(type, bytes);
  bytes.fill(0);
  expect(image.data).toEqual(Uint8Array.of(1, 2, 3));
  expect(image.data.buffer.byteLength).toBe(3);
  const first = serialize(type, { data: new Uint8Array(3 << 20).fill(5) });
  serialize(type, {});
  expect(first.length).toBeGreaterThan(3 << 20);
  expect(first.at(-1)).toBe(5);
});

describe("bytes that are no message", () => {
  test.each([
    ["00010000", "4 bytes are no std_msgs/msg/String: the bytes end early"],
    ["00", "the bytes end early"],
    ["00070000", "their encoding 0x0007 is not plain CDR"],
    ["0001000005000000616200", "a string of 5 bytes passes their end"],
    ["0001000002000000 6162", "a string does not end with a zero"],
    ["00010000ffffffff00", "passes their end"],
  ])("%s: %s", (hex, message) => {
    const bytes = Buffer.from(hex.replace(" ", ""), "hex");
    expect(() => deserialize(msg("std_msgs/msg/String"), bytes)).toThrow(CdrError);
    expect(() => deserialize(msg("std_msgs/msg/String"), bytes)).toThrow(message);
  });

  test("a count that is a lie allocates nothing", () => {
    const lie = Buffer.from("00010000ffffffff", "hex");
    for (const name of ["tf2_msgs/msg/TFMessage", "rcl_interfaces/msg/ListParametersResult"] as const) {
      expect(() => deserialize(msg(name), lie)).toThrow("a sequence of 4294967295 elements");
    }
    const Bounded = defineMessage("cdr_pkg/msg/Bounded", "uint8[<=2] few");
    expect(() => deserialize(Bounded, Buffer.from("0001000003000000010203", "hex"))).toThrow(
      "has a bound of 2",
    );
  });

  test("any bytes are read or refused with a CdrError", () => {
    const types = [
      "sensor_msgs/msg/PointCloud2",
      "visualization_msgs/msg/Marker",
      "tf2_msgs/msg/TFMessage",
    ] as const;
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 200 }), (name, bytes) => {
        try {
          deserialize(msg(name), Buffer.concat([Uint8Array.of(0, 1, 0, 0), bytes]));
        } catch (error) {
          expect(error).toBeInstanceOf(CdrError);
        }
      }),
    );
  });

  test("wstring is refused", () => {
    const Wide = defineMessage("cdr_pkg/msg/Wide", "wstring w");
    expect(() => serialize(Wide, { w: "a" })).toThrow("field w is a wstring");
  });
});
