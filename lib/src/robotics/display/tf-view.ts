/** The tree of frames that `/tf` and `/tf_static` tell, as view_frames draws it. */
import type { MimeBundle } from "../../core/display.js";
import { Drawing } from "../../viz/graph.js";
import { type Node, tf } from "../ros/index.js";
import { edgeStyle, nodeStyle, quoted } from "./dot.js";
import { type LiveOptions, LiveView } from "./live-view.js";

/**
 * The frames that a node hears of, from now on.
 * @example
 * const node = await robotics.ros.createNode("watcher");
 * const view = new robotics.display.TfTreeView(node);
 * view.buffer.frames(); // none yet
 * view.stop();
 * await node.destroy();
 */
export class TfTreeView extends LiveView {
  readonly buffer: tf.TransformBuffer;
  private readonly listener: tf.TransformListener;
  private readonly forget: readonly (() => void)[];

  constructor(node: Node, options: LiveOptions = {}) {
    super({ interval: 500, ...options });
    this.listener = new tf.TransformListener(node);
    this.buffer = this.listener.buffer;
    this.forget = [this.buffer.onChange(() => this.update()), node.onDestroy(() => this.stop())];
  }

  /** Frames that hang in no other: more than one, and the tree is broken. */
  roots(): string[] {
    const frames = this.buffer.frames();
    const names = new Set(frames.map(({ name }) => name));
    return [...new Set(frames.map(({ parent }) => parent).filter((parent) => !names.has(parent)))].sort();
  }

  override toString(): string {
    const frames = this.buffer.frames();
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
    const frames = this.buffer.frames();
    const names = [...new Set(frames.flatMap(({ name, parent }) => [parent, name]))];
    const lines = [
      ...names.map((name) => `  ${quoted(name)} [label=${quoted(name)}];`),
      ...frames.map((frame) => {
        const { name, parent, isStatic } = frame;
        const { x, y, z } = this.buffer.lookup(parent, name).transform.translation;
        const label = `${howOften(frame)}\n(${[x, y, z].map((metres) => metres.toFixed(2)).join(", ")}) m`;
        return `  ${quoted(parent)} -> ${quoted(name)} [label=${quoted(label)}${isStatic ? ", style=dashed" : ""}];`;
      }),
    ];
    const dot = `digraph { rankdir=LR; ${nodeStyle} ${edgeStyle} ranksep=1.1;\n${lines.join("\n")}\n}`;
    return { "image/svg+xml": await new Drawing(dot, String(this)).svg(), "text/plain": String(this) };
  }

  override stop(): void {
    super.stop();
    this.listener.destroy();
    for (const end of this.forget) end();
  }
}

/** By the stamps of the transforms that are kept. */
function howOften({ isStatic, count, oldest, latest }: tf.FrameInfo): string {
  if (isStatic) return "static";
  if (count < 2) return "once";
  return `${((count - 1) / (Number(latest - oldest) / 1e9)).toFixed(1)} Hz`;
}
