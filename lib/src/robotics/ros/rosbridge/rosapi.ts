/** What clients ask of the node `rosapi` beside rosbridge: who is there. Answered by the bridge itself. */
import type { HostNode } from "../host.js";
import { findInterface, interfaceNames } from "../interfaces/registry.js";
import type { MessageDefinition, MessageType } from "../interfaces/types.js";
import { fullName, fullType } from "./names.js";
import { deleteParam, getParam, getParamNames, hasParam, setParam } from "./parameters.js";
import { BridgeProblem, type Session } from "./session.js";

type Args = Readonly<Record<string, unknown>>;
type Answer = (session: Session, args: Args) => unknown;

/** What answers a service of rosapi; undefined for a name that is none. */
export function rosapi(service: string): Answer | undefined {
  const name = /^\/rosapi\/(\w+)$/.exec(service)?.[1];
  return name !== undefined && Object.hasOwn(ANSWERS, name) ? ANSWERS[name] : undefined;
}

const text = (args: Args, key: string): string => {
  const value = args[key];
  if (typeof value !== "string") throw new BridgeProblem(`rosapi: ${key} must be a string`);
  return value;
};

const topics = (node: HostNode) => node.topicNamesAndTypes();
const services = (node: HostNode) => node.serviceNamesAndTypes();
const names = (list: readonly { name: string }[]) => list.map(({ name }) => name);
const withType = (list: readonly { name: string; types: readonly string[] }[], type: string) =>
  list.filter(({ types }) => types.includes(type)).map(({ name }) => name);
const typeOf = (list: readonly { name: string; types: readonly string[] }[], name: string) =>
  list.find((entry) => entry.name === fullName(name))?.types[0] ?? "";
const nodeNames = (list: readonly { name: string; namespace: string }[]) => list.map(nodePath);
const nodePath = ({ name, namespace }: { name: string; namespace: string }) =>
  `${namespace.replace(/\/$/, "")}/${name}`;

/** Topics whose publishers (or subscriptions) a node is among. */
function ofNode(node: HostNode, path: string, side: "publishersInfo" | "subscriptionsInfo"): string[] {
  return names(topics(node)).filter((topic) =>
    node[side](topic).some(
      (info) => nodePath({ name: info.nodeName, namespace: info.nodeNamespace }) === path,
    ),
  );
}

const SEND_GOAL = "/_action/send_goal";

const ANSWERS: Readonly<Record<string, Answer>> = {
  topics: ({ node }) => ({
    topics: names(topics(node)),
    types: topics(node).map(({ types }) => types[0] ?? ""),
  }),
  topics_and_raw_types: ({ node }) => ({
    topics: names(topics(node)),
    types: topics(node).map(({ types }) => types[0] ?? ""),
    typedefs_full_text: topics(node).map(({ types }) => {
      const type = findInterface(types[0] ?? "");
      return type?.kind === "msg" ? type.definition.text : "";
    }),
  }),
  topics_for_type: ({ node }, args) => ({
    topics: withType(topics(node), fullType(text(args, "type"), "msg")),
  }),
  topic_type: ({ node }, args) => ({ type: typeOf(topics(node), text(args, "topic")) }),
  services: ({ node }) => ({ services: names(services(node)) }),
  services_for_type: ({ node }, args) => ({
    services: withType(services(node), fullType(text(args, "type"), "srv")),
  }),
  service_type: ({ node }, args) => ({ type: typeOf(services(node), text(args, "service")) }),
  action_servers: ({ node }) => ({
    action_servers: names(services(node))
      .filter((name) => name.endsWith(SEND_GOAL))
      .map((name) => name.slice(0, -SEND_GOAL.length)),
  }),
  nodes: ({ node }) => ({ nodes: nodeNames(node.nodeNames()) }),
  // Whose a service is, a host does not tell.
  node_details: ({ node }, args) => ({
    subscribing: ofNode(node, fullName(text(args, "node")), "subscriptionsInfo"),
    publishing: ofNode(node, fullName(text(args, "node")), "publishersInfo"),
    services: [],
  }),
  publishers: ({ node }, args) => ({
    publishers: node
      .publishersInfo(fullName(text(args, "topic")))
      .map((info) => nodePath({ name: info.nodeName, namespace: info.nodeNamespace })),
  }),
  subscribers: ({ node }, args) => ({
    subscribers: node
      .subscriptionsInfo(fullName(text(args, "topic")))
      .map((info) => nodePath({ name: info.nodeName, namespace: info.nodeNamespace })),
  }),
  get_param: getParam,
  set_param: setParam,
  has_param: hasParam,
  delete_param: deleteParam,
  get_param_names: getParamNames,
  interfaces: () => ({ interfaces: interfaceNames() }),
  get_time: ({ now }) => ({ time: now() }),
  get_ros_version: () => ({ version: 2, distro: "" }),
  message_details: (_, args) => ({ typedefs: typedefs(messageType(text(args, "type"))) }),
  service_request_details: (_, args) => ({ typedefs: typedefs(serviceType(text(args, "type")).request) }),
  service_response_details: (_, args) => ({ typedefs: typedefs(serviceType(text(args, "type")).response) }),
};

function messageType(name: string): MessageType {
  const type = findInterface(fullType(name, "msg"));
  if (type?.kind !== "msg") throw new BridgeProblem(`rosapi: there is no message ${name.slice(0, 120)}`);
  return type;
}

function serviceType(name: string) {
  const type = findInterface(fullType(name, "srv"));
  if (type?.kind !== "srv") throw new BridgeProblem(`rosapi: there is no service type ${name.slice(0, 120)}`);
  return type;
}

/** `rosapi_msgs/msg/TypeDef` of a message and all that it holds, itself first. */
const typedefs = (type: MessageType): object[] => [...type.dependencies.values()].map(typedef);

function typedef({ name, fields, constants }: MessageDefinition): object {
  return {
    type: name,
    fieldnames: fields.map((field) => field.name),
    fieldtypes: fields.map((field) => field.type),
    // As rosapi has it: -1 for a single value, 0 for any number.
    fieldarraylen: fields.map(({ array }) => (array === undefined ? -1 : (array.length ?? 0))),
    examples: fields.map((field) => (field.array ? "[]" : field.isMessage ? "{}" : "")),
    constnames: constants.map((constant) => constant.name),
    constvalues: constants.map((constant) => String(constant.value)),
  };
}
