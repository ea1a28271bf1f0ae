/** What rclpy sees of our node: parameters of each type, their events, logs and their levels; and rclpy's clock. */
import { describe, expect, it } from "vitest";
import { msg } from "../../../../src/robotics/ros/index.js";
import { createNode } from "../../../../src/robotics/ros/node/create.js";
import { rclHost } from "../../../../src/robotics/ros/rcl/host.js";
import type { RosInstallation } from "../../../../src/robotics/ros/rcl/place.js";
import { ensureRos, freeDomain } from "../rcl/installed.js";
import { rclpy } from "../rcl/rclpy.js";

const ready = await ensureRos();
if (ready.missing)
  describe("rclpy", () => {
    it.skip(`ROS 2 cannot be installed here: ${ready.missing}`, () => {});
  });
else
  it("rclpy reads, sets and hears of our parameters, logs and time", { timeout: 240_000 }, () =>
    probe(ready.ros!),
  );

async function probe(ros: RosInstallation): Promise<void> {
  const domain = await freeDomain();
  const host = await rclHost({ domain });
  const node = await createNode("ours", {
    host,
    namespace: "/ns",
    useGlobalArguments: false,
    useSimTime: true,
    enableLoggerService: true,
    onLog: () => {},
  });
  node.declareParameter("bool", true);
  node.declareParameter("integer", 5n, { range: { from: 0n, to: 2n ** 60n } });
  node.declareParameter("double", 1.5, { range: { from: -1, to: 10, step: 0.5 } });
  node.declareParameter("string", "hello");
  node.declareParameter("bytes", Uint8Array.of(1, 2));
  node.declareParameter("bools", [true]);
  node.declareParameter("integers", [1n]);
  node.declareParameter("doubles", [1]);
  node.declareParameter("strings", ["x"]);
  const ticks = node.createPublisher(msg("std_msgs/msg/String"), "ticks");
  node.createTimer(1, () => ticks.publish({ data: node.now().toString() }));
  // until rclpy has set the level, nobody hears of it
  const logging = setInterval(() => node.logger.debug("heard at last"), 50);
  const python = await rclpy(ros, domain, "probe_client", "probe.py");
  try {
    await python.ended();
  } finally {
    clearInterval(logging);
    await python.stop();
    await node.destroy();
    await host.shutdown();
  }

  const names = ["bool", "integer", "double", "string", "bytes", "bools", "integers", "doubles", "strings"];
  const changes = {
    bool: [1, false],
    integer: [2, 2 ** 60],
    double: [3, 2.5],
    string: [4, "grüße"],
    bytes: [5, [7, 255]],
    bools: [6, [false, true]],
    integers: [7, [-1, 2 ** 62]],
    doubles: [8, [0.5, -1e300]],
    strings: [9, ["a", ""]],
  };
  expect(Object.assign({}, ...python.lines)).toEqual({
    listed: [...names, "use_sim_time"].sort(),
    values: {
      bool: [1, true],
      integer: [2, 5],
      double: [3, 1.5],
      string: [4, "hello"],
      bytes: [5, [1, 2]],
      bools: [6, [true]],
      integers: [7, [1]],
      doubles: [8, [1]],
      strings: [9, ["x"]],
    },
    ranges: [
      [0, 2 ** 60, 0],
      [-1, 10, 0.5],
    ],
    types: [1, 2, 3, 4, 5, 6, 7, 8, 9],
    unknown: [],
    set: names.map(() => [true, ""]),
    atomic: [false, "parameter integer is out of its range 0 … 1152921504606846976: -1"],
    events: Object.entries(changes).map(([name, value]) => [{}, { [name]: value }, []]),
    levels: [true],
    log: ["ns.ours", 10, "heard at last"],
    ticks: expect.arrayContaining([expect.stringMatching(/^1\d\d\.250000000$/)]),
  });
  expect(node.getParameter("integers")).toEqual([-1n, 2n ** 62n]);
  expect(node.getParameter("string")).toBe("grüße");
}
