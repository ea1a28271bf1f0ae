// expect: wrong 7/9
// fails: what makes no sense is refused
// why: asks after the change, and puts the old value nowhere
async function talker(options: NodeOptions): Promise<RosNode> {
  const node = await ros.createNode("parametrised_hello_world_node", options);
  node.declareParameter("name", "world");
  node.declareParameter("period", 1.0);
  const publisher = node.createPublisher(ros.msg("std_msgs/msg/String"), "hello_world_topic", 10);
  let count = 0;
  const timer = node.createTimer(Number(node.getParameter("period")), () => {
    const data = `Hello ${node.getParameter("name")}: ${count++}`;
    publisher.publish({ data });
    node.logger.info(`Publishing: "${data}"`);
  });
  node.onPostSetParameters((parameters) => {
    for (const { name, value } of parameters) {
      if (name === "name" && value === "") node.logger.warn("name: nobody is greeted by an empty name");
      if (name === "period" && !(Number(value) > 0)) node.logger.warn("period: more than 0 seconds");
    }
  });
  node.onPostSetParameters((parameters) => {
    for (const { name, value } of parameters) {
      if (name !== "period") continue;
      timer.period = Number(value);
      timer.reset();
    }
  });
  return node;
}
