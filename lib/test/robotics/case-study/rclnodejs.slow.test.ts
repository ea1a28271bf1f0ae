/** The book's case study on ROS 2: the suite of the in-process graph. */
import { afterAll, beforeAll, describe, it } from "vitest";
import { getDevice, setDevice } from "../../../src/index.js";
import { ensureRos, rclSubject } from "../ros/rcl/installed.js";
import { caseStudyCases } from "./cases.js";

const { missing } = await ensureRos();

// The reference device takes a second for a picture.
const device = getDevice();
beforeAll(() => setDevice("wasm"));
afterAll(() => setDevice(device));

if (missing)
  describe("ROS 2", () => {
    it.skip(`cannot be installed here: ${missing}`, () => {});
  });
else describe("the book's case study over rclnodejs", () => caseStudyCases(rclSubject));
