/** Services and actions: the message types of their parts, and those that ROS's action protocol wraps around them. */
import { makeMessageType } from "./message-type.js";
import type { ActionDefinition, ServiceDefinition } from "./parse.js";
import type { ActionType, FieldDefinition, MessageDefinition, MessageType, ServiceType } from "./types.js";

type Resolve = (name: string) => MessageType | undefined;

export function makeServiceType(definition: ServiceDefinition, resolve: Resolve): ServiceType {
  return {
    kind: "srv",
    name: definition.name,
    request: makeMessageType(definition.request, resolve) as MessageType,
    response: makeMessageType(definition.response, resolve) as MessageType,
  };
}

/** The wrapped types are those that rosidl derives from an `.action` file (`rosidl_parser.definition.Action`). */
export function makeActionType(definition: ActionDefinition, resolve: Resolve): ActionType {
  const { name } = definition;
  const goal = makeMessageType(definition.goal, resolve) as MessageType;
  const result = makeMessageType(definition.result, resolve) as MessageType;
  const feedback = makeMessageType(definition.feedback, resolve) as MessageType;
  const own = new Map([goal, result, feedback].map((type) => [type.name, type]));
  const wrapped = (suffix: string, fields: readonly FieldDefinition[]): MessageType =>
    makeMessageType(wrap(name + suffix, fields), (type) => own.get(type) ?? resolve(type)) as MessageType;
  const goalId = message("goal_id", "unique_identifier_msgs/msg/UUID");
  return {
    kind: "action",
    name,
    goal,
    result,
    feedback,
    sendGoal: {
      kind: "srv",
      name: `${name}_SendGoal`,
      request: wrapped("_SendGoal_Request", [goalId, message("goal", goal.name)]),
      response: wrapped("_SendGoal_Response", [
        { name: "accepted", type: "bool", isMessage: false },
        message("stamp", "builtin_interfaces/msg/Time"),
      ]),
    } as ActionType["sendGoal"],
    getResult: {
      kind: "srv",
      name: `${name}_GetResult`,
      request: wrapped("_GetResult_Request", [goalId]),
      response: wrapped("_GetResult_Response", [
        { name: "status", type: "int8", isMessage: false },
        message("result", result.name),
      ]),
    } as ActionType["getResult"],
    feedbackMessage: wrapped("_FeedbackMessage", [
      goalId,
      message("feedback", feedback.name),
    ]) as ActionType["feedbackMessage"],
  };
}

const message = (name: string, type: string): FieldDefinition => ({ name, type, isMessage: true });

function wrap(name: string, fields: readonly FieldDefinition[]): MessageDefinition {
  return {
    name,
    fields,
    constants: [],
    text: fields.map((field) => `${field.type} ${field.name}`).join("\n"),
  };
}
