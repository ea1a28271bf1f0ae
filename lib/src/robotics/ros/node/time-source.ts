/** Simulated time: a node whose parameter `use_sim_time` is true lives by what is published on `/clock`. */
import { msg } from "../interfaces/registry.js";
import type { Node } from "./node.js";
import { qos } from "./qos.js";
import type { Subscription } from "./subscription.js";
import { Time } from "./time.js";

export const USE_SIM_TIME = "use_sim_time";

/** Declares the parameter and follows it. */
export function followSimTime(node: Node): void {
  let last = 0n;
  let subscription: Subscription<unknown> | undefined;
  const follow = (simulated: boolean) => {
    if (simulated === (subscription !== undefined)) return;
    if (!simulated) {
      subscription!.destroy();
      subscription = undefined;
      node.clock.setOverride(undefined);
      return;
    }
    // 0 until the first message: nothing of simulated time is known yet
    node.clock.setOverride(last);
    const onClock = ({ clock }: { clock: { sec: number; nanosec: number } }) => {
      last = Time.fromMessage(clock).nanoseconds;
      node.clock.setOverride(last);
    };
    subscription = node.createSubscription(msg("rosgraph_msgs/msg/Clock"), "/clock", onClock, {
      qos: qos.clock,
      // time goes on while a callback of the default group waits for it
      group: node.createCallbackGroup("reentrant"),
    }) as Subscription<unknown>;
  };
  node.onPostSetParameters((parameters) => {
    for (const { name, value } of parameters) if (name === USE_SIM_TIME) follow(value as boolean);
  });
  if (node.hasParameter(USE_SIM_TIME)) follow(node.getParameter(USE_SIM_TIME, "bool"));
  else node.declareParameter(USE_SIM_TIME, false, { description: "whether time comes from /clock" });
}
