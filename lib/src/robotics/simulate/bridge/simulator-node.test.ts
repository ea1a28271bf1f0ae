import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createNode,
  firstMessage,
  graphHost,
  msg,
  type Node,
  type NodeOptions,
  type RosHost,
  srv,
  Time,
} from "../../ros/index.js";
import { room } from "../generate.js";
import type { RobotSpec } from "../robot.js";
import { Simulation } from "../simulation.js";
import { occupancyOfMessage, scanOf, yawOf } from "./messages.js";
import { SimulatorNode, type SimulatorNodeOptions } from "./simulator-node.js";

const Scan = msg("sensor_msgs/msg/LaserScan");
const Odometry = msg("nav_msgs/msg/Odometry");
const Twist = msg("geometry_msgs/msg/Twist");
const Image = msg("sensor_msgs/msg/Image");
const middle = { x: 4, y: 3, theta: 0.5 };

let host: RosHost;
const nodes: { destroy(): Promise<void> }[] = [];

beforeEach(() => {
  host = graphHost({ domain: 0 });
});

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.destroy();
  await host.shutdown();
});

async function simulator(options: SimulatorNodeOptions = {}, robots: RobotSpec[] = [{ pose: middle }]) {
  const simulation = new Simulation(room({ things: 3, seed: 1 }), { robots, dt: 0.05 });
  const made = await SimulatorNode.create(simulation, { host, useGlobalArguments: false, ...options });
  nodes.push(made);
  return made;
}

async function listener(options: NodeOptions = {}): Promise<Node> {
  const node = await createNode("listener", { host, useGlobalArguments: false, ...options });
  nodes.push(node);
  return node;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Steps until a promise is kept. */
async function meanwhile<T>(sim: SimulatorNode, promise: Promise<T>): Promise<T> {
  let done = false;
  const kept = promise.finally(() => {
    done = true;
  });
  while (!done) {
    sim.step();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return kept;
}

describe("the simulator's node", () => {
  it("publishes what the robot measures, stamped with simulated time", async () => {
    const sim = await simulator({ rates: { scan: 20, camera: 20 } });
    const node = await listener();
    const scans: (typeof Scan extends { __message?: infer M } ? M : never)[] = [];
    node.createSubscription(Scan, "scan", (message) => scans.push(message), 100);
    await until(() => sim.node.countSubscribers("scan") === 1);
    sim.step();
    await until(() => scans.length === 1);
    const seen = scanOf(scans[0]);
    const own = sim.simulation.robot.scan();
    expect([seen.ranges, seen.intensities]).toEqual([own.ranges, own.intensities]);
    expect([seen.angleMin, seen.rangeMax]).toEqual([Math.fround(own.angleMin), own.rangeMax]);
    expect(scans[0].header).toEqual({ frame_id: "base_scan", stamp: { sec: 0, nanosec: 50_000_000 } });
    expect(scans[0].angle_max).toBeCloseTo(Math.PI - (2 * Math.PI) / 360, 6);

    const [image, info, depth, labels] = await meanwhile(
      sim,
      Promise.all([
        firstMessage(node, Image, "camera/image_raw"),
        firstMessage(node, msg("sensor_msgs/msg/CameraInfo"), "camera/camera_info"),
        firstMessage(node, Image, "camera/depth/image_raw"),
        firstMessage(node, Image, "camera/labels"),
      ]),
    );
    const frame = sim.simulation.robot.photograph(); // the robot stands still
    expect([image.width, image.height, image.encoding, image.step]).toEqual([160, 120, "rgb8", 480]);
    expect(Buffer.compare(image.data, frame.image.data)).toBe(0);
    expect(new Float32Array(depth.data.slice().buffer)).toEqual(frame.depth);
    expect(Buffer.compare(labels.data, frame.semantic)).toBe(0);
    const { fx, cx } = sim.simulation.robot.camera;
    expect([info.k[0], info.k[2], info.p[0]]).toEqual([fx, cx, fx]);
    const imu = await meanwhile(sim, firstMessage(node, msg("sensor_msgs/msg/Imu"), "imu"));
    expect(imu.orientation_covariance[0]).toBe(-1);
    expect(imu.linear_acceleration.z).toBeCloseTo(9.80665, 9);
  });

  it("obeys cmd_vel, tells odometry and transforms, and stops without commands", async () => {
    const sim = await simulator({ commandTimeout: 1 });
    const node = await listener();
    const publisher = node.createPublisher(Twist, "cmd_vel", 10);
    const transforms = new Map<string, { frame: string; x: number; stamp: number }>();
    for (const topic of ["/tf", "/tf_static"])
      node.createSubscription(
        msg("tf2_msgs/msg/TFMessage"),
        topic,
        (message) => {
          for (const { header, child_frame_id, transform } of message.transforms)
            transforms.set(child_frame_id, {
              frame: header.frame_id,
              x: transform.translation.x,
              stamp: Time.fromMessage(header.stamp).seconds,
            });
        },
        { durability: topic === "/tf" ? "volatile" : "transient_local", depth: 100 },
      );
    await publisher.waitForSubscriptions();
    publisher.publish({ linear: { x: 0.4 }, angular: { z: 0.3 } });
    await until(() => sim.simulation.robot.state.command.left !== 0);
    let last: { x: number; yaw: number; speed: number } | undefined;
    node.createSubscription(Odometry, "odom", ({ pose, twist }) => {
      last = {
        x: pose.pose.position.x,
        yaw: yawOf(pose.pose.orientation),
        speed: twist.twist.linear.x,
      };
    });
    await until(() => sim.node.countSubscribers("odom") === 1 && sim.node.countSubscribers("/tf") === 1);
    sim.step(20);
    const { pose } = sim.simulation.robot;
    await until(() => Math.abs((last?.x ?? 0) - pose.x) < 1e-9);
    expect(last?.yaw).toBeCloseTo(0.5 + 0.3, 9);
    expect(last?.speed).toBeCloseTo(0.4, 9);
    await until(() => transforms.get("base_link")?.stamp === 1 && transforms.size === 5);
    expect(transforms.get("base_link")).toEqual({ frame: "odom", x: pose.x, stamp: 1 });
    expect(transforms.get("camera_optical_frame")?.frame).toBe("camera_link");
    sim.step(2); // the command is a second old
    expect(sim.simulation.robot.twist.linear).toBe(0);
  });

  it("gives time to nodes that live by it", async () => {
    const sim = await simulator();
    const node = await listener({ useSimTime: true });
    const calls: number[] = [];
    node.createTimer(0.5, () => calls.push(Number(node.now().seconds.toFixed(2))));
    await until(() => sim.node.countSubscribers("/clock") === 1);
    for (let i = 0; i < 40; i++) {
      const { steps } = sim.simulation;
      sim.step();
      await until(() => node.now().seconds > steps * 0.05);
    }
    await until(() => calls.length === 4);
    expect(calls).toEqual([0.5, 1, 1.5, 2]);
  });

  it("serves the map to those who come late, and starts again", async () => {
    const sim = await simulator({ map: 0.25 });
    sim.simulation.robot.command({ linear: 0.3, angular: 0 });
    const end = sim.run({ seconds: 1, speed: Number.POSITIVE_INFINITY });
    await end;
    expect(sim.simulation.time).toBeCloseTo(1, 9);
    const node = await listener();
    const grid = await firstMessage(node, msg("nav_msgs/msg/OccupancyGrid"), "/map", {
      qos: { durability: "transient_local", depth: 1 },
    });
    const map = occupancyOfMessage(grid);
    expect([map.width, map.height, map.origin.x]).toEqual([34, 26, -0.25]);
    expect([map.data[0], map.data[35], map.data[34 * 10 + 10]]).toEqual([0, 100, 0]);
    const reset = node.createClient(srv("std_srvs/srv/Empty"), "/simulator/reset");
    await reset.waitForService();
    await reset.call({});
    expect(sim.simulation.steps).toBe(0);
    expect(sim.simulation.robot.pose).toEqual(middle);
    const pause = node.createClient(srv("std_srvs/srv/SetBool"), "/simulator/pause");
    await pause.waitForService();
    expect(await pause.call({ data: true })).toEqual({ success: true, message: "paused" });
    const stop = new AbortController();
    const running = sim.run({ signal: stop.signal });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(sim.simulation.steps).toBe(0);
    await pause.call({ data: false });
    await until(() => sim.simulation.steps > 2);
    stop.abort();
    await running;
  });

  it("keeps several robots apart by name, and works for nobody unasked", async () => {
    const robots = [
      { name: "ann", pose: middle },
      { name: "bob", pose: { x: 1, y: 1, theta: 0 } },
    ];
    const sim = await simulator({ map: null }, robots);
    const node = await listener();
    let pictures = 0;
    const { robot } = sim.simulation;
    const photograph = robot.photograph.bind(robot);
    robot.photograph = () => {
      pictures++;
      return photograph();
    };
    sim.step(40);
    expect(pictures).toBe(0);
    const drive = node.createPublisher(Twist, "bob/cmd_vel", 10);
    await drive.waitForSubscriptions();
    drive.publish({ angular: { z: 0.5 } });
    await until(() => sim.simulation.robots[1].state.command.right > 0);
    expect(sim.simulation.robots[0].state.command.right).toBe(0);
    const odometry = await meanwhile(sim, firstMessage(node, Odometry, "bob/odom"));
    expect(odometry.header.frame_id).toBe("bob/odom");
    expect(odometry.child_frame_id).toBe("bob/base_link");
    await meanwhile(sim, firstMessage(node, Image, "ann/camera/image_raw"));
    expect(pictures).toBeGreaterThan(0);
    const topics = node.getTopicNamesAndTypes().map(({ name }) => name);
    expect(topics).toContain("/ann/scan");
    expect(topics).not.toContain("/map");
  });

  it("reads sensors as often as asked, where that is no whole number of steps", async () => {
    const sim = await simulator({ rates: { odometry: 8, imu: 0 } }); // 20 steps a second
    const node = await listener();
    const times: number[] = [];
    node.createSubscription(
      Odometry,
      "odom",
      ({ header: { stamp } }) => times.push(Time.fromMessage(stamp).seconds),
      100,
    );
    let imus = 0;
    node.createSubscription(msg("sensor_msgs/msg/Imu"), "imu", () => imus++);
    await until(() => sim.node.countSubscribers("odom") === 1 && sim.node.countSubscribers("imu") === 1);
    sim.step(20);
    await until(() => times.length === 8);
    expect(times.map((s) => Math.round(s * 20))).toEqual([3, 5, 8, 10, 13, 15, 18, 20]);
    expect(imus).toBe(0);
  });

  it("refuses rates faster than the simulation", async () => {
    await expect(simulator({ rates: { imu: 100 } })).rejects.toThrow(
      "the rate of imu is 0 … 20 Hz, one reading a step; got 100",
    );
    await expect(simulator({ commandTimeout: 0 })).rejects.toThrow("commandTimeout is a positive number");
  });
});
