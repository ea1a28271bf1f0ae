/** Goals of a client, by the services and topics that ROS 2 makes an action of. */
import { randomFillSync } from "node:crypto";
import type { HostClient, HostSubscription } from "../host.js";
import { msg, srv } from "../interfaces/registry.js";
import type { ActionType } from "../interfaces/types.js";
import { DEFAULT_QOS } from "../offered-qos.js";
import { callService, expectService } from "./call.js";
import { fromJson, toJson } from "./json.js";
import { BridgeProblem, interfaceOf, type Request, rosName, type Session } from "./session.js";

interface Goal {
  readonly uuid: Uint8Array;
  readonly abort: AbortController;
  readonly parts: { dispose(): void }[];
}

/** `action_msgs/msg/GoalStatus`. */
const SUCCEEDED = 4;
const ABORTED = 6;

export class Actions {
  private readonly goals = new Map<string, Goal>();

  constructor(private readonly session: Session) {}

  /** Answers with `action_feedback`s and one `action_result`. */
  async send(request: Request): Promise<void> {
    const { session } = this;
    const action = rosName(request, "action");
    const id = request.id;
    if (typeof id !== "string") throw new BridgeProblem("send_action_goal: id must be a string");
    if (this.goals.has(id))
      throw new BridgeProblem(`send_action_goal: the goal ${id.slice(0, 80)} is under way`);
    session.room(this.goals, "goals under way");
    const goal: Goal = { uuid: randomFillSync(new Uint8Array(16)), abort: new AbortController(), parts: [] };
    this.goals.set(id, goal);
    const finish = (values: unknown, status: number, result: boolean) =>
      session.send({ op: "action_result", id, action, values, status, result });
    try {
      const type = interfaceOf(request, "action", request.action_type, () => undefined);
      const { status, values } = await this.run(request, action, type, id, goal);
      finish(values, status, true);
    } catch (error) {
      finish((error as Error).message, ABORTED, false);
    } finally {
      this.goals.delete(id);
      for (const part of goal.parts) part.dispose();
    }
  }

  private async run(
    request: Request,
    action: string,
    type: ActionType,
    id: string,
    { uuid, abort, parts }: Goal,
  ): Promise<{ status: number; values: unknown }> {
    const { node } = this.session;
    const args = type.goal.create(fromJson(type.goal, request.args ?? {}, this.session.now) as object);
    const keep = <Part extends HostSubscription | HostClient<never, never>>(part: Part): Part => {
      parts.push(part);
      return part;
    };
    const options = { qos: DEFAULT_QOS };
    expectService(this.session, `${action}/_action/send_goal`);
    // before the clients: who can answer them knows this end too
    if (request.feedback === true)
      keep(
        node.createSubscription(type.feedbackMessage, `${action}/_action/feedback`, options, (message) => {
          if (!Buffer.from(message.goal_id.uuid).equals(uuid)) return;
          this.session.send({
            op: "action_feedback",
            id,
            action,
            values: toJson(type.feedback, message.feedback),
          });
        }),
      );
    const send = node.createClient(type.sendGoal, `${action}/_action/send_goal`, options);
    const result = node.createClient(type.getResult, `${action}/_action/get_result`, options);
    parts.push(send, result);
    const goal = { goal_id: { uuid }, goal: args };
    const { accepted } = await callService(this.session, send, goal, undefined, abort);
    if (!accepted) throw new BridgeProblem(`the goal was rejected by ${action}`);
    // A goal may take as long as it takes.
    const answer = await callService(
      this.session,
      result,
      { goal_id: { uuid } },
      Number.POSITIVE_INFINITY,
      abort,
    );
    // feedback comes on a way of its own: what has arrived by now is before the end
    await new Promise((resolve) => setImmediate(resolve));
    return { status: answer.status || SUCCEEDED, values: toJson(type.result, answer.result) };
  }

  /** The goal's own `action_result` tells how it went. */
  async cancel(request: Request): Promise<void> {
    const action = rosName(request, "action");
    const goal = typeof request.id === "string" ? this.goals.get(request.id) : undefined;
    if (goal === undefined) throw new BridgeProblem("cancel_action_goal: no goal of that id is under way");
    const client = this.session.node.createClient(
      srv("action_msgs/srv/CancelGoal"),
      `${action}/_action/cancel_goal`,
      { qos: DEFAULT_QOS },
    );
    goal.parts.push(client);
    const info = msg("action_msgs/msg/GoalInfo").create({ goal_id: { uuid: goal.uuid } });
    const { return_code } = await callService(this.session, client, { goal_info: info });
    if (return_code !== 0)
      throw new BridgeProblem(`cancel_action_goal: ${action} refused (return code ${return_code})`);
  }

  dispose(): void {
    for (const { abort } of this.goals.values()) abort.abort(new BridgeProblem("the client is gone"));
  }
}
