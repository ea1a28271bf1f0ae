// expect: wrong 8/9
// fails: parameters of the options
// why: a timer of one second, whatever the options say
async function talker(options: NodeOptions): Promise<RosNode> {
  const node = await ros.createNode("parametrised_hello_world_node", options);
  node.declareParameter("name", "world");
  node.declareParameter("period", 1.0);
  const publisher = node.createPublisher(ros.msg("std_msgs/msg/String"), "hello_world_topic", 10);
  let count = 0;
  const timer = node.createTimer(1.0, () => {
    const data = `Hello ${node.getParameter("name")}: ${count++}`;
    publisher.publish({ data });
    node.logger.info(`Publishing: "${data}"`);
  });
  node.onSetParameters((parameters) => {
    for (const { name, value } of parameters) {
      if (name === "name" && value === "") return { successful: false, reason: "name: nobody is greeted by an empty name" };
      if (name === "period" && !(Number(value) > 0)) return { successful: false, reason: "period: more than 0 seconds" };
    }
    return { successful: true };
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
