/** Run by `check`: the book's topic and service between two nodes; prints what it heard as one JSON line. */

import type { QoSProfile } from "../../robotics/ros/host.js";
import { msg, srv } from "../../robotics/ros/interfaces/registry.js";
import { loadRos } from "../../robotics/ros/rcl/addon.js";
import { rclHost } from "../../robotics/ros/rcl/host.js";
import { interfacePackages } from "../../robotics/ros/rcl/place.js";

process.env.ROS_AUTOMATIC_DISCOVERY_RANGE ??= "LOCALHOST";
const PATIENCE = 60_000; // milliseconds; a busy machine takes its time
setTimeout(() => {
  process.stderr.write("nodes of the same process do not find each other\n");
  process.exit(1);
}, PATIENCE).unref();

const qos: QoSProfile = {
  ...{ history: "keep_last", depth: 1, reliability: "reliable", durability: "transient_local" },
  ...{ deadline: Number.POSITIVE_INFINITY, lifespan: Number.POSITIVE_INFINITY },
  ...{ liveliness: "automatic", livelinessLease: Number.POSITIVE_INFINITY },
};
const text = msg("std_msgs/msg/String");
const concat = srv("my_interfaces/srv/ConcatTwoStr");

const { addon, installation } = loadRos();
// Linux's own ports begin above those of domain 101; which one it is hardly matters for two nodes of one process.
const host = await rclHost({ domain: 1 + (process.pid % 101) });
const [near, far] = [host.createNode("mlsys_check_near", "/"), host.createNode("mlsys_check_far", "/")];
const name = `/mlsys_check_${process.pid}`;
const heard = new Promise<string>((resolve) => {
  far.createSubscription(text, name, { qos }, ({ data }) => resolve(data));
});
near.createPublisher(text, name, { qos }).publish(text.create({ data: "Hello World: 0" }));
const services = { ...qos, durability: "volatile" } as const;
far.createService(concat, `${name}_service`, { qos: services }, async ({ str1, str2 }) =>
  concat.response.create({ ret: str1 + str2 }),
);
const client = near.createClient(concat, `${name}_service`, { qos: services });
await new Promise<void>((resolve) => {
  const stop = near.onGraphChange(look);
  function look() {
    if (!client.isServiceAvailable()) return;
    stop();
    resolve();
  }
  look();
});
const { ret: answered } = await client.call(concat.request.create({ str1: "Hello", str2: "World" }));
const result = {
  ...{ heard: await heard, answered, middleware: addon.getRMWImplementationIdentifier() },
  ...{ distro: installation.distro, packages: interfacePackages(installation.prefixes).size },
};
await host.shutdown();
process.stdout.write(`${JSON.stringify(result)}\n`);
