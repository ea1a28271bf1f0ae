import { ros2jazzy } from "@foxglove/rosmsg-msgs-common";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { COMMON_TEXTS } from "./common/index.js";
import { InterfaceError, parseAction, parseMessage, parseService } from "./parse.js";

const one = (line: string) => parseMessage("a_pkg/msg/Thing", line).fields[0];

test("fields: built-in types, messages of this and other packages, arrays, bounds", () => {
  expect(one("float64 x")).toEqual({ name: "x", type: "float64", isMessage: false });
  expect(one("Point at")).toEqual({ name: "at", type: "a_pkg/msg/Point", isMessage: true });
  expect(one("geometry_msgs/Point at").type).toBe("geometry_msgs/msg/Point");
  expect(one("geometry_msgs/msg/Point at").type).toBe("geometry_msgs/msg/Point");
  expect(one("int8[] x").array).toEqual({});
  expect(one("int8[3] x").array).toEqual({ length: 3 });
  expect(one("int8[<=3] x").array).toEqual({ bound: 3 });
  expect(one("string<=5[<=3] x")).toEqual({
    name: "x",
    type: "string",
    isMessage: false,
    array: { bound: 3 },
    stringBound: 5,
  });
  expect(one("\tint8\tx\t# with tabs").name).toBe("x");
});

test("defaults", () => {
  expect(one("int32 x -7").defaultValue).toBe(-7);
  expect(one("int32 x 0x1F").defaultValue).toBe(31);
  expect(one("int64 x -9223372036854775808").defaultValue).toBe(-(2n ** 63n));
  expect(one("bool x True").defaultValue).toBe(true);
  expect(one("float32 x .5e1").defaultValue).toBe(5);
  expect(one("float64 x -inf").defaultValue).toBe(Number.NEGATIVE_INFINITY);
  expect(one("string x it is").defaultValue).toBe("it is");
  expect(one(`string x "a \\"b\\" "`).defaultValue).toBe('a "b" ');
  expect(one("string x ''").defaultValue).toBe("");
  expect(one("int8[] x [1, 2,-3]").defaultValue).toEqual([1, 2, -3]);
  expect(one("int8[] x []").defaultValue).toEqual([]);
  expect(one(`string[] x ["a, b", 'c', d]`).defaultValue).toEqual(["a, b", "c", "d"]);
});

test("constants: whatever has a = after its name", () => {
  const { constants, fields } = parseMessage(
    "a/msg/B",
    "uint8 A=1\nstring NAME = 'it # is'\nint64 LOW=-5 # low\nfloat32 PI=3.14",
  );
  expect(fields).toEqual([]);
  expect(constants).toEqual([
    { name: "A", type: "uint8", value: 1 },
    { name: "NAME", type: "string", value: "'it" }, // rosidl cuts at # inside quotes too
    { name: "LOW", type: "int64", value: -5n },
    { name: "PI", type: "float32", value: 3.14 },
  ]);
});

test("services and actions", () => {
  const service = parseService("a/srv/B", "int8 x\n---\n---".replace(/\n---$/, ""));
  expect(service.request).toMatchObject({ name: "a/srv/B_Request", fields: [{ name: "x" }] });
  expect(service.response).toMatchObject({ name: "a/srv/B_Response", fields: [] });
  const action = parseAction("a/action/B", "int8 g\n---\nint8 r\n---\nint8 f");
  expect([action.goal, action.result, action.feedback].map((m) => m.fields[0].name)).toEqual(["g", "r", "f"]);
});

describe("errors name the interface, the line and the rule", () => {
  test.each([
    ["a/msg/B", "int8 x\n\nint8 X", `a/msg/B, line 3 "int8 X": "X" is no name of a field`],
    ["a/msg/B", "int8", "expected a type and a name"],
    ["a/msg/B", "int8 x\nint8 x", 'line 2 "int8 x": field x is defined twice'],
    ["a/msg/B", "int8 A=1\nint8 A=2", "constant A is defined twice"],
    ["a/msg/B", "int8 x 200", '"200" is no int8: expected a whole number from -128 to 127'],
    ["a/msg/B", "int8 x 1.5", '"1.5" is no int8'],
    ["a/msg/B", "float32 x 1,5", '"1,5" is no number: expected digits with "." as the separator'],
    ["a/msg/B", "bool x maybe", "expected true, false, 1 or 0"],
    ["a/msg/B", "int8[0] x", "must be a whole number above 0"],
    ["a/msg/B", "int8[a] x", "must be a whole number above 0"],
    ["a/msg/B", "int8] x", 'has no "["'],
    ["a/msg/B", "string<=0 x", "must be a whole number above 0"],
    ["a/msg/B", "string<=2 x abc", "longer than the 2 characters"],
    ["a/msg/B", "int8[2] x [1]", "has 1 elements, its type 2"],
    ["a/msg/B", "int8[<=2] x [1,2,3]", "at most 2"],
    ["a/msg/B", "int8[] x 1", "must stand in [ ]"],
    ["a/msg/B", "Point x 1", "can have no default"],
    ["a/msg/B", "point x", '"point" is no type'],
    ["a/msg/B", "a/b/c/D x", "is no type"],
    ["a/msg/B", "Point P=1", "a constant's type must be built in"],
    ["a/msg/B", "int8 lower=1", "no name of a constant"],
    ["a/msg/B", "int8 a__b", "no name of a field"],
    ["a/msg/b", "", '"b" must be letters and digits, the first a capital'],
    ["B", "", "is not the name of an interface: expected package/msg/Name"],
    ["a/srv/B", "", "is not the name of an interface: expected package/msg/Name"],
  ])("%s: %j", (name, text, message) => {
    expect(() => parseMessage(name, text)).toThrow(InterfaceError);
    expect(() => parseMessage(name, text)).toThrow(message);
  });
  test("parts", () => {
    expect(() => parseService("a/srv/B", "int8 x")).toThrow('one line "---" between its parts, found 0');
    expect(() => parseAction("a/action/B", "---")).toThrow('two lines "---" between its parts, found 1');
    expect(() => parseService("a/srv/B", "int8 x\n---\nint8 Y")).toThrow('a/srv/B_Response, line 3 "int8 Y"');
  });
});

test("reads the common packages' messages as Foxglove's parser does", () => {
  // Their reader takes builtin_interfaces' Time and Duration for built-in types.
  const isMessage = (field: { type: string; isComplex?: boolean }) =>
    field.isComplex === true || field.type === "time" || field.type === "duration";
  let compared = 0;
  for (const [name, text] of Object.entries(COMMON_TEXTS)) {
    const peer = ros2jazzy[name.replace("/msg/", "/") as keyof typeof ros2jazzy];
    if (!name.includes("/msg/") || peer === undefined) continue;
    compared++;
    const ours = parseMessage(name, text);
    expect(
      ours.fields.map((f) => [f.name, f.isMessage, f.array !== undefined, f.array?.length, f.defaultValue]),
      name,
    ).toEqual(
      peer.definitions
        .filter((d) => !d.isConstant)
        .map((d) => [d.name, isMessage(d), d.isArray === true, d.arrayLength, d.defaultValue]),
    );
    expect(ours.constants.map((c) => [c.name, c.value])).toEqual(
      peer.definitions.filter((d) => d.isConstant).map((d) => [d.name, d.value]),
    );
  }
  expect(compared).toBeGreaterThan(120);
});

test("any text is parsed or refused with an InterfaceError", () => {
  const word = fc.constantFrom(
    "int8",
    "string<=3",
    "Point",
    "x",
    "A",
    "=",
    "[",
    "]",
    "<=",
    "#",
    "'",
    '"',
    "---",
    "1",
  );
  const text = fc.array(fc.oneof(word, fc.constant("\n"), fc.constant(" "), fc.string()), { maxLength: 12 });
  fc.assert(
    fc.property(text, (pieces) => {
      for (const parse of [
        () => parseMessage("a/msg/B", pieces.join("")),
        () => parseService("a/srv/B", pieces.join("")),
      ]) {
        try {
          parse();
        } catch (error) {
          expect(error).toBeInstanceOf(InterfaceError);
        }
      }
    }),
  );
});
