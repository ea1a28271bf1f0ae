/**
 * The generic form of MLIR: result names, "dialect.op", operands, attributes, function type, location; regions in
 * parentheses. (Book, chapter 4; MLIR's language reference.)
 */
import type { TensorType } from "../../core/shape.js";
import { type Constant, type Graph, type GraphNode, regionsOf, type Value } from "../graph.js";
import { Names, plainAttrs, pointed, shortDType } from "./names.js";
import type { Rendering } from "./rendering.js";

function typeText({ shape, dtype }: TensorType): string {
  const element = shortDType(dtype, "i1").replace(/^u/, "ui");
  return `tensor<${[...shape, element].join("x")}>`;
}

const functionType = (inputs: readonly TensorType[], outputs: readonly TensorType[]): string => {
  const results = outputs.map(typeText);
  return `(${inputs.map(typeText).join(", ")}) -> ${results.length === 1 ? results[0] : `(${results.join(", ")})`}`;
};

function attributeText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(attributeText).join(", ")}]`;
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/** `loc("file":line:column)`. */
function locationText(loc: string | null): string {
  const place = loc === null ? null : /^(.*):(\d+):(\d+)$/.exec(loc);
  return place ? ` loc(${JSON.stringify(place[1])}:${place[2]}:${place[3]})` : "";
}

class Printer {
  private readonly names = new Names("", 0);

  constructor(private readonly dialect: string) {}

  /** `%0`, `%0:2` where it is defined, `%0#1` where a later result of an op is read. */
  body(graph: Graph, indent: string): string[] {
    const constants = graph.constants.map((constant) => indent + this.constant(constant));
    return [...constants, ...graph.nodes.map((node) => indent + this.node(node, indent))];
  }

  block(graph: Graph, indent: string): string {
    const params = graph.params.map((param) => `${this.use(param)}: ${typeText(param)}`);
    const end = `${indent}  "${this.dialect}.yield"(${graph.results.map((y) => this.use(y)).join(", ")}) : ${functionType(graph.results, [])}`;
    const head = params.length > 0 ? [`${indent}^bb0(${params.join(", ")}):`] : [];
    return ["{", ...head, ...this.body(graph, `${indent}  `), end, `${indent}}`].join("\n");
  }

  use(value: Value): string {
    return `%${this.names.of(value)}`;
  }

  private constant({ value, data }: Constant): string {
    const elements = data.size <= 8 ? pointed({ value, data }) : `"0x…${data.size} elements"`;
    return `${this.use(value)} = "${this.dialect}.constant"() {value = dense<${elements}> : ${typeText(value)}} : ${functionType([], [value])}`;
  }

  private node(node: GraphNode, indent: string): string {
    const [first] = node.outputs;
    const left = this.use(first);
    node.outputs.slice(1).forEach((output, i) => {
      this.names.set(output, `${left.slice(1)}#${i + 1}`);
    });
    const inputs = node.inputs.map((input) => this.use(input)).join(", ");
    const attrs = plainAttrs(node).map(([key, value]) => `${key} = ${attributeText(value)}`);
    const regions = regionsOf(node.attrs).map(([, region]) => this.block(region, indent));
    if (node.outputs.length > 1) this.names.set(first, `${left.slice(1)}#0`);
    const type = functionType(node.inputs, node.outputs);
    const count = node.outputs.length > 1 ? `:${node.outputs.length}` : "";
    return [
      `${left}${count} = "${this.dialect}.${node.op.name}"(${inputs})`,
      regions.length > 0 ? ` (${regions.join(", ")})` : "",
      attrs.length > 0 ? ` {${attrs.join(", ")}}` : "",
      ` : ${type}${locationText(node.loc)}`,
    ].join("");
  }
}

/**
 * A graph in MLIR's generic form, in a dialect of this name.
 * @example ir.mlirText(capture((x: Tensor) => x.sin(), tensor([1])), "toy").includes('"toy.sin"(%x)') // true
 */
export function mlirText(graph: Graph, dialect: string): string {
  const printer = new Printer(dialect);
  const params = graph.params.map((param) => `${printer.use(param)}: ${typeText(param)}`).join(", ");
  const lines = printer.body(graph, "  ");
  const results = graph.results.map((y) => printer.use(y)).join(", ");
  const name = graph.name.replace(/\W+/g, "_");
  const types = graph.results.map(typeText);
  const returns = types.length === 1 ? types[0] : `(${types.join(", ")})`;
  return [
    `func.func @${name}(${params}) -> ${returns} {`,
    ...lines,
    `  "func.return"(${results}) : ${functionType(graph.results, [])}`,
    "}",
  ].join("\n");
}

export const mlir: Rendering = {
  name: "mlir",
  summary: "MLIR's generic form: results, dialect.op, operands, attributes, regions, types, locations",
  render: (graph) => mlirText(graph, "mlsys"),
};
