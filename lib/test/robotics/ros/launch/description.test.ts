import { describe, expect, it } from "vitest";
import {
  launch,
  nestScopes,
  resolveArguments,
  rosArguments,
} from "../../../../src/robotics/ros/launch/description.js";

describe("a launch description", () => {
  it("takes the arguments that it declares, with their defaults, and no others", () => {
    const description = launch(
      { rate: { default: "1.0" }, mode: { choices: ["fast", "slow"], description: "how" } },
      () => [],
    );
    expect(resolveArguments(description, { mode: "fast" })).toEqual({ rate: "1.0", mode: "fast" });
    expect(() => resolveArguments(description, {})).toThrow('argument "mode" is needed (how): mode:=…');
    expect(() => resolveArguments(description, { mode: "up" })).toThrow("one of fast, slow expected");
    expect(() => resolveArguments(description, { speed: "1" })).toThrow(
      'no argument "speed"; there is rate, mode',
    );
    expect(() =>
      resolveArguments(
        launch({}, () => []),
        { a: "1" },
      ),
    ).toThrow("there are none");
    expect(
      resolveArguments(
        launch(() => []),
        { any: "1" },
      ),
    ).toEqual({ any: "1" });
  });

  it("nests groups: namespaces are joined unless absolute, inner values win", () => {
    const outer = { namespace: "/robot", parameters: { a: 1, b: 1 }, remap: { x: "y" } };
    expect(nestScopes(outer, { namespace: "arm", parameters: { b: 2 } })).toMatchObject({
      ...{ namespace: "/robot/arm", parameters: { a: 1, b: 2 }, remap: { x: "y" } },
    });
    expect(nestScopes(outer, { namespace: "/other" }).namespace).toBe("/other");
    expect(nestScopes(outer, {}).namespace).toBe("/robot");
    expect(nestScopes({}, { namespace: "arm" }).namespace).toBe("/arm");
  });

  it("tells parameters as YAML, and files from the launch file's folder", () => {
    const words = rosArguments(
      {
        parameterFiles: ["robot.yaml"],
        parameters: {
          big: 2n ** 60n,
          far: Infinity,
          text: "1.0",
          flags: [true, false],
          pid: { p: 0.5, i: { max: 3 } },
        },
      },
      undefined,
      "/launch",
    );
    expect(words).toEqual([
      ...["--ros-args", "--params-file", "/launch/robot.yaml", "-p", "big:=1152921504606846976"],
      ...["-p", "far:=.inf", "-p", 'text:="1.0"', "-p", "flags:=[true, false]"],
      ...["-p", "pid.p:=0.5", "-p", "pid.i.max:=3"],
    ]);
    expect(rosArguments({}, undefined, "/")).toEqual([]);
  });
});
