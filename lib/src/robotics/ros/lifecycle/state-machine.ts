/**
 * The life of a managed node: its states, and the transitions between them, with the numbers and labels of
 * `lifecycle_msgs` and rcl_lifecycle. https://design.ros2.org/articles/node_lifecycle.html
 */
import { MlsysError } from "../../../core/errors.js";

/** States by name, with their number in `lifecycle_msgs/msg/State`. */
export const LIFECYCLE_STATES = {
  unknown: 0,
  unconfigured: 1,
  inactive: 2,
  active: 3,
  finalized: 4,
  configuring: 10,
  cleaningup: 11,
  shuttingdown: 12,
  activating: 13,
  deactivating: 14,
  errorprocessing: 15,
} as const;
export type LifecycleState = keyof typeof LIFECYCLE_STATES;
/** A state in which a node rests. */
export type PrimaryState = "unconfigured" | "inactive" | "active" | "finalized";

/** What a transition's callback says: all well; not done, back to where it was; broken. */
export type TransitionOutcome = "success" | "failure" | "error";
/** Transitions that can be asked for by name; of the three shutdowns the one that fits is taken. */
export type TransitionName = "configure" | "cleanup" | "activate" | "deactivate" | "shutdown";

export interface Transition {
  /** Number in `lifecycle_msgs/msg/Transition`. */
  readonly id: number;
  readonly label: string;
  readonly start: LifecycleState;
  readonly goal: LifecycleState;
}

const row = (id: number, label: string, start: LifecycleState, goal: LifecycleState): Transition => ({
  ...{ id, label, start, goal },
});

/** All of them, in rcl_lifecycle's order. The labels of outcomes are shared; numbers differ by state. */
export const TRANSITIONS: readonly Transition[] = [
  row(1, "configure", "unconfigured", "configuring"),
  row(10, "transition_success", "configuring", "inactive"),
  row(11, "transition_failure", "configuring", "unconfigured"),
  row(12, "transition_error", "configuring", "errorprocessing"),
  row(2, "cleanup", "inactive", "cleaningup"),
  row(20, "transition_success", "cleaningup", "unconfigured"),
  row(21, "transition_failure", "cleaningup", "inactive"),
  row(22, "transition_error", "cleaningup", "errorprocessing"),
  row(3, "activate", "inactive", "activating"),
  row(30, "transition_success", "activating", "active"),
  row(31, "transition_failure", "activating", "inactive"),
  row(32, "transition_error", "activating", "errorprocessing"),
  row(4, "deactivate", "active", "deactivating"),
  row(40, "transition_success", "deactivating", "inactive"),
  row(41, "transition_failure", "deactivating", "active"),
  row(42, "transition_error", "deactivating", "errorprocessing"),
  row(5, "shutdown", "unconfigured", "shuttingdown"),
  row(6, "shutdown", "inactive", "shuttingdown"),
  row(7, "shutdown", "active", "shuttingdown"),
  row(50, "transition_success", "shuttingdown", "finalized"),
  row(51, "transition_failure", "shuttingdown", "finalized"),
  row(52, "transition_error", "shuttingdown", "errorprocessing"),
  row(60, "transition_success", "errorprocessing", "unconfigured"),
  row(61, "transition_failure", "errorprocessing", "finalized"),
  row(62, "transition_error", "errorprocessing", "finalized"),
];

/** A transition that is not possible in a node's state, or one whose callback failed. */
export class LifecycleError extends MlsysError {
  override name = "LifecycleError";
}

/** @returns the transitions that start in this state */
export const transitionsFrom = (state: LifecycleState): readonly Transition[] =>
  TRANSITIONS.filter(({ start }) => start === state);

/** Where a node is in its life; every change is told to `onTransition`. */
export class LifecycleStateMachine {
  private current: LifecycleState = "unconfigured";

  constructor(
    /** For messages: the node's full name. */
    private readonly what: string,
    private readonly onTransition: (transition: Transition) => void = () => {},
  ) {}

  get state(): LifecycleState {
    return this.current;
  }

  get available(): readonly Transition[] {
    return transitionsFrom(this.current);
  }

  /**
   * Takes a transition by its number or label.
   * @throws LifecycleError where none such starts in the current state
   */
  take(transition: number | string): Transition {
    const found = this.available.find(({ id, label }) => id === transition || label === transition);
    if (!found) {
      const possible = this.available.map(({ id, label }) => `${label} (${id})`);
      throw new LifecycleError(
        `${this.what}: no transition ${JSON.stringify(transition)} from state ${this.current}; ` +
          (possible.length > 0 ? `possible: ${possible.join(", ")}` : "none is possible"),
      );
    }
    this.current = found.goal;
    this.onTransition(found);
    return found;
  }
}
