/** What an MCAP file says about a topic in the `ros2` profile: the message's definition and its publishers' QoS. */
import { parse as parseYaml, stringify } from "yaml";
import type { QoSProfile } from "../host.js";
import { makeMessageType } from "../interfaces/message-type.js";
import { parseMessage } from "../interfaces/parse.js";
import { findInterface } from "../interfaces/registry.js";
import type { MessageType } from "../interfaces/types.js";
import { DEFAULT_QOS } from "../offered-qos.js";
import { BagError } from "./errors.js";

const RULE = `\n${"=".repeat(80)}\nMSG: `;

/** A message's text and those of all that it holds, as rosbag2 writes `ros2msg` schemas. */
export function schemaText(type: MessageType): string {
  const short = (name: string) => name.replace("/msg/", "/");
  const nested = [...type.dependencies.values()].filter((definition) => definition.name !== type.name);
  return type.definition.text + nested.map((d) => `${RULE}${short(d.name)}\n${d.text}`).join("");
}

/**
 * The type of a schema. One that is known here by that name, with the same fields, is taken instead, so that what is
 * played fits what nodes of this process subscribe to.
 * @throws {InterfaceError} for text that is none
 */
export function schemaType(name: string, text: string): MessageType {
  const [own, ...others] = text.split(/\r?\n={80}\r?\nMSG: /);
  const texts = new Map(
    others.map((part) => {
      const end = part.search(/\r?\n|$/);
      return [longName(part.slice(0, end).trim()), part.slice(end)];
    }),
  );
  const made = new Map<string, MessageType>();
  const make = (nested: string): MessageType | undefined => {
    const found = made.get(nested);
    if (found !== undefined) return found;
    const inner = texts.get(nested);
    if (inner === undefined) return undefined;
    texts.delete(nested); // a message that holds itself finds nothing
    const type = makeMessageType(parseMessage(nested, inner), make) as MessageType;
    made.set(nested, type);
    return type;
  };
  const type = makeMessageType(parseMessage(longName(name), own), make) as MessageType;
  const known = findInterface(type.name);
  return known?.kind === "msg" && sameFields(known, type) ? known : type;
}

const longName = (name: string): string => (name.includes("/msg/") ? name : name.replace("/", "/msg/"));

function sameFields(a: MessageType, b: MessageType): boolean {
  const shape = (type: MessageType) =>
    JSON.stringify(
      [...type.dependencies.values()]
        .map((d) => [d.name, d.fields.map(({ name, type: t, array }) => [name, t, array])])
        .sort(([x], [y]) => (x < y ? -1 : 1)),
    );
  return shape(a) === shape(b);
}

/** rmw's `RMW_DURATION_INFINITE`: what rosbag2 writes for none. */
const INFINITE = { sec: 9_223_372_036, nsec: 854_775_807 };

/** `offered_qos_profiles` of a channel: a YAML list, a profile for each publisher. */
export function qosText(profiles: readonly QoSProfile[]): string {
  const duration = (seconds: number) => {
    if (seconds >= INFINITE.sec) return INFINITE;
    const nanoseconds = Math.round(seconds * 1e9);
    return { sec: Math.floor(nanoseconds / 1e9), nsec: nanoseconds % 1e9 };
  };
  return stringify(
    profiles.map((profile) => ({
      history: profile.history,
      depth: profile.depth,
      reliability: profile.reliability,
      durability: profile.durability,
      deadline: duration(profile.deadline),
      lifespan: duration(profile.lifespan),
      liveliness: profile.liveliness,
      liveliness_lease_duration: duration(profile.livelinessLease),
      avoid_ros_namespace_conventions: false,
    })),
    { aliasDuplicateObjects: false },
  );
}

/** By number too, as rosbag2 wrote them up to ROS 2 Iron (`rmw/types.h`). */
const NAMES = {
  history: { 1: "keep_last", 2: "keep_all" },
  reliability: { 1: "reliable", 2: "best_effort" },
  durability: { 1: "transient_local", 2: "volatile" },
  liveliness: { 1: "automatic", 3: "manual_by_topic" },
} as const;

/**
 * The profiles of `offered_qos_profiles`; what is absent or unknown is the default's.
 * @throws {BagError} for text that is no YAML list
 */
export function parseQos(text: string): QoSProfile[] {
  if (text.trim() === "") return [];
  let list: unknown;
  try {
    list = parseYaml(text, { maxAliasCount: 0 });
  } catch (error) {
    throw new BagError(`offered_qos_profiles is no YAML: ${(error as Error).message}`);
  }
  if (!Array.isArray(list)) throw new BagError("offered_qos_profiles is no YAML list");
  return list.map((entry: Record<string, unknown> | null) => {
    const named = <Policy extends keyof typeof NAMES>(policy: Policy): QoSProfile[Policy] => {
      const value = entry?.[policy];
      const known: Record<string, string> = NAMES[policy];
      if (typeof value === "number" && known[value] !== undefined) return known[value] as QoSProfile[Policy];
      if (typeof value === "string" && Object.values(known).includes(value))
        return value as QoSProfile[Policy];
      return DEFAULT_QOS[policy];
    };
    const duration = (key: string): number => {
      const { sec, nsec } = (entry?.[key] ?? {}) as { sec?: unknown; nsec?: unknown };
      const seconds = Number(sec) + Number(nsec) / 1e9;
      return seconds > 0 && Number(sec) < INFINITE.sec ? seconds : Number.POSITIVE_INFINITY;
    };
    const depth = Number(entry?.depth);
    return {
      history: named("history"),
      depth: Number.isSafeInteger(depth) && depth > 0 ? depth : DEFAULT_QOS.depth,
      reliability: named("reliability"),
      durability: named("durability"),
      deadline: duration("deadline"),
      lifespan: duration("lifespan"),
      liveliness: named("liveliness"),
      livelinessLease: duration("liveliness_lease_duration"),
    };
  });
}
