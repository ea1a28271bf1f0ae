/** What others see of a node's parameters: six services, and changes on `/parameter_events`, as rclcpp and rclpy offer them. */

import type { RosMessages } from "../interfaces/registry.js";
import { msg, srv } from "../interfaces/registry.js";
import type { MessageInit } from "../interfaces/types.js";
import { ParameterNotDeclaredError, ParameterUninitializedError } from "./errors.js";
import type { Node } from "./node.js";
import { descriptorMessage } from "./parameter-descriptor.js";
import {
  fromMessage,
  PARAMETER_TYPES,
  type ParameterValueMessage,
  type TypedValue,
  toMessage,
} from "./parameter-value.js";
import { type Assignment, type ParameterChanges, Typed } from "./parameters.js";
import { qos } from "./qos.js";
import type { Time } from "./time.js";

type ParameterMessage = RosMessages["rcl_interfaces/msg/Parameter"];

/** Offers the services of a node; each is `<node>/name`. */
export function serveParameters(node: Node): void {
  const { parameters } = node;
  // a group of their own: a long callback of the node's keeps nobody from asking
  const options = { qos: qos.parameters, group: node.createCallbackGroup() };
  const name = (service: string) => `~/${service}`;
  /** As rclpy: one name that is not there, and the answer is empty. */
  const all = <T>(names: readonly string[], get: (name: string) => T): T[] => {
    try {
      return names.map(get);
    } catch (error) {
      if (error instanceof ParameterNotDeclaredError || error instanceof ParameterUninitializedError)
        return [];
      throw error;
    }
  };
  node.createService(
    srv("rcl_interfaces/srv/GetParameters"),
    name("get_parameters"),
    ({ names }) => ({ values: all(names, (n) => toMessage(parameters.typedValue(n))) }),
    options,
  );
  node.createService(
    srv("rcl_interfaces/srv/GetParameterTypes"),
    name("get_parameter_types"),
    ({ names }) => ({ types: all(names, (n) => PARAMETER_TYPES[typeOf(node, n)]) }),
    options,
  );
  node.createService(
    srv("rcl_interfaces/srv/DescribeParameters"),
    name("describe_parameters"),
    ({ names }) => ({ descriptors: all(names, (n) => descriptorMessage(parameters.describe(n))) }),
    options,
  );
  node.createService(
    srv("rcl_interfaces/srv/ListParameters"),
    name("list_parameters"),
    ({ prefixes, depth }) => ({ result: parameters.list(prefixes, Number(depth)) }),
    options,
  );
  node.createService(
    srv("rcl_interfaces/srv/SetParameters"),
    name("set_parameters"),
    (request) => ({ results: request.parameters.map((one) => attempt(node, [one])) }),
    options,
  );
  node.createService(
    srv("rcl_interfaces/srv/SetParametersAtomically"),
    name("set_parameters_atomically"),
    (request) => ({ result: attempt(node, request.parameters) }),
    options,
  );
}

/** The type of its value; `not_set` for one that has none. */
function typeOf(node: Node, name: string): TypedValue["type"] {
  try {
    return node.parameters.typedValue(name).type;
  } catch (error) {
    if (error instanceof ParameterUninitializedError) return "not_set";
    throw error;
  }
}

function attempt(node: Node, messages: readonly ParameterMessage[]) {
  try {
    return node.parameters.setAtomically(messages.map(assignment));
  } catch (error) {
    // whoever asked is told; nobody here did anything wrong
    if (error instanceof ParameterNotDeclaredError || error instanceof TypeError)
      return { successful: false, reason: error.message };
    throw error;
  }
}

const assignment = ({ name, value }: ParameterMessage): Assignment => ({
  name,
  value: new Typed(fromMessage(value as ParameterValueMessage)),
});

/** What is published on `/parameter_events` for a change. */
export function parameterEvent(
  node: string,
  stamp: Time,
  changes: ParameterChanges,
): MessageInit<RosMessages["rcl_interfaces/msg/ParameterEvent"]> {
  const messages = (list: readonly [string, TypedValue][]) =>
    list.map(([name, value]) => ({ name, value: toMessage(value) }));
  return {
    stamp: stamp.toMessage(),
    node,
    new_parameters: messages(changes.new),
    changed_parameters: messages(changes.changed),
    deleted_parameters: messages(changes.deleted),
  };
}

export const parameterEventType = () => msg("rcl_interfaces/msg/ParameterEvent");
