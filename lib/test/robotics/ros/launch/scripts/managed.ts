/** A managed node that talks while it is active. */
import * as ros from "mlsys/ros";

const managed = await ros.createLifecycleNode("camera", {
  onConfigure: () => console.log("configured"),
  onActivate: () => console.log("activated"),
});
const publisher = managed.createPublisher(ros.msg("std_msgs/msg/String"), "images", {
  ...{ depth: 1, durability: "transient_local" },
});
managed.onTransition(({ goal }) => goal === "active" && publisher.publish({ data: "image" }));
await ros.spin(managed.node);
