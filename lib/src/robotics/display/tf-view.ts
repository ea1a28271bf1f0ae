/** The tree of frames that `/tf` and `/tf_static` tell, as view_frames draws it. */
import type { MimeBundle } from "../../core/display.js";
import { Drawing } from "../../viz/graph.js";
import { msg, type Node, type Subscription, type tf2_msgs } from "../ros/index.js";
import { ArrivalRate } from "./arrival-rate.js";
import { edgeStyle, nodeStyle, quoted } from "./dot.js";
import { type LiveOptions, LiveView } from "./live-view.js";

/** A frame and the one that it hangs on. */
export interface TfFrame {
  readonly name: string;
  readonly parent: string;
  readonly isStatic: boolean;
  /** Transforms a second, by their stamps; NaN before the second one, and for static frames. */
  readonly rate: number;
  /** Metres, in the parent. */
  readonly translation: readonly [number, number, number];
}

/**
 * The frames that a node hears of, from now on.
 * @example
 * const node = await robotics.ros.createNode("watcher");
 * const view = new robotics.display.TfTreeView(node);
 * view.frames(); // none yet
 * view.stop();
 * await node.destroy();
 */
export class TfTreeView extends LiveView {
  private readonly heard = new Map<string, Omit<TfFrame, "rate"> & { arrivals: ArrivalRate }>();
  private readonly subscriptions: Subscription<tf2_msgs.TFMessage>[];
  private readonly forget: () => void;

  constructor(node: Node, options: LiveOptions = {}) {
    super({ interval: 500, ...options });
    const type = msg("tf2_msgs/msg/TFMessage");
    const group = node.createCallbackGroup("reentrant");
    const hear = (topic: string, isStatic: boolean): Subscription<tf2_msgs.TFMessage> =>
      node.createSubscription(type, topic, (message) => this.take(message, isStatic), {
        qos: { depth: 100, durability: isStatic ? "transient_local" : "volatile" },
        group,
      });
    this.subscriptions = [hear("/tf", false), hear("/tf_static", true)];
    this.forget = node.onDestroy(() => this.stop());
  }

  private take({ transforms }: tf2_msgs.TFMessage, isStatic: boolean): void {
    for (const { header, child_frame_id: name, transform } of transforms) {
      const { x, y, z } = transform.translation;
      const arrivals = this.heard.get(name)?.arrivals ?? new ArrivalRate();
      const { sec, nanosec } = header.stamp;
      arrivals.count(sec + nanosec / 1e9);
      this.heard.set(name, { name, parent: header.frame_id, isStatic, translation: [x, y, z], arrivals });
    }
    this.update();
  }

  /** What was heard so far. */
  frames(): TfFrame[] {
    return [...this.heard.values()].map(({ arrivals, ...frame }) => ({
      ...frame,
      rate: frame.isStatic ? Number.NaN : arrivals.hertz,
    }));
  }

  /** Frames in which no other hangs: more than one is a broken tree. */
  roots(): string[] {
    const frames = this.frames();
    const names = new Set(frames.map(({ name }) => name));
    return [...new Set(frames.map(({ parent }) => parent).filter((parent) => !names.has(parent)))].sort();
  }

  override toString(): string {
    const frames = this.frames();
    const below = (parent: string, depth: number): string[] =>
      frames
        .filter((frame) => frame.parent === parent)
        .flatMap(({ name }) => [
          `${"  ".repeat(depth)}${name}`,
          ...(depth < 64 ? below(name, depth + 1) : []),
        ]);
    const lines = this.roots().flatMap((root) => [root, ...below(root, 1)]);
    return lines.length > 0 ? lines.join("\n") : "TfTree(nothing heard yet)";
  }

  async bundle(): Promise<MimeBundle> {
    const frames = this.frames();
    const names = [...new Set(frames.flatMap(({ name, parent }) => [parent, name]))];
    const lines = [
      ...names.map((name) => `  ${quoted(name)} [label=${quoted(name)}];`),
      ...frames.map(({ name, parent, isStatic, rate, translation }) => {
        const at = translation.map((metres) => metres.toFixed(2)).join(", ");
        const how = isStatic ? "static" : Number.isNaN(rate) ? "once" : `${rate.toFixed(1)} Hz`;
        const look = isStatic ? ", style=dashed" : "";
        return `  ${quoted(parent)} -> ${quoted(name)} [label=${quoted(`${how}\n(${at}) m`)}${look}];`;
      }),
    ];
    const dot = `digraph { rankdir=LR; ${nodeStyle} ${edgeStyle} ranksep=1.1;\n${lines.join("\n")}\n}`;
    return { "image/svg+xml": await new Drawing(dot, String(this)).svg(), "text/plain": String(this) };
  }

  override stop(): void {
    super.stop();
    for (const subscription of this.subscriptions) subscription.destroy();
    this.forget();
  }
}
