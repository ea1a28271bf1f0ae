/** The life of a goal: which event leads from which status to which (rcl_action's goal state machine). */
import { MlsysError } from "../../../core/errors.js";

/** Statuses at the place that is their code in `action_msgs/msg/GoalStatus`. */
export const GOAL_STATUSES = [
  "unknown",
  "accepted",
  "executing",
  "canceling",
  "succeeded",
  "canceled",
  "aborted",
] as const;
export type GoalStatus = (typeof GOAL_STATUSES)[number];
/** A status that a goal does not leave. */
export type TerminalStatus = "succeeded" | "canceled" | "aborted";
export type GoalEvent = "execute" | "cancel_goal" | "succeed" | "abort" | "canceled";

const TRANSITIONS: Readonly<Record<GoalStatus, Readonly<Partial<Record<GoalEvent, GoalStatus>>>>> = {
  unknown: {},
  accepted: { execute: "executing", cancel_goal: "canceling" },
  executing: { cancel_goal: "canceling", succeed: "succeeded", abort: "aborted" },
  canceling: { succeed: "succeeded", abort: "aborted", canceled: "canceled" },
  succeeded: {},
  canceled: {},
  aborted: {},
};

/** An event that does not happen to a goal in its status, such as `succeed` of one that was aborted. */
export class GoalStateError extends MlsysError {
  override name = "GoalStateError";
}

/** @returns the status after `event`, or null where it does not happen */
export const statusAfter = (status: GoalStatus, event: GoalEvent): GoalStatus | null =>
  TRANSITIONS[status][event] ?? null;

/** Not over: a result is still to come. */
export const isActive = (status: GoalStatus): boolean => Object.keys(TRANSITIONS[status]).length > 0;

/** @returns the status of a code of `action_msgs/msg/GoalStatus`; "unknown" for others */
export const statusOf = (code: number): GoalStatus => GOAL_STATUSES[code] ?? "unknown";

export const codeOf = (status: GoalStatus): number => GOAL_STATUSES.indexOf(status);

/** One goal's status; every change is told to `onChange`. */
export class GoalState {
  private current: GoalStatus = "accepted";

  constructor(
    /** For messages: which goal of which action. */
    private readonly what: string,
    private readonly onChange: (status: GoalStatus) => void = () => {},
  ) {}

  get status(): GoalStatus {
    return this.current;
  }

  get isActive(): boolean {
    return isActive(this.current);
  }

  get isCancelable(): boolean {
    return statusAfter(this.current, "cancel_goal") !== null;
  }

  /** @throws GoalStateError where the event does not happen to a goal in this status */
  apply(event: GoalEvent): void {
    const next = statusAfter(this.current, event);
    if (next === null) {
      const possible = Object.keys(TRANSITIONS[this.current]);
      throw new GoalStateError(
        `${this.what}: "${event}" is not possible while it is ${this.current}; ` +
          (possible.length > 0 ? `possible: ${possible.join(", ")}` : "it is over"),
      );
    }
    this.current = next;
    this.onChange(next);
  }
}
