// expect: correct
// why: an index, limits written out, try and catch around the pause
async function sumServer(options: NodeOptions, pause: number): Promise<RosNode> {
  const node = await ros.createNode("my_sum_action_server", options);
  const [least, most] = [-(2 ** 31), 2 ** 31 - 1];
  node.createActionServer(ros.action("my_interfaces/action/MySum"), "my_sum", {
    onGoal: (goal) => {
      return goal.list.length > 0 ? "accept" : "reject";
    },
    onCancel: async () => true,
    execute: async (goal) => {
      const { list } = goal.request;
      let done = 0;
      for (let i = 0; i < list.length; i++) {
        try {
          await node.clock.sleep(pause, { signal: goal.signal });
        } catch {
          return goal.canceled({ sum: done });
        }
        const next = done + list[i];
        if (next < least || next > most) return goal.abort({ sum: done });
        done = next;
        goal.publishFeedback({ sum_so_far: done });
      }
      return goal.succeed({ sum: done });
    },
  });
  return node;
}
