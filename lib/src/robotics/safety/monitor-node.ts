/** The monitor on the ROS graph: hears the scanner and the wheels itself, and holds the wheels' power. */

import { ValueError } from "../../core/errors.js";
import { msg, srv } from "../ros/interfaces/registry.js";
import { createNode, type NodeOptions } from "../ros/node/create.js";
import type { Node } from "../ros/node/node.js";
import { qos } from "../ros/node/qos.js";
import { scanOf, yawOf } from "../simulate/bridge/messages.js";
import type { Point } from "../simulate/geometry.js";
import { SafetyMonitor, type Verdict } from "./monitor.js";
import type { RobotLimits } from "./protective-field.js";
import {
  frozenScan,
  geofence,
  lidarStop,
  type SafetyRule,
  type Situation,
  speedLimit,
  watchdog,
} from "./rules.js";

/** Parameters of the node; the usual values are a TurtleBot3's. Metres and seconds. */
const PARAMETERS = {
  radius: 0.22,
  max_speed: 0.26,
  max_turn: 1.82,
  max_acceleration: 2.0,
  braking: 2.0,
  reaction_time: 0.4,
  margin: 0.05,
  approach_speed: 0.0,
  /** How long a sensor may be silent. */
  scan_timeout: 0.5,
  odometry_timeout: 0.5,
  /** How long the driving stack may be silent; 0: for ever. */
  heartbeat_timeout: 1.0,
  /** Verdicts a second. */
  rate: 25.0,
  /** Power returns by itself so long after the last violation; 0: only by `~/reset`. */
  resume_after: 0.0,
} as const;

/**
 * `safety_monitor`: hears `scan`, `odom` and, as the driving stack's sign of life, `cmd_vel`; says on `wheel_power` (std_msgs/Bool),
 * again and again, whether the wheels may have power, and on `~/status` (diagnostic_msgs/DiagnosticStatus) why not.
 * Service `~/reset` (std_srvs/Trigger). Parameters: the robot's limits and times; `fence`, x and y of an area's corners
 * in the frame of `odom`, none by default. They are read once, when the node is made.
 *
 * Messages count from the moment they come in, by the node's clock: their stamps may lie.
 * @throws ValueError for parameters that make no rule
 * @example
 * const monitor = await robotics.safety.safetyMonitorNode({ parameters: { max_speed: 0.5 } });
 * await monitor.destroy();
 */
export async function safetyMonitorNode(options?: NodeOptions): Promise<SafetyMonitorNode> {
  const node = await createNode("safety_monitor", options);
  try {
    return new SafetyMonitorNode(node);
  } catch (error) {
    await node.destroy();
    throw error;
  }
}

export class SafetyMonitorNode implements AsyncDisposable {
  readonly monitor: SafetyMonitor;
  private scan: Situation["scan"] = null;
  private odometry: Situation["odometry"] = null;
  private heartbeat: number | null = null;
  private said = "";

  /** @internal */
  constructor(readonly node: Node) {
    const values = declared(node);
    this.monitor = new SafetyMonitor(rulesOf(node, values), {
      ...(values.resume_after > 0 && { resumeAfter: values.resume_after }),
    });
    const now = (): number => Number(node.clock.nanoseconds()) / 1e9;
    node.createSubscription(
      msg("sensor_msgs/msg/LaserScan"),
      "scan",
      (message) => {
        this.scan = { value: scanOf(message), time: now() };
      },
      qos.sensorData,
    );
    node.createSubscription(msg("nav_msgs/msg/Odometry"), "odom", ({ pose, twist }) => {
      const { position, orientation } = pose.pose;
      const place = { x: position.x, y: position.y, theta: yawOf(orientation) };
      this.odometry = { pose: place, speed: twist.twist.linear.x, time: now() };
    });
    node.createSubscription(msg("geometry_msgs/msg/Twist"), "cmd_vel", () => {
      this.heartbeat = now();
    });
    const power = node.createPublisher(msg("std_msgs/msg/Bool"), "wheel_power", 1);
    const status = node.createPublisher(msg("diagnostic_msgs/msg/DiagnosticStatus"), "~/status", {
      ...qos.default,
      durability: "transient_local",
      depth: 1,
    });
    node.createService(srv("std_srvs/srv/Trigger"), "~/reset", () => {
      const broken = this.monitor.reset();
      return { success: broken.length === 0, message: broken.map(({ reason }) => reason).join("; ") };
    });
    node.createTimer(1 / values.rate, () => {
      const { scan, odometry, heartbeat } = this;
      const verdict = this.monitor.update({ time: now(), scan, odometry, heartbeat });
      power.publish({ data: verdict.power });
      const report = this.report(verdict);
      if (report.text === this.said) return;
      this.said = report.text;
      status.publish({ ...report.status, name: "safety monitor", hardware_id: "wheels" });
      if (verdict.power) node.logger.info("The wheels have power.");
      else node.logger.warn(`No power for the wheels: ${report.status.message}`);
    });
  }

  private report({ power, violations }: Verdict) {
    const first = this.monitor.latched;
    const message = power ? "the wheels have power" : `${first?.rule}: ${first?.reason}`;
    const values = violations.map(({ rule, reason }) => ({ key: rule, value: reason }));
    // the reasons' numbers change all the time: news is which rules are broken
    const text = JSON.stringify([power, first?.rule, violations.map(({ rule }) => rule)]);
    return { text, status: { level: power ? 0 : 2, message, values } };
  }

  destroy(): Promise<void> {
    return this.node.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }
}

type Values = Record<keyof typeof PARAMETERS, number>;

function declared(node: Node): Values {
  const entries = Object.entries(PARAMETERS).map(([name, value]) => [
    name,
    Number(node.declareParameter(name, value, { type: "double", readOnly: true })),
  ]);
  return Object.fromEntries(entries) as Values;
}

function rulesOf(node: Node, values: Values): SafetyRule[] {
  const limits: RobotLimits = {
    radius: values.radius,
    maxSpeed: values.max_speed,
    maxTurn: values.max_turn,
    maxAcceleration: values.max_acceleration,
    braking: values.braking,
  };
  if (!(values.rate > 0))
    throw new ValueError(`safety_monitor: the rate is a positive number of Hz, got ${values.rate}`);
  const field = {
    reactionTime: values.reaction_time,
    margin: values.margin,
    approachSpeed: values.approach_speed,
  };
  const fence = Array.from(
    node.declareParameter("fence", [], { type: "double_array", readOnly: true }) as Iterable<number>,
  );
  if (fence.length % 2 !== 0)
    throw new ValueError(`safety_monitor: fence has pairs of x and y, got ${fence.length} numbers`);
  const corners: Point[] = [];
  for (let i = 0; i < fence.length; i += 2) corners.push({ x: fence[i], y: fence[i + 1] });
  return [
    watchdog("scan", { timeout: values.scan_timeout }),
    watchdog("odometry", { timeout: values.odometry_timeout }),
    ...(values.heartbeat_timeout > 0 ? [watchdog("heartbeat", { timeout: values.heartbeat_timeout })] : []),
    speedLimit(values.max_speed * 1.1),
    lidarStop({ limits, ...field }),
    frozenScan({ scans: 3 }),
    ...(corners.length > 0 ? [geofence(corners, { limits, ...field })] : []),
  ];
}
