/** What sending and taking in transforms does on every host. */
import { expect, it } from "vitest";
import { msg } from "../../../../src/robotics/ros/interfaces/registry.js";
import { VirtualTime } from "../../../../src/robotics/ros/node/time-base.js";
import {
  StaticTransformBroadcaster,
  TransformBroadcaster,
  TransformListener,
  type TransformStamped,
} from "../../../../src/robotics/ros/tf/index.js";
import { toStamp } from "../../../../src/robotics/ros/tf/time.js";
import { type Subject, until } from "../harness.js";
import { withNodes } from "../subjects.js";

const SECOND = 1_000_000_000n;
const step = (parent: string, child: string, seconds: number, x: number): TransformStamped => ({
  header: { stamp: toStamp(BigInt(seconds) * SECOND), frame_id: parent },
  child_frame_id: child,
  transform: { translation: { x, y: 0, z: 0 }, rotation: { x: 0, y: 0, z: 0, w: 1 } },
});
const x = ({ transform }: TransformStamped): number => transform.translation.x;

export function tfCases(subject: Subject): void {
  it("carries moving and static frames to listeners, also to those that come later", () =>
    withNodes(subject, async ({ near, far, create }) => {
      const early = new TransformListener(far);
      const [moving, fixed] = [new TransformBroadcaster(near), new StaticTransformBroadcaster(near)];
      fixed.send(step("base", "lidar", 0, 1));
      fixed.send(step("base", "camera", 0, 2)); // the first is still known
      await near.waitForSubscriptions("/tf");
      const waiting = early.buffer.waitFor("map", "lidar", 15n * (SECOND / 10n));
      moving.send(step("map", "base", 1, 10), step("map", "person", 1, -3));
      moving.send(step("map", "base", 2, 20));
      expect(x(await waiting)).toBeCloseTo(16, 12);
      expect(x(await early.buffer.waitFor("person", "camera", SECOND))).toBe(15);

      const late = new TransformListener(await create("late"));
      expect(x(await late.buffer.waitFor("base", "lidar"))).toBe(1);
      expect(x(await late.buffer.waitFor("lidar", "camera"))).toBe(1);
      expect(late.buffer.frameNames).not.toContain("map");
    }));

  it("waits for a time that is to come, as long as it is told to", () =>
    withNodes(
      subject,
      async ({ near, far }) => {
        const { buffer } = new TransformListener(far);
        const moving = new TransformBroadcaster(near);
        await near.waitForSubscriptions("/tf");
        moving.send(step("map", "base", 1, 10));
        await buffer.waitFor("map", "base");
        const time = far.time as VirtualTime;
        const late = expect(buffer.waitFor("map", "base", 3n * SECOND, { timeout: 2 })).rejects.toThrow(
          'no transform from "base" to "map" within 2 s: lookup would require extrapolation at time 3.000000000',
        );
        await time.advance(2.5);
        await late;
        const stop = new AbortController();
        const stopped = expect(buffer.waitFor("map", "moon", 0n, { signal: stop.signal })).rejects.toThrow(
          "enough",
        );
        stop.abort(new Error("enough"));
        await stopped;
        await expect(buffer.waitFor("map", "moon", 0n, { signal: stop.signal })).rejects.toThrow("enough");
        await expect(buffer.waitFor("/map", "base")).rejects.toThrow('starts with "/"');
      },
      { far: { time: new VirtualTime() } },
    ));

  it("drops what is no transform, and says so", () =>
    withNodes(subject, async ({ near, far, logs }) => {
      const { buffer } = new TransformListener(far);
      const type = msg("tf2_msgs/msg/TFMessage");
      const publisher = near.createPublisher(type, "/tf", 100);
      await publisher.waitForSubscriptions();
      publisher.publish({
        transforms: [step("map", "map", 1, 0), step("map", "base", 20, 0), step("map", "base", 1, 0)],
      });
      publisher.publish({ transforms: [step("map", "end", 1, 0)] });
      await until(() => buffer.frameNames.includes("end"));
      expect(logs).toEqual([
        'transform from "map" to "map": a frame can\'t be its own parent',
        'a transform of frame "base" is too old: dropped',
      ]);
    }));

  it("ends with its listener", () =>
    withNodes(subject, async ({ near, far }) => {
      const listener = new TransformListener(far);
      await near.waitForSubscriptions("/tf");
      listener.destroy();
      await near.waitUntil(() => near.countSubscribers("/tf") + near.countSubscribers("/tf_static") === 0);
    }));
}
