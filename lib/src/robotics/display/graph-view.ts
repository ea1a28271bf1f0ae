/** Who talks to whom: the nodes and topics of the ROS graph, as rqt_graph draws them, while they come and go. */
import type { MimeBundle } from "../../core/display.js";
import { Drawing } from "../../viz/graph.js";
import type { Node } from "../ros/index.js";
import { edgeStyle, nodeStyle, quoted } from "./dot.js";
import { type LiveOptions, LiveView } from "./live-view.js";

export interface RosGraphViewOptions extends LiveOptions {
  /** Names of nodes and topics that are left out. Default what every node has: `/rosout`, `/parameter_events`. */
  readonly hide?: RegExp;
  /** Draw topics that have publishers or subscribers only. Default true. */
  readonly deadEnds?: boolean;
}

const USUAL = /^\/(rosout|parameter_events)$/;

/** A topic, and the nodes at its ends. */
export interface GraphTopic {
  readonly name: string;
  readonly types: readonly string[];
  readonly publishers: readonly string[];
  readonly subscribers: readonly string[];
}

/**
 * The graph as a node sees it; drawn again when it changes.
 * @example
 * const node = await robotics.ros.createNode("watcher");
 * const view = new robotics.display.RosGraphView(node);
 * await view.bundle(); // an SVG
 * view.stop();
 * await node.destroy();
 */
export class RosGraphView extends LiveView {
  private readonly endings: (() => void)[];
  private last: Drawing | null = null;

  constructor(
    private readonly node: Node,
    private readonly options: RosGraphViewOptions = {},
  ) {
    super(options);
    this.endings = [node.onGraphChange(() => this.update()), node.onDestroy(() => this.stop())];
  }

  /** Full names of the nodes that are drawn. */
  nodes(): string[] {
    const { hide = USUAL } = this.options;
    return [...new Set(this.node.getFullyQualifiedNodeNames())].filter((name) => !hide.test(name)).sort();
  }

  /** The topics that are drawn. */
  topics(): GraphTopic[] {
    const { node } = this;
    const { hide = USUAL, deadEnds = true } = this.options;
    const names = (ends: readonly { nodeName: string; nodeNamespace: string }[]): string[] => {
      const full = ends.map(
        ({ nodeName, nodeNamespace }) => `${nodeNamespace.replace(/\/$/, "")}/${nodeName}`,
      );
      return [...new Set(full)].filter((name) => !hide.test(name)).sort();
    };
    return node
      .getTopicNamesAndTypes()
      .filter(({ name }) => !hide.test(name))
      .map(({ name, types }) => ({
        name,
        types,
        publishers: names(node.getPublishersInfoByTopic(name)),
        subscribers: names(node.getSubscriptionsInfoByTopic(name)),
      }))
      .filter(({ publishers: { length: from }, subscribers: { length: to } }) =>
        deadEnds ? from + to > 0 : from > 0 && to > 0,
      );
  }

  async bundle(): Promise<MimeBundle> {
    // after the node's end, the graph as it was last seen
    if (!this.node.isDestroyed) this.last = this.drawGraph();
    const { last } = this;
    if (!last) return { "text/plain": "RosGraph(the node was destroyed)" };
    return { "image/svg+xml": await last.svg(), "text/plain": String(last) };
  }

  private drawGraph(): Drawing {
    const [nodes, topics] = [this.nodes(), this.topics()];
    const lines = [
      ...nodes.map(
        (name) => `  ${quoted(name)} [label=${quoted(name)}, shape=ellipse, fillcolor="#cfe5f3"];`,
      ),
      ...topics.flatMap(({ name, types, publishers, subscribers }) => {
        const id = quoted(`topic ${name}`); // a node may have the name of a topic
        return [
          `  ${id} [label=${quoted(`${name}\n${types.join(", ")}`)}];`,
          ...publishers.map((from) => `  ${quoted(from)} -> ${id};`),
          ...subscribers.map((to) => `  ${id} -> ${quoted(to)};`),
        ];
      }),
    ];
    const text = topics
      .map(({ name, publishers, subscribers }) =>
        [publishers.join(", ") || "nobody", name, subscribers.join(", ") || "nobody"].join(" → "),
      )
      .join("\n");
    const dot = `digraph {\n  rankdir=LR; ${nodeStyle} ${edgeStyle}\n${lines.join("\n")}\n}`;
    return new Drawing(dot, text);
  }

  override stop(): void {
    super.stop();
    for (const end of this.endings.splice(0)) end();
  }
}
