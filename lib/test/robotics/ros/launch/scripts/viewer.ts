/** Ends with the first image. */
import * as ros from "mlsys/ros";

const node = await ros.createNode("viewer");
const type = ros.msg("std_msgs/msg/String");
const { data } = await ros.firstMessage(node, type, "images", {
  qos: { depth: 1, durability: "transient_local" },
});
console.log(`saw ${data} of ${node.getPublishersInfoByTopic("images")[0].nodeName}`);
await node.destroy();
