/** The map, the robot on it and what it sees, from topics: what RViz shows of a robot that drives on a plane. */
import type { MimeBundle } from "../../core/display.js";
import { PALETTE } from "../../viz/plot.js";
import { type MessageType, msg, type Node, type QoSInput, qos, type sensor_msgs, tf } from "../ros/index.js";
import { occupancyOfMessage, scanOf, yawOf } from "../simulate/bridge/messages.js";
import type { Bounds, Point, Pose } from "../simulate/geometry.js";
import { drawEstimates, drawLayers, drawMap, drawScan, type Estimate, type Layers } from "./layers.js";
import { type LiveOptions, LiveView } from "./live-view.js";
import { Canvas, text } from "./svg.js";

/** Names of topics, with the types that Nav2 gives them; null leaves one out. */
export interface MapTopics {
  /** nav_msgs/OccupancyGrid, kept for late joiners. Default `/map`. */
  readonly map?: string | null;
  /** sensor_msgs/LaserScan. Default `scan`. */
  readonly scan?: string | null;
  /** nav_msgs/Path. Default `plan`. */
  readonly path?: string | null;
  /** geometry_msgs/PoseArray. Default `particle_cloud`. */
  readonly particles?: string | null;
  /** geometry_msgs/PoseWithCovarianceStamped. Default `pose`. */
  readonly pose?: string | null;
  /** geometry_msgs/PoseStamped. Default `goal_pose`. */
  readonly goal?: string | null;
}

export interface MapViewOptions extends LiveOptions {
  readonly topics?: MapTopics;
  /** The frame that the map is in, and in which all is drawn. Default `map`. */
  readonly fixedFrame?: string;
  /** The frame of the robot. Default `base_link`. */
  readonly robotFrame?: string;
  /** Of the robot, metres. Default 0.2. */
  readonly radius?: number;
  /** Pixels. Default 640. */
  readonly width?: number;
}

/** Metres around the robot that are shown before there is a map. */
const AROUND = 5;

/**
 * Follows the topics of a robot that maps, localises and plans. What other frames tell is drawn where transforms put it;
 * while one is missing, the display says so.
 * @example
 * const node = await robotics.ros.createNode("watcher");
 * const view = new robotics.display.MapView(node);
 * view.svg(); // nothing heard yet
 * view.stop();
 * await node.destroy();
 */
export class MapView extends LiveView {
  private readonly listener: tf.TransformListener;
  private readonly subscriptions: { destroy(): void }[] = [];
  private readonly forget: () => void;
  private readonly trail: Point[] = [];
  private layers: Layers = {};
  private scan: sensor_msgs.LaserScan | null = null;

  constructor(
    node: Node,
    private readonly options: MapViewOptions = {},
  ) {
    super({ interval: 200, ...options });
    this.listener = new tf.TransformListener(node);
    const { map, scan, path, particles, pose, goal } = options.topics ?? {};
    const group = node.createCallbackGroup("reentrant");
    const on = <M>(
      type: MessageType<M>,
      topic: string | null | undefined,
      usual: string,
      take: (message: M) => void,
      profile: QoSInput = 10,
    ): void => {
      if (topic === null) return;
      const taken = (message: M): void => {
        take(message);
        this.update();
      };
      this.subscriptions.push(node.createSubscription(type, topic ?? usual, taken, { qos: profile, group }));
    };
    const show = (layers: Layers): void => {
      this.layers = { ...this.layers, ...layers };
    };
    const kept = { depth: 1, durability: "transient_local" } as const;
    on(
      msg("nav_msgs/msg/OccupancyGrid"),
      map,
      "/map",
      (grid) => show({ map: occupancyOfMessage(grid) }),
      kept,
    );
    on(
      msg("sensor_msgs/msg/LaserScan"),
      scan,
      "scan",
      (message) => {
        this.scan = message;
      },
      qos.sensorData,
    );
    on(msg("nav_msgs/msg/Path"), path, "plan", ({ poses }) =>
      show({ path: poses.map((one) => one.pose.position) }),
    );
    on(msg("geometry_msgs/msg/PoseArray"), particles, "particle_cloud", ({ poses }) =>
      show({ particles: poses.map(({ position }) => position) }),
    );
    on(
      msg("geometry_msgs/msg/PoseWithCovarianceStamped"),
      pose,
      "pose",
      ({ pose: { pose: at, covariance } }) => {
        const estimate: Estimate = {
          x: at.position.x,
          y: at.position.y,
          theta: yawOf(at.orientation),
          covariance: [covariance[0], covariance[1], covariance[7]],
        };
        show({ estimates: [estimate] });
      },
    );
    on(msg("geometry_msgs/msg/PoseStamped"), goal, "goal_pose", (message) =>
      show({ goal: message.pose.position }),
    );
    this.forget = node.onDestroy(() => this.stop());
  }

  /** Draws, with layers of one's own in place of those of the same name. */
  override update(layers: Layers = {}): void {
    this.layers = { ...this.layers, ...layers };
    const robot = this.poseOf(this.options.robotFrame ?? "base_link");
    const last = this.trail[this.trail.length - 1];
    if (robot && (!last || Math.hypot(robot.x - last.x, robot.y - last.y) > 0.02)) {
      this.trail.push({ x: robot.x, y: robot.y });
      if (this.trail.length > 2000) this.trail.shift();
    }
    super.update();
  }

  /** Where a frame is in the fixed one, by the newest transforms; null while they are missing. */
  private poseOf(frame: string): Pose | null {
    const { fixedFrame = "map" } = this.options;
    if (!this.listener.buffer.can(fixedFrame, frame)) return null;
    const { translation, rotation } = this.listener.buffer.lookup(fixedFrame, frame).transform;
    return { x: translation.x, y: translation.y, theta: yawOf(rotation) };
  }

  private bounds(robot: Pose | null): Bounds {
    const { map } = this.layers;
    const { x, y } = robot ?? { x: 0, y: 0 };
    if (!map) return { minX: x - AROUND, minY: y - AROUND, maxX: x + AROUND, maxY: y + AROUND };
    const { origin, width, height, resolution } = map;
    return {
      minX: origin.x,
      minY: origin.y,
      maxX: origin.x + width * resolution,
      maxY: origin.y + height * resolution,
    };
  }

  svg(): string {
    const { width = 640, radius = 0.2, robotFrame = "base_link", fixedFrame = "map" } = this.options;
    const { map, estimates } = this.layers;
    const robot = this.poseOf(robotFrame);
    const canvas = new Canvas(this.bounds(robot), width, 0);
    const parts = map ? [drawMap(canvas, map)] : [];
    const missing = robot ? [] : [robotFrame];
    if (this.scan) {
      const eye = this.poseOf(this.scan.header.frame_id);
      if (eye) parts.push(drawScan(canvas, eye, scanOf(this.scan)));
      else missing.push(this.scan.header.frame_id);
    }
    parts.push(...drawLayers(canvas, this.layers));
    if (this.trail.length > 1)
      parts.push(
        `<path d="${canvas.path(this.trail)}" fill="none" stroke="${PALETTE[0]}" stroke-width="1.5" opacity=".6"/>`,
      );
    if (robot) {
      const { x, y, theta } = robot;
      const nose = { x: x + radius * Math.cos(theta), y: y + radius * Math.sin(theta) };
      parts.push(
        `<circle cx="${canvas.x(x)}" cy="${canvas.y(y)}" r="${canvas.size(radius)}" fill="${PALETTE[0]}" fill-opacity=".85" stroke="#222"/><path d="${canvas.path([robot, nose])}" stroke="#fff" stroke-width="2" stroke-linecap="round"/>`,
      );
    }
    parts.push(...drawEstimates(canvas, estimates));
    if (missing.length > 0)
      parts.push(text(6, canvas.height - 5, `no transform from ${missing.join(", ")} to ${fixedFrame}`));
    return canvas.svg(parts);
  }

  bundle(): MimeBundle {
    return { "image/svg+xml": this.svg(), "text/plain": String(this) };
  }

  override toString(): string {
    const robot = this.poseOf(this.options.robotFrame ?? "base_link");
    const { map } = this.layers;
    const size = map
      ? `${map.width} × ${map.height} cells of ${Number(map.resolution.toPrecision(3))} m`
      : "no map yet";
    const at = robot
      ? `robot at (${robot.x.toFixed(2)}, ${robot.y.toFixed(2)})`
      : "the robot's place is unknown";
    return `Map(${size}; ${at})`;
  }

  override stop(): void {
    super.stop();
    this.listener.destroy();
    for (const subscription of this.subscriptions) subscription.destroy();
    this.forget();
  }
}
