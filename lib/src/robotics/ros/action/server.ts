/** Action servers: long work that reports on its way and can be stopped, on rcl_action's services and topics. */
import { ValueError } from "../../../core/errors.js";
import type { GoalInfo } from "../interfaces/common/action_msgs.js";
import type { ActionType, MessageInit, Uuid } from "../interfaces/types.js";
import { CallbackGroup } from "../node/callback-group.js";
import type { Node } from "../node/node.js";
import type { Publisher } from "../node/publisher.js";
import type { QoSInput } from "../node/qos.js";
import { nanoseconds, Time } from "../node/time.js";
import {
  CANCEL_CODES,
  type CancelCode,
  CancelGoal,
  endpointNames,
  FEEDBACK_QOS,
  GoalStatusArray,
  goalIdOf,
  goalIdText,
  STATUS_QOS,
} from "./endpoints.js";
import { codeOf, GoalStateError } from "./goal-state.js";
import { type GoalOutcome, ServerGoal } from "./server-goal.js";

/** What is done with a goal that comes in: `defer` accepts it, and it starts when `goal.execute()` is called. */
export type GoalDecision = "accept" | "reject" | "defer";

export interface ActionServerOptions<Goal, Result, Feedback> {
  /**
   * The work. It ends with `return goal.succeed(…)`, `goal.abort(…)` or `goal.canceled(…)`; one that ends without, or
   * throws, aborts the goal. Goals run side by side, as far as they await.
   */
  readonly execute: (
    goal: ServerGoal<Goal, Result, Feedback>,
    // biome-ignore lint/suspicious/noConfusingVoidType: work that says nothing at its end is aborted
  ) => MessageInit<Result> | void | Promise<MessageInit<Result> | void>;
  /** "accept", "reject" or "defer". Default: all are accepted. */
  readonly onGoal?: (goal: Goal, goalId: string) => GoalDecision | Promise<string>; // of an async one TypeScript knows no more
  /** Called with each goal that was accepted, before it starts. */
  readonly onAccepted?: (goal: ServerGoal<Goal, Result, Feedback>) => void;
  /** Whether a goal may be canceled. Default, as rclpy's: none may. */
  readonly onCancel?: (goal: ServerGoal<Goal, Result, Feedback>) => boolean | Promise<boolean>;
  /** Seconds for which the results of goals that are over are kept for clients. Default 10. */
  readonly resultTimeout?: number;
  readonly feedbackQoS?: QoSInput;
}

/**
 * Serves an action. Made by `node.createActionServer`.
 * @example
 * const node = await ros.createNode("my_sum_action_server");
 * node.createActionServer(ros.action("my_interfaces/action/MySum"), "my_sum", {
 *   onCancel: () => true,
 *   async execute(goal) {
 *     let sum = 0;
 *     for (const value of goal.request.list) {
 *       if (goal.isCancelRequested) return goal.canceled({ sum });
 *       sum += value;
 *       goal.publishFeedback({ sum_so_far: sum });
 *       await node.clock.sleep(0.001);
 *     }
 *     return goal.succeed({ sum });
 *   },
 * });
 * await node.destroy();
 */
export class ActionServer<Goal, Result, Feedback> implements Disposable {
  /** The action's full name. */
  readonly name: string;
  private readonly tracked = new Map<string, ServerGoal<Goal, Result, Feedback>>();
  private readonly waiting = new Map<string, ((outcome: GoalOutcome<Result>) => void)[]>();
  /** Goals that are accepted but not begun, by their requests. */
  private readonly starts = new WeakMap<object, () => void>();
  private readonly expiries = new Map<string, () => void>();
  private readonly statusPublisher: Publisher<{ status_list: { goal_info: GoalInfo; status: number }[] }>;
  private readonly feedbackPublisher: Publisher<{ goal_id: Uuid; feedback: Feedback }>;
  private readonly ends: (() => void)[] = [];
  private isDestroyed = false;
  private readonly resultTimeout: bigint | null;

  /** @internal */
  constructor(
    private readonly node: Node,
    readonly type: ActionType<Goal, Result, Feedback>,
    name: string,
    private readonly options: ActionServerOptions<Goal, Result, Feedback>,
  ) {
    if (typeof options?.execute !== "function")
      throw new TypeError(`action server ${name}: a function "execute" is expected`);
    const { resultTimeout = 10, feedbackQoS = FEEDBACK_QOS } = options;
    if (!(resultTimeout >= 0))
      throw new ValueError(
        `action server ${name}: resultTimeout is ${resultTimeout}; seconds from 0 expected`,
      );
    this.resultTimeout = resultTimeout === Infinity ? null : nanoseconds(resultTimeout);
    this.name = node.resolveServiceName(name);
    const names = endpointNames(this.name);
    // a request for a result waits for it: other requests are not to wait for that
    const group = new CallbackGroup("reentrant");
    this.statusPublisher = node.createPublisher(GoalStatusArray, names.status, STATUS_QOS);
    this.feedbackPublisher = node.createPublisher(type.feedbackMessage, names.feedback, feedbackQoS);
    const services = [
      node.createService(CancelGoal, names.cancelGoal, ({ goal_info }) => this.answerCancel(goal_info), {
        group,
      }),
      node.createService(type.getResult, names.getResult, ({ goal_id }) => this.answerResult(goal_id), {
        group,
      }),
      // the last: clients take an action for there when its goals can be sent
      node.createService(type.sendGoal, names.sendGoal, (request) => this.answerGoal(request), {
        group,
        onAnswered: (request) => this.starts.get(request)?.(),
      }),
    ];
    const entities = [...services, this.statusPublisher, this.feedbackPublisher];
    this.ends.push(
      node.onDestroy(() => this.destroy()),
      ...entities.map((entity) => () => entity.destroy()),
    );
  }

  /** Goals that are not over, and those whose results are still kept; in order of acceptance. */
  get goals(): readonly ServerGoal<Goal, Result, Feedback>[] {
    return [...this.tracked.values()];
  }

  /** Goals under way are told by their `signal`; no client hears of them any more. */
  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    for (const goal of this.tracked.values())
      if (goal.isActive) goal.stop(new Error(`${this.name} was destroyed`));
    for (const cancel of this.expiries.values()) cancel();
    for (const end of this.ends) end();
    this.waiting.clear();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  private async answerGoal(request: { goal_id: Uuid; goal: Goal }) {
    const { goal_id, goal } = request;
    const goalId = goalIdText(goal_id);
    const decision = this.tracked.has(goalId) ? "reject" : await this.decide(goal, goalId);
    if (decision === "reject" || this.tracked.has(goalId) || this.isDestroyed)
      return { accepted: false, stamp: { sec: 0, nanosec: 0 } };
    const acceptedAt = this.node.clock.now();
    const accepted = new ServerGoal<Goal, Result, Feedback>(
      this.type,
      {
        action: this.name,
        publishFeedback: (id, feedback) => this.publishFeedback(id, feedback),
        changed: () => this.publishStatus(),
        ended: (id, outcome) => this.ended(id, outcome),
        execute: (id) => void this.run(this.tracked.get(id)!),
      },
      ...([goalId, goal, acceptedAt.nanoseconds] as const),
    );
    this.tracked.set(goalId, accepted);
    // the client hears that it is accepted before anything else of it; its subscription of feedback is known by then
    this.starts.set(request, () => setImmediate(() => this.begin(accepted, decision)));
    return { accepted: true, stamp: acceptedAt.toMessage() };
  }

  private async decide(goal: Goal, goalId: string): Promise<GoalDecision> {
    try {
      const decision: string = (await this.options.onGoal?.(goal, goalId)) ?? "accept";
      if (decision === "accept" || decision === "reject" || decision === "defer") return decision;
      throw new TypeError(`onGoal returned ${String(decision)}; "accept", "reject" or "defer" expected`);
    } catch (error) {
      this.report(error, "onGoal");
      return "reject";
    }
  }

  private begin(goal: ServerGoal<Goal, Result, Feedback>, decision: GoalDecision): void {
    if (this.isDestroyed) return;
    this.publishStatus();
    try {
      this.options.onAccepted?.(goal);
    } catch (error) {
      this.report(error, "onAccepted");
    }
    if (decision === "accept" && goal.isWaiting) goal.execute();
  }

  private async run(goal: ServerGoal<Goal, Result, Feedback>): Promise<void> {
    let result: MessageInit<Result> | undefined;
    try {
      result = (await this.options.execute(goal)) ?? undefined;
      if (!goal.isActive || this.isDestroyed) return;
      this.node.logger.warn(
        `goal ${goal.goalId} of ${this.name}: execute ended without succeed, abort or canceled: aborted`,
      );
      goal.abort(result);
    } catch (error) {
      if (this.isDestroyed) return; // what its signal did to it
      this.report(error, "execute");
      if (goal.isActive) goal.abort();
    }
  }

  private async answerCancel({ goal_id, stamp }: GoalInfo) {
    const { candidates, code } = this.candidates(
      goalIdText(goal_id),
      Time.fromMessage(stamp).nanoseconds,
      goal_id,
    );
    const goals_canceling: GoalInfo[] = [];
    for (const goal of candidates) if (await this.cancel(goal)) goals_canceling.push(infoOf(goal));
    const all: CancelCode = candidates.length > 0 && goals_canceling.length === 0 ? "rejected" : code;
    return { return_code: CANCEL_CODES.indexOf(all), goals_canceling };
  }

  /** Which goals a request is about: CancelGoal.srv's four cases. */
  private candidates(goalId: string, until: bigint, { uuid }: Uuid) {
    const isAny = uuid.every((byte) => byte === 0);
    if (!isAny && until === 0n) {
      const goal = this.tracked.get(goalId);
      const code: CancelCode = !goal ? "unknown_goal_id" : goal.isCancelable ? "none" : "goal_terminated";
      return { candidates: goal?.isCancelable ? [goal] : [], code };
    }
    const all = isAny && until === 0n;
    const meant = this.goals.filter(
      (goal) => goal.isCancelable && (all || goal.acceptedAt <= until || goal.goalId === goalId),
    );
    return { candidates: meant, code: "none" as CancelCode };
  }

  private async cancel(goal: ServerGoal<Goal, Result, Feedback>): Promise<boolean> {
    try {
      if (!(await this.options.onCancel?.(goal))) return false;
      goal.cancel();
      return true;
    } catch (error) {
      if (!(error instanceof GoalStateError)) this.report(error, "onCancel"); // else: it ended meanwhile
      return false;
    }
  }

  private async answerResult(goal_id: Uuid) {
    const goalId = goalIdText(goal_id);
    const goal = this.tracked.get(goalId);
    if (!goal) return { status: codeOf("unknown") };
    const { status, result } =
      goal.outcome ??
      (await new Promise<GoalOutcome<Result>>((resolve) => {
        this.waiting.set(goalId, [...(this.waiting.get(goalId) ?? []), resolve]);
      }));
    return { status: codeOf(status), result: result as MessageInit<Result> };
  }

  private ended(goalId: string, outcome: GoalOutcome<Result>): void {
    for (const resolve of this.waiting.get(goalId) ?? []) resolve(outcome);
    this.waiting.delete(goalId);
    if (this.resultTimeout === null || this.isDestroyed) return;
    const { clock } = this.node;
    const forget = () => {
      this.expiries.delete(goalId);
      this.tracked.delete(goalId);
    };
    this.expiries.set(goalId, clock.callAt(clock.nanoseconds() + this.resultTimeout, forget));
  }

  private publishFeedback(goalId: string, feedback: MessageInit<Feedback>): void {
    if (this.isDestroyed) return;
    this.feedbackPublisher.publish({ goal_id: goalIdOf(goalId), feedback } as MessageInit<{
      goal_id: Uuid;
      feedback: Feedback;
    }>);
  }

  private publishStatus(): void {
    if (this.isDestroyed) return;
    const status_list = this.goals.map((goal) => ({ goal_info: infoOf(goal), status: codeOf(goal.status) }));
    this.statusPublisher.publish({ status_list });
  }

  private report(error: unknown, callback: string): void {
    this.node.reportError(error, `${callback} of action ${this.name}`);
  }
}

const infoOf = ({ goalId, acceptedAt }: { goalId: string; acceptedAt: bigint }): GoalInfo => ({
  goal_id: goalIdOf(goalId),
  stamp: Time.fromNanoseconds(acceptedAt).toMessage(),
});
