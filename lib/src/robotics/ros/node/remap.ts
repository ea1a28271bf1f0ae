/** Remapping: rules that give nodes, topics and services other names from outside, `from:=to`, as rcl's. */
import { RosArgumentError } from "./errors.js";
import {
  expandName,
  fullNamespace,
  type NameOwner,
  validateFullTopicName,
  validateNodeName,
} from "./names.js";

/** One rule. */
export interface RemapRule {
  /** Only for nodes of this name. */
  readonly node?: string;
  readonly applies: "node" | "namespace" | "topic" | "service" | "topic or service";
  /** Absent for nodes and namespaces. */
  readonly from?: string;
  readonly to: string;
}

const SCHEMES = { "rostopic://": "topic", "rosservice://": "service" } as const;

/**
 * A rule as it is written after `--remap`: `from:=to`, `node:from:=to`, `__node:=name`, `__ns:=/namespace`,
 * `rostopic://from:=to`, `rosservice://from:=to`.
 * @throws RosArgumentError, InvalidNameError
 * @example ros.parseRemapRule("camera_topic:=image_raw").to // "image_raw"
 */
export function parseRemapRule(text: string): RemapRule {
  const separator = text.indexOf(":=");
  if (separator <= 0) throw new RosArgumentError(`remap rule "${text}": expected from:=to`);
  let from = text.slice(0, separator);
  const to = text.slice(separator + 2);
  const prefix = /^([A-Za-z0-9_]+):(?!\/\/)(.+)$/.exec(from);
  const node = prefix?.[1];
  if (node !== undefined) {
    validateNodeName(node);
    from = prefix![2];
  }
  const rule = remapRule(from, to);
  return node === undefined ? rule : { node, ...rule };
}

/** A rule of its two sides, as `createNode`'s option `remap` gives them. @throws RosArgumentError, InvalidNameError */
export function remapRule(from: string, to: string): RemapRule {
  if (to === "") throw new RosArgumentError(`remap rule "${from}:=": nothing after ":="`);
  if (from === "__node" || from === "__name") {
    validateNodeName(to);
    return { applies: "node", to };
  }
  if (from === "__ns") {
    if (!to.startsWith("/"))
      throw new RosArgumentError(`remap rule "__ns:=${to}": a namespace begins with '/'`);
    return { applies: "namespace", to: fullNamespace(to) };
  }
  const scheme = Object.keys(SCHEMES).find((prefix) => from.startsWith(prefix)) as
    | keyof typeof SCHEMES
    | undefined;
  const name = scheme ? from.slice(scheme.length) : from;
  for (const side of [name, to])
    if (!NAME.test(side))
      throw new RosArgumentError(
        `remap rule "${from}:=${to}": "${side}" is no name of a topic or service (and rules substitute nothing)`,
      );
  return { applies: scheme ? SCHEMES[scheme] : "topic or service", from: name, to };
}

/** What rcl's parser of rules takes: relative, absolute or private. */
const NAME = /^(\/|~\/)?[A-Za-z_][A-Za-z0-9_]*(\/[A-Za-z_][A-Za-z0-9_]*)*$/;

const meant = (rule: RemapRule, owner: string): boolean => rule.node === undefined || rule.node === owner;

/** A node's name and namespace after the rules; the first that fits wins, and rules for one node go by its first name. */
export function remapNode(owner: NameOwner, rules: readonly RemapRule[]): NameOwner {
  const find = (applies: RemapRule["applies"]) =>
    rules.find((rule) => rule.applies === applies && meant(rule, owner.name))?.to;
  return { name: find("node") ?? owner.name, namespace: find("namespace") ?? owner.namespace };
}

/**
 * The full name after the rules; the first that fits wins, and its result is not remapped again.
 * @throws InvalidNameError if a rule makes a name that is none
 */
export function remapName(
  full: string,
  kind: "topic" | "service",
  owner: NameOwner,
  rules: readonly RemapRule[],
): string {
  for (const rule of rules) {
    if (rule.applies !== kind && rule.applies !== "topic or service") continue;
    if (!meant(rule, owner.name) || expandName(rule.from!, owner, `${kind} name`) !== full) continue;
    const to = expandName(rule.to, owner, `${kind} name`);
    validateFullTopicName(to, `${kind} name`);
    return to;
  }
  return full;
}
