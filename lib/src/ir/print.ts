/**
 * The text form of a graph:
 * ```
 * graph @f(%0 x: float32(2, 3), %1 w: float32(3, 4)) {
 *   %2 = constant 0.5 : float32()
 *   %3 = matmul(%0, %1) : float32(2, 4)
 *   %4 = sum(%3) {axes: [0, 1], keepDims: false} : float32() loc("model.ts:3:9")
 *   return %4
 * }
 * ```
 * Regions stand among the attributes, in the same form. `parseGraph` reads it back to the same graph.
 */
import { formatType } from "../core/shape.js";
import type { Attrs } from "../ops/registry.js";
import { encodeElements, formatElement } from "./data.js";
import { Dim } from "./dynamic/dim.js";
import { EFFECTS } from "./effects/ops.js";
import { type Constant, Graph, type GraphNode, type Value } from "./graph.js";

export interface PrintOptions {
  /** "all": every element, so that it parses back (default); "short": constants of more than 8 elements are left out. */
  readonly constants?: "all" | "short";
  /** Print where nodes came from. Default true. */
  readonly locations?: boolean;
}

/** More elements than this are written as base64, or left out. */
const WRITTEN_OUT = 8;

/** @example graph.printGraph(capture((x: Tensor) => x.sin(), tensor([1]))).includes("sin") // true */
export function printGraph(graph: Graph, options: PrintOptions = {}): string {
  return printAt(graph, "", { constants: options.constants ?? "all", locations: options.locations ?? true });
}

declare module "./graph.js" {
  interface Graph {
    /** The text form, without large constants. */
    toString(): string;
  }
}

Graph.prototype.toString = function () {
  return printGraph(this, { constants: "short", locations: false });
};

function printAt(graph: Graph, indent: string, options: Required<PrintOptions>): string {
  const inner = `${indent}  `;
  const params = graph.params.map((param) => `${definition(param)}: ${formatType(param)}`).join(", ");
  const lines = [
    ...graph.constants.map((constant) => printConstant(constant, options)),
    ...graph.nodes.map((node) => printNode(node, inner, options)),
    `return ${graph.results.map(use).join(", ")}`.trimEnd(),
  ];
  return `graph ${printName(graph.name, "@")}(${params}) {\n${lines.map((line) => `${inner}${line}\n`).join("")}${indent}}`;
}

function printConstant({ value, data }: Constant, { constants }: Required<PrintOptions>): string {
  const head = `${definition(value)} = constant`;
  const tail = `: ${formatType(value)}`;
  if (data.size > WRITTEN_OUT) {
    return constants === "short"
      ? `${head} <${data.size} elements> ${tail}`
      : `${head} base64 "${encodeElements(data)}" ${tail}`;
  }
  const elements = Array.from(data.toTypedArray(), (x) => formatElement(x, value.dtype));
  return `${head} ${value.shape.length === 0 ? elements[0] : `[${elements.join(", ")}]`} ${tail}`;
}

function printNode(node: GraphNode, indent: string, options: Required<PrintOptions>): string {
  const { op, inputs, outputs, loc } = node;
  const attrs = printAttrs(node.attrs, indent, options);
  const types = outputs
    .map((output, i) => (i === 0 && EFFECTS.has(op.name) ? "token" : formatType(output)))
    .join(", ");
  const where = options.locations && loc ? ` loc(${JSON.stringify(loc)})` : "";
  const left = outputs.length > 0 ? `${outputs.map(definition).join(", ")} = ` : "";
  return `${left}${op.name}(${inputs.map(use).join(", ")})${attrs}${types ? ` : ${types}` : ""}${where}`;
}

function printAttrs(attrs: Attrs, indent: string, options: Required<PrintOptions>): string {
  const entries = Object.entries(attrs).filter(([, value]) => value !== undefined);
  return entries.length > 0 ? ` ${printValue(Object.fromEntries(entries), indent, options)}` : "";
}

function printValue(value: unknown, indent: string, options: Required<PrintOptions>): string {
  if (value instanceof Graph) return printAt(value, indent, options);
  if (value instanceof Dim) return String(value);
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (Array.isArray(value)) return `[${value.map((entry) => printValue(entry, indent, options)).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value)
      .filter(([, entry]) => entry !== undefined)
      .map(([key, entry]) => `${printName(key)}: ${printValue(entry, indent, options)}`);
    return `{${entries.join(", ")}}`;
  }
  return JSON.stringify(value);
}

const use = (value: Value): string => `%${value.id}`;

function definition(value: Value): string {
  return value.name === null ? use(value) : `${use(value)} ${printName(value.name)}`;
}

function printName(name: string, sigil = ""): string {
  return /^[A-Za-z_$][\w$.-]*$/.test(name) ? sigil + name : sigil + JSON.stringify(name);
}
