/** Deadlines, lifespans and liveliness on a clock that is moved by hand: what is told when, to the count. */
import { afterAll, expect, it } from "vitest";
import { fresh, LATCHED, listen, ofType, String_, talk } from "../../../../test/robotics/ros/harness.js";
import type { QoSEvent } from "../host.js";
import { graphHost, VirtualClock } from "./index.js";

const clock = new VirtualClock(1_000_000);
const host = graphHost({ network: "timers", clock });
afterAll(() => host.shutdown());

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const text = (data: string) => String_.create({ data });
const told = <T extends QoSEvent["type"]>(events: readonly QoSEvent[], type: T) => ofType(events, type);

async function ends(offered: object, requested: object) {
  const topic = fresh("timed");
  const talker = talk(host, String_, topic, offered);
  const listener = listen(host, String_, topic, requested);
  return {
    topic,
    talker,
    listener,
    publish: (data: string) => talker.publisher.publish(text(data)),
    async advance(seconds: number) {
      clock.advance(seconds);
      await settled();
    },
    dispose() {
      talker.node.dispose();
      listener.node.dispose();
    },
  };
}

it("misses a deadline once a period, from the first message on, as long as somebody publishes", async () => {
  const { talker, listener, publish, advance, dispose } = await ends({ deadline: 2 }, { deadline: 3 });
  const offered = () => told(talker.events, "deadline_missed").at(-1)?.total ?? 0;
  const requested = () => told(listener.events, "deadline_missed").at(-1)?.total ?? 0;
  await advance(10);
  expect([offered(), requested()]).toEqual([0, 0]);
  publish("first");
  await settled();
  await advance(1.9);
  publish("in time");
  await advance(1.9);
  expect([offered(), requested()]).toEqual([0, 0]);
  await advance(0.2);
  expect([offered(), requested()]).toEqual([1, 0]);
  await advance(1);
  expect([offered(), requested()]).toEqual([1, 1]);
  await advance(12); // 15.1 s after the last message
  expect([offered(), requested()]).toEqual([7, 5]);
  publish("again");
  await settled();
  await advance(1.9);
  expect([offered(), requested()]).toEqual([7, 5]);
  talker.publisher.dispose();
  await advance(100);
  expect([offered(), requested()]).toEqual([7, 5]);
  dispose();
});

it("counts the periods of a time in which the process stood still", () => {
  const jumps = { time: 0, timers: [] as { at: number; run: () => void }[] };
  const still = {
    time: () => jumps.time,
    now: () => jumps.time,
    after(ms: number, run: () => void) {
      jumps.timers.push({ at: jumps.time + ms, run });
      return () => {};
    },
  };
  const own = graphHost({ network: fresh("still"), clock: still });
  const { publisher, events } = talk(own, String_, "/still", { deadline: 1 });
  publisher.publish(text("once"));
  jumps.time = 5500; // nothing ran for 5.5 s
  jumps.timers.shift()?.run();
  return settled().then(() => {
    expect(told(events, "deadline_missed").map(({ total }) => total)).toEqual([5]);
    return own.shutdown();
  });
});

it("keeps what is older than its lifespan from those that wait for it and from late joiners", async () => {
  const { topic, listener, publish, advance, dispose } = await ends({ ...LATCHED, lifespan: 2 }, {});
  publish("waits too long");
  clock.advance(2.1); // before it had its turn
  publish("fresh");
  await settled();
  expect(listener.messages.map(({ data }) => data)).toEqual(["fresh"]);
  await advance(1);
  publish("fresher");
  await advance(1.5);
  const late = listen(host, String_, topic, LATCHED);
  await settled();
  expect(late.messages.map(({ data }) => data)).toEqual(["fresher"]);
  late.node.dispose();
  dispose();
});

it("counts a manual publisher as alive from its first assertion to the end of its lease, and again", async () => {
  const profile = { liveliness: "manual_by_topic", livelinessLease: 2 } as const;
  const { talker, listener, publish, advance, dispose } = await ends(profile, profile);
  const changes = () =>
    told(listener.events, "liveliness_changed").map(({ alive, notAlive }) => [alive, notAlive]);
  await advance(10);
  expect(changes()).toEqual([]);
  publish("here I am");
  await advance(1.5);
  talker.publisher.assertLiveliness();
  await advance(1.5);
  expect(changes()).toEqual([[1, 0]]);
  expect(told(talker.events, "liveliness_lost")).toEqual([]);
  await advance(20);
  expect(changes()).toEqual([
    [1, 0],
    [0, 1],
  ]);
  expect(told(talker.events, "liveliness_lost").map(({ total }) => total)).toEqual([1]);
  publish("again");
  await advance(1);
  expect(changes().at(-1)).toEqual([1, 0]);
  await advance(2);
  expect(told(talker.events, "liveliness_lost").map(({ total }) => total)).toEqual([1, 2]);
  talker.publisher.dispose();
  await settled();
  expect(changes().at(-1)).toEqual([0, 0]);
  dispose();
});

it("takes the time of day for stamps, and another clock for what must not be late when that is set", async () => {
  const day = { time: 5e11 };
  const virtual = new VirtualClock();
  const own = graphHost({
    network: fresh("set"),
    clock: { time: () => day.time, now: () => virtual.now(), after: (ms, run) => virtual.after(ms, run) },
  });
  const { publisher, events } = talk(own, String_, "/set", { deadline: 10 });
  const { infos } = listen(own, String_, "/set");
  publisher.publish(text("first"));
  day.time += 3_600_000; // somebody set it
  virtual.advance(9);
  publisher.publish(text("second"));
  virtual.advance(9);
  await settled();
  expect(told(events, "deadline_missed")).toEqual([]);
  expect(infos.map(({ sourceTimestamp }) => sourceTimestamp)).toEqual([
    5n * 10n ** 17n,
    5000036n * 10n ** 11n,
  ]);
  await own.shutdown();
});

it("gives up waiting for acknowledgement by the clock", async () => {
  const { talker, publish, dispose } = await ends({}, {});
  publish("text");
  expect(await talker.publisher.waitForAllAcked(0)).toBe(true);
  dispose();
});
