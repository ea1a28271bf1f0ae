// One end of a round trip with our nodes: `echo`, `ping`, or both: in one process (`both`), with a child process (`child`), with
// another one over TCP (`tcp`). Prints "ready", then its result.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { robotics } from "../../dist/index.js";

const { ros } = robotics;
const [role, kind, size, count, window] = process.argv.slice(2);
const SetBool = ros.srv("std_srvs/srv/SetBool");
const QOS = 100;

const messageType = () =>
  kind === "String" ? ros.msg("std_msgs/msg/String") : ros.msg("sensor_msgs/msg/Image");

async function echo() {
  const node = await ros.createNode("bench_echo");
  if (kind === "Service") {
    node.createService(SetBool, "bench_service", ({ data }) => ({ success: data, message: "" }), QOS);
    return;
  }
  const back = node.createPublisher(messageType(), "bench_back", QOS);
  node.createSubscription(messageType(), "bench_there", (message) => back.publish(message), QOS);
}

/** The node at the other end in a process of its own, which this one's host is linked with. */
async function echoElsewhere() {
  const host = await ros.rosHost();
  const link =
    role === "tcp" ? { MLSYS_ROS_LINK: await host.listen("tcp://127.0.0.1:*") } : ros.LINK_TO_PARENT;
  const child = fork(fileURLToPath(import.meta.url), ["echo", ...process.argv.slice(3)], {
    serialization: "advanced",
    env: { ...process.env, ...link },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  if (role === "child") host.linkChild(child);
  process.once("exit", () => child.kill("SIGKILL"));
}

/** A way to send `i`; `came(answer)` is called for each that is back. */
async function messages(node, came) {
  const type = messageType();
  const publisher = node.createPublisher(type, "bench_there", QOS);
  const message =
    kind === "String"
      ? { data: "x".repeat(Number(size)) }
      : {
          height: 1000,
          width: 1000,
          encoding: "mono8",
          step: 1000,
          data: new Uint8Array(Number(size)).fill(7),
        };
  const wanted = ros.serialize(type, type.create(message));
  const subscription = node.createSubscription(type, "bench_back", came, QOS);
  await publisher.waitForSubscriptions();
  await subscription.waitForPublishers();
  return {
    send: () => publisher.publish(message),
    isRight: (answer) => Buffer.compare(ros.serialize(type, answer), wanted) === 0,
  };
}

async function calls(node, came) {
  const client = node.createClient(SetBool, "bench_service", QOS);
  await client.waitForService();
  return {
    send: () => void client.call({ data: true }).then(came),
    isRight: ({ success }) => success === true,
  };
}

async function ping() {
  const node = await ros.createNode("bench_ping");
  let came = () => {};
  const way = await (kind === "Service" ? calls : messages)(node, (answer) => came(answer));

  /** Sends `total`, at most `most` under way; calls `each` with what a round trip took, in µs, and what came back. */
  const go = (total, most, each) =>
    new Promise((resolve) => {
      const sent = [];
      let left = total;
      let waiting = 0;
      const send = () => {
        left--;
        waiting++;
        sent.push(performance.now());
        way.send();
      };
      came = (answer) => {
        waiting--;
        each((performance.now() - sent.shift()) * 1000, answer);
        if (left > 0) send();
        else if (waiting === 0) resolve();
      };
      for (let i = 0; i < most && left > 0; i++) send();
    });

  let wrong = 0;
  await go(Math.ceil(Number(count) / 10), 1, (_, answer) => {
    if (!way.isRight(answer)) wrong++;
  }); // warm
  if (wrong > 0) throw new Error(`${wrong} answers are not what was sent`);
  const times = [];
  await go(Number(count), 1, (time) => times.push(time));
  times.sort((a, b) => a - b);
  const started = performance.now();
  await go(Number(count), Number(window), () => {});
  const rate = Number(count) / ((performance.now() - started) / 1000);
  const at = (part) => times[Math.floor(part * (times.length - 1))];
  console.log(JSON.stringify({ p50: at(0.5), p99: at(0.99), rate }));
  await node.destroy();
  process.exit(0);
}

if (role === "both" || role === "echo") await echo();
if (role === "child" || role === "tcp") await echoElsewhere();
console.log("ready");
if (role !== "echo") await ping();
