// expect: correct
// why: a new timer for each period; both parameters are kept in variables that follow them
async function talker(options: NodeOptions): Promise<RosNode> {
  const node = await ros.createNode("parametrised_hello_world_node", options);
  const now = {
    name: node.declareParameter("name", "world", { description: "whom to greet" }) as string,
    period: node.declareParameter("period", 1, { description: "seconds" }) as number,
  };
  const out = node.createPublisher(ros.msg("std_msgs/msg/String"), "hello_world_topic", { depth: 10 });
  let next = 0;
  const greet = (): void => {
    const text = "Hello " + now.name + ": " + next;
    next += 1;
    node.logger.info(`Publishing: "${text}"`);
    out.publish({ data: text });
  };
  let timer = node.createTimer(now.period, greet);
  const sound: Record<string, (value: unknown) => boolean> = {
    name: (value) => typeof value === "string" && value.length > 0,
    period: (value) => typeof value === "number" && value > 0,
  };
  node.onSetParameters((wanted) => {
    const wrong = wanted.find(({ name, value }) => sound[name] && !sound[name](value));
    return wrong ? { successful: false, reason: `${wrong.name} can't be ${String(wrong.value)}` } : { successful: true };
  });
  node.onPostSetParameters(() => {
    now.name = String(node.getParameter("name"));
    const period = Number(node.getParameter("period"));
    if (period === now.period) return;
    now.period = period;
    timer.destroy();
    timer = node.createTimer(period, greet);
  });
  return node;
}
