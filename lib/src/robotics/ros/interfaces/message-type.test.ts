import { describe, expect, test } from "vitest";
import {
  action,
  defineAction,
  defineMessage,
  defineService,
  findInterface,
  interfaceNames,
  msg,
  srv,
} from "./registry.js";

describe("create", () => {
  test("fills what is missing with defaults and zeros, arrays typed", () => {
    const scan = msg("sensor_msgs/msg/LaserScan").create({ angle_min: -1, ranges: [1, 2.5] });
    expect(scan).toEqual({
      header: { stamp: { sec: 0, nanosec: 0 }, frame_id: "" },
      angle_min: -1,
      angle_max: 0,
      angle_increment: 0,
      time_increment: 0,
      scan_time: 0,
      range_min: 0,
      range_max: 0,
      ranges: Float32Array.of(1, 2.5),
      intensities: new Float32Array(0),
    });
    expect(msg("geometry_msgs/msg/Quaternion").create()).toEqual({ x: 0, y: 0, z: 0, w: 1 });
    expect(msg("sensor_msgs/msg/NavSatStatus").create().status).toBe(-2);
    expect(msg("geometry_msgs/msg/PoseWithCovariance").create().covariance).toEqual(new Float64Array(36));
  });

  test("copies arrays, from views of any buffer", () => {
    const data = Buffer.from([1, 2, 3]);
    const image = msg("sensor_msgs/msg/Image").create({ data });
    expect(image.data).toEqual(Uint8Array.of(1, 2, 3));
    data[0] = 9;
    expect(image.data[0]).toBe(1);
    expect(Object.getPrototypeOf(image.data)).toBe(Uint8Array.prototype);
  });

  test("float32 is rounded, 64-bit integers are bigints, -0 is no integer", () => {
    expect(msg("std_msgs/msg/Float32").create({ data: 0.1 }).data).toBe(Math.fround(0.1));
    expect(msg("std_msgs/msg/Int64").create({ data: 5 }).data).toBe(5n);
    expect(msg("std_msgs/msg/UInt64").create({ data: 2n ** 64n - 1n }).data).toBe(2n ** 64n - 1n);
    expect(msg("std_msgs/msg/Int64MultiArray").create({ data: [1, 2n] }).data).toEqual(
      BigInt64Array.of(1n, 2n),
    );
    expect(Object.is(msg("std_msgs/msg/Int8").create({ data: -0 }).data, 0)).toBe(true);
    expect(msg("std_msgs/msg/Float32").create({ data: Number.NaN }).data).toBeNaN();
    expect(msg("std_msgs/msg/Float64MultiArray").create({ data: [Number.NaN, -0] }).data).toEqual(
      Float64Array.of(Number.NaN, -0),
    );
  });

  test("a field named as what every object has", () => {
    const Odd = defineMessage("odd_pkg/msg/Odd", "string constructor\nint8 class 3\nint8 v\nint8 at");
    expect(Odd.create({ v: 1 })).toEqual({ constructor: "", class: 3, v: 1, at: 0 });
    expect(Odd.create({ constructor: "x" }).constructor).toBe("x");
  });

  const path = msg("nav_msgs/msg/Path");
  const scan = msg("sensor_msgs/msg/LaserScan");
  const Bounded = defineMessage(
    "bounded_pkg/msg/Bounded",
    "string<=3 name\nint8[<=2] few\nuint8[2] two [4, 5]\nstring<=2[] words\nbool[2] flags [true, false]",
  );
  test.each<[string, () => unknown]>([
    [
      "std_msgs/msg/String: field data: expected string, got number 3",
      () => msg("std_msgs/msg/String").create({ data: 3 as never }),
    ],
    [
      "field data: expected string, got null",
      () => msg("std_msgs/msg/String").create({ data: null as never }),
    ],
    [
      'there is no field "dat": std_msgs/msg/String has data',
      () => msg("std_msgs/msg/String").create({ dat: "" } as never),
    ],
    [
      'there is no field "x": std_msgs/msg/Empty has no fields',
      () => msg("std_msgs/msg/Empty").create({ x: 1 } as never),
    ],
    [
      'std_msgs/msg/String: expected std_msgs/msg/String, got string "a"',
      () => msg("std_msgs/msg/String").create("a" as never),
    ],
    [
      "field data: expected int8 (a whole number from -128 to 127), got number 128",
      () => msg("std_msgs/msg/Int8").create({ data: 128 }),
    ],
    ["got number 1.5", () => msg("std_msgs/msg/UInt32").create({ data: 1.5 })],
    ["got number -1", () => msg("std_msgs/msg/UInt32").create({ data: -1 })],
    ["got number 2147483648", () => msg("std_msgs/msg/Int32").create({ data: 2 ** 31 })],
    ["expected float32, got number 1e+39", () => msg("std_msgs/msg/Float32").create({ data: 1e39 })],
    ["expected float64, got bigint 1n", () => msg("std_msgs/msg/Float64").create({ data: 1n as never })],
    ["expected bool, got number 1", () => msg("std_msgs/msg/Bool").create({ data: 1 as never })],
    [
      "expected uint64 (a bigint, or a number that is a safe integer), got bigint -1n",
      () => msg("std_msgs/msg/UInt64").create({ data: -1n }),
    ],
    ["got number 9007199254740992", () => msg("std_msgs/msg/Int64").create({ data: 2 ** 53 })],
    ["field header.stamp.sec: expected int32", () => scan.create({ header: { stamp: { sec: 0.5 } } })],
    [
      'sensor_msgs/msg/LaserScan: field ranges[1]: expected float32, got string "a"',
      () => scan.create({ ranges: [1, "a" as never] }),
    ],
    ["field ranges[0]: expected float32, got number 1e+300", () => scan.create({ ranges: [1e300] })],
    ["field ranges: expected an array of float32, got string", () => scan.create({ ranges: "no" as never })],
    [
      "field poses[1].pose.position.x: expected float64, got an object",
      () => path.create({ poses: [{}, { pose: { position: { x: {} as never } } }] }),
    ],
    [
      "field poses: expected an array of geometry_msgs/msg/PoseStamped, got an object",
      () => path.create({ poses: {} as never }),
    ],
    ['field poses[0]: there is no field "posee"', () => path.create({ poses: [{ posee: 1 } as never] })],
    ["field name: expected at most 3 characters, got 4", () => Bounded.create({ name: "abcd" })],
    ["field few: expected at most 2 elements of int8, got 3", () => Bounded.create({ few: [1, 2, 3] })],
    ["field two: expected 2 elements of uint8, got 1", () => Bounded.create({ two: Uint8Array.of(1) })],
    ["field words[1]: expected at most 2 characters, got 3", () => Bounded.create({ words: ["ab", "abc"] })],
    ["field flags[1]: expected bool, got number 0", () => Bounded.create({ flags: [true, 0 as never] })],
    [
      "field few[1]: expected int8 (a whole number from -128 to 127), got number 300",
      () => Bounded.create({ few: Float64Array.of(1, 300) as never }),
    ],
  ])("refuses: %s", (message, make) => {
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });

  test("bounds count characters, defaults of arrays are copies", () => {
    expect(Bounded.create({ name: "🤖🤖🤖" }).name).toBe("🤖🤖🤖");
    const first = Bounded.create();
    expect(first).toEqual({
      name: "",
      few: new Int8Array(0),
      two: Uint8Array.of(4, 5),
      words: [],
      flags: [true, false],
    });
    first.two[0] = 9;
    first.flags[0] = false;
    expect(Bounded.create()).toMatchObject({ two: Uint8Array.of(4, 5), flags: [true, false] });
  });
});

describe("names", () => {
  test("every known interface can be made", () => {
    for (const name of interfaceNames()) {
      const type = findInterface(name)!;
      expect(type.name).toBe(name);
      if (type.kind === "msg") expect(type.create()).toEqual(type.create({}));
    }
    expect(interfaceNames().length).toBeGreaterThan(170);
  });

  test("dependencies hold every nested message", () => {
    expect([...msg("geometry_msgs/msg/PoseStamped").dependencies.keys()].sort()).toEqual([
      "builtin_interfaces/msg/Time",
      "geometry_msgs/msg/Point",
      "geometry_msgs/msg/Pose",
      "geometry_msgs/msg/PoseStamped",
      "geometry_msgs/msg/Quaternion",
      "std_msgs/msg/Header",
    ]);
  });

  test("constants", () => {
    expect(msg("action_msgs/msg/GoalStatus").constants.STATUS_SUCCEEDED).toBe(4);
    expect(srv("rcl_interfaces/srv/ListParameters").request.constants.DEPTH_RECURSIVE).toBe(0n);
  });

  test("an unknown name says what there is", () => {
    expect(() => msg("std_msgs/msg/Strng" as never)).toThrow(
      /std_msgs\/msg\/Strng is not known: std_msgs has .*String/,
    );
    expect(() => srv("std_msgs/msg/String" as never)).toThrow("expected package/srv/Name");
    expect(() => action("nobody/action/X" as never)).toThrow("no package nobody with a action is known");
    expect(findInterface("toString")).toBeUndefined();
  });

  test("own interfaces: found by name, replaced when defined again, ROS's own kept", () => {
    const A = defineMessage("again_pkg/msg/A", "int8 x");
    expect(findInterface("again_pkg/msg/A")).toBe(A);
    const B = defineMessage("again_pkg/msg/A", "int16 x");
    expect(findInterface("again_pkg/msg/A")).toBe(B);
    expect(B.create({ x: 300 })).toEqual({ x: 300 });
    expect(() => defineMessage("std_msgs/msg/String", "int8 x")).toThrow("an interface of ROS itself");
    const concat = defineService(
      "my_interfaces/srv/ConcatTwoStr",
      "string str1\nstring str2\n---\nstring ret",
    );
    expect(findInterface("my_interfaces/srv/ConcatTwoStr")).toBe(concat); // the book's own, written by the reader
    expect(() => defineMessage("again_pkg/msg/C", "Missing m")).toThrow(
      'field m is a again_pkg/msg/Missing, which is not known: define it first with ros.defineMessage("again_pkg/msg/Missing", …)',
    );
  });

  test("services and actions, with the types that the action protocol wraps around them", () => {
    const Concat = defineService("own_pkg/srv/Concat", "string a\nstring b\n---\nstring ret");
    expect(Concat.request.create({ a: "x" })).toEqual({ a: "x", b: "" });
    const Sum = defineAction("own_pkg/action/Sum", "int32[] list\n---\nint32 sum\n---\nint32 sum_so_far");
    expect(Sum.goal.name).toBe("own_pkg/action/Sum_Goal");
    const request = Sum.sendGoal.request.create({ goal: { list: [1, 2] } });
    expect(request).toEqual({ goal_id: { uuid: new Uint8Array(16) }, goal: { list: Int32Array.of(1, 2) } });
    expect(Sum.sendGoal.response.create()).toEqual({ accepted: false, stamp: { sec: 0, nanosec: 0 } });
    expect(Sum.getResult.response.create({ status: 4, result: { sum: 3 } })).toEqual({
      status: 4,
      result: { sum: 3 },
    });
    expect(Sum.feedbackMessage.create().feedback).toEqual({ sum_so_far: 0 });
    expect(Sum.sendGoal.name).toBe("own_pkg/action/Sum_SendGoal");
    expect(Sum.feedbackMessage.name).toBe("own_pkg/action/Sum_FeedbackMessage");
  });
});
