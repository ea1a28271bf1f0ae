/** A simulation on the ROS graph: publishes what the robots measure and its time, and obeys `cmd_vel`. */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { ValueError } from "../../../core/errors.js";
import {
  createNode,
  msg,
  type Node,
  type NodeOptions,
  type Publisher,
  qos,
  srv,
  Time,
  type TimeMessage,
} from "../../ros/index.js";
import { compose, inverse } from "../geometry.js";
import { occupancyOf } from "../occupancy.js";
import type { Robot } from "../robot.js";
import type { Simulation, Snapshot } from "../simulation.js";
import { WheelPower } from "../wheel-power.js";
import {
  cameraInfoMessage,
  depthMessage,
  header,
  imageMessage,
  imuMessage,
  labelsMessage,
  OPTICAL,
  occupancyMessage,
  odometryMessage,
  quaternion,
  scanMessage,
  transform,
} from "./messages.js";

/** Readings a second of simulated time; 0 turns a sensor off. */
export interface SensorRates {
  /** Default 10. */
  readonly scan?: number;
  /** Odometry, its transform and the true pose. Default 20. */
  readonly odometry?: number;
  /** Default 50. */
  readonly imu?: number;
  /** Default 5. */
  readonly camera?: number;
}

export interface SimulatorNodeOptions extends NodeOptions {
  /** Default `simulator`. */
  readonly name?: string;
  readonly rates?: SensorRates;
  /** Seconds of simulated time after which a robot without a new command stops. Default never. */
  readonly commandTimeout?: number;
  /** Publish the transform `map` → `odom` too, from the truth, in place of a node that localises. Default false. */
  readonly localize?: boolean;
  /**
   * Seconds that one word on `wheel_power` (std_msgs/Bool) gives the wheels power for: without it they brake, and the command that
   * was given is forgotten. By default they always have power.
   */
  readonly powerTimeout?: number;
  /** Metres of the cells of `/map`, which is published once, for late joiners too. Default 0.05; null for no map. */
  readonly map?: number | null;
}

export interface RunOptions {
  /** Simulated seconds to go. Default until the signal. */
  readonly seconds?: number;
  /** Simulated seconds a second. Default 1; `Infinity` as fast as it goes. */
  readonly speed?: number;
  readonly signal?: AbortSignal;
}

const TYPES = {
  scan: msg("sensor_msgs/msg/LaserScan"),
  odometry: msg("nav_msgs/msg/Odometry"),
  imu: msg("sensor_msgs/msg/Imu"),
  image: msg("sensor_msgs/msg/Image"),
  info: msg("sensor_msgs/msg/CameraInfo"),
  bool: msg("std_msgs/msg/Bool"),
  tf: msg("tf2_msgs/msg/TFMessage"),
  clock: msg("rosgraph_msgs/msg/Clock"),
  map: msg("nav_msgs/msg/OccupancyGrid"),
  twist: msg("geometry_msgs/msg/Twist"),
};

type MessageOf<Key extends keyof typeof TYPES> =
  (typeof TYPES)[Key] extends import("../../ros/index.js").MessageType<infer M> ? M : never;

/** What one robot publishes. */
interface Outlets {
  readonly robot: Robot;
  /** `""`, or the robot's name and a slash where there are several. */
  readonly prefix: string;
  readonly scan: Publisher<MessageOf<"scan">>;
  readonly odometry: Publisher<MessageOf<"odometry">>;
  readonly truth: Publisher<MessageOf<"odometry">>;
  readonly imu: Publisher<MessageOf<"imu">>;
  readonly bumper: Publisher<MessageOf<"bool">>;
  readonly image: Publisher<MessageOf<"image">>;
  readonly depth: Publisher<MessageOf<"image">>;
  readonly labels: Publisher<MessageOf<"image">>;
  readonly info: Publisher<MessageOf<"info">>;
  /** Step of the last command. */
  commanded: number;
  /** Null: the wheels always have it. */
  readonly power: WheelPower | null;
}

/**
 * A node that runs a simulation. Of one robot the topics are `scan`, `odom`, `imu`, `bumper`, `ground_truth`,
 * `camera/image_raw`, `camera/camera_info`, `camera/depth/image_raw`, `camera/labels` and `cmd_vel` (and `wheel_power`, if asked for); of several, each
 * robot's stand below its name. `/tf` has `odom` → `base_link`, `/tf_static` where the sensors sit, `/map` the world,
 * `/clock` the time for nodes with `useSimTime`. Services: `~/reset`, `~/pause`. Scans and pictures are only made for
 * subscribers.
 * @example
 * const simulation = new robotics.simulate.Simulation(robotics.simulate.room(), { robots: [{ pose: { x: 4, y: 3, theta: 0 } }] });
 * const simulator = await robotics.simulate.SimulatorNode.create(simulation);
 * const heard = robotics.ros.firstMessage(simulator.node, robotics.ros.msg("sensor_msgs/msg/LaserScan"), "scan");
 * await simulator.run({ seconds: 0.5, speed: Infinity });
 * const { ranges } = await heard;
 * await simulator.destroy();
 * ranges.length // 360
 */
export class SimulatorNode {
  /** Whether `run` stands still; `~/pause` sets it. */
  paused = false;
  private readonly outlets: Outlets[];
  private readonly tf: Publisher<MessageOf<"tf">>;
  private readonly clock: Publisher<MessageOf<"clock">>;
  /** Readings a step. */
  private readonly parts: Readonly<Record<keyof SensorRates, number>>;
  private readonly start: Snapshot;
  /** Nanoseconds of a step. */
  private readonly tick: bigint;

  /** The node on the graph, and the simulation. */
  static async create(simulation: Simulation, options: SimulatorNodeOptions = {}): Promise<SimulatorNode> {
    const { commandTimeout = Number.POSITIVE_INFINITY, powerTimeout } = options;
    if (powerTimeout !== undefined) new WheelPower(powerTimeout); // its error before there is a node
    if (!(commandTimeout > 0))
      throw new ValueError(
        `SimulatorNode: commandTimeout is a positive number of seconds, got ${commandTimeout}`,
      );
    const parts = partsOf(options.rates ?? {}, simulation.dt);
    const node = await createNode(options.name ?? "simulator", options);
    return new SimulatorNode(node, simulation, parts, { ...options, commandTimeout });
  }

  private constructor(
    readonly node: Node,
    readonly simulation: Simulation,
    parts: Readonly<Record<keyof SensorRates, number>>,
    private readonly options: SimulatorNodeOptions & { readonly commandTimeout: number },
  ) {
    const { map = 0.05 } = options;
    this.parts = parts;
    this.start = simulation.snapshot();
    this.tick = BigInt(Math.round(simulation.dt * 1e9));
    this.tf = node.createPublisher(TYPES.tf, "/tf", 100);
    this.clock = node.createPublisher(TYPES.clock, "/clock", 10);
    this.outlets = simulation.robots.map((robot) => this.connect(robot, simulation.robots.length > 1));
    const kept = { ...qos.default, durability: "transient_local", depth: 1 } as const;
    node.createPublisher(TYPES.tf, "/tf_static", kept).publish({ transforms: this.mounts() });
    if (map !== null) {
      const grid = occupancyOf(simulation.world, { resolution: map });
      node
        .createPublisher(TYPES.map, "/map", kept)
        .publish(occupancyMessage(header(this.stamp(), "map"), grid));
    }
    node.createService(srv("std_srvs/srv/Empty"), "~/reset", () => {
      this.reset();
      return {};
    });
    node.createService(srv("std_srvs/srv/SetBool"), "~/pause", ({ data }) => {
      this.paused = data;
      return { success: true, message: data ? "paused" : "running" };
    });
  }

  private connect(robot: Robot, several: boolean): Outlets {
    const { node } = this;
    const { powerTimeout } = this.options;
    const power = powerTimeout === undefined ? null : new WheelPower(powerTimeout);
    const prefix = several ? `${robot.name}/` : "";
    const sensor = { ...qos.sensorData, reliability: "reliable" } as const; // serves subscribers of either kind
    const outlets: Outlets = {
      robot,
      prefix,
      scan: node.createPublisher(TYPES.scan, `${prefix}scan`, sensor),
      odometry: node.createPublisher(TYPES.odometry, `${prefix}odom`, 10),
      truth: node.createPublisher(TYPES.odometry, `${prefix}ground_truth`, 10),
      imu: node.createPublisher(TYPES.imu, `${prefix}imu`, sensor),
      bumper: node.createPublisher(TYPES.bool, `${prefix}bumper`, 10),
      image: node.createPublisher(TYPES.image, `${prefix}camera/image_raw`, sensor),
      depth: node.createPublisher(TYPES.image, `${prefix}camera/depth/image_raw`, sensor),
      labels: node.createPublisher(TYPES.image, `${prefix}camera/labels`, sensor),
      info: node.createPublisher(TYPES.info, `${prefix}camera/camera_info`, sensor),
      commanded: 0,
      power,
    };
    if (power)
      node.createSubscription(
        TYPES.bool,
        `${prefix}wheel_power`,
        ({ data }) => power.say(data, this.simulation.time),
        1,
      );
    node.createSubscription(
      TYPES.twist,
      `${prefix}cmd_vel`,
      ({ linear, angular }) => {
        robot.command({ linear: linear.x, angular: angular.z });
        outlets.commanded = this.simulation.steps;
      },
      10,
    );
    return outlets;
  }

  /** Where the sensors sit on the robots. */
  private mounts() {
    const stamp = this.stamp();
    return this.outlets.flatMap(({ robot, prefix }) => {
      const { lidar, camera } = robot;
      const [base, eye] = [`${prefix}base_link`, `${prefix}camera_link`];
      return [
        transform(stamp, base, `${prefix}base_scan`, lidar.mount, quaternion(lidar.mount.theta)),
        transform(stamp, base, `${prefix}imu_link`, { x: 0, y: 0 }, quaternion(0)),
        transform(stamp, base, eye, camera.mount, quaternion(camera.mount.theta)),
        transform(stamp, eye, `${prefix}camera_optical_frame`, { x: 0, y: 0 }, OPTICAL),
      ];
    });
  }

  /** The simulation's time, for headers. */
  stamp(): TimeMessage {
    return Time.fromNanoseconds(this.tick * BigInt(this.simulation.steps)).toMessage();
  }

  /** Goes on by `count` steps and publishes what is due after each. */
  step(count = 1): void {
    for (let i = 0; i < count; i++) {
      for (const { robot, commanded, power } of this.outlets) {
        const isOld = (this.simulation.steps - commanded) * this.simulation.dt >= this.options.commandTimeout;
        if (isOld || power?.isOn(this.simulation.time) === false) robot.command({ linear: 0, angular: 0 });
      }
      this.simulation.step();
      this.publish();
    }
  }

  /** Back to the state in which the node was made; its time too. */
  reset(): void {
    this.simulation.restore(this.start);
    for (const outlets of this.outlets) outlets.commanded = this.simulation.steps;
  }

  private publish(): void {
    const stamp = this.stamp();
    this.clock.publish({ clock: stamp });
    const { steps } = this.simulation;
    // whenever another reading begins: 20 a second of 50 steps come after 3, 5, 8, 10 …
    const due = (sensor: keyof SensorRates): boolean =>
      Math.floor(steps * this.parts[sensor] + 1e-9) > Math.floor((steps - 1) * this.parts[sensor] + 1e-9);
    for (const outlets of this.outlets) {
      const { robot, prefix } = outlets;
      const head = (frame: string) => header(stamp, prefix + frame);
      if (due("odometry")) {
        const { pose, twist } = robot.readOdometry();
        const [odom, base] = [`${prefix}odom`, `${prefix}base_link`];
        outlets.odometry.publish(odometryMessage(head("odom"), base, pose, twist));
        outlets.truth.publish(odometryMessage(header(stamp, "map"), base, robot.pose, robot.twist));
        outlets.bumper.publish({ data: robot.collided });
        const transforms = [transform(stamp, odom, base, pose, quaternion(pose.theta))];
        if (this.options.localize) {
          const drift = compose(robot.pose, inverse(pose));
          transforms.push(transform(stamp, "map", odom, drift, quaternion(drift.theta)));
        }
        this.tf.publish({ transforms });
      }
      if (due("imu")) outlets.imu.publish(imuMessage(head("imu_link"), robot.readImu()));
      if (due("scan") && outlets.scan.subscriptionCount > 0) {
        const scanTime = this.simulation.dt / this.parts.scan;
        outlets.scan.publish(scanMessage(head("base_scan"), robot.scan(), scanTime));
      }
      if (due("camera")) photograph(outlets, head("camera_optical_frame"));
    }
  }

  /**
   * Goes on in step with the machine's clock, or as fast as it goes; other nodes' callbacks run meanwhile. A machine that
   * is too slow makes the simulation slower, not coarser.
   */
  async run({ seconds = Number.POSITIVE_INFINITY, speed = 1, signal }: RunOptions = {}): Promise<void> {
    if (!(speed > 0)) throw new ValueError(`run: the speed is a positive number, got ${speed}`);
    if (!(seconds >= 0)) throw new ValueError(`run: seconds are a number from 0, got ${seconds}`);
    const { dt } = this.simulation;
    const last = Math.round(seconds / dt);
    let done = 0;
    let due = performance.now();
    while (done < last && !signal?.aborted && !this.node.isDestroyed) {
      const now = performance.now();
      if (this.paused || (speed !== Number.POSITIVE_INFINITY && now < due)) {
        await sleep(this.paused ? 10 : due - now);
        if (this.paused) due = performance.now();
        continue;
      }
      this.step();
      done++;
      due = Math.max(due, now - 100) + (1000 * dt) / speed; // no more than 0.1 s of delay is made up for
      await nextTurn();
    }
  }

  /** Takes the node off the graph. */
  destroy(): Promise<void> {
    return this.node.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }
}

/** Readings a step. @throws ValueError for a rate that is none, or is faster than the simulation */
function partsOf(rates: SensorRates, dt: number): Readonly<Record<keyof SensorRates, number>> {
  const most = 1 / dt;
  const part = (sensor: keyof SensorRates, usual: number): number => {
    const rate = rates[sensor] ?? Math.min(usual, most);
    if (!(rate >= 0 && rate * dt <= 1 + 1e-9))
      throw new ValueError(
        `SimulatorNode: the rate of ${sensor} is 0 … ${most} Hz, one reading a step; got ${rate}`,
      );
    return rate * dt;
  };
  return {
    scan: part("scan", 10),
    odometry: part("odometry", 20),
    imu: part("imu", 50),
    camera: part("camera", 5),
  };
}

/** Pictures for those who look. */
function photograph({ robot, image, depth, labels, info }: Outlets, head: ReturnType<typeof header>): void {
  if (info.subscriptionCount > 0) info.publish(cameraInfoMessage(head, robot.camera));
  const looked = [image, depth, labels].some(({ subscriptionCount }) => subscriptionCount > 0);
  if (!looked) return;
  const frame = robot.photograph();
  if (image.subscriptionCount > 0) image.publish(imageMessage(head, frame));
  if (depth.subscriptionCount > 0) depth.publish(depthMessage(head, frame));
  if (labels.subscriptionCount > 0) labels.publish(labelsMessage(head, frame));
}
