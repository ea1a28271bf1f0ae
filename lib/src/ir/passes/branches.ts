/**
 * Unreachable code: a branch that a constant predicate never takes goes, as does a loop that never runs; what is left of
 * the node stands where it stood. (Book, chapter 4.)
 */
import { sizeOf } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { tidy } from "../../ops/tidy.js";
import type { DenseTensor } from "../../runtime/dense.js";
import { constantOf } from "../data.js";
import { editNodes, type GraphEditor } from "../edit.js";
import type { Graph, GraphNode, Value } from "../graph.js";
import { interpret } from "../interpret.js";
import { loopOf } from "./loops.js";
import type { Pass } from "./pass.js";

/** What a node is reduced to, or `null` if it stays. */
type Reduction = (node: GraphNode, editor: GraphEditor) => readonly Value[] | null;

const predicate = (node: GraphNode, editor: GraphEditor): number | null =>
  editor.constantData(node.inputs[0])?.item() ?? null;

const REDUCTIONS: Readonly<Record<string, Reduction>> = {
  cond: (node, editor) => {
    const taken = predicate(node, editor);
    const { onTrue, onFalse } = node.attrs as { onTrue: Graph; onFalse: Graph };
    return taken === null ? null : editor.inline(taken !== 0 ? onTrue : onFalse, node.inputs.slice(1));
  },
  switch: (node, editor) => {
    const index = predicate(node, editor);
    const { branches } = node.attrs as { branches: readonly Graph[] };
    if (index === null) return null;
    return editor.inline(branches[Math.min(Math.max(index, 0), branches.length - 1)], node.inputs.slice(1));
  },
  while: (node, editor) => {
    const { cond, constants } = node.attrs as { cond: Graph; constants: number };
    return firstTest(cond, node.inputs, editor) === false ? node.inputs.slice(constants) : null;
  },
  scan: (node, editor) => {
    const { length } = node.attrs as { length: number };
    if (length === 0) return neverScanned(node, editor);
    return length === 1 ? scannedOnce(node, editor) : null;
  },
};

/** What a loop's test says at first, if it reads constants only. */
function firstTest(test: Graph, inputs: readonly Value[], editor: GraphEditor): boolean | null {
  const read = new Set<Value>([...test.nodes.flatMap((node) => node.inputs), ...test.results]);
  const used = test.params.filter((param) => read.has(param));
  const data = used.map((param) => editor.constantData(inputs[test.params.indexOf(param)]));
  const known = data.filter((x) => x !== null);
  if (known.length < data.length) return null;
  return tidy((): boolean => {
    const [answer] = interpret(test.with({ params: used }), known as Tensor[]) as DenseTensor[];
    return answer.item() !== 0;
  });
}

function neverScanned(node: GraphNode, editor: GraphEditor): readonly Value[] {
  const { constants, carry } = loopOf(node) as { constants: number; carry: number };
  const state = node.inputs.slice(constants, constants + carry);
  const empty = node.outputs.slice(carry).map(({ shape, dtype }) => {
    return editor.constant(constantOf(new Array<number>(sizeOf(shape)).fill(0), { shape, dtype }));
  });
  return [...state, ...empty];
}

/** A scan of one entry is its body. */
function scannedOnce(node: GraphNode, editor: GraphEditor): readonly Value[] {
  const { constants, carry, body } = loopOf(node) as { constants: number; carry: number; body: Graph };
  const reshaped = (value: Value, shape: readonly number[]): Value =>
    editor.emit("reshape", [value], { shape }, node.loc)[0];
  const entries = node.inputs.slice(constants + carry).map((x) => reshaped(x, x.shape.slice(1)));
  const results = editor.inline(body, [...node.inputs.slice(0, constants + carry), ...entries]);
  return results.map((y, i) => (i < carry ? y : reshaped(y, [1, ...y.shape])));
}

export function removeUnreachable(graph: Graph): Graph {
  return editNodes(graph, (node, editor) => {
    const values = REDUCTIONS[node.op.name]?.(node, editor) ?? null;
    if (values === null) editor.push(node);
    else
      node.outputs.forEach((output, i) => {
        editor.replace(output, values[i]);
      });
  });
}

export const branches: Pass = {
  name: "branches",
  summary: "removes branches that are never taken and loops that never run",
  run: removeUnreachable,
};
