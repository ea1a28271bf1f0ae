/** The book's action: a sum, number by number, with the sum so far as feedback. (Book, 14.2.) */

import { GoalRejectedError } from "../ros/action/endpoints.js";
import { action } from "../ros/interfaces/registry.js";
import { createNode, type NodeOptions } from "../ros/node/create.js";
import type { Node } from "../ros/node/node.js";

const MySum = action("my_interfaces/action/MySum");
const ACTION = "my_sum";

export interface MySumServerOptions extends NodeOptions {
  /** Seconds between two numbers, so that there is time to cancel. Default 0, as the book's. */
  readonly pause?: number;
}

/**
 * `my_sum_action_server`: serves `my_sum`; a goal that is canceled gives the sum so far.
 * @example
 * const adder = await robotics.caseStudy.mySumActionServer({ pause: 0.1 });
 * await adder.destroy();
 */
export async function mySumActionServer({ pause = 0, ...options }: MySumServerOptions = {}): Promise<Node> {
  const node = await createNode("my_sum_action_server", options);
  node.createActionServer(MySum, ACTION, {
    onCancel: () => true,
    async execute(goal) {
      node.logger.info("Executing goal...");
      let sum = 0;
      for (const value of goal.request.list) {
        if (pause > 0) await node.clock.sleep(pause, { signal: goal.signal }).catch(() => {});
        if (goal.isCancelRequested) return goal.canceled({ sum });
        sum += value;
        node.logger.info(`Feedback: ${sum}`);
        goal.publishFeedback({ sum_so_far: sum });
      }
      return goal.succeed({ sum });
    },
  });
  return node;
}

export interface MySumTrace {
  /** `sum_so_far`, in order. */
  readonly feedback: readonly number[];
  readonly status: string;
  readonly sum: number;
}

/**
 * `my_sum_action_client`: sends one goal, follows it and ends.
 * @returns its trace; undefined if the server rejects the goal
 * @throws the signal's reason
 * @example
 * const server = await robotics.caseStudy.mySumActionServer();
 * await robotics.caseStudy.mySumActionClient([1, 2, 3]); // feedback 1, 3, 6; "succeeded"; sum 6
 * await server.destroy();
 */
export async function mySumActionClient(
  list: readonly number[],
  { signal, ...options }: NodeOptions & { readonly signal?: AbortSignal } = {},
): Promise<MySumTrace | undefined> {
  await using node = await createNode("my_sum_action_client", options);
  const client = node.createActionClient(MySum, ACTION);
  while (!(await client.waitForServer({ timeout: 1.0, signal })))
    node.logger.info("action server not available, waiting again...");
  const goal = await client.sendGoal({ list: Int32Array.from(list) }, { signal }).catch((error: unknown) => {
    if (!(error instanceof GoalRejectedError)) throw error;
    node.logger.info("Goal rejected...");
  });
  if (!goal) return undefined;
  node.logger.info("Goal accepted.");
  const cancel = (): void => void goal.cancel().catch(() => {});
  signal?.addEventListener("abort", cancel, { once: true });
  const feedback: number[] = [];
  for await (const { sum_so_far } of goal.feedback) {
    node.logger.info(`Received feedback: ${sum_so_far}`);
    feedback.push(sum_so_far);
  }
  const { status, result } = await goal.result;
  signal?.removeEventListener("abort", cancel);
  node.logger.info(`Result: ${result.sum}`);
  return { feedback, status, sum: result.sum };
}
