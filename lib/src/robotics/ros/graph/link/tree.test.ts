/** Random publishers and subscriptions come, speak and go in a tree of linked domains; compared with what DDS promises. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { fresh, listen, String_, talk } from "../../../../../test/robotics/ros/harness.js";
import { wire } from "../../../../../test/robotics/ros/wire.js";
import type { QoSProfile } from "../../host.js";
import { type GraphHost, graphHost } from "../index.js";

const history = "keep_all" as const;

const anyProfile = fc.record({
  history: fc.constant(history),
  reliability: fc.constantFrom("reliable" as const, "best_effort" as const),
  durability: fc.constantFrom("volatile" as const, "transient_local" as const),
  deadline: fc.constantFrom(1000, 2000, Number.POSITIVE_INFINITY),
  liveliness: fc.constantFrom("automatic" as const, "manual_by_topic" as const),
  livelinessLease: fc.constantFrom(1000, 2000, Number.POSITIVE_INFINITY),
});

const LATE = {
  history,
  reliability: "reliable",
  durability: "transient_local",
  deadline: Number.POSITIVE_INFINITY,
  liveliness: "automatic",
  livelinessLease: Number.POSITIVE_INFINITY,
} as const;
/** Late joiners are where messages could come twice, or not at all. */
const profile = fc.oneof({ weight: 2, arbitrary: fc.constant(LATE) }, { weight: 1, arbitrary: anyProfile });

type Profile = Pick<QoSProfile, "reliability" | "durability" | "deadline" | "liveliness" | "livelinessLease">;

const place = { host: fc.nat(4), topic: fc.nat(1) };
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant("publisher" as const), ...place, profile }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("subscription" as const), ...place, profile }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("publish" as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("dispose" as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("settle" as const) }) },
);

/** The specification's table of "offered ≥ requested", read independently of the code: DDS 1.4, 2.2.3. */
function fits(offered: Profile, requested: Profile): boolean {
  if (requested.reliability === "reliable" && offered.reliability !== "reliable") return false;
  if (requested.durability === "transient_local" && offered.durability !== "transient_local") return false;
  if (requested.liveliness === "manual_by_topic" && offered.liveliness !== "manual_by_topic") return false;
  return !(offered.deadline > requested.deadline || offered.livelinessLease > requested.livelinessLease);
}

async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** 0 is linked with 1 and 2, 2 with 3 and 4. */
async function tree(): Promise<GraphHost[]> {
  const hosts = Array.from({ length: 5 }, () => graphHost({ network: fresh("tree") }));
  for (const [a, b] of [
    [0, 1],
    [0, 2],
    [2, 3],
    [2, 4],
  ]) {
    const [left, right] = wire();
    await Promise.all([hosts[a].link(left.port).opened, hosts[b].link(right.port).opened]);
  }
  return hosts;
}

it("matches what fits wherever it is, and brings every message once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      const hosts = await tree();
      const talkers: (ReturnType<typeof talk<{ data: string }>> & {
        said: string[];
        topic: number;
        profile: Profile;
        id: number;
      })[] = [];
      const listeners: (ReturnType<typeof listen<{ data: string }>> & { topic: number; profile: Profile })[] =
        [];
      let id = 0;
      for (const each of steps) {
        if (each.do === "settle") await settle();
        else if (each.do === "publisher") {
          const made = talk(hosts[each.host], String_, `/topic${each.topic}`, each.profile);
          talkers.push({ ...made, said: [], topic: each.topic, profile: each.profile, id: ++id });
        } else if (each.do === "subscription") {
          const made = listen(hosts[each.host], String_, `/topic${each.topic}`, each.profile);
          listeners.push({ ...made, topic: each.topic, profile: each.profile });
        } else if (each.do === "publish" && talkers.length > 0) {
          const { publisher, said, id: from } = talkers[each.which % talkers.length];
          said.push(`${from}:${said.length}`);
          publisher.publish(String_.create({ data: said.at(-1) }));
        } else if (each.do === "dispose" && talkers.length + listeners.length > 0) {
          const which = each.which % (talkers.length + listeners.length);
          const [gone] =
            which < talkers.length ? talkers.splice(which, 1) : listeners.splice(which - talkers.length, 1);
          gone.node.dispose();
        }
      }
      await settle();
      const matching = (t: (typeof talkers)[0], l: (typeof listeners)[0]): boolean =>
        t.topic === l.topic && fits(t.profile, l.profile);
      for (const talker of talkers)
        expect(talker.publisher.subscriptionCount).toBe(listeners.filter((l) => matching(talker, l)).length);
      for (const listener of listeners) {
        const from = talkers.filter((talker) => matching(talker, listener));
        expect(listener.subscription.publisherCount).toBe(from.length);
        const isLate = listener.profile.durability === "transient_local";
        for (const talker of talkers) {
          const heard = listener.messages
            .map(({ data }) => data)
            .filter((text) => text.startsWith(`${talker.id}:`));
          if (!from.includes(talker)) expect(heard).toEqual([]);
          else if (isLate) expect(heard).toEqual(talker.said);
          else expect(heard).toEqual(talker.said.slice(talker.said.length - heard.length)); // from when it was known
        }
      }
      for (const talker of talkers) talker.publisher.publish(String_.create({ data: "last" }));
      await settle();
      for (const listener of listeners)
        expect(listener.messages.filter(({ data }) => data === "last")).toHaveLength(
          listener.subscription.publisherCount,
        );
      await Promise.all(hosts.map((host) => host.shutdown()));
    }),
    { numRuns: 100 },
  );
});
