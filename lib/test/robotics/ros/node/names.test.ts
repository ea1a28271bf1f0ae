/** Names, remapping, arguments and parameter files against rclpy's answers (expected.py). */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  expandName,
  InvalidNameError,
  parseRemapRule,
  parseRosArguments,
  RosArgumentError,
  validateFullTopicName,
  validateNamespace,
  validateNodeName,
  validateTopicName,
} from "../../../../src/robotics/ros/index.js";
import { parametersFor, parseParameterFile } from "../../../../src/robotics/ros/node/parameter-file.js";
import type { TypedValue } from "../../../../src/robotics/ros/node/parameter-value.js";
import { remapName, remapNode } from "../../../../src/robotics/ros/node/remap.js";

const expected = JSON.parse(readFileSync(new URL("expected.json", import.meta.url), "utf8"));
// ROS 2's design wants a slash after the tilde; rcl lets it pass and makes /nodea of it
delete expected.topics["~a"];

/** Where a name breaks a rule, or null. */
function problem(validate: (name: string) => void, name: string): number | null {
  try {
    validate(name);
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidNameError);
    return (error as InvalidNameError).position;
  }
}

describe("names", () => {
  it.each([
    ["topics", validateTopicName],
    ["full", validateFullTopicName],
    ["nodes", validateNodeName],
    ["namespaces", validateNamespace],
  ] as const)("%s are valid where rclpy says so", (key, validate) => {
    for (const [name, position] of Object.entries(expected[key] as Record<string, number | null>)) {
      const ours = problem((n) => validate(n), name);
      expect([name, ours === null], name).toEqual([name, position === null]);
    }
  });

  it("say where the rule is broken, as rclpy", () => {
    for (const [name, position] of Object.entries(expected.topics as Record<string, number | null>))
      if (!/[{}]/.test(name)) expect([name, problem(validateTopicName, name)]).toEqual([name, position]);
  });

  it("name the rule", () => {
    expect(() => validateNodeName("a/b")).toThrow(
      `node name "a/b" must not contain characters other than letters, digits and '_' (at 1)`,
    );
    expect(() => validateNodeName("1a")).toThrow(`node name "1a" must not start with a digit (at 0)`);
    expect(() => validateNamespace("/a//b")).toThrow(`namespace "/a//b" must not contain '//' (at 3)`);
    expect(() => validateTopicName("a~")).toThrow(
      `topic name "a~" must have '~' as its first letter only (at 1)`,
    );
  });

  it("expand as rclpy's", () => {
    for (const { name, node, namespace, full } of expected.expand) {
      const ours = problem(() => expandName(name, { name: node, namespace }), name);
      // rclpy expands before it validates what came out
      if (full === null || problem(validateFullTopicName, full) !== null) expect(ours, name).not.toBeNull();
      else expect(expandName(name, { name: node, namespace })).toBe(full);
    }
  });

  it("that are valid and relative stay valid in any valid namespace", () => {
    const part = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,5}$/);
    const parts = fc.array(part, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(part, parts, parts, (name, namespace, topic) => {
        const owner = { name, namespace: `/${namespace.join("/")}` };
        expect(expandName(topic.join("/"), owner)).toBe(`${owner.namespace}/${topic.join("/")}`);
        expect(expandName(`~/${topic.join("/")}`, owner)).toBe(
          `${owner.namespace}/${name}/${topic.join("/")}`,
        );
        expect(expandName(`/${topic.join("/")}`, owner)).toBe(`/${topic.join("/")}`);
      }),
    );
  });
});

describe("remapping", () => {
  it("does what rclpy does", () => {
    for (const { rules, node, namespace, topics, services } of expected.remaps) {
      const parsed = rules.map(parseRemapRule);
      const owner = remapNode({ name: "node", namespace: "/ns" }, parsed);
      expect([rules, owner]).toEqual([rules, { name: node, namespace }]);
      for (const [kind, names] of [
        ["topic", topics],
        ["service", services],
      ] as const)
        for (const [name, full] of Object.entries(names as Record<string, string>))
          expect([rules, kind, name, remapName(expandName(name, owner), kind, owner, parsed)]).toEqual([
            rules,
            kind,
            name,
            full,
          ]);
    }
  });

  it("refuses the rules that rcl refuses, with an error that shows the rule", () => {
    for (const rule of expected.rules as string[]) {
      const isRefused = expected.refused.includes(rule);
      let error: unknown;
      try {
        parseRemapRule(rule);
      } catch (thrown) {
        error = thrown;
      }
      expect([rule, error !== undefined]).toEqual([rule, isRefused]);
      if (error) expect(error instanceof RosArgumentError || error instanceof InvalidNameError).toBe(true);
    }
    expect(() => parseRemapRule("a b:=c")).toThrow(
      `remap rule "a b:=c": "a b" is no name of a topic or service`,
    );
  });
});

/** As expected.py writes values. */
function written({ type, value }: TypedValue): unknown {
  const one = (v: unknown) =>
    typeof v === "bigint"
      ? String(v)
      : typeof v === "number" && !Number.isFinite(v)
        ? NAMES.get(String(v))
        : v;
  return [type, Array.isArray(value) ? value.map(one) : one(value)];
}
const NAMES = new Map([
  ["Infinity", "inf"],
  ["-Infinity", "-inf"],
  ["NaN", "nan"],
]);

const all = (values: ReadonlyMap<string, TypedValue>) =>
  Object.fromEntries([...values].map(([name, value]) => [name, written(value)]));

describe("parameters from outside", () => {
  it.each(["types", "wildcards"])("a file of %s is read as rcl reads it", (key) => {
    const { text, nodes } = expected.files[key];
    const rules = parseParameterFile(text);
    for (const { name, namespace, parameters } of nodes)
      expect([namespace, name, all(parametersFor({ name, namespace }, rules))]).toEqual([
        namespace,
        name,
        parameters,
      ]);
  });

  it("arguments are read as rcl reads them", () => {
    for (const { arguments: args, parameters } of expected.arguments) {
      // rcl flattens lists in lists; and knows no node of a namespace here
      if (args.includes("x:=[[1]]") || args.includes("/ns/node:x:=4")) continue;
      const read = () =>
        all(
          parametersFor(
            { name: "node", namespace: "/ns" },
            parseRosArguments(["--ros-args", ...args]).parameters,
          ),
        );
      if (parameters === null) expect(read, args.join(" ")).toThrow(RosArgumentError);
      else expect([args, read()]).toEqual([args, parameters]);
    }
  });

  it.each([
    ["a: [1", "parameter file: "],
    ["ros__parameters: {a: 1}", "ros__parameters needs a node's name above it"],
    ["node: 3", "node is no mapping"],
    [
      "node:\n  ros__parameters:\n    a: [1, b]",
      "/node a: a list holds values of one type, not integer and string",
    ],
    ["node:\n  ros__parameters:\n    a:", "/node a: has no value"],
    ["node:\n  ros__parameters:\n    a: []", "/node a: an empty list has no type"],
    ["node:\n  ros__parameters:\n    a: 1\n    a: 2", "unique"],
  ])("a wrong file is refused: %j", (text, message) => {
    expect(() => parseParameterFile(text)).toThrow(RosArgumentError);
    expect(() => parseParameterFile(text)).toThrow(message);
  });

  it("any text is read or refused with an error of its own", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseParameterFile(`node:\n  ros__parameters:\n    a: ${text}`);
        } catch (error) {
          expect(error).toBeInstanceOf(RosArgumentError);
        }
      }),
    );
  });
});

describe("arguments", () => {
  it("leave alone what is not for ROS", () => {
    const args = [
      "--speed",
      "3",
      "--ros-args",
      "-r",
      "a:=b",
      "--log-level",
      "debug",
      "--",
      "rest",
      "--ros-args",
    ];
    const parsed = parseRosArguments([
      ...args,
      "--log-level",
      "x.y:=WARN",
      "--disable-rosout-logs",
      "-e",
      "/e",
    ]);
    expect(parsed.rest).toEqual(["--speed", "3", "rest"]);
    expect(parsed.remaps).toEqual([{ applies: "topic or service", from: "a", to: "b" }]);
    expect([...parsed.logLevels]).toEqual([
      ["", "debug"],
      ["x.y", "warn"],
    ]);
  });

  it("of any text are read or refused with an error of their own", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom(
        "-r",
        "-p",
        "--remap",
        "--log-level",
        "--",
        "--ros-args",
        "a:=b",
        "n:a:=b",
        "x:=[1, 2]",
        "__ns:=/a",
      ),
    );
    fc.assert(
      fc.property(fc.array(word), (words) => {
        try {
          parseRosArguments(["--ros-args", ...words.filter((w) => w !== "--params-file")]);
        } catch (error) {
          expect(error instanceof RosArgumentError || error instanceof InvalidNameError).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    [["-x"], "-x after --ros-args: known are --remap"],
    [["-p"], "-p needs something after it"],
    [["-p", "x"], `parameter "x": expected name:=value`],
    [["--log-level", "loud"], "--log-level loud: a level is one of debug, info, warn, error, fatal"],
    [["--params-file", "/nowhere.yaml"], "parameter file /nowhere.yaml: ENOENT"],
  ])("that are wrong say so: %j", (args, message) => {
    expect(() => parseRosArguments(["--ros-args", ...args])).toThrow(message);
  });
});
