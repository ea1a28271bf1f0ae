/** Of what an action consists on the wire: three services and two topics below hidden names, as rcl_action has them. */
import { randomUUID } from "node:crypto";
import { MlsysError, ValueError } from "../../../core/errors.js";
import type { QoSProfile } from "../host.js";
import { msg, srv } from "../interfaces/registry.js";
import type { Uuid } from "../interfaces/types.js";

/** @param action the action's full name */
export const endpointNames = (action: string) => ({
  sendGoal: `${action}/_action/send_goal`,
  cancelGoal: `${action}/_action/cancel_goal`,
  getResult: `${action}/_action/get_result`,
  feedback: `${action}/_action/feedback`,
  status: `${action}/_action/status`,
});

export const CancelGoal = srv("action_msgs/srv/CancelGoal");
export const GoalStatusArray = msg("action_msgs/msg/GoalStatusArray");

/** Late joiners see the last status. */
export const STATUS_QOS: Partial<QoSProfile> = { depth: 1, durability: "transient_local" };
/** Deeper than rcl's 10: a server that reports in a tight loop would overwrite what no one had a chance to take. */
export const FEEDBACK_QOS: Partial<QoSProfile> = { depth: 1000 };

/** What the server made of a request to cancel; names of `action_msgs/srv/CancelGoal`'s codes, by code. */
export const CANCEL_CODES = ["none", "rejected", "unknown_goal_id", "goal_terminated"] as const;
export type CancelCode = (typeof CANCEL_CODES)[number];

/** A goal that was refused, or whose server is gone. */
export class ActionError extends MlsysError {
  override name = "ActionError";
}

/** The server said no to a goal. */
export class GoalRejectedError extends ActionError {
  override name = "GoalRejectedError";
}

/** A goal's number as text, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`. */
export function goalIdText({ uuid }: Uuid): string {
  const hex = Array.from(uuid, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** @throws ValueError of what is no UUID */
export function goalIdOf(text: string): Uuid {
  const hex = text.replaceAll("-", "");
  if (!/^[0-9a-f]{32}$/i.test(hex))
    throw new ValueError(`"${text}" is no goal's id: 32 hexadecimal digits expected`);
  return {
    uuid: Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)),
  };
}

export const newGoalId = (): string => randomUUID();
export const NO_GOAL: Uuid = { uuid: new Uint8Array(16) };
