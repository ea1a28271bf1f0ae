/** The parts of the host on ROS 2 that need none. */
import { describe, expect, it, vi } from "vitest";
import type { QoSProfile } from "../host.js";
import { drain } from "./drain.js";
import { fromNative, policyOf, toNative } from "./qos.js";

const DEFAULT: QoSProfile = {
  history: "keep_last",
  depth: 10,
  reliability: "reliable",
  durability: "volatile",
  deadline: Number.POSITIVE_INFINITY,
  lifespan: Number.POSITIVE_INFINITY,
  liveliness: "automatic",
  livelinessLease: Number.POSITIVE_INFINITY,
};

describe("quality of service", () => {
  it("is rmw's numbers", () => {
    expect(toNative(DEFAULT)).toEqual([1, 10, 1, 2, 0n, 0n, 1, 0n]);
    const other: QoSProfile = {
      ...{ history: "keep_all", depth: 3, reliability: "best_effort", durability: "transient_local" },
      ...{ deadline: 0.5, lifespan: 2, liveliness: "manual_by_topic", livelinessLease: 1e-9 },
    };
    expect(toNative(other)).toEqual([2, 3, 2, 1, 500_000_000n, 2_000_000_000n, 3, 1n]);
    expect(toNative({ ...DEFAULT, deadline: 0 })[4]).toBe(1n); // 0 would be none
    expect(toNative({ ...DEFAULT, deadline: 1e12 })[4]).toBe(0n);
    for (const wrong of [-1, Number.NaN])
      expect(() => toNative({ ...DEFAULT, lifespan: wrong })).toThrow(`QoS lifespan is ${wrong}`);
  });

  it("comes back from them", () => {
    const none = { seconds: 9_223_372_036n, nanoseconds: 854_775_807 };
    const native = {
      ...{ depth: 4, history: 1, reliability: 2, durability: 1, liveliness: 3 },
      ...{ deadline: { seconds: 1n, nanoseconds: 5e8 }, lifespan: none },
      liveliness_lease_duration: { seconds: 0n, nanoseconds: 0 },
    };
    expect(fromNative(native)).toEqual({
      ...{ history: "keep_last", depth: 4, reliability: "best_effort", durability: "transient_local" },
      ...{ deadline: 1.5, lifespan: Number.POSITIVE_INFINITY, liveliness: "manual_by_topic" },
      livelinessLease: Number.POSITIVE_INFINITY,
    });
    expect([2, 4, 8, 16, 32, 64, 128, 256].map(policyOf)).toEqual(
      "durability deadline liveliness reliability history lifespan depth livelinessLease".split(" "),
    );
  });
});

describe("drain", () => {
  it("takes as often as something came, past what is another's", () => {
    const queue = ["theirs", "mine", "theirs", "mine"];
    const mine: string[] = [];
    const come = drain(() => {
      const next = queue.shift();
      if (next === "mine") mine.push(next);
      return next === "mine";
    });
    come(4);
    expect(mine).toHaveLength(2);
    expect(queue).toEqual([]);
  });

  it("goes on in a later turn when there is very much", async () => {
    let left = 1000;
    const take = vi.fn(() => left-- > 0);
    drain(take)(1);
    expect(left).toBeGreaterThan(500);
    await vi.waitFor(() => expect(left).toBe(-1));
    expect(take).toHaveBeenCalledTimes(1001);
  });
});
