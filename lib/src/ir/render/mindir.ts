/**
 * The form of MindSpore's MindIR as text: functions as let-bound lambdas, each call bound to a name, branches and loops as
 * functions. (Book, chapter 4: A-normal form.)
 */
import { DenseTensor, readElements } from "../../runtime/dense.js";
import { formatElement } from "../data.js";
import { fromGraph } from "../functional/convert.js";
import {
  type ANode,
  type CNode,
  callsOf,
  FuncGraph,
  type Primitive,
  type ValueNode,
  ZERO,
} from "../functional/func-graph.js";
import { type Graph, regionsOf } from "../graph.js";
import { plainAttrs, SIGNS } from "./names.js";
import type { Rendering } from "./rendering.js";

const isOp = (value: ValueNode["value"]): value is Extract<Primitive, { kind: "op" }> =>
  typeof value === "object" && "kind" in value && value.kind === "op";

class Printer {
  private readonly names = new Map<ANode | FuncGraph, string>();
  private readonly taken = new Set<string>();
  private readonly regions = new Map<Graph, FuncGraph>();
  private next = 1;

  text(graph: FuncGraph): string {
    this.name(graph, graph.name);
    return this.lambda(graph, "").join("\n");
  }

  /** `lambda (x)`, its bindings, its result. */
  private lambda(graph: FuncGraph, indent: string): string[] {
    const params = graph.parameters.map((parameter) => this.name(parameter, parameter.name ?? null));
    const lines = [`${indent}lambda (${params.join(", ")})`];
    const inner = `${indent}  `;
    const bind = (functions: readonly FuncGraph[]): void => {
      for (const f of functions) {
        if (this.names.has(f)) continue;
        const name = this.name(f, f.name);
        const [head, ...body] = this.lambda(f, inner);
        lines.push(
          `${inner}let ${name} = ${head.trim()}`,
          ...body.slice(0, -1),
          `${body[body.length - 1]} in`,
        );
      }
    };
    for (const node of callsOf(graph)) {
      bind(this.functionsIn(node));
      const text = this.call(node.inputs);
      lines.push(`${inner}let ${this.name(node, null)} = ${text} in`);
    }
    const { output } = graph;
    if (output.kind === "value" && output.value instanceof FuncGraph) bind([output.value]);
    lines.push(`${inner}${this.use(output)} end`);
    return lines;
  }

  /** Functions that a call gets, and the regions of an op as functions. */
  private functionsIn({ inputs }: CNode): FuncGraph[] {
    return inputs.flatMap((input) => {
      if (input.kind !== "value") return [];
      const { value } = input;
      if (value instanceof FuncGraph) return [value];
      return isOp(value) ? regionsOf(value.attrs).map(([, region]) => this.function(region)) : [];
    });
  }

  private function(region: Graph): FuncGraph {
    const f = this.regions.get(region) ?? fromGraph(region);
    this.regions.set(region, f);
    return f;
  }

  private call([f, ...args]: readonly ANode[]): string {
    const given = args.map((arg) => this.use(arg));
    if (f.kind === "value" && !(f.value instanceof FuncGraph) && f.value !== ZERO) {
      const primitive = f.value as Primitive;
      if (primitive.kind === "getItem") return `${given[0]}[${primitive.index}]`;
      if (primitive.kind === "makeTuple") return `(${given.join(", ")})`;
      if (primitive.kind !== "op") return `${primitive.kind}(${given.join(", ")})`;
      const sign = SIGNS[primitive.op.name];
      if (sign && given.length === 2) return `${given[0]} ${sign} ${given[1]}`;
      const regions = regionsOf(primitive.attrs).map(
        ([path, region]) => `${path}=${this.names.get(this.function(region)) ?? region.name}`,
      );
      const attrs = [
        ...plainAttrs(primitive).map(([key, value]) => `${key}=${JSON.stringify(value)}`),
        ...regions,
      ];
      return `${primitive.op.name}(${[...given, ...attrs].join(", ")})`;
    }
    return `${this.use(f)}(${given.join(", ")})`;
  }

  private use(node: ANode): string {
    if (node.kind !== "value") return this.names.get(node) ?? "?";
    const { value } = node;
    if (value instanceof FuncGraph) return this.names.get(value) ?? value.name;
    if (value instanceof DenseTensor) {
      if (value.size > 8) return `<${value.size} elements>`;
      const elements = Array.from(readElements(value), (x) => formatElement(x, value.dtype));
      return value.ndim === 0 ? elements[0] : `[${elements.join(", ")}]`;
    }
    return value === ZERO ? "0" : (value as Primitive).kind;
  }

  private name(of: ANode | FuncGraph, wanted: string | null): string {
    const known = this.names.get(of);
    if (known) return known;
    let name = wanted === null ? `%${this.next++}` : wanted.replace(/[^\w▶◀]+/g, "_");
    for (let i = 1; this.taken.has(name); i++) name = `${wanted}_${i}`;
    this.taken.add(name);
    this.names.set(of, name);
    return name;
  }
}

/**
 * A function of the functional form as MindIR's text; also what J makes of one.
 * @example ir.mindirText(ir.functional.J(ir.functional.fromGraph(capture((x: Tensor) => x.sin(), tensor([1]))))).includes("◀sin") // true
 */
export function mindirText(graph: FuncGraph): string {
  return new Printer().text(graph);
}

export const mindir: Rendering = {
  name: "mindir",
  summary: "as MindSpore writes it: let-bound calls and functions that read what is around them",
  render: (graph) => mindirText(fromGraph(graph)),
};
