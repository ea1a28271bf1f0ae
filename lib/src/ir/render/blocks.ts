/**
 * Basic blocks: regions become jumps. Each value is defined once; where paths meet a phi chooses by the block that control
 * came from. Linear renderings and the control-flow graph are made from these. (Book, chapter 4: CFG, SSA.)
 */
import type { TensorType } from "../../core/shape.js";
import type { Graph, GraphNode, Value } from "../graph.js";
import { literal, Names, plainAttrs } from "./names.js";

export interface Operand {
  readonly text: string;
  readonly type: TensorType;
  /** Written out, not computed. */
  readonly literal: boolean;
}

export interface Instruction {
  readonly results: readonly Operand[];
  readonly op: string;
  readonly args: readonly Operand[];
  readonly attrs: readonly (readonly [string, unknown])[];
}

export interface Phi {
  readonly result: Operand;
  readonly incoming: [value: Operand, from: string][];
}

export type Terminator =
  | { readonly kind: "jump"; readonly to: string }
  | { readonly kind: "branch"; readonly test: Operand; readonly yes: string; readonly no: string }
  | { readonly kind: "switch"; readonly index: Operand; readonly to: readonly string[] }
  | { readonly kind: "return"; readonly values: readonly Operand[] };

export interface Block {
  readonly label: string;
  readonly phis: Phi[];
  readonly instructions: Instruction[];
  end: Terminator;
}

export interface BlockFunction {
  readonly name: string;
  readonly params: readonly Operand[];
  readonly blocks: readonly Block[];
}

const INDEX: TensorType = { shape: [], dtype: "int32" };
const TEST: TensorType = { shape: [], dtype: "bool" };
const number = (text: string): Operand => ({ text, type: INDEX, literal: true });

/** The function that a graph is, then those that it calls. */
export function blocksOf(graph: Graph): BlockFunction[] {
  const lowering = new Lowering();
  lowering.function(graph);
  return lowering.functions;
}

class Lowering {
  readonly functions: BlockFunction[] = [];
  private readonly called = new Map<Graph, string>();

  function(graph: Graph): string {
    const known = this.called.get(graph);
    if (known) return known;
    const name = graph.name.replace(/\W+/g, "_");
    const same = [...this.called.values()].filter((other) => other.replace(/\.\d+$/, "") === name).length;
    const unique = same > 0 ? `${name}.${same}` : name;
    this.called.set(graph, unique);
    const at = this.functions.length;
    const body = new FunctionLowering((inner) => this.function(inner));
    const params = graph.params.map((param) => body.name(param));
    const results = body.graph(graph, params);
    this.functions.splice(at, 0, { name: unique, params, blocks: body.finish(results) });
    return unique;
  }
}

class FunctionLowering {
  private readonly names = new Names("t");
  private readonly labels = new Map<string, number>();
  private readonly blocks: Block[] = [];
  private block: Block;

  constructor(private readonly call: (graph: Graph) => string) {
    this.block = this.open("entry");
  }

  name(value: Value): Operand {
    return { text: this.names.of(value), type: value, literal: false };
  }

  finish(values: readonly Operand[]): readonly Block[] {
    this.block.end = { kind: "return", values };
    return this.blocks;
  }

  /** Writes a graph behind what there is; returns its results. */
  graph(graph: Graph, args: readonly Operand[]): Operand[] {
    const here = new Map<Value, Operand>(graph.params.map((param, i) => [param, args[i]]));
    for (const constant of graph.constants)
      here.set(constant.value, { text: literal(constant), type: constant.value, literal: true });
    const get = (value: Value): Operand => here.get(value) as Operand;
    for (const node of graph.nodes) {
      const results = (LOWERINGS[node.op.name] ?? plain)(this, node, node.inputs.map(get));
      node.outputs.forEach((output, i) => {
        here.set(output, results[i]);
      });
    }
    return graph.results.map(get);
  }

  /** An instruction at the end of the present block. */
  emit(
    op: string,
    args: readonly Operand[],
    types: readonly TensorType[],
    attrs: Instruction["attrs"] = [],
  ): Operand[] {
    const results = types.map((type) => this.fresh(type));
    this.block.instructions.push({ results, op, args, attrs });
    return results;
  }

  emitCall(graph: Graph, args: readonly Operand[]): Operand[] {
    const name = this.call(graph);
    return this.emit("call", args, graph.results, [["function", name]]);
  }

  fresh(type: TensorType): Operand {
    return { text: this.names.fresh(), type, literal: false };
  }

  label(wanted: string): string {
    const count = this.labels.get(wanted) ?? 0;
    this.labels.set(wanted, count + 1);
    return count === 0 ? wanted : `${wanted}${count}`;
  }

  /** The block that instructions go to. */
  get here(): string {
    return this.block.label;
  }

  end(terminator: Terminator): void {
    this.block.end = terminator;
  }

  /** Goes on in a new block; its label was taken by `label`. */
  start(label: string): void {
    this.block = this.add(label);
  }

  phi(type: TensorType, incoming: [Operand, string][]): Phi {
    const phi = { result: this.fresh(type), incoming };
    this.block.phis.push(phi);
    return phi;
  }

  private open(wanted: string): Block {
    return this.add(this.label(wanted));
  }

  private add(label: string): Block {
    const block: Block = { label, phis: [], instructions: [], end: { kind: "return", values: [] } };
    this.blocks.push(block);
    return block;
  }
}

type Lower = (f: FunctionLowering, node: GraphNode, inputs: readonly Operand[]) => Operand[];

const plain: Lower = (f, node, inputs) => f.emit(node.op.name, inputs, node.outputs, plainAttrs(node));

/** Branches that all jump to one block, which chooses among what they give. */
function branches(
  f: FunctionLowering,
  labels: readonly string[],
  regions: readonly Graph[],
  operands: readonly Operand[],
): Operand[] {
  const join = f.label("join");
  const ends = regions.map((region, i) => {
    f.start(labels[i]);
    const values = f.graph(region, operands);
    const from = f.here;
    f.end({ kind: "jump", to: join });
    return { values, from };
  });
  f.start(join);
  return regions[0].results.map(
    (type, k) =>
      f.phi(
        type,
        ends.map(({ values, from }) => [values[k], from]),
      ).result,
  );
}

const LOWERINGS: Readonly<Record<string, Lower>> = {
  call: (f, { attrs }, inputs) => f.emitCall((attrs as { graph: Graph }).graph, inputs),
  fused: (f, { attrs }, inputs) => f.graph((attrs as { graph: Graph }).graph, inputs),
  cond: (f, { attrs }, [test, ...operands]) => {
    const { onTrue, onFalse } = attrs as { onTrue: Graph; onFalse: Graph };
    const [yes, no] = [f.label("then"), f.label("else")];
    f.end({ kind: "branch", test, yes, no });
    return branches(f, [yes, no], [onTrue, onFalse], operands);
  },
  switch: (f, { attrs }, [index, ...operands]) => {
    const regions = (attrs as { branches: readonly Graph[] }).branches;
    const labels = regions.map(() => f.label("case"));
    f.end({ kind: "switch", index, to: labels });
    return branches(f, labels, regions, operands);
  },
  while: (f, { attrs }, inputs) => {
    const { cond, body, constants } = attrs as { cond: Graph; body: Graph; constants: number };
    const fixed = inputs.slice(0, constants);
    const [header, inner, exit] = ["while", "body", "end"].map((label) => f.label(label));
    const from = f.here;
    f.end({ kind: "jump", to: header });
    f.start(header);
    const phis = inputs.slice(constants).map((x) => f.phi(x.type, [[x, from]]));
    const state = phis.map(({ result }) => result);
    const [test] = f.graph(cond, [...fixed, ...state]);
    f.end({ kind: "branch", test, yes: inner, no: exit });
    f.start(inner);
    const next = f.graph(body, [...fixed, ...state]);
    const back = f.here;
    phis.forEach(({ incoming }, i) => {
      incoming.push([next[i], back]);
    });
    f.end({ kind: "jump", to: header });
    f.start(exit);
    return state;
  },
  scan: (f, { attrs, outputs }, inputs) => {
    const { body, constants, carry, length, reverse } = attrs as {
      body: Graph;
      constants: number;
      carry: number;
      length: number;
      reverse: boolean;
    };
    const fixed = inputs.slice(0, constants);
    const arrays = inputs.slice(constants + carry);
    const empty = outputs.slice(carry).flatMap((type) => f.emit("empty", [], [type]));
    const [header, inner, exit] = ["scan", "body", "end"].map((label) => f.label(label));
    const from = f.here;
    f.end({ kind: "jump", to: header });
    f.start(header);
    const start = [number("0"), ...inputs.slice(constants, constants + carry), ...empty];
    const phis = start.map((x) => f.phi(x.type, [[x, from]]));
    const [i, ...rest] = phis.map(({ result }) => result);
    const [test] = f.emit("less", [i, number(String(length))], [TEST]);
    f.end({ kind: "branch", test, yes: inner, no: exit });
    f.start(inner);
    const at = reverse ? f.emit("sub", [number(String(length - 1)), i], [INDEX])[0] : i;
    const entries = arrays.flatMap((x) =>
      f.emit("entry", [x, at], [{ ...x.type, shape: x.type.shape.slice(1) }]),
    );
    const results = f.graph(body, [...fixed, ...rest.slice(0, carry), ...entries]);
    const kept = results
      .slice(carry)
      .flatMap((y, k) => f.emit("setEntry", [rest[carry + k], at, y], [outputs[carry + k]]));
    const next = [...f.emit("add", [i, number("1")], [INDEX]), ...results.slice(0, carry), ...kept];
    const back = f.here;
    phis.forEach(({ incoming }, k) => {
      incoming.push([next[k], back]);
    });
    f.end({ kind: "jump", to: header });
    f.start(exit);
    return rest;
  },
};
