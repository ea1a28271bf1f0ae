/**
 * Names of nodes, topics and services: ROS 2's rules (https://design.ros2.org/articles/topic_and_service_names.html) as
 * rcl and rmw check them, and how a name becomes a full one.
 */
import { InvalidNameError } from "./errors.js";

/** Whose name it is, for errors. */
export type NameKind = "node name" | "namespace" | "topic name" | "service name";

/** Longest names of rmw: DDS takes 255 letters, and 8 are left for prefixes such as `rt/`. */
const LONGEST_NODE_NAME = 255;
const LONGEST_NAMESPACE = 245;
const LONGEST_TOPIC = 247;

/** A rule, and where a name breaks it (-1 nowhere). */
type Rule = readonly [rule: string, at: (name: string) => number];

const NODE_NAME: readonly Rule[] = [
  ["must not be empty", (name) => (name === "" ? 0 : -1)],
  ["must not contain characters other than letters, digits and '_'", (name) => name.search(/[^A-Za-z0-9_]/)],
  ["must not start with a digit", (name) => name.search(/^[0-9]/)],
  [`must not be longer than ${LONGEST_NODE_NAME} letters`, longer(LONGEST_NODE_NAME)],
];

const FULL: readonly Rule[] = [
  ["must not be empty", (name) => (name === "" ? 0 : -1)],
  ["must be absolute: it begins with '/'", (name) => (name.startsWith("/") ? -1 : 0)],
  ["must not end with '/'", (name) => (name.endsWith("/") ? name.length - 1 : -1)],
  [
    "must not contain characters other than letters, digits, '_' and '/'",
    (name) => name.search(/[^A-Za-z0-9_/]/),
  ],
  ["must not contain '//'", (name) => after(name.indexOf("//"))],
  ["must not have a part that starts with a digit", (name) => after(name.search(/\/[0-9]/))],
];

const FULL_TOPIC: readonly Rule[] = [
  ...FULL,
  [`must not be longer than ${LONGEST_TOPIC} letters`, longer(LONGEST_TOPIC)],
];

const NAMESPACE: readonly Rule[] = [
  ...FULL,
  [`must not be longer than ${LONGEST_NAMESPACE} letters`, longer(LONGEST_NAMESPACE)],
];

/** Before substitution and expansion. */
const TOPIC: readonly Rule[] = [
  ["must not be empty", (name) => (name === "" ? 0 : -1)],
  ["must not start with a digit", (name) => name.search(/^[0-9]/)],
  ["must not end with '/'", (name) => (name.endsWith("/") ? name.length - 1 : -1)],
  [
    "must not contain characters other than letters, digits, '_', '/', '~', '{' and '}'",
    (name) => name.replace(/\{[^{}]*\}/g, (inner) => "_".repeat(inner.length)).search(/[^A-Za-z0-9_/~{}]/),
  ],
  ["must have '~' as its first letter only", (name) => name.indexOf("~", 1)],
  ["must have '/' after '~'", (name) => after(name.search(/^~[^/]/))],
  ["must have '{' and '}' in pairs", unpaired],
  [
    "must substitute names of letters, digits and '_' only",
    (name) => after(name.search(/\{[^}]*[^A-Za-z0-9_}]/)),
  ],
  ["must not substitute a name that starts with a digit", (name) => after(name.search(/\{[0-9]/))],
  ["must not have a part that starts with a digit", (name) => after(name.search(/\/[0-9]/))],
];

function after(position: number): number {
  return position < 0 ? -1 : position + 1;
}

function longer(most: number): (name: string) => number {
  return (name) => (name.length > most ? most : -1);
}

function unpaired(name: string): number {
  let open = -1;
  for (let i = 0; i < name.length; i++) {
    if (name[i] === "{") {
      if (open >= 0) return i;
      open = i;
    } else if (name[i] === "}") {
      if (open < 0) return i;
      open = -1;
    }
  }
  return open;
}

function check(kind: NameKind, name: string, rules: readonly Rule[]): void {
  if (typeof name !== "string") throw new TypeError(`a ${kind} is a string, not ${String(name)}`);
  for (const [rule, at] of rules) {
    const position = at(name);
    if (position >= 0) {
      const shown = name.length > 60 ? `${name.slice(0, 60)}…` : name;
      throw new InvalidNameError(`${kind} "${shown}" ${rule} (at ${position})`, position);
    }
  }
}

/**
 * @throws InvalidNameError that says which rule the name breaks, and where
 * @example ros.validateNodeName("my_hello_world_node");
 */
export const validateNodeName = (name: string): void => check("node name", name, NODE_NAME);

/**
 * Of a full namespace, `/` or `/a/b`.
 * @throws InvalidNameError that says which rule it breaks, and where
 * @example ros.validateNamespace("/robot/arm");
 */
export function validateNamespace(namespace: string): void {
  if (namespace !== "/") check("namespace", namespace, NAMESPACE);
}

/**
 * Of a topic or service as users write it, before it is expanded.
 * @throws InvalidNameError as {@link validateNodeName}
 * @example ros.validateTopicName("~/{node}_state");
 */
export const validateTopicName = (name: string, kind: NameKind = "topic name"): void =>
  check(kind, name, TOPIC);

/**
 * Of a topic or service as it is on the wire.
 * @throws InvalidNameError as {@link validateNodeName}
 * @example ros.validateFullTopicName("/robot/base/state");
 */
export const validateFullTopicName = (name: string, kind: NameKind = "topic name"): void =>
  check(kind, name, FULL_TOPIC);

/** `namespace/name` with one slash between them. */
export const join = (namespace: string, name: string): string =>
  namespace.endsWith("/") ? `${namespace}${name}` : `${namespace}/${name}`;

/**
 * A namespace as users write it (`""`, `robot`, `/robot`) as a full one.
 * @throws InvalidNameError
 * @example ["", "robot", "/robot"].map(ros.fullNamespace) // ["/", "/robot", "/robot"]
 */
export function fullNamespace(namespace: string): string {
  const full = namespace === "" ? "/" : namespace.startsWith("/") ? namespace : `/${namespace}`;
  validateNamespace(full);
  return full;
}

/** Who a name belongs to. */
export interface NameOwner {
  readonly name: string;
  /** Full: `/` or `/a/b`. */
  readonly namespace: string;
}

/**
 * A topic's or service's full name: `chatter` in the node's namespace, `/chatter` as it is, `~/chatter` below the
 * node; `{node}`, `{ns}` and `{namespace}` are replaced.
 * @throws InvalidNameError
 * @example
 * ros.expandName("~/state", { name: "base", namespace: "/robot" }) // "/robot/base/state"
 */
export function expandName(name: string, owner: NameOwner, kind: NameKind = "topic name"): string {
  validateTopicName(name, kind);
  const substitutions: Record<string, string> = {
    node: owner.name,
    ns: owner.namespace,
    namespace: owner.namespace,
  };
  const substituted = name.replace(/\{([^{}]*)\}/g, (whole, key: string) => {
    if (!Object.hasOwn(substitutions, key))
      throw new InvalidNameError(
        `${kind} "${name}" substitutes {${key}}; known are {node}, {ns} and {namespace}`,
        name.indexOf(whole),
      );
    return substitutions[key];
  });
  const full = substituted.startsWith("/")
    ? substituted
    : substituted.startsWith("~")
      ? `${join(owner.namespace, owner.name)}${substituted.slice(1)}`
      : join(owner.namespace, substituted);
  validateFullTopicName(full, kind);
  return full;
}
