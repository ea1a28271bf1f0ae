/** A goal as its server holds it: what `execute` is given. */
import type { ActionType, MessageInit } from "../interfaces/types.js";
import { type GoalEvent, GoalState, type GoalStatus, type TerminalStatus } from "./goal-state.js";

/** How a goal ended. */
export interface GoalOutcome<Result> {
  readonly status: TerminalStatus;
  readonly result: Result;
}

/** What a goal needs of its server. */
export interface GoalKeeper<Result, Feedback> {
  readonly action: string;
  publishFeedback(goalId: string, feedback: MessageInit<Feedback>): void;
  /** After each change of a goal's status. */
  changed(): void;
  ended(goalId: string, outcome: GoalOutcome<Result>): void;
  execute(goalId: string): void;
}

export class ServerGoal<Goal, Result, Feedback> {
  private readonly state: GoalState;
  private readonly canceling = new AbortController();
  private isStarted = false;
  /** @internal */
  outcome: GoalOutcome<Result> | null = null;

  /** @internal */
  constructor(
    private readonly type: ActionType<Goal, Result, Feedback>,
    private readonly keeper: GoalKeeper<Result, Feedback>,
    readonly goalId: string,
    /** The client's goal. */
    readonly request: Goal,
    /** Nanoseconds of the node's clock. */
    readonly acceptedAt: bigint,
  ) {
    this.state = new GoalState(`goal ${goalId} of ${keeper.action}`, (status) => {
      if (status === "canceling") this.canceling.abort(new Error(`goal ${goalId} is to be canceled`));
      keeper.changed();
    });
  }

  get status(): GoalStatus {
    return this.state.status;
  }

  /** Not over yet. */
  get isActive(): boolean {
    return this.state.isActive;
  }

  get isCancelRequested(): boolean {
    return this.state.status === "canceling";
  }

  /** Aborted when the goal is to be canceled, or its server is destroyed: for `fetch`, `clock.sleep` and the like. */
  get signal(): AbortSignal {
    return this.canceling.signal;
  }

  /** @internal Whether `execute` would start it. */
  get isWaiting(): boolean {
    return !this.isStarted && this.isActive;
  }

  /** @internal */
  get isCancelable(): boolean {
    return this.state.isCancelable;
  }

  /** To the client, while the goal is not over; after that it does nothing. @throws TypeError as `MessageType.create` */
  publishFeedback(feedback: MessageInit<Feedback>): void {
    if (this.isActive) this.keeper.publishFeedback(this.goalId, feedback);
  }

  /** Starts a goal that `onGoal` deferred. @throws GoalStateError unless it is accepted and not started */
  execute(): void {
    // one that is to be canceled before it began starts too, and sees that; but once
    if (this.isStarted || !this.isCancelRequested) this.state.apply("execute");
    this.isStarted = true;
    this.keeper.execute(this.goalId);
  }

  /** Done. @returns the whole result @throws GoalStateError if it is over, or was not started */
  succeed(result?: MessageInit<Result>): Result {
    return this.end("succeed", "succeeded", result);
  }

  /** Failed. @returns the whole result @throws GoalStateError if it is over, or was not started */
  abort(result?: MessageInit<Result>): Result {
    return this.end("abort", "aborted", result);
  }

  /** Stopped as the client asked. @returns the whole result @throws GoalStateError unless that was asked for */
  canceled(result?: MessageInit<Result>): Result {
    return this.end("canceled", "canceled", result);
  }

  /** @internal @throws GoalStateError */
  cancel(): void {
    this.state.apply("cancel_goal");
  }

  /** @internal */
  stop(reason: Error): void {
    this.canceling.abort(reason);
  }

  private end(event: GoalEvent, status: TerminalStatus, fields: MessageInit<Result> | undefined): Result {
    const result = this.type.result.create(fields); // checked before anything has changed
    this.state.apply(event);
    this.outcome = { status, result };
    this.keeper.ended(this.goalId, this.outcome);
    return result;
  }
}
