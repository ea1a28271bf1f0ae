/** The hosts' suite on ROS 2: two contexts of one process, that meet through the middleware; and one alone. */
import { describe, it } from "vitest";
import { conformance } from "../conformance.js";
import { ensureRos, ownHost, rclSubject } from "./installed.js";

const { missing } = await ensureRos();

if (missing)
  describe("ROS 2", () => {
    it.skip(`cannot be installed here: ${missing}`, () => {});
  });
else {
  conformance("rclnodejs, two hosts", rclSubject);
  conformance("rclnodejs, one host", {
    ...rclSubject,
    open: async () => {
      const host = await ownHost();
      return { near: host, far: host, end: () => host.shutdown() };
    },
  });
}
