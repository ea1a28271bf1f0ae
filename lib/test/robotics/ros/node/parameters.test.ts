/** Parameters: types, ranges, callbacks, sets that are all or nothing, values from outside. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import {
  createNode,
  graphHost,
  InvalidParameterValueError,
  msg,
  type Node,
  type NodeOptions,
  ParameterAlreadyDeclaredError,
  ParameterImmutableError,
  type ParameterInput,
  ParameterNotDeclaredError,
  ParameterUninitializedError,
} from "../../../../src/robotics/ros/index.js";
import {
  fromMessage,
  needsBigint,
  type ParameterValueMessage,
  plain,
  toMessage,
  typed,
} from "../../../../src/robotics/ros/node/parameter-value.js";

const expected = JSON.parse(readFileSync(new URL("expected.json", import.meta.url), "utf8"));
const host = graphHost({ network: "parameter-tests" });
const nodes: Node[] = [];

async function make(options: NodeOptions = {}): Promise<Node> {
  const node = await createNode("n", { host, useGlobalArguments: false, onLog: () => {}, ...options });
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.destroy();
});

describe("declared parameters", () => {
  it("have the type of their value and are read as it", async () => {
    const node = await make();
    const name: string = node.declareParameter("name", "world");
    const speed: number = node.declareParameter("speed", 1);
    const big: bigint = node.declareParameter("big", 5n);
    const flags: boolean[] = node.declareParameter("flags", [true]);
    const list: number[] = node.declareParameter("list", Float64Array.of(1, 2));
    const bigs: bigint[] = node.declareParameter("bigs", BigInt64Array.of(3n));
    expect([name, speed, big, flags, list, bigs]).toEqual(["world", 1, 5n, [true], [1, 2], [3n]]);
    const types = ["name", "speed", "big", "flags", "list", "bigs"].map(
      (key) => node.describeParameter(key).type,
    );
    expect(types).toEqual(["string", "double", "integer", "bool_array", "double_array", "integer_array"]);
    node.declareParameter("id", 953, { type: "integer" });
    node.declareParameter("ids", [], { type: "integer_array" });
    node.setParameters({ ids: [1, 2], id: 3, big: 2n ** 62n });
    expect([node.getParameter("ids"), node.getParameter("id", "integer"), node.getParameter("big")]).toEqual([
      [1, 2],
      3,
      2n ** 62n,
    ]);
    expect(() => node.getParameter("id", "double")).toThrow("parameter id is of type integer, not double");
  });

  it("are copies: who changes an array changes no parameter", async () => {
    const node = await make();
    const given = [1, 2];
    const got = node.declareParameter("list", given);
    given[0] = 9;
    got[1] = 9;
    (node.getParameter("list") as number[])[0] = 9;
    expect(node.getParameter("list")).toEqual([1, 2]);
  });

  it("keep their type", async () => {
    const node = await make();
    node.declareParameter("text", "a");
    node.declareParameter("id", 1, { type: "integer" });
    node.declareParameter("x", 1.5);
    expect(node.setParameters({ text: 1, id: 1.5, x: 2n }).map(({ reason }) => reason)).toEqual([
      "parameter text is of type string, not double (double 1)",
      "parameter id is of type integer, not double (double 1.5)",
      "parameter x is of type double, not integer (integer 2): write it with a point, 2.0",
    ]);
    expect(node.setParameters({ id: 2n ** 60n })[0].reason).toBe(
      "parameter id: 1152921504606846976 is beyond 2^53, and it was declared with a number, not a bigint",
    );
    expect(["text", "id", "x"].map((name) => node.getParameter(name))).toEqual(["a", 1, 1.5]);
  });

  it("that are wrong are refused with a reason", async () => {
    const node = await make();
    node.declareParameter("x", 1);
    expect(() => node.declareParameter("x", 2)).toThrow(
      new ParameterAlreadyDeclaredError("parameter x is declared already"),
    );
    expect(() => node.declareParameter("", 2)).toThrow("a parameter's name must not be empty");
    expect(() => node.declareParameter("none", undefined, {})).toThrow(
      "parameter none needs a value, a { type } or { dynamicTyping: true }",
    );
    expect(() => node.declareParameter("e", [])).toThrow(
      "parameter e: an empty array has no type of its own: declare it with { type }",
    );
    expect(() => node.declareParameter("m", [1, "a"] as never)).toThrow(
      "parameter m: element 1 is a string, the first is a number",
    );
    expect(() => node.declareParameter("o", {} as never)).toThrow(
      "parameter o: a value is a boolean, number",
    );
    expect(() => node.declareParameter("b", 2n ** 63n)).toThrow("does not fit into a 64-bit integer");
    expect(() => node.declareParameter("i", 1.5, { type: "integer" })).toThrow(
      new InvalidParameterValueError(
        "can't declare: parameter i is of type integer, not double (double 1.5)",
      ),
    );
    expect(() => node.declareParameter("r", 11, { range: { from: 0, to: 10 } })).toThrow(
      "parameter r is out of its range 0 … 10: 11",
    );
    expect(() => node.declareParameter("s", "a", { range: { from: 0, to: 10 } })).toThrow(
      "a string has no range",
    );
    expect(() => node.declareParameter("s", 1, { type: "integer", range: { from: 0.5, to: 10 } })).toThrow(
      "parameter s: from of its range is 0.5, no integer",
    );
    expect(() => node.getParameter("y")).toThrow(
      new ParameterNotDeclaredError("parameter y is not declared; declared are x"),
    );
    expect(() => node.setParameters({ y: 1 })).toThrow(ParameterNotDeclaredError);
    expect([...node.listParameters().names].sort()).toEqual(["use_sim_time", "x"]);
  });

  it("without a value wait for one", async () => {
    const node = await make();
    expect(node.declareParameter("x", undefined, { type: "integer" })).toBeUndefined();
    expect(() => node.getParameter("x")).toThrow(
      new ParameterUninitializedError("parameter x (integer) has no value yet"),
    );
    expect(node.getParameterOr("x", 7)).toBe(7);
    expect(node.setParameters({ x: 3 })[0].successful).toBe(true);
    expect([node.getParameter("x"), node.getParameterOr("x", 7), node.getParameterOr("z", "d")]).toEqual([
      3,
      3,
      "d",
    ]);
  });

  it("are read-only, undeclared, described anew", async () => {
    const node = await make({ parameters: { fixed: "given" } });
    node.declareParameter("fixed", "default", {
      readOnly: true,
      description: "d",
      additionalConstraints: "c",
    });
    expect(node.getParameter("fixed")).toBe("given");
    expect(node.setParameters({ fixed: "x" })).toEqual([
      { successful: false, reason: "parameter fixed is read-only" },
    ]);
    expect(() => node.undeclareParameter("fixed")).toThrow(ParameterImmutableError);
    expect(() => node.setDescriptor("fixed", {})).toThrow(ParameterImmutableError);
    expect(node.describeParameter("fixed")).toEqual({
      name: "fixed",
      type: "string",
      description: "d",
      additionalConstraints: "c",
      readOnly: true,
      dynamicTyping: false,
    });
    node.declareParameter("x", 5);
    expect(node.setDescriptor("x", { range: { from: 0, to: 4 } }, 3)).toBe(3);
    expect(node.setParameters({ x: 5 })[0].successful).toBe(false);
    expect(() => node.setDescriptor("x", { range: { from: 10, to: 20 } })).toThrow(
      InvalidParameterValueError,
    );
    node.undeclareParameter("x");
    expect(node.hasParameter("x")).toBe(false);
    expect(() => node.undeclareParameter("x")).toThrow(ParameterNotDeclaredError);
  });

  it("that are dynamic change their type and are unset", async () => {
    const node = await make();
    node.declareParameter("d", 1, { dynamicTyping: true });
    node.declareParameter("static", 1);
    expect(node.setParameters({ d: "text" })[0].successful).toBe(true);
    expect([node.getParameter("d"), node.describeParameter("d").type]).toEqual(["text", "string"]);
    expect(node.setParameters({ static: undefined })[0].reason).toBe(
      "parameter static has the type double: it can't be unset",
    );
    expect(node.setParameters({ d: undefined })[0].successful).toBe(true);
    expect(node.hasParameter("d")).toBe(false);
  });

  it("fit ranges where rclpy's do", async () => {
    const node = await make();
    expected.ranges.forEach(({ type, from, to, step, values, accepted }: RangeRow, i: number) => {
      node.declareParameter(`p${i}`, from, { type, range: { from, to, step } });
      const ours = values.map((text) => {
        const value = text === "inf" ? Infinity : Number(text);
        return node.setParameters({ [`p${i}`]: value })[0].successful;
      });
      expect([i, values, ours]).toEqual([i, values, accepted]);
    });
  });

  it("are listed by prefix and depth as rclpy's", async () => {
    const node = await make();
    node.undeclareParameter("use_sim_time");
    for (const name of expected.listed.declared) node.declareParameter(name, 1);
    for (const { prefixes, depth, names, found } of expected.listed.rows) {
      const ours = node.listParameters(prefixes, depth);
      expect([prefixes, depth, ours.names, ours.prefixes.sort()]).toEqual([
        prefixes,
        depth,
        names,
        found.sort(),
      ]);
    }
    expect(node.getParametersByPrefix("a")).toEqual({ b: 1, "b.c": 1 });
    expect(node.declareParameters("ns", { p: 1, q: "x" })).toEqual({ "ns.p": 1, "ns.q": "x" });
  });
});

interface RangeRow {
  type: "integer" | "double";
  from: number;
  to: number;
  step: number;
  values: string[];
  accepted: boolean[];
}

describe("callbacks for setting", () => {
  it("change, decide and are told, in this order", async () => {
    const node = await make();
    const calls: string[] = [];
    node.declareParameter("a", 1);
    node.declareParameter("b", 1);
    const ends = [
      node.onPreSetParameters((list) => {
        calls.push(`pre ${list.map(({ name, value }) => `${name}=${value}`)}`);
        return list.flatMap(({ name, value }) =>
          name === "a"
            ? [
                { name, value },
                { name: "b", value: 2 * (value as number) },
              ]
            : [{ name, value }],
        );
      }),
      node.onSetParameters((list) => {
        calls.push(`on ${list.map(({ name, value }) => `${name}=${value}`)}`);
        return { successful: list.every(({ value }) => (value as number) < 10), reason: "too large" };
      }),
      node.onPostSetParameters((list) => {
        calls.push(`post ${list.map(({ name, type }) => `${name}:${type}`)}`);
      }),
    ];
    expect(node.setParameters({ a: 3 })).toEqual([{ successful: true, reason: "" }]);
    expect([node.getParameter("a"), node.getParameter("b")]).toEqual([3, 6]);
    expect(node.setParametersAtomically({ a: 5 })).toEqual({ successful: false, reason: "too large" });
    expect([node.getParameter("a"), node.getParameter("b")]).toEqual([3, 6]);
    expect(calls).toEqual(["pre a=3", "on a=3,b=6", "post a:double,b:double", "pre a=5", "on a=5,b=10"]);
    calls.length = 0;
    expect(() => node.declareParameter("c", 11)).toThrow(
      new InvalidParameterValueError("can't declare: too large"),
    );
    expect(calls).toEqual(["on c=11"]);
    for (const end of ends) end();
    node.setParameters({ a: 50 });
    expect([calls.length, node.getParameter("b")]).toEqual([1, 6]);
  });

  it("may take everything away, or answer nonsense", async () => {
    const node = await make();
    node.declareParameter("a", 1);
    const end = node.onPreSetParameters(() => []);
    expect(node.setParameters({ a: 2 })[0].reason).toContain("no parameter is left to set");
    end();
    const stop = node.onSetParameters(() => true as never);
    expect(node.setParameters({ a: 2 })[0].reason).toContain("something other than { successful, reason }");
    stop();
    node.onSetParameters(() => {});
    expect(node.setParameters({ a: 2 })[0].successful).toBe(true);
  });

  it("see nothing of a set that fails: all or none", async () => {
    const node = await make();
    node.declareParameter("a", 1);
    node.declareParameter("b", 1, { range: { from: 0, to: 2 } });
    const seen: string[] = [];
    node.onSetParameters((list) => {
      seen.push(...list.map(({ name }) => name));
    });
    expect(node.setParametersAtomically({ a: 2, b: 3 }).successful).toBe(false);
    expect([node.getParameter("a"), seen]).toEqual([1, []]);
    expect(node.setParameters({ a: 2, b: 3 }).map(({ successful }) => successful)).toEqual([true, false]);
    expect([node.getParameter("a"), node.getParameter("b")]).toEqual([2, 1]);
  });
});

describe("values from outside", () => {
  it("come from options, arguments and files, the nearest first", async () => {
    const folder = mkdtempSync(join(tmpdir(), "mlsys-parameters-"));
    try {
      const file = join(folder, "p.yaml");
      writeFileSync(
        file,
        "/**:\n  ros__parameters:\n    a: from file\n    b: from file\n    c: from file\n    id: 7\n",
      );
      const node = await make({
        args: ["--ros-args", "--params-file", file, "-p", "b:=from argument", "-p", "c:=from argument"],
        parameters: { c: "from option" },
      });
      const values = ["a", "b", "c", "d"].map((name) => node.declareParameter(name, "default"));
      expect(values).toEqual(["from file", "from argument", "from option", "default"]);
      expect(node.declareParameter("id", 1, { type: "integer" })).toBe(7);
      expect(node.hasParameter("other")).toBe(false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("keep their type: a double is written with a point", async () => {
    const node = await make({ args: ["--ros-args", "-p", "speed:=1", "-p", "rates:=[1, 2]"] });
    expect(() => node.declareParameter("speed", 0.5)).toThrow(
      "can't declare: parameter speed is of type double, not integer (integer 1): write it with a point, 1.0",
    );
    expect(() => node.declareParameter("rates", [0.5])).toThrow("write its numbers with a point");
    expect(node.declareParameter("speed", 0.5, { ignoreOverride: true })).toBe(0.5);
  });

  it("are declared at once if asked for", async () => {
    const node = await make({
      automaticallyDeclareParametersFromOverrides: true,
      parameters: { x: 1, n: "a" },
      args: ["--ros-args", "-p", "i:=3", "-p", "big:=9007199254740993", "-p", "use_sim_time:=true"],
    });
    expect(node.getParametersByPrefix("")).toEqual({
      i: 3,
      big: 2n ** 53n + 1n,
      use_sim_time: true,
      x: 1,
      n: "a",
    });
    expect(node.clock.isSimulated).toBe(true);
  });

  it("may be set undeclared if allowed", async () => {
    const node = await make({ allowUndeclaredParameters: true });
    expect(node.getParameter("free")).toBeUndefined();
    expect(node.setParameters({ free: 1 })[0].successful).toBe(true);
    expect(node.setParameters({ free: "text" })[0].successful).toBe(true);
    expect(node.getParameter("free")).toBe("text");
  });

  it("refuse a use_sim_time that is no boolean", async () => {
    await expect(make({ args: ["--ros-args", "-p", "use_sim_time:=yes please"] })).rejects.toThrow(
      "use_sim_time",
    );
    const node = await make();
    expect(node.setParameters({ use_sim_time: 1 })[0].reason).toContain(
      "parameter use_sim_time is of type bool",
    );
  });
});

describe("values on the wire", () => {
  const Value = msg("rcl_interfaces/msg/ParameterValue");
  const bigint = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  const input: fc.Arbitrary<ParameterInput> = fc.oneof(
    fc.boolean(),
    fc.double(),
    bigint,
    fc.string(),
    fc.uint8Array(),
    fc.array(fc.boolean(), { minLength: 1 }),
    fc.array(fc.double(), { minLength: 1 }),
    fc.array(bigint, { minLength: 1 }),
    fc.array(fc.string(), { minLength: 1 }),
  );

  it("come back as they went", () => {
    fc.assert(
      fc.property(input, (value) => {
        const sent = typed("p", value);
        const back = fromMessage(Value.create(toMessage(sent)) as ParameterValueMessage);
        expect(back).toEqual(sent);
        expect(plain(back, typeof value === "bigint" || typeof (value as bigint[])[0] === "bigint")).toEqual(
          value,
        );
        if (!needsBigint(back) && back.type === "integer") expect(plain(back, false)).toBe(Number(value));
      }),
    );
  });

  it("of no type are refused", () => {
    expect(() => fromMessage(Value.create({ type: 99 }) as ParameterValueMessage)).toThrow(
      "there is no type of parameters with number 99",
    );
  });
});
