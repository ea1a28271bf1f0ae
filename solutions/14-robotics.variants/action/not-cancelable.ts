// expect: wrong 5/10
// fails: canceled: the sum so far | stops at once | side by side
// why: without onCancel no goal may be canceled
async function sumServer(options: NodeOptions, pause: number): Promise<RosNode> {
  const node = await ros.createNode("my_sum_action_server", options);
  node.createActionServer(ros.action("my_interfaces/action/MySum"), "my_sum", {
    onGoal: ({ list }) => (list.length === 0 ? "reject" : "accept"),
    async execute(goal) {
      let sum = 0;
      for (const value of goal.request.list) {
        await node.clock.sleep(pause, { signal: goal.signal }).catch(() => {});
        if (goal.isCancelRequested) return goal.canceled({ sum });
        if (sum + value !== ((sum + value) | 0)) return goal.abort({ sum });
        sum += value;
        goal.publishFeedback({ sum_so_far: sum });
      }
      return goal.succeed({ sum });
    },
  });
  return node;
}
