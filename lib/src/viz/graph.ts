/** Drawings of graphs, laid out by Graphviz (compiled to WebAssembly, no program to install). */
import { tapeOf } from "../autodiff/inspect.js";
import { formatType } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import type { Dag } from "../graph/dag.js";
import { EFFECTS } from "../ir/effects/ops.js";
import { Graph, type GraphNode, isFused, regionsOf, type Value } from "../ir/graph.js";
import { getOp } from "../ops/registry.js";
import { displaySymbol, type MimeBundle } from "./bundle.js";
import { PALETTE } from "./plot.js";

export interface DrawOptions {
  /** Direction of the edges: top to bottom (default) or left to right. */
  readonly direction?: "down" | "right";
  /** Nodes to highlight, by name, with colours (`"#d55e00"`); a list highlights all in one colour. */
  readonly highlight?: readonly string[] | Readonly<Record<string, string>>;
  /** Draw the graphs inside of nodes (branches, loops) as boxes. Default true. */
  readonly regions?: boolean;
  /** More text for a value: a line below its type. */
  readonly note?: (value: Value) => string;
  /** Fill colour of a node (`"#d55e00"`), where it is not that of its kind of op. */
  readonly colour?: (node: GraphNode) => string | undefined;
}

/** A drawing: SVG in notebooks, Graphviz's text elsewhere. */
export class Drawing {
  constructor(
    /** In the DOT language. */
    readonly dot: string,
    private readonly text: string,
  ) {}

  /** The drawing as SVG. */
  async svg(): Promise<string> {
    const { instance } = await import("@viz-js/viz");
    const viz = await instance();
    const svg = viz.renderString(this.dot, { format: "svg" });
    return svg.slice(svg.indexOf("<svg")).replace("<svg", '<svg style="max-width: 100%; height: auto"');
  }

  toString(): string {
    return this.text;
  }

  async [displaySymbol](): Promise<MimeBundle> {
    return { "image/svg+xml": await this.svg(), "text/plain": this.text };
  }
}

/**
 * Draws a captured graph, or any directed graph of names.
 * @example viz.drawGraph(capture((x: Tensor) => x.sin(), tensor([1])))
 */
export function drawGraph(graph: Graph | Dag, options: DrawOptions = {}): Drawing {
  return graph instanceof Graph
    ? drawing(graphBody(graph, options), String(graph), options)
    : drawing(dagBody(graph, options), edgesText(graph), options);
}

/**
 * Draws the tape behind a value: what was recorded, and how many bytes each op holds for its backward.
 * @example viz.drawTape(variable([1, 2]).square().sum())
 */
export function drawTape(y: Tensor, options: DrawOptions = {}): Drawing {
  const entries = tapeOf(y);
  const body = entries.flatMap(({ id, name, leaf, types, savedBytes, parents }) => {
    const label = [
      name || "variable",
      types.join(", "),
      ...(savedBytes > 0 ? [`saves ${formatBytes(savedBytes)}`] : []),
    ];
    const look = leaf
      ? `shape=ellipse, style="filled", fillcolor="#ffffff"`
      : `fillcolor=${quote(FILLS[getOp(name).kind ?? ""] ?? "#ffffff")}`;
    return [
      `  n${id} [label=${quote(label.join("\n"))}, ${look}];`,
      ...parents.flatMap((parent) => (parent ? [`  n${parent.id} -> n${id};`] : [])),
    ];
  });
  const text = entries.map(({ id, name, inputs }) => `${id}: ${name}(${inputs.join(", ")})`).join("\n");
  return drawing(body, text, options);
}

function drawing(body: readonly string[], text: string, options: DrawOptions): Drawing {
  const direction = options.direction === "right" ? "LR" : "TB";
  const dot = `digraph {
  rankdir=${direction}; bgcolor="transparent"; fontname="Helvetica"; fontsize=11; ranksep=0.35; nodesep=0.25;
  node [fontname="Helvetica", fontsize=11, shape=box, style="rounded,filled", fillcolor="#ffffff", color="#7f7f7f", margin="0.12,0.05", height=0.3];
  edge [fontname="Helvetica", fontsize=9, color="#7f7f7f", fontcolor="#7f7f7f", arrowsize=0.6];
${body.join("\n")}
}`;
  return new Drawing(dot, text);
}

function formatBytes(bytes: number): string {
  return bytes < 1024
    ? `${bytes} B`
    : bytes < 1024 ** 2
      ? `${(bytes / 1024).toFixed(1)} KiB`
      : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

const quote = (text: string): string => `"${text.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n")}"`;

function edgesText({ nodes, edges }: Dag): string {
  const joined = new Set(edges.flat());
  return [
    ...edges.map(([from, to]) => `${from} -> ${to}`),
    ...nodes.filter((name) => !joined.has(name)),
  ].join(", ");
}

function coloured(name: string, { highlight }: DrawOptions): string {
  if (!highlight) return "";
  const colours = Array.isArray(highlight)
    ? Object.fromEntries((highlight as readonly string[]).map((n) => [n, PALETTE[1]]))
    : (highlight as Readonly<Record<string, string>>);
  return Object.hasOwn(colours, name) ? `, fillcolor=${quote(colours[name])}` : "";
}

function dagBody({ nodes, edges }: Dag, options: DrawOptions): string[] {
  return [
    ...nodes.map((name) => `  ${quote(name)} [label=${quote(name)}${coloured(name, options)}];`),
    ...edges.map(([from, to]) => `  ${quote(from)} -> ${quote(to)};`),
  ];
}

/** Fill colours by kind of op: what costs what. */
const FILLS: Record<string, string> = {
  contraction: "#cfe5f3",
  elementwise: "#d3efe6",
  reduction: "#fbe7c6",
  control: "#f3dbe9",
  view: "#eeeeee",
  random: "#f8d9cc",
};

/** Attributes short enough to read in a box, on lines of about 30 characters. */
function attrsText(node: GraphNode): string {
  const parts = Object.entries(node.attrs).flatMap(([key, value]) => {
    if (value === undefined || regionsOf({ [key]: value }).length > 0) return [];
    const text = JSON.stringify(value);
    return text !== undefined && text.length <= 24 ? [`${key}: ${text}`] : [];
  });
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + part.length < 30) lines[lines.length - 1] = `${last}, ${part}`;
    else lines.push(part);
  }
  return lines.map((line) => `\n${line}`).join("");
}

let nextRegion = 0;

function graphBody(graph: Graph, options: DrawOptions, prefix = `g${nextRegion++}`): string[] {
  const id = (value: Value): string => quote(`${prefix}_${value.id}`);
  const nodeId = (node: GraphNode): string => id(node.outputs[0]);
  const counts = new Map<string, number>();
  const lines: string[] = [];
  for (const param of graph.params)
    lines.push(
      `  ${id(param)} [label=${quote(`${param.name ?? `%${param.id}`}\n${typeText(param, options)}`)}, shape=ellipse, style="filled", fillcolor="#ffffff"];`,
    );
  for (const { value, data } of graph.constants) {
    const label = data.size === 1 ? String(data.item()) : `constant\n${formatType(value)}`;
    lines.push(`  ${id(value)} [label=${quote(label)}, shape=plaintext, style="", height=0.2];`);
  }
  for (const node of graph.nodes) {
    const count = (counts.get(node.op.name) ?? 0) + 1;
    counts.set(node.op.name, count);
    const inner = options.regions === false ? [] : regionsOf(node.attrs);
    const name = isFused(node) ? fusedName(node) : node.op.name;
    const own = options.colour?.(node);
    const fill =
      coloured(`${node.op.name}${count}`, options) ||
      (own && `, fillcolor=${quote(own)}`) ||
      `, fillcolor=${quote(FILLS[node.op.kind ?? ""] ?? "#ffffff")}`;
    lines.push(`  ${nodeId(node)} [label=${quote(`${name}${attrsText(node)}`)}${fill}];`);
    for (const input of node.inputs) {
      const from = graph.producer(input);
      lines.push(
        `  ${from ? nodeId(from) : id(input)} -> ${nodeId(node)} [label=${quote(from ? edgeText(from, input, options) : "")}];`,
      );
    }
    if (isFused(node)) continue;
    for (const [path, region] of inner) {
      const sub = `${prefix}_${node.outputs[0].id}_${path.replace(/\W/g, "_")}`;
      lines.push(
        `  subgraph "cluster_${sub}" { label=${quote(path)}; color="#cccccc"; style="rounded";`,
        ...graphBody(region, options, sub).map((line) => `  ${line}`),
        "  }",
      );
      const first = region.params[0] ?? region.nodes[0]?.outputs[0];
      if (first)
        lines.push(`  ${nodeId(node)} -> ${quote(`${sub}_${first.id}`)} [style=dotted, arrowhead=none];`);
    }
  }
  graph.results.forEach((result, i) => {
    const end = quote(`${prefix}_result_${i}`);
    const from = graph.producer(result);
    lines.push(
      `  ${end} [label="${graph.results.length > 1 ? `result ${i}` : "result"}", shape=plaintext, style="", height=0.2];`,
      `  ${from ? nodeId(from) : id(result)} -> ${end} [label=${quote(from ? edgeText(from, result, options) : typeText(result, options))}];`,
    );
  });
  return lines;
}

/** What goes along an edge: a type, or the order of effects. */
const edgeText = (from: GraphNode, value: Value, options: DrawOptions): string =>
  EFFECTS.has(from.op.name) && value === from.outputs[0] ? "token" : typeText(value, options);

const typeText = (value: Value, { note }: DrawOptions): string =>
  note ? `${formatType(value)}\n${note(value)}` : formatType(value);

/** A fused node shows the ops that it took in. */
function fusedName(node: GraphNode): string {
  const [[, region], ...others] = regionsOf(node.attrs);
  const times = others.length > 0 ? ` × ${others.length + 1}` : "";
  return `fused${times}\n${region.nodes.map(({ op }) => op.name).join(" · ")}`;
}

declare module "../ir/graph.js" {
  interface Graph {
    /** Graphs draw themselves in notebooks. */
    [displaySymbol](): Promise<MimeBundle>;
  }
}

Graph.prototype[displaySymbol] = function () {
  return drawGraph(this)[displaySymbol]();
};
