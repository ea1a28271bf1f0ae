// Round trips and rates of messages between two processes on ROS 2, ours and rclpy's in turn; and ours in one process.
import { execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { median, short } from "./contest.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const HOME = process.env.MLSYS_ROS_HOME ?? join(root, "node_modules", ".cache", "ros"); // that of the tests
const OURS = fileURLToPath(new URL("ros-node.mjs", import.meta.url));
const RCLPY = fileURLToPath(new URL("ros_node.py", import.meta.url));

const PROFILE = fileURLToPath(new URL("../../assets/rclnodejs/fastdds.xml", import.meta.url));

const KINDS = {
  String: { size: 16, name: "String of 16 bytes" },
  Image: { size: 1_000_000, name: "Image of 1 MB" },
  Service: { size: 0, name: "service call" },
};

/** What is measured: round trips one after the other, then with as many under way as `window`. */
const tasks = (quick) => [
  { kind: "String", count: quick ? 1000 : 5000, window: 16 },
  { kind: "Image", count: quick ? 50 : 300, window: 4 },
  { kind: "Service", count: quick ? 500 : 3000, window: 16 },
];

/** Runs one end; its first line says that it is ready, its last one is the result. */
function start(command, args, env) {
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const lines = [];
  let errors = "";
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  const closed = new Promise((resolve) => child.once("close", resolve));
  let ready = () => {};
  const isReady = new Promise((resolve) => {
    ready = resolve;
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    ready();
  });
  void closed.then(ready);
  return {
    isReady,
    async result() {
      const code = await closed;
      if (code !== 0 || lines.length === 0)
        throw new Error(errors.trim().split("\n").at(-1) || `exit code ${code}`);
      return JSON.parse(lines.at(-1));
    },
    async stop() {
      child.kill("SIGKILL");
      await closed;
    },
  };
}

export async function rows({ quick }) {
  const missing = {};
  const notes = [
    "Round trip: a message to a node that sends it back as it is (checked), or a call of a service of type std_srvs/SetBool, one after the other; half of a message's round trip is its latency. rclnodejs and rclpy: two processes on this machine over Fast DDS, reliable, depth 100; ours asks it for 4 MB of shared memory, rclpy has it as it comes (0.5 MB, in which no image fits) and with ours. Rows of the graph are of our own carrier, without ROS 2: two nodes of one process, a process and its child, two processes over TCP.",
    "Rate: messages that went there and back, or calls, per second with 16 under way (Image: 4).",
  ];
  const { rosInstallationAt } = await import(
    new URL("../../dist/robotics/ros/rcl/place.js", import.meta.url).href
  );
  const { rosEnvironment } = await import(new URL("../../dist/cli/ros/interfaces.js", import.meta.url).href);
  let ros = null;
  try {
    const cli = join(root, "lib", "bin", "mlsys.mjs");
    await promisify(execFile)(process.execPath, [cli, "ros", "install", "--home", HOME], {
      maxBuffer: 1 << 24,
    });
    ros = rosInstallationAt(HOME);
  } catch (error) {
    const why = String(error.stderr ?? error.message)
      .trim()
      .split("\n")
      .at(-1);
    missing.rclpy = why;
    missing.rclnodejs = why;
  }
  const domain = String(1 + (process.pid % 101));
  const base = { ...process.env, ROS_DOMAIN_ID: domain, ROS_AUTOMATIC_DISCOVERY_RANGE: "LOCALHOST" };
  const graph = (name, role) => ({
    row: "graph, ",
    side: "ours",
    name,
    ends: (...args) => [
      null,
      start(process.execPath, [OURS, role, ...args], { ...base, MLSYS_ROS: "graph" }),
    ],
  });
  const subjects = [
    graph("one process", "both"),
    graph("child process", "child"),
    graph("tcp", "tcp"),
    ...(ros
      ? [
          {
            row: "ROS 2, ",
            side: "ours",
            name: "rclnodejs",
            ends: pair(process.execPath, OURS, { ...base, MLSYS_ROS: "rclnodejs", MLSYS_ROS_HOME: HOME }),
          },
          {
            row: "ROS 2, ",
            side: "peers",
            name: "rclpy",
            ends: pair(ros.python, RCLPY, { ...rosEnvironment(ros), ...withoutPaths(base) }),
          },
          {
            row: "ROS 2, ",
            side: "peers",
            name: "rclpy, our shared memory",
            ends: pair(ros.python, RCLPY, {
              ...{ ...rosEnvironment(ros), ...withoutPaths(base) },
              FASTDDS_DEFAULT_PROFILES_FILE: PROFILE,
            }),
          },
        ]
      : []),
  ];
  const seen = new Map();
  for (let round = 0; round < (quick ? 1 : 3); round++)
    for (const { kind, count, window } of tasks(quick))
      for (const { row: of, side, name, ends } of subjects) {
        console.log(`measuring ${KINDS[kind].name}: ${name}`);
        const [echo, ping] = await ends(kind, String(KINDS[kind].size), String(count), String(window));
        try {
          const { p50, p99, rate } = await ping.result();
          for (const [what, value] of [
            ["round trip p50", p50],
            ["round trip p99", p99],
            ["rate", rate],
          ]) {
            const row = `${of}${KINDS[kind].name}: ${what}`;
            const entry = seen.get(row) ?? { ours: {}, peers: {} };
            seen.set(row, entry);
            entry[side][name] = [...(entry[side][name] ?? []), value];
          }
        } catch (error) {
          notes.push(`${name}: ${KINDS[kind].name} not measured, ${error.message}`);
        } finally {
          await echo?.stop();
        }
      }
  const medians = (values) =>
    Object.fromEntries(Object.entries(values).map(([name, list]) => [name, short(median(list))]));
  const rows = [...seen].map(([name, { ours, peers }]) => ({
    name,
    unit: name.endsWith("rate") ? "1/s" : "µs",
    better: name.endsWith("rate") ? "higher" : "lower",
    ours: medians(ours),
    peers: medians(peers),
  }));
  return { rows, missing, notes };
}

/** The environment's own paths give way to those of ROS 2. */
function withoutPaths({ AMENT_PREFIX_PATH: _, LD_LIBRARY_PATH: __, PYTHONPATH: ___, ...rest }) {
  return rest;
}

/** The end that sends back, ready, and the one that measures. */
function pair(command, file, env) {
  return async (...args) => {
    const echo = start(command, [file, "echo", ...args], env);
    await echo.isReady;
    return [echo, start(command, [file, "ping", ...args], env)];
  };
}
