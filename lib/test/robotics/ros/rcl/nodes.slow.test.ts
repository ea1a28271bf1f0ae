/** Nodes, actions, managed nodes and transforms on ROS 2: the suites of the in-process graph. */
import { describe, it, vi } from "vitest";
import { actionCases } from "../action/cases.js";
import { lifecycleCases } from "../lifecycle/cases.js";
import { nodeSuite } from "../node/suite.js";
import { tfCases } from "../tf/cases.js";
import { buildInterfaces, ensureRos, ownHost, rclSubject } from "./installed.js";

vi.setConfig({ testTimeout: 60_000 }); // a message that was lost is waited for ever
const { missing } = await ensureRos();

if (missing)
  describe("ROS 2", () => {
    it.skip(`cannot be installed here: ${missing}`, () => {});
  });
else {
  await buildInterfaces("node_tests", {
    "msg/Count.msg": "int64 n\nfloat64[] values",
    "srv/ConcatTwoStr.srv": "string str1\nstring str2\n---\nstring ret",
  });
  nodeSuite("rclnodejs", ownHost);
  describe("actions over rclnodejs", () => actionCases(rclSubject));
  describe("managed nodes over rclnodejs", () => lifecycleCases(rclSubject));
  describe("transforms over rclnodejs", () => tfCases(rclSubject));
}
