/** Action clients: send goals, follow their feedback, get their results, cancel them. */
import type { GoalInfo } from "../interfaces/common/action_msgs.js";
import type { ActionType, MessageInit, Uuid } from "../interfaces/types.js";
import type { Client } from "../node/client.js";
import { RosTimeoutError } from "../node/errors.js";
import type { Node } from "../node/node.js";
import type { QoSInput } from "../node/qos.js";
import type { MessageStream } from "../node/subscription.js";
import { Time } from "../node/time.js";
import type { WaitOptions } from "../node/wait.js";
import {
  ActionError,
  CANCEL_CODES,
  type CancelCode,
  CancelGoal,
  endpointNames,
  FEEDBACK_QOS,
  GoalRejectedError,
  GoalStatusArray,
  goalIdOf,
  goalIdText,
  NO_GOAL,
  newGoalId,
  STATUS_QOS,
} from "./endpoints.js";
import { FeedbackStream } from "./feedback-stream.js";
import { type GoalStatus, isActive, statusOf } from "./goal-state.js";

export interface ActionClientOptions {
  readonly feedbackQoS?: QoSInput;
}

export interface SendGoalOptions<Feedback> extends WaitOptions {
  /** A UUID as text. Default: a random one. */
  readonly goalId?: string;
  /** Called with each feedback, beside the iterator. */
  readonly onFeedback?: (feedback: Feedback) => void;
  /** Feedback that is kept for a loop that is slow, or not there yet; then the oldest is dropped. Default 1000. */
  readonly feedbackDepth?: number;
}

/** How a goal ended: `status` is "succeeded", "canceled" or "aborted"; "unknown" where the server forgot it. */
export interface GoalResult<Result> {
  readonly status: GoalStatus;
  readonly result: Result;
}

/** What a server made of a request to cancel. */
export interface CancelResult {
  /** "none" is no error. */
  readonly code: CancelCode;
  /** Ids of the goals that are being canceled. */
  readonly goals: readonly string[];
}

/** A goal that the server accepted, as its client holds it. */
export class ClientGoal<Result, Feedback> {
  private current: GoalStatus = "accepted";

  /** @internal */
  constructor(
    readonly goalId: string,
    /** When it was accepted, by the server's clock. */
    readonly acceptedAt: Time,
    /** Ends with the goal; collects from the start, to be read once. */
    readonly feedback: FeedbackStream<Feedback>,
    /** @throws ActionError if the server goes away before; NodeDestroyedError */
    readonly result: Promise<GoalResult<Result>>,
    /** Asks the server to cancel it; the result tells whether it was. */
    readonly cancel: (options?: WaitOptions) => Promise<CancelResult>,
  ) {}

  /** As far as the client has heard. */
  get status(): GoalStatus {
    return this.current;
  }

  /** @internal A goal that is over stays so, whatever late news say. */
  heard(status: GoalStatus): void {
    if (isActive(this.current) && status !== "unknown") this.current = status;
  }
}

interface Pending<Result, Feedback> {
  readonly feedback: FeedbackStream<Feedback>;
  readonly onFeedback?: (feedback: Feedback) => void;
  goal: ClientGoal<Result, Feedback> | null;
  /** Ends the wait for the result. */
  readonly gone: AbortController;
}

/**
 * Sends goals to an action's server. Made by `node.createActionClient`.
 * @example
 * const node = await ros.createNode("my_sum_action_client");
 * const MySum = ros.action("my_interfaces/action/MySum");
 * node.createActionServer(MySum, "my_sum", {
 *   execute: (goal) => goal.succeed({ sum: goal.request.list.reduce((a, b) => a + b, 0) }),
 * });
 * const goal = await node.createActionClient(MySum, "my_sum").sendGoal({ list: [1, 2, 3] });
 * for await (const { sum_so_far } of goal.feedback) node.logger.info(`sum so far: ${sum_so_far}`);
 * const { status, result } = await goal.result;
 * await node.destroy();
 * [status, result.sum] // ["succeeded", 6]
 */
export class ActionClient<Goal, Result, Feedback> implements Disposable {
  /** The action's full name. */
  readonly name: string;
  private readonly goals = new Map<string, Pending<Result, Feedback>>();
  private readonly sender: Client<
    { goal_id: Uuid; goal: Goal },
    { accepted: boolean; stamp: { sec: number; nanosec: number } }
  >;
  private readonly canceler: Client<
    { goal_info: GoalInfo },
    { return_code: number; goals_canceling: GoalInfo[] }
  >;
  private readonly getter: Client<{ goal_id: Uuid }, { status: number; result: Result }>;
  private readonly feedback: MessageStream<{ goal_id: Uuid; feedback: Feedback }>;
  private readonly statuses: MessageStream<{ status_list: { goal_info: GoalInfo; status: number }[] }>;
  private readonly ends: (() => void)[];
  private isDestroyed = false;

  /** @internal */
  constructor(
    private readonly node: Node,
    readonly type: ActionType<Goal, Result, Feedback>,
    name: string,
    { feedbackQoS = FEEDBACK_QOS }: ActionClientOptions = {},
  ) {
    this.name = node.resolveServiceName(name);
    const names = endpointNames(this.name);
    // collected past the executor: a loop over feedback sees it whoever spins, as the result is
    this.feedback = node.subscribe(type.feedbackMessage, names.feedback, feedbackQoS);
    this.statuses = node.subscribe(GoalStatusArray, names.status, STATUS_QOS);
    this.sender = node.createClient(type.sendGoal, names.sendGoal);
    this.canceler = node.createClient(CancelGoal, names.cancelGoal);
    this.getter = node.createClient(type.getResult, names.getResult);
    const entities = [this.feedback, this.statuses, this.sender, this.canceler, this.getter];
    this.ends = [
      node.onGraphChange(() => this.checkServer()),
      node.onDestroy(() => this.destroy()),
      ...entities.map((entity) => () => entity.destroy()),
    ];
    void this.followFeedback();
    void this.followStatus();
  }

  /** Whether all of the server is there: its services, and its topics. */
  isServerAvailable(): boolean {
    return (
      !this.isDestroyed &&
      [this.sender, this.canceler, this.getter].every((client) => client.isServiceAvailable()) &&
      [this.feedback, this.statuses].every(({ publisherCount }) => publisherCount > 0)
    );
  }

  /** True as soon as the server is there, false on timeout. @throws NodeDestroyedError, or the signal's reason */
  waitForServer(options?: WaitOptions): Promise<boolean> {
    return this.node.waitUntil(() => this.isServerAvailable(), options);
  }

  /**
   * Sends a goal, once the server is there.
   * @throws GoalRejectedError; RosTimeoutError after `timeout` seconds without an answer; TypeError of a goal that does
   * not fit its type; NodeDestroyedError; the signal's reason
   */
  async sendGoal(
    goal: MessageInit<Goal>,
    {
      timeout = Infinity,
      signal,
      goalId = newGoalId(),
      onFeedback,
      feedbackDepth = 1000,
    }: SendGoalOptions<Feedback> = {},
  ): Promise<ClientGoal<Result, Feedback>> {
    const request = { goal_id: goalIdOf(goalId), goal: this.type.goal.create(goal) };
    if (this.goals.has(goalId)) throw new ActionError(`goal ${goalId} was sent to ${this.name} already`);
    const pending: Pending<Result, Feedback> = {
      ...{
        feedback: new FeedbackStream<Feedback>(feedbackDepth),
        onFeedback,
        goal: null,
        gone: new AbortController(),
      },
    };
    this.goals.set(goalId, pending); // from now on its feedback is collected
    try {
      if (!(await this.waitForServer({ timeout, signal })))
        throw new RosTimeoutError(`the server of action ${this.name} is not there after ${timeout} s`);
      const { accepted, stamp } = await this.sender.call(request as MessageInit<typeof request>, {
        timeout,
        signal,
      });
      if (!accepted) throw new GoalRejectedError(`the server of action ${this.name} rejected goal ${goalId}`);
      pending.goal = new ClientGoal(
        goalId,
        Time.fromMessage(stamp),
        pending.feedback,
        this.resultOf(goalId, pending),
        (options) => this.cancel({ goal_id: goalIdOf(goalId), stamp: { sec: 0, nanosec: 0 } }, options),
      );
      return pending.goal;
    } catch (error) {
      pending.feedback.end();
      this.goals.delete(goalId);
      throw error;
    }
  }

  /** Asks the server to cancel all goals, also those of other clients. */
  cancelAll(options?: WaitOptions): Promise<CancelResult> {
    return this.cancel({ goal_id: NO_GOAL, stamp: { sec: 0, nanosec: 0 } }, options);
  }

  /** Asks the server to cancel all goals that it accepted at a time or before, also those of other clients. */
  cancelBefore(time: Time, options?: WaitOptions): Promise<CancelResult> {
    return this.cancel({ goal_id: NO_GOAL, stamp: time.toMessage() }, options);
  }

  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    for (const end of this.ends) end();
    for (const { feedback } of this.goals.values()) feedback.end();
    this.goals.clear();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  private async cancel(goal_info: GoalInfo, options?: WaitOptions): Promise<CancelResult> {
    const { return_code, goals_canceling } = await this.canceler.call({ goal_info }, options);
    return {
      code: CANCEL_CODES[return_code] ?? "rejected",
      goals: goals_canceling.map(({ goal_id }) => goalIdText(goal_id)),
    };
  }

  /** Asked for at once, so that the server's time limit for results does not matter here. */
  private resultOf(goalId: string, pending: Pending<Result, Feedback>): Promise<GoalResult<Result>> {
    const work = async (): Promise<GoalResult<Result>> => {
      try {
        const { status, result } = await this.getter.call(
          { goal_id: goalIdOf(goalId) },
          { signal: pending.gone.signal },
        );
        pending.goal?.heard(statusOf(status));
        // feedback comes on a way of its own: what has arrived by now is before the end
        await new Promise((resolve) => setImmediate(resolve));
        return { status: statusOf(status), result };
      } finally {
        pending.feedback.end();
        this.goals.delete(goalId);
      }
    };
    const result = work();
    result.catch(() => {}); // an error is for who awaits the result; nobody may
    return result;
  }

  private async followFeedback(): Promise<void> {
    for await (const { goal_id, feedback } of this.feedback) {
      const pending = this.goals.get(goalIdText(goal_id));
      if (!pending) continue;
      pending.feedback.push(feedback);
      try {
        pending.onFeedback?.(feedback);
      } catch (error) {
        this.node.reportError(error, `onFeedback of action ${this.name}`);
      }
    }
  }

  private async followStatus(): Promise<void> {
    for await (const { status_list } of this.statuses)
      for (const { goal_info, status } of status_list)
        this.goals.get(goalIdText(goal_info.goal_id))?.goal?.heard(statusOf(status));
  }

  /** A server that went away answers no more; an answer that is on its way comes first. */
  private checkServer(): void {
    if (this.goals.size === 0 || this.isDestroyed || this.getter.isServiceAvailable()) return;
    setImmediate(() => {
      if (this.isDestroyed || this.getter.isServiceAvailable()) return;
      for (const [goalId, { gone, goal }] of this.goals)
        if (goal)
          gone.abort(
            new ActionError(`the server of action ${this.name} went away before goal ${goalId} was over`),
          );
    });
  }
}
