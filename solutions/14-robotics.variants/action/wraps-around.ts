// expect: wrong 8/10
// fails: more than an int32 holds
// why: adds as C does
async function sumServer(options: NodeOptions, pause: number): Promise<RosNode> {
  const node = await ros.createNode("my_sum_action_server", options);
  node.createActionServer(ros.action("my_interfaces/action/MySum"), "my_sum", {
    onGoal: ({ list }) => (list.length === 0 ? "reject" : "accept"),
    onCancel: () => true,
    async execute(goal) {
      let sum = 0;
      for (const value of goal.request.list) {
        await node.clock.sleep(pause, { signal: goal.signal }).catch(() => {});
        if (goal.isCancelRequested) return goal.canceled({ sum });
        sum = (sum + value) | 0;
        goal.publishFeedback({ sum_so_far: sum });
      }
      return goal.succeed({ sum });
    },
  });
  return node;
}
