/** What passes on a topic: its newest message as text, or fields of its messages as a plot that grows. */
import { escapeHtml, type MimeBundle } from "../../core/display.js";
import { ValueError } from "../../core/errors.js";
import { curvesSvg } from "../../viz/curve.js";
import { Figure, layoutOf, literal } from "../../viz/plot.js";
import { type MessageType, type Node, qos, type Subscription } from "../ros/index.js";
import { ArrivalRate } from "./arrival-rate.js";
import { type LiveOptions, LiveView } from "./live-view.js";

/** Elements of an array that are written out. */
const MOST_ELEMENTS = 8;

/**
 * A message as `ros2 topic echo` writes it; long arrays are cut short.
 * @example robotics.display.messageText({ data: "Hello", n: 2 }) // "data: 'Hello'\nn: 2"
 */
export function messageText(value: unknown, indent = ""): string {
  if (ArrayBuffer.isView(value) || Array.isArray(value)) {
    const all = value as ArrayLike<unknown>;
    const some = Array.from({ length: Math.min(all.length, MOST_ELEMENTS) }, (_, i) => all[i]);
    if (some.some((one) => typeof one === "object" && one !== null)) {
      const lines = some.map((one) => `\n${indent}- ${messageText(one, `${indent}  `).trimStart()}`);
      return lines.join("") + (all.length > some.length ? `\n${indent}… ${all.length} elements` : "");
    }
    const more = all.length > some.length ? `, … ${all.length} elements` : "";
    return `[${some.map(leafText).join(", ")}${more}]`;
  }
  if (typeof value !== "object" || value === null) return leafText(value);
  return Object.entries(value)
    .map(([key, field]) => {
      const text = messageText(field, `${indent}  `);
      const nested = typeof field === "object" && !ArrayBuffer.isView(field) && !Array.isArray(field);
      return `${indent}${key}:${nested ? `\n${text}` : text.startsWith("\n") ? text : ` ${text}`}`;
    })
    .join("\n");
}

const leafText = (value: unknown): string =>
  typeof value === "number"
    ? String(Number(value.toPrecision(9)))
    : typeof value === "string"
      ? `'${value}'`
      : String(value);

abstract class TopicView<M> extends LiveView {
  protected readonly arrivals = new ArrivalRate();
  private readonly subscription: Subscription<M>;
  private readonly forget: () => void;

  constructor(node: Node, type: MessageType<M>, topic: string, options: LiveOptions) {
    super(options);
    // best effort, so that publishers of either kind are heard; a group of its own, so that others need not wait
    this.subscription = node.createSubscription(
      type,
      topic,
      (message) => {
        this.arrivals.count(stampOf(message) ?? undefined);
        this.take(message);
        this.update();
      },
      { qos: qos.sensorData, group: node.createCallbackGroup("reentrant") },
    );
    this.forget = node.onDestroy(() => this.stop());
  }

  protected abstract take(message: M): void;

  /** The topic's full name. */
  get topic(): string {
    return this.subscription.topic;
  }

  /** Messages so far. */
  get count(): number {
    return this.arrivals.total;
  }

  protected status(): string {
    const { total, hertz } = this.arrivals;
    const rate = Number.isNaN(hertz) ? "" : `, ${hertz.toFixed(1)} Hz`;
    return `${this.topic} (${this.subscription.type.name}): ${total} messages${rate}`;
  }

  override stop(): void {
    super.stop();
    this.subscription.destroy();
    this.forget();
  }
}

/**
 * The newest message of a topic.
 * @example
 * const node = await robotics.ros.createNode("watcher");
 * const echo = new robotics.display.TopicEcho(node, robotics.ros.msg("std_msgs/msg/String"), "hello_world_topic");
 * const before = String(echo);
 * echo.stop();
 * await node.destroy();
 * before // "/hello_world_topic (std_msgs/msg/String): 0 messages"
 */
export class TopicEcho<M> extends TopicView<M> {
  /** The newest message. */
  latest: M | undefined;

  constructor(node: Node, type: MessageType<M>, topic: string, options: LiveOptions = {}) {
    super(node, type, topic, options);
  }

  protected take(message: M): void {
    this.latest = message;
  }

  override toString(): string {
    return this.latest === undefined ? this.status() : `${this.status()}\n${messageText(this.latest)}`;
  }

  bundle(): MimeBundle {
    const text = String(this);
    return {
      "text/html": `<pre style="margin:0;font-size:12px;line-height:1.35;max-height:30em;overflow:auto">${escapeHtml(text)}</pre>`,
      "text/plain": text,
    };
  }
}

export interface TopicPlotOptions extends LiveOptions {
  /** Seconds that are shown while it runs. Default all. */
  readonly window?: number;
  /** Points of a line that are kept, the newest. Default 2000. */
  readonly points?: number;
}

/** A field of a message: a path as `pose.pose.position.x` or `ranges[90]`, or a function. */
export type Field<M> = string | ((message: M) => number);

/**
 * Numbers of a topic's messages over time: the stamps of their headers, else when they came, in seconds from the first.
 * While it runs it is a light drawing; after `stop`, a figure to zoom into.
 * @example
 * const node = await robotics.ros.createNode("watcher");
 * const Odometry = robotics.ros.msg("nav_msgs/msg/Odometry");
 * const plot = new robotics.display.TopicPlot(node, Odometry, "odom", ["twist.twist.linear.x"]);
 * plot.stop();
 * await node.destroy();
 */
export class TopicPlot<M> extends TopicView<M> {
  private readonly fields: readonly { readonly name: string; readonly read: (message: M) => number }[];
  private readonly window: number;
  private readonly points: number;
  private readonly times: number[] = [];
  private readonly values: number[][];
  private begin: number | undefined;

  /** @param fields paths, or functions by name */
  constructor(
    node: Node,
    type: MessageType<M>,
    topic: string,
    fields: readonly string[] | Readonly<Record<string, Field<M>>>,
    options: TopicPlotOptions = {},
  ) {
    const named = Array.isArray(fields)
      ? (fields as readonly string[]).map((path): [string, Field<M>] => [path, path])
      : Object.entries(fields as Readonly<Record<string, Field<M>>>);
    if (named.length === 0) throw new ValueError("TopicPlot: there is no field to plot");
    const { window = Number.POSITIVE_INFINITY, points = 2000 } = options;
    if (!(window > 0))
      throw new ValueError(`TopicPlot: the window is a positive number of seconds, got ${window}`);
    if (!Number.isInteger(points) || points < 2)
      throw new ValueError(`TopicPlot: points is a whole number from 2, got ${points}`);
    const read = named.map(([name, field]) => ({
      name,
      read: typeof field === "function" ? field : reader(field),
    }));
    super(node, type, topic, options); // it subscribes: all that may be wrong was looked at
    this.fields = read;
    this.window = window;
    this.points = points;
    this.values = this.fields.map(() => []);
  }

  protected take(message: M): void {
    const at = stampOf(message) ?? performance.now() / 1000;
    this.begin ??= at;
    this.times.push(at - this.begin);
    this.fields.forEach(({ read }, i) => {
      this.values[i].push(Number(read(message)));
    });
    if (this.times.length <= this.points) return;
    this.times.shift();
    for (const values of this.values) values.shift();
  }

  /** Seconds and values of each line, by name. */
  get lines(): Readonly<Record<string, { readonly x: readonly number[]; readonly y: readonly number[] }>> {
    return Object.fromEntries(this.fields.map(({ name }, i) => [name, { x: this.times, y: this.values[i] }]));
  }

  /** A figure of all points that are kept. */
  figure(): Figure {
    const traces = this.fields.map(({ name }, i) => ({
      type: "scatter",
      mode: "lines",
      name: literal(name),
      x: this.times,
      y: this.values[i].map((value) => (Number.isFinite(value) ? value : null)), // JSON has no NaN
    }));
    return new Figure(traces, layoutOf({ xLabel: "seconds", title: literal(this.topic) }));
  }

  bundle(): MimeBundle {
    const first = this.times.findIndex((at) => at >= this.times[this.times.length - 1] - this.window);
    const from = this.stopped ? 0 : Math.max(0, first);
    const x = this.times.slice(from);
    const curves = this.fields.map(({ name }, i) => ({ name, x, y: this.values[i].slice(from) }));
    const svg = curvesSvg(curves, "seconds", this.topic);
    const drawing = { "image/svg+xml": svg, "text/plain": this.status() };
    // where there is no Plotly (a page that keeps the notebook), the drawing in its place
    return this.stopped ? { ...this.figure().bundle(), ...drawing, "text/html": svg } : drawing;
  }

  override toString(): string {
    return this.status();
  }
}

/** Seconds of a message's header, where it has one that is set. */
function stampOf(message: unknown): number | null {
  const stamp = (message as { header?: { stamp?: { sec?: number; nanosec?: number } } }).header?.stamp;
  if (stamp?.sec === undefined || stamp.nanosec === undefined) return null;
  const seconds = stamp.sec + stamp.nanosec / 1e9;
  return seconds > 0 ? seconds : null;
}

/** Reads a path of names and indices. @throws ValueError for a path that is none; when read, one that names no number */
function reader(path: string): (message: unknown) => number {
  if (!/^\w+(\.\w+|\[\d+\])*$/.test(path))
    throw new ValueError(
      `a field is a path as pose.pose.position.x or ranges[90], got ${JSON.stringify(path)}`,
    );
  const keys = path.split(/[.[\]]+/).filter(Boolean);
  return (message) => {
    let value = message;
    for (const key of keys) value = (value as Record<string, unknown> | undefined | null)?.[key];
    if (typeof value !== "number" && typeof value !== "bigint" && typeof value !== "boolean")
      throw new ValueError(`the message has no number at ${path}: ${String(value)}`);
    return Number(value);
  };
}
