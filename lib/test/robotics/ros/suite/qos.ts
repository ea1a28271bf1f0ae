/** Quality of service: what fits, what is kept, what is told. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { QoSEvent, QoSProfile } from "../../../../src/robotics/ros/host.js";
import {
  ALL,
  fresh,
  joined,
  LATCHED,
  listen,
  ofType,
  type Pair,
  range,
  String_,
  type Subject,
  talk,
  until,
} from "../harness.js";

const EVENTS = [
  "incompatible_qos",
  "deadline_missed",
  "liveliness_lost",
  "liveliness_changed",
  "matched",
] as const;

type Profile = Partial<QoSProfile>;

/** DDS 1.4, 2.2.3: offered and requested, and the policy that keeps them apart. */
const MISFITS: readonly [keyof QoSProfile, Profile, Profile][] = [
  ["reliability", { reliability: "best_effort" }, { reliability: "reliable" }],
  ["durability", { durability: "volatile" }, { durability: "transient_local" }],
  ["deadline", { deadline: 60 }, { deadline: 30 }],
  ["deadline", {}, { deadline: 30 }],
  ["liveliness", { liveliness: "automatic" }, { liveliness: "manual_by_topic" }],
  ["liveliness", { livelinessLease: 60 }, { livelinessLease: 30 }],
];

const FITS: readonly [Profile, Profile][] = [
  [{ reliability: "reliable" }, { reliability: "best_effort" }],
  [{ reliability: "best_effort" }, { reliability: "best_effort" }],
  [{ durability: "transient_local" }, { durability: "volatile" }],
  [{ deadline: 30 }, { deadline: 60 }],
  [{ deadline: 30 }, { deadline: 30 }],
  [{ liveliness: "manual_by_topic" }, { liveliness: "automatic" }],
  [{ livelinessLease: 30 }, { livelinessLease: 60 }],
  [{ history: "keep_all" }, { history: "keep_last", depth: 1 }],
  [{ lifespan: 30 }, {}],
];

export function qosCases({ open, events: told = new Set<QoSEvent["type"]>(EVENTS) }: Subject): void {
  const tells = (...types: QoSEvent["type"][]): boolean => types.every((type) => told.has(type));

  describe("quality of service", () => {
    let pair: Pair;
    beforeEach(async () => {
      pair = await open();
    });
    afterEach(() => pair.end());

    for (const [policy, offered, requested] of MISFITS)
      it(`keeps apart ${JSON.stringify(offered)} offered and ${JSON.stringify(requested)} requested`, async () => {
        const { topic, talker, say, heard } = await joined(pair, offered, offered);
        const misfit = listen(pair.far, String_, topic, { ...offered, ...requested });
        if (tells("incompatible_qos"))
          await until(
            () =>
              ofType(talker.events, "incompatible_qos").length > 0 &&
              ofType(misfit.events, "incompatible_qos").length > 0,
          );
        say("text");
        await until(() => heard().length === 1);
        expect(misfit.messages).toEqual([]);
        expect(misfit.subscription.publisherCount).toBe(0);
        expect(talker.publisher.subscriptionCount).toBe(1);
        if (!tells("incompatible_qos")) return;
        for (const { events } of [talker, misfit])
          expect(ofType(events, "incompatible_qos")).toEqual([
            { type: "incompatible_qos", policy, total: 1 },
          ]);
      });

    for (const [offered, requested] of FITS)
      it(`joins ${JSON.stringify(offered)} offered and ${JSON.stringify(requested)} requested`, async () => {
        const { talker, listener, say, heard } = await joined(pair, offered, requested);
        say("text");
        await until(() => heard().length === 1);
        for (const { events } of [talker, listener]) expect(ofType(events, "incompatible_qos")).toEqual([]);
      });

    it("keeps the last messages of a queue that is not emptied in time, and drops the oldest", async () => {
      const { say, heard } = await joined(pair, { depth: 5 }, { depth: 5 });
      for (const text of range(200)) say(text);
      await until(() => heard().at(-1) === "199");
      const numbers = heard().map(Number);
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      expect(heard().slice(-5)).toEqual(range(5, 195));
    });

    it("gives a late joiner the writer's last messages, once, and then the new ones", async () => {
      const topic = fresh("latched");
      const { publisher } = talk(pair.near, String_, topic, { ...LATCHED, depth: 3 });
      for (const data of range(5)) publisher.publish(String_.create({ data }));
      const late = listen(pair.far, String_, topic, LATCHED);
      const last = listen(pair.far, String_, topic, { ...LATCHED, depth: 1 });
      const never = listen(pair.far, String_, topic);
      await until(() => late.messages.length === 3 && last.messages.length >= 1);
      await until(() => publisher.subscriptionCount === 3 && never.subscription.publisherCount === 1);
      publisher.publish(String_.create({ data: "5" }));
      const texts = ({ messages }: typeof late): string[] => messages.map(({ data }) => data);
      await until(() => [late, last, never].every((listener) => texts(listener).at(-1) === "5"));
      expect(texts(late)).toEqual(range(4, 2));
      expect(texts(last).slice(-2)).toEqual(range(2, 4));
      expect(texts(never)).toEqual(["5"]);
    });

    it("gives a late joiner all that a writer with keep_all has", async () => {
      const topic = fresh("latched");
      const { publisher } = talk(pair.near, String_, topic, { ...LATCHED, ...ALL });
      for (const data of range(50)) publisher.publish(String_.create({ data }));
      const late = listen(pair.far, String_, topic, { ...LATCHED, ...ALL });
      await until(() => late.messages.length >= 50);
      expect(late.messages.map(({ data }) => data)).toEqual(range(50));
    });

    it("gives a late joiner what was published while it joined, once and in order", async () => {
      const topic = fresh("latched");
      const { publisher } = talk(pair.near, String_, topic, { ...LATCHED, ...ALL });
      const late: ReturnType<typeof listen<{ data: string }>>[] = [];
      for (const data of range(60)) {
        publisher.publish(String_.create({ data }));
        if (Number(data) % 20 === 10) late.push(listen(pair.far, String_, topic, { ...LATCHED, ...ALL }));
        if (Number(data) % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await until(() => late.every(({ messages }) => messages.at(-1)?.data === "59"));
      for (const { messages } of late) expect(messages.map(({ data }) => data)).toEqual(range(60));
    });

    it("delivers no message that is older than its lifespan", async () => {
      const topic = fresh("short");
      const { publisher } = talk(pair.near, String_, topic, { ...LATCHED, lifespan: 0.05 });
      publisher.publish(String_.create({ data: "old" }));
      const published = performance.now();
      await until(() => performance.now() - published > 100);
      const late = listen(pair.far, String_, topic, LATCHED);
      await until(() => late.subscription.publisherCount === 1 && publisher.subscriptionCount === 1);
      // on a busy machine one may be too old when it arrives
      await until(() => {
        if (late.messages.length === 0) publisher.publish(String_.create({ data: "new" }));
        return late.messages.length > 0;
      });
      expect(late.messages.every(({ data }) => data === "new")).toBe(true);
    });

    if (tells("matched"))
      it("tells both ends of each other", async () => {
        const { topic, talker, listener } = await joined(pair);
        const second = listen(pair.far, String_, topic);
        const counts = (events: readonly QoSEvent[]): number[] =>
          ofType(events, "matched").map(({ current }) => current);
        await until(() => counts(talker.events).at(-1) === 2);
        second.node.dispose();
        await until(() => counts(talker.events).at(-1) === 1);
        listener.subscription.dispose();
        await until(() => counts(talker.events).at(-1) === 0);
        expect(counts(talker.events)).toEqual([1, 2, 1, 0]);
        expect(counts(listener.events)[0]).toBe(1);
      });

    if (tells("deadline_missed"))
      it("tells both ends of missed deadlines, from the first message on", async () => {
        const { talker, listener, say } = await joined(pair, { deadline: 0.05 }, { deadline: 0.1 });
        say("text");
        const totals = ({ events }: { events: readonly QoSEvent[] }): number[] =>
          ofType(events, "deadline_missed").map(({ total }) => total);
        await until(() => (totals(talker).at(-1) ?? 0) >= 3 && (totals(listener).at(-1) ?? 0) >= 2);
        for (const end of [talker, listener])
          expect(totals(end)).toEqual([...new Set(totals(end))].sort((a, b) => a - b));
      });

    if (tells("liveliness_changed"))
      it("counts an automatic publisher as alive until it is gone", async () => {
        const lease = { livelinessLease: 30 };
        const { talker, listener, say } = await joined(pair, lease, lease);
        const alive = (): number[] =>
          ofType(listener.events, "liveliness_changed").map((event) => event.alive);
        say("text");
        await until(() => alive().at(-1) === 1);
        talker.publisher.dispose();
        await until(() => alive().at(-1) === 0);
        expect(ofType(listener.events, "liveliness_changed").every(({ notAlive }) => notAlive === 0)).toBe(
          true,
        );
      });

    if (tells("liveliness_lost", "liveliness_changed"))
      it("tells both ends of a publisher that asserts its liveliness no more, and again when it does", async () => {
        const profile = { liveliness: "manual_by_topic", livelinessLease: 0.1 } as const;
        const { talker, listener, say } = await joined(pair, profile, profile);
        const changes = () => ofType(listener.events, "liveliness_changed");
        say("alive");
        await until(() => changes().some(({ alive }) => alive === 1));
        await until(() => ofType(talker.events, "liveliness_lost").length > 0);
        expect(ofType(talker.events, "liveliness_lost")[0].total).toBe(1);
        await until(() => changes().at(-1)?.notAlive === 1);
        expect(changes().at(-1)?.alive).toBe(0);
        const heard = changes().length;
        talker.publisher.assertLiveliness();
        await until(() =>
          changes()
            .slice(heard)
            .some(({ alive, notAlive }) => alive === 1 && notAlive === 0),
        );
      });
  });
}
