/** Managed nodes of ours and of rclpy, each brought up by the other. */
import { describe, expect, it } from "vitest";
import { msg } from "../../../../src/robotics/ros/interfaces/registry.js";
import { LifecycleClient, LifecycleManager } from "../../../../src/robotics/ros/lifecycle/manager.js";
import { LifecycleNode } from "../../../../src/robotics/ros/lifecycle/node.js";
import { until } from "../harness.js";
import { withNodes } from "../subjects.js";
import { ensureRos, rclSubject } from "./installed.js";
import { rclpy } from "./rclpy.js";

const { ros, missing } = await ensureRos();

describe("managed nodes, with rclpy", () => {
  if (!ros) {
    it.skip(`ROS 2 cannot be installed here: ${missing}`, () => {});
    return;
  }

  it("brings rclpy's up, through a failure, and hears it while it is active", () =>
    withNodes(rclSubject, async ({ near, pair }) => {
      const camera = await rclpy(ros, pair.near.domain, "camera", "managed.py");
      try {
        const client = new LifecycleClient(near, "camera");
        const manager = new LifecycleManager(near, ["camera"], { timeout: 60 });
        const heard: string[] = [];
        near.createSubscription(msg("std_msgs/msg/String"), "images", ({ data }) => heard.push(data), 10);
        await expect(manager.startup()).rejects.toThrow("/camera: activate failed; it is inactive");
        expect(await client.getState()).toBe("unconfigured"); // brought down again
        expect(heard).toEqual([]);
        await manager.startup();
        expect([...(await manager.states())]).toEqual([["/camera", "active"]]);
        await until(() => heard.length > 2);
        expect(await client.getAvailableTransitions()).toEqual(["deactivate", "shutdown"]);
        await manager.shutdown();
        expect(await client.getState()).toBe("finalized");
        await camera.until((line) => line.called === "shutdown");
        expect(
          camera.lines.flatMap(({ called, previous }) => (called ? [`${called} from ${previous}`] : [])),
        ).toEqual([
          ...["configure from unconfigured", "activate from inactive"],
          ...["configure from unconfigured", "activate from inactive", "shutdown from unconfigured"],
        ]);
      } finally {
        await camera.stop();
      }
    }));

  it("is brought up by rclpy", () =>
    withNodes(rclSubject, async ({ create, pair, logs }) => {
      const camera = new LifecycleNode(await create("camera"));
      const client = await rclpy(ros, pair.near.domain, "camera_client", "managed.py");
      await client.ended();
      expect(client.lines).toEqual([
        { id: 1, label: "unconfigured" },
        { changed: false },
        { changed: true },
        { changed: true },
        { id: 3, label: "active" },
        {
          transitions: [
            [4, "deactivating"],
            [7, "shuttingdown"],
          ],
        },
        {
          events: [
            ["configure", "unconfigured", "configuring"],
            ["transition_success", "configuring", "inactive"],
            ["activate", "inactive", "activating"],
            ["transition_success", "activating", "active"],
          ],
        },
      ]);
      expect(camera.state).toBe("active");
      expect(logs).toEqual([
        "/camera: no transition 3 from state unconfigured; possible: configure (1), shutdown (5)",
      ]);
    }));
});
