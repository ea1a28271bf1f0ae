/**
 * From closed graphs to functions: a call becomes a call, branches become functions without parameters that read what is
 * around them, a loop becomes a function that calls itself. (Book, chapter 4: control flow as higher-order functions.)
 */
import { getOp } from "../../ops/registry.js";
import { constantOf } from "../data.js";
import { type Graph, type GraphNode, typeOf, type Value } from "../graph.js";
import { type ANode, FuncGraph, type Primitive, ValueNode } from "./func-graph.js";

export const MAKE_TUPLE: Primitive = { kind: "makeTuple" };
export const getItem = (index: number): Primitive => ({ kind: "getItem", index });

/**
 * A graph as a function. One result is returned as it is, several (or none) as a tuple.
 * @example ir.functional.fromGraph(capture((x: Tensor) => x.sin(), tensor([1]))).parameters.length // 1
 */
export function fromGraph(graph: Graph): FuncGraph {
  const f = new FuncGraph(graph.name);
  const args = graph.params.map((param) => f.parameter(param.name));
  return f.returns(tupled(f, addNodes(f, graph, args)));
}

/** One value itself, several as a tuple. */
export function tupled(f: FuncGraph, nodes: readonly ANode[]): ANode {
  return nodes.length === 1 ? nodes[0] : f.call(MAKE_TUPLE, nodes);
}

/** The entries of what a call returned as `tupled`. */
function entries(f: FuncGraph, node: ANode, count: number): ANode[] {
  if (count === 1) return [node];
  return Array.from({ length: count }, (_, i) => f.call(getItem(i), [node]));
}

/** Writes a closed graph into a function, with nodes (perhaps of functions around) for its parameters. */
function addNodes(f: FuncGraph, graph: Graph, args: readonly ANode[]): ANode[] {
  const here = new Map<Value, ANode>(graph.params.map((param, i) => [param, args[i]]));
  for (const { value, data } of graph.constants) here.set(value, new ValueNode(data));
  const get = (value: Value): ANode => here.get(value) as ANode;
  for (const node of graph.nodes) {
    const made = (CONVERSIONS[node.op.name] ?? plain)(f, node, node.inputs.map(get));
    node.outputs.forEach((output, i) => {
      here.set(output, made[i]);
    });
  }
  return graph.results.map(get);
}

type Conversion = (f: FuncGraph, node: GraphNode, inputs: readonly ANode[]) => ANode[];

const plain: Conversion = (f, { op, attrs, inputs, outputs, loc }, nodes) => {
  const types = { inputs: inputs.map(typeOf), outputs: outputs.map(typeOf) };
  const called = f.call({ kind: "op", op, attrs, results: outputs.length, types }, nodes, loc);
  return entries(f, called, outputs.length);
};

const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  call: (f, { attrs, outputs, loc }, inputs) => {
    const { graph } = attrs as { graph: Graph };
    return entries(f, f.call(fromGraph(graph), inputs, loc), outputs.length);
  },
  cond: (f, { attrs, outputs, loc }, [predicate, ...operands]) => {
    const { onTrue, onFalse } = attrs as { onTrue: Graph; onFalse: Graph };
    const branches = [onTrue, onFalse].map((region) => {
      const g = new FuncGraph(region.name);
      return new ValueNode(g.returns(tupled(g, addNodes(g, region, operands))));
    });
    const chosen = f.call({ kind: "switch" }, [predicate, ...branches], loc);
    return entries(f, f.call(chosen, [], loc), outputs.length);
  },
  switch: (f, { attrs, inputs, outputs, loc }, [index, ...operands]) => {
    const regions = (attrs as { branches: readonly Graph[] }).branches;
    const type = typeOf(inputs[0]);
    const test: Primitive = {
      ...{ kind: "op", op: getOp("less"), attrs: {}, results: 1 },
      types: { inputs: [type, type], outputs: [{ shape: [], dtype: "bool" }] },
    };
    const functions = regions.map((region) => {
      const g = new FuncGraph(region.name);
      return new ValueNode(g.returns(tupled(g, addNodes(g, region, operands))));
    });
    // index < 1 chooses the first, else index < 2 the second, …, else the last
    const chosen = functions.reduceRight<ANode | null>((rest, branch, i) => {
      if (rest === null) return branch;
      const bound = new ValueNode(constantOf([i + 1], type));
      return f.call({ kind: "switch" }, [f.call(test, [index, bound], loc), branch, rest], loc);
    }, null) as ANode;
    return entries(f, f.call(chosen, [], loc), outputs.length);
  },
  while: (f, { attrs, outputs, loc }, inputs) => {
    const { cond, body, constants } = attrs as { cond: Graph; body: Graph; constants: number };
    const fixed = inputs.slice(0, constants);
    const loop = new FuncGraph("loop");
    const state = body.params.slice(constants).map(({ name }) => loop.parameter(name));
    const [test] = addNodes(loop, cond, [...fixed, ...state]);
    const step = new FuncGraph(body.name);
    step.returns(step.call(loop, addNodes(step, body, [...fixed, ...state]), loc));
    const exit = new FuncGraph("exit");
    exit.returns(tupled(exit, state));
    const chosen = loop.call({ kind: "switch" }, [test, new ValueNode(step), new ValueNode(exit)], loc);
    loop.returns(loop.call(chosen, [], loc));
    return entries(f, f.call(loop, inputs.slice(constants), loc), outputs.length);
  },
};
