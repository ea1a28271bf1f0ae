/** The examples of the READMEs run in the kernel as they stand; those of robotics on ROS 2 too, where it can be installed. */
import { afterAll, describe, it } from "vitest";
import {
  buildInterfaces,
  ensureRos,
  freeDomain,
  leaveDomain,
} from "../../lib/test/robotics/ros/rcl/installed.js";
import { examplesOf, runExamples } from "./support/readme-examples.js";

describe("examples", () => {
  runExamples(["README.md", "lib/README.md", "kernel/README.md"].flatMap(examplesOf));
});

const { missing } = await ensureRos();
if (missing)
  describe("ROS 2", () => {
    it.skip(`cannot be installed here: ${missing}`, () => {});
  });
else {
  await buildInterfaces("scout_interfaces", {
    "msg/Spot.msg": "geometry_msgs/Point at\nfloat32 weight 1.0\nint64[] seen",
  });
  describe("examples on ROS 2", () => {
    let domain: number;
    afterAll(() => leaveDomain(domain));
    runExamples(
      examplesOf("lib/README.md").filter(([, code]) => code.includes("robotics")),
      async () => {
        domain = await freeDomain();
        return { MLSYS_ROS: "rclnodejs", ROS_DOMAIN_ID: String(domain) };
      },
    );
  });
}
