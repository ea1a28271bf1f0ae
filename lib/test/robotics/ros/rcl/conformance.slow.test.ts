/** The hosts' suite on ROS 2: two contexts of one process, that meet through the middleware. */
import { describe, it } from "vitest";
import { rclHost } from "../../../../src/robotics/ros/rcl/host.js";
import { conformance } from "../conformance.js";
import { ensureRos, freeDomain } from "./installed.js";

const { missing } = await ensureRos();

if (missing)
  describe("ROS 2", () => {
    it.skip(`cannot be installed here: ${missing}`, () => {});
  });
else {
  conformance("rclnodejs, two hosts", {
    refusesSecondType: true,
    open: async () => {
      const domain = await freeDomain();
      const [near, far] = [await rclHost({ domain }), await rclHost({ domain })];
      const end = async () => {
        await near.shutdown();
        await far.shutdown();
      };
      return { near, far, end };
    },
  });
  conformance("rclnodejs, one host", {
    refusesSecondType: true,
    open: async () => {
      const host = await rclHost({ domain: await freeDomain() });
      return { near: host, far: host, end: () => host.shutdown() };
    },
  });
}
