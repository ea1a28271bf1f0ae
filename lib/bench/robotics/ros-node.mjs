// One end of a round trip with our nodes: `echo`, `ping`, or `both` in one process. Prints "ready", then its result.
import { robotics } from "../../dist/index.js";

const { ros } = robotics;
const [role, kind, size, count, window] = process.argv.slice(2);
const type = kind === "String" ? ros.msg("std_msgs/msg/String") : ros.msg("sensor_msgs/msg/Image");
const QOS = 100;

async function echo() {
  const node = await ros.createNode("bench_echo");
  const back = node.createPublisher(type, "bench_back", QOS);
  node.createSubscription(type, "bench_there", (message) => back.publish(message), QOS);
  return node;
}

async function ping() {
  const node = await ros.createNode("bench_ping");
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
  const times = [];
  let came = () => {};
  const subscription = node.createSubscription(type, "bench_back", () => came(), QOS);
  await publisher.waitForSubscriptions();
  await subscription.waitForPublishers();

  /** Sends `total`, at most `most` under way; calls `each` with what a round trip took, in µs. */
  const go = (total, most, each) =>
    new Promise((resolve) => {
      const sent = [];
      let left = total;
      let waiting = 0;
      const send = () => {
        left--;
        waiting++;
        sent.push(performance.now());
        publisher.publish(message);
      };
      came = () => {
        waiting--;
        each((performance.now() - sent.shift()) * 1000);
        if (left > 0) send();
        else if (waiting === 0) resolve();
      };
      for (let i = 0; i < most && left > 0; i++) send();
    });

  await go(Math.ceil(Number(count) / 10), 1, () => {}); // warm
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

if (role !== "ping") await echo();
console.log("ready");
if (role !== "echo") await ping();
