/** A node of another process or thread: repeats what it hears, serves, and has a map for late joiners. */
import { msg, srv } from "../../../dist/robotics/ros/interfaces/registry.js";
import { rosHost } from "../../../dist/robotics/ros/select.js";

const qos = {
  history: "keep_last",
  depth: 10,
  reliability: "reliable",
  durability: "volatile",
  deadline: Infinity,
  lifespan: Infinity,
  liveliness: "automatic",
  livelinessLease: Infinity,
};

const host = await rosHost();
const node = host.createNode("echo", "/there");
const Image = msg("sensor_msgs/msg/Image");
const SetBool = srv("std_srvs/srv/SetBool");

const echo = node.createPublisher(Image, "/echo", { qos });
node.createSubscription(Image, "/image", { qos }, (image) => {
  image.header.frame_id += ` via ${process.pid}`;
  echo.publish(image);
});
node.createService(SetBool, "/service", { qos }, async ({ data }) =>
  SetBool.response.create({ success: !data, message: `from ${process.pid}` }),
);
const map = node.createPublisher(msg("std_msgs/msg/String"), "/map", {
  qos: { ...qos, durability: "transient_local" },
});
map.publish({ data: "the map" });
node.createPublisher(msg("std_msgs/msg/Bool"), "/alive", { qos: { ...qos, livelinessLease: 1 } });
node.createSubscription(msg("std_msgs/msg/Bool"), "/end", { qos }, () => void host.shutdown());
