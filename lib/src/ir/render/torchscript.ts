/** The form of TorchScript's graphs: single assignments, prim:: for the language, aten:: for ops, blocks for control flow. (Book, chapter 4.) */

import type { TensorType } from "../../core/shape.js";
import { readElements } from "../../runtime/dense.js";
import { formatElement } from "../data.js";
import { type Graph, type GraphNode, regionsOf, type Value } from "../graph.js";
import { Names, plainAttrs, shortDType } from "./names.js";
import type { Rendering } from "./rendering.js";

/** aten's names of ops that have others here. */
const ATEN: Readonly<Record<string, string>> = {
  ...{
    where: "where",
    less: "lt",
    lessEqual: "le",
    greater: "gt",
    greaterEqual: "ge",
    equal: "eq",
    notEqual: "ne",
  },
  ...{ broadcastTo: "expand", transpose: "permute", cast: "to", stopGradient: "detach", concat: "cat" },
};

const NAMES: Readonly<Record<string, string>> = {
  ...{
    float64: "Double",
    float32: "Float",
    float16: "Half",
    bfloat16: "BFloat16",
    int64: "Long",
    int32: "Int",
  },
  ...{ int16: "Short", int8: "Char", uint8: "Byte", bool: "Bool" },
};

const typeText = ({ shape, dtype }: TensorType): string => `${NAMES[dtype]}(${shape.join(", ")})`;

/** A large trip count: the condition alone ends a while loop. */
const FOREVER = "9223372036854775807";

class Printer {
  private readonly lines: string[] = [];
  private readonly names = new Names("", 1);
  private readonly known = new Map<string, string>();

  text(graph: Graph): string {
    const params = graph.params.map((param) => `${this.use(param)} : ${typeText(param)}`).join(", ");
    const results = this.body(graph, "  ");
    return [`graph(${params}):`, ...this.lines, `  return (${results.join(", ")})`].join("\n");
  }

  /** Writes the nodes; returns the results' names. */
  body(graph: Graph, indent: string): string[] {
    for (const { value, data } of graph.constants) {
      const name = this.use(value);
      const elements = Array.from(readElements(data).slice(0, 8), (x) => formatElement(x, value.dtype));
      const text = data.ndim === 0 ? elements[0] : data.size > 8 ? "<Tensor>" : `[${elements.join(", ")}]`;
      const scalar =
        value.dtype === "bool" ? "bool" : shortDType(value.dtype).startsWith("i") ? "int" : "float";
      const written = value.dtype === "bool" ? String(Number(text === "true")) : text;
      this.lines.push(
        `${indent}${name} : ${data.ndim === 0 ? scalar : "Tensor"} = prim::Constant[value=${written}]()`,
      );
    }
    for (const node of graph.nodes) (FORMS[node.op.name] ?? plain)(this, node, indent);
    return graph.results.map((result) => this.use(result));
  }

  use(value: Value): string {
    return `%${this.names.of(value)}`;
  }

  /** A constant of the language: a trip count, a flag, an axis. */
  immediate(type: "int" | "bool", value: string, indent: string): string {
    const key = `${type} ${value} ${indent.length}`;
    const seen = this.known.get(key);
    if (seen) return seen;
    const name = `%${this.names.fresh()}`;
    this.lines.push(`${indent}${name} : ${type} = prim::Constant[value=${value}]()`);
    if (indent === "  ") this.known.set(key, name); // those of the outermost block are seen everywhere
    return name;
  }

  line(text: string): void {
    this.lines.push(text);
  }

  outputs(values: readonly Value[]): string {
    return values.map((value) => `${this.use(value)} : ${typeText(value)}`).join(", ");
  }

  /** Writes a block with these parameters; `write` fills it and returns what it gives. */
  block(
    params: readonly string[],
    index: number,
    indent: string,
    write: (indent: string) => readonly string[],
  ): void {
    this.lines.push(`${indent}block${index}(${params.join(", ")}):`);
    const results = write(`${indent}  `);
    this.lines.push(`${indent}  -> (${results.join(", ")})`);
  }

  fresh(): string {
    return `%${this.names.fresh()}`;
  }

  /** Writes a copy of a region with values of its own. */
  inline(region: Graph, args: readonly string[], indent: string): string[] {
    const copies = new Map(region.values().map((value) => [value, { ...value }]));
    const copy = (value: Value): Value => copies.get(value) ?? value;
    region.params.forEach((param, i) => {
      this.names.set(copy(param), args[i].slice(1));
    });
    return this.body(
      region.with({
        params: region.params.map(copy),
        constants: region.constants.map(({ value, data }) => ({ value: copy(value), data })),
        nodes: region.nodes.map((n) => ({ ...n, inputs: n.inputs.map(copy), outputs: n.outputs.map(copy) })),
        results: region.results.map(copy),
      }),
      indent,
    );
  }

  /** Parameters of a region that stand for values around it have their names. */
  share(region: Graph, outer: readonly Value[]): void {
    outer.forEach((value, i) => {
      this.names.set(region.params[i], this.names.of(value));
    });
  }
}

type Form = (p: Printer, node: GraphNode, indent: string) => void;

const plain: Form = (p, node, indent) => {
  const { op, inputs, outputs } = node;
  const attrs = plainAttrs(node).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  const name = ATEN[op.name] ?? op.name;
  const shown = attrs.length > 0 ? `[${attrs.join(", ")}]` : "";
  p.line(`${indent}${p.outputs(outputs)} = aten::${name}${shown}(${inputs.map((x) => p.use(x)).join(", ")})`);
};

const branches: Form = (p, node, indent) => {
  const [predicate, ...operands] = node.inputs;
  const { onTrue, onFalse } = node.attrs as { onTrue: Graph; onFalse: Graph };
  p.line(`${indent}${p.outputs(node.outputs)} = prim::If(${p.use(predicate)})`);
  for (const [i, region] of [onTrue, onFalse].entries()) {
    p.share(region, operands);
    p.block([], i, `${indent}  `, (inner) => p.body(region, inner));
  }
};

const FORMS: Readonly<Record<string, Form>> = {
  cond: branches,
  call: (p, node, indent) => {
    const [[, graph]] = regionsOf(node.attrs);
    const inputs = node.inputs.map((x) => p.use(x)).join(", ");
    p.line(
      `${indent}${p.outputs(node.outputs)} = prim::CallFunction[name=${JSON.stringify(graph.name)}](${inputs})`,
    );
  },
  while: (p, node, indent) => {
    const { cond, body, constants } = node.attrs as { cond: Graph; body: Graph; constants: number };
    const inputs = node.inputs.map((x) => p.use(x));
    const fixed = inputs.slice(0, constants);
    const trips = p.immediate("int", FOREVER, indent);
    // the condition stands in front of the loop and again at the end of its block
    const first = p.inline(cond, inputs, indent);
    p.line(
      `${indent}${p.outputs(node.outputs)} = prim::Loop(${[trips, ...first, ...inputs.slice(constants)].join(", ")})`,
    );
    const counter = p.fresh();
    const own = body.params.slice(constants);
    p.share(body, node.inputs.slice(0, constants));
    p.block([`${counter} : int`, ...(own.length > 0 ? [p.outputs(own)] : [])], 0, `${indent}  `, (inner) => {
      const results = p.body(body, inner);
      return [...p.inline(cond, [...fixed, ...results], inner), ...results];
    });
  },
  scan: (p, node, indent) => {
    const { body, constants, carry, length } = node.attrs as {
      body: Graph;
      constants: number;
      carry: number;
      length: number;
    };
    const { reverse } = node.attrs as { reverse: boolean };
    const trips = p.immediate("int", String(length), indent);
    const going = p.immediate("bool", "1", indent);
    const state = node.inputs.slice(constants, constants + carry);
    const arrays = node.inputs.slice(constants + carry);
    const kept = node.outputs
      .slice(carry)
      .map((y) => ({ y, first: p.fresh(), inner: p.fresh(), next: p.fresh() }));
    for (const { first, y } of kept)
      p.line(`${indent}${first} : ${typeText(y)} = aten::empty[size=${JSON.stringify(y.shape)}]()`);
    const given = [trips, going, ...state.map((x) => p.use(x)), ...kept.map(({ first }) => first)];
    p.line(`${indent}${p.outputs(node.outputs)} = prim::Loop(${given.join(", ")})`);
    const counter = p.fresh();
    p.share(body, node.inputs.slice(0, constants));
    const params = [
      `${counter} : int`,
      ...body.params.slice(constants, constants + carry).map((x) => p.outputs([x])),
      ...kept.map(({ inner, y }) => `${inner} : ${typeText(y)}`),
    ];
    p.block(params, 0, `${indent}  `, (inner) => {
      body.params.slice(constants + carry).forEach((entry, i) => {
        const place = reverse ? "selectFromEnd" : "select";
        p.line(`${inner}${p.outputs([entry])} = aten::${place}[dim=0](${p.use(arrays[i])}, ${counter})`);
      });
      const results = p.body(body, inner);
      kept.forEach(({ inner: before, next, y }, k) => {
        const args = [before, results[carry + k], counter].join(", ");
        p.line(`${inner}${next} : ${typeText(y)} = aten::select_scatter[dim=0](${args})`);
      });
      return [going, ...results.slice(0, carry), ...kept.map(({ next }) => next)];
    });
  },
};

export const torchscript: Rendering = {
  name: "torchscript",
  summary: "as TorchScript writes it: prim::Constant, prim::If, prim::Loop with blocks, aten ops",
  render: (graph) => new Printer().text(graph),
};
