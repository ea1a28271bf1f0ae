/** α, β and γ of the links and machines that a group has, by messages back and forth. */
import { treeBroadcast } from "./broadcast/tree.js";
import type { Member } from "./collective.js";
import { type CostModel, type Link, modelOf } from "./cost.js";
import { byHost } from "./topology.js";

/** Bytes of a long message. */
export const LONG = 2 ** 20;
const SHORT = 8;
const ROUNDS = 15;

/**
 * Measures, in a few milliseconds, a link inside of a host and one between hosts, where there are such, and how fast
 * elements are combined. All members call it and get the same model.
 * @param scratch 1 MiB, aligned to 8, best where results lie too
 * @example
 * const members = distributed.inProcess(2).map((transport) => distributed.memberOf(transport, 0));
 * const [model] = await Promise.all(members.map((member) => distributed.calibrate(member)));
 * model.near.alpha > 0 // true
 */
export async function calibrate(
  member: Member,
  scratch: Uint8Array = new Uint8Array(LONG),
): Promise<CostModel> {
  const { places, model = modelOf("") } = member;
  const hosts = byHost(places);
  const inside = hosts.find((members) => members.length > 1);
  const between = hosts.length > 1 ? [hosts[0][0], hosts[1][0]] : undefined;
  const near = inside ? await measure(member, inside[0], inside[1], scratch) : null;
  const far = between ? await measure(member, between[0], between[1], scratch) : null;
  return {
    near: near?.link ?? far?.link ?? model.near,
    far: far?.link ?? near?.link ?? model.far,
    gamma: (near ?? far ?? model).gamma,
    ...(model.together ? { together: true } : {}),
  };
}

/**
 * Half of the time there and back. Of a short message it is α, of a long one that and β · its bytes; of one that is
 * combined where it arrives, that and γ · its bytes.
 */
async function measure(
  member: Member,
  a: number,
  b: number,
  scratch: Uint8Array,
): Promise<{ readonly link: Link; readonly gamma: number }> {
  const { rank } = member;
  const plain = (from: number, bytes: Uint8Array) => member.receive(from, bytes);
  const combined = (from: number, bytes: Uint8Array) => member.receiveCombined(from, bytes, "float32", "max");
  const times: number[] = [];
  for (const [bytes, receive] of [
    [scratch.subarray(0, SHORT), plain],
    [scratch, plain],
    [scratch, combined],
  ] as const) {
    const rounds: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const start = performance.now();
      if (rank === a) {
        await member.send(b, bytes);
        await receive(b, bytes);
      } else if (rank === b) {
        await receive(a, bytes);
        await member.send(a, bytes);
      }
      rounds.push((performance.now() - start) / 2000);
    }
    times.push(median(rounds));
  }
  const seconds = Float64Array.from(times);
  await treeBroadcast.run(member, { data: new Uint8Array(seconds.buffer), root: a });
  const [short, long, longest] = seconds;
  // a clock that is too coarse, or a disturbance, gives no negative times
  const least = 1e-9;
  return {
    link: { alpha: Math.max(short, least), beta: Math.max(long - short, least) / LONG },
    gamma: Math.max(longest - long, least) / LONG,
  };
}

const median = (list: readonly number[]): number => [...list].sort((x, y) => x - y)[list.length >> 1];
