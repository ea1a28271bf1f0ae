/** Interfaces by name: the common packages' and those defined while the program runs. */

import type { CommonActions, CommonMessages, CommonServices } from "./common/index.js";
import { COMMON_TEXTS } from "./common/index.js";
import { makeActionType, makeServiceType } from "./composite.js";
import { makeMessageType } from "./message-type.js";
import { InterfaceError, parseAction, parseMessage, parseService, splitName } from "./parse.js";
import type { ActionOf, MessageOf, NamedMessageType, PackageOf, ServiceOf } from "./text-types.js";
import type { ActionType, MessageType, ServiceType } from "./types.js";

/**
 * TypeScript's types of messages by full name. It grows by declaration merging:
 * `declare module "mlsys/ros" { interface RosMessages { "my_interfaces/msg/Spot": { x: number } } }`.
 */
export interface RosMessages extends CommonMessages {}

/** TypeScript's types of services by full name: `{ request, response }`. Grows as {@link RosMessages} does. */
export interface RosServices extends CommonServices {}

/** TypeScript's types of actions by full name: `{ goal, result, feedback }`. Grows as {@link RosMessages} does. */
export interface RosActions extends CommonActions {}

type AnyInterface = MessageType | ServiceType | ActionType;

type Scope<Name extends string, Uses extends readonly NamedMessageType[]> = {
  package: PackageOf<Name>;
  known: RosMessages;
  uses: Uses[number];
};

const made = new Map<string, AnyInterface>();

/**
 * A message type by its full name.
 * @throws {InterfaceError} if nothing of that name is known
 * @example
 * ros.msg("std_msgs/msg/String").create({ data: "Hello" }) // {"data": "Hello"}
 */
export function msg<Name extends keyof RosMessages>(name: Name): NamedMessageType<Name, RosMessages[Name]> {
  return known(name, "msg") as NamedMessageType<Name, RosMessages[Name]>;
}

/**
 * A service type by its full name.
 * @throws {InterfaceError} if nothing of that name is known
 * @example
 * ros.srv("std_srvs/srv/SetBool").request.create({ data: true }) // {"data": true}
 */
export function srv<Name extends keyof RosServices>(
  name: Name,
): ServiceType<RosServices[Name]["request"], RosServices[Name]["response"]> {
  return known(name, "srv") as ServiceType<RosServices[Name]["request"], RosServices[Name]["response"]>;
}

/**
 * An action type by its full name.
 * @throws {InterfaceError} if nothing of that name is known
 * @example
 * ros.action("my_interfaces/action/MySum").goal.create({ list: [1, 2, 3] }).list // [1, 2, 3]
 */
export function action<Name extends keyof RosActions>(
  name: Name,
): ActionType<RosActions[Name]["goal"], RosActions[Name]["result"], RosActions[Name]["feedback"]> {
  return known(name, "action") as ActionType<
    RosActions[Name]["goal"],
    RosActions[Name]["result"],
    RosActions[Name]["feedback"]
  >;
}

/**
 * Defines a message by its `.msg` text; its TypeScript type comes from the text. Defining a name again replaces it
 * for what is made from then on (a cell that runs twice); of the names known here only the book's `my_interfaces` may be.
 * @param name full name, `my_interfaces/msg/Spot`
 * @param uses message types of yours that the text names (those of the common packages are known)
 * @throws {InterfaceError} that names the line
 * @example
 * const Spot = robotics.ros.defineMessage("my_interfaces/msg/Spot", "geometry_msgs/Point at\nfloat32 weight 1.0");
 * Spot.create({ at: { x: 2 } }) // {"at": {"x": 2, "y": 0, "z": 0}, "weight": 1}
 */
export function defineMessage<
  const Name extends string,
  const Text extends string,
  const Uses extends readonly NamedMessageType[] = [],
>(name: Name, text: Text, uses?: Uses): NamedMessageType<Name, MessageOf<Text, Scope<Name, Uses>>> {
  return define(name, () => makeMessageType(parseMessage(name, text), resolver(uses))) as NamedMessageType<
    Name,
    MessageOf<Text, Scope<Name, Uses>>
  >;
}

/**
 * Defines a service by its `.srv` text, as {@link defineMessage} does a message.
 * @throws {InterfaceError} that names the line
 * @example
 * const AddTwo = robotics.ros.defineService("my_interfaces/srv/AddTwo", "int64 a\nint64 b\n---\nint64 sum");
 */
export function defineService<
  const Name extends string,
  const Text extends string,
  const Uses extends readonly NamedMessageType[] = [],
>(
  name: Name,
  text: Text,
  uses?: Uses,
): ServiceType<
  ServiceOf<Text, Scope<Name, Uses>>["request"],
  ServiceOf<Text, Scope<Name, Uses>>["response"]
> {
  return define(name, () => makeServiceType(parseService(name, text), resolver(uses))) as never;
}

/**
 * Defines an action by its `.action` text, as {@link defineMessage} does a message.
 * @throws {InterfaceError} that names the line
 * @example
 * const Count = robotics.ros.defineAction("my_interfaces/action/Count", "int32 to\n---\nint32 sum\n---\nint32 at");
 */
export function defineAction<
  const Name extends string,
  const Text extends string,
  const Uses extends readonly NamedMessageType[] = [],
>(
  name: Name,
  text: Text,
  uses?: Uses,
): ActionType<
  ActionOf<Text, Scope<Name, Uses>>["goal"],
  ActionOf<Text, Scope<Name, Uses>>["result"],
  ActionOf<Text, Scope<Name, Uses>>["feedback"]
> {
  return define(name, () => makeActionType(parseAction(name, text), resolver(uses))) as never;
}

/**
 * The interface of that full name, or undefined: for names that only arrive while the program runs.
 * @example
 * ros.findInterface("std_msgs/msg/String")?.kind // "msg"
 */
export function findInterface(name: string): MessageType | ServiceType | ActionType | undefined {
  const found = made.get(name);
  if (found !== undefined) return found;
  const text = Object.hasOwn(COMMON_TEXTS, name) ? COMMON_TEXTS[name] : undefined;
  if (text === undefined) return undefined;
  const type = make(name, text);
  made.set(name, type);
  return type;
}

/**
 * Full names of every interface known now, sorted.
 * @example
 * ros.interfaceNames().includes("sensor_msgs/msg/LaserScan") // true
 */
export function interfaceNames(): string[] {
  return [...new Set([...Object.keys(COMMON_TEXTS), ...made.keys()])].sort();
}

function make(name: string, text: string): AnyInterface {
  if (name.includes("/srv/")) return makeServiceType(parseService(name, text), resolver());
  if (name.includes("/action/")) return makeActionType(parseAction(name, text), resolver());
  return makeMessageType(parseMessage(name, text), resolver()) as MessageType;
}

function define(name: string, build: () => AnyInterface): AnyInterface {
  // the book's own package is here too; a reader who writes it anew means it
  if (Object.hasOwn(COMMON_TEXTS, name) && !name.startsWith("my_interfaces/")) {
    throw new InterfaceError(`${name} is an interface of ROS itself: name yours after a package of your own`);
  }
  const type = build();
  made.set(name, type);
  return type;
}

const resolver =
  (uses: readonly MessageType[] = []) =>
  (name: string): MessageType | undefined => {
    const given = uses.find((type) => type.name === name) ?? findInterface(name);
    return given?.kind === "msg" ? given : undefined;
  };

function known(name: string, kind: AnyInterface["kind"]): AnyInterface {
  const found = findInterface(name);
  if (found?.kind === kind) return found;
  splitName(name, kind);
  const pkg = name.slice(0, name.indexOf("/"));
  const near = interfaceNames().filter((other) => other.startsWith(`${pkg}/${kind}/`));
  const hint =
    near.length === 0 ? `no package ${pkg} with a ${kind} is known` : `${pkg} has ${near.join(", ")}`;
  throw new InterfaceError(`${name} is not known: ${hint}. Define your own with ros.define${DEFINE[kind]}`);
}

const DEFINE = { msg: "Message", srv: "Service", action: "Action" } as const;
