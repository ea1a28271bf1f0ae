/**
 * Loop-invariant code motion: what an iteration computes from nothing that the loop changes is computed once, in front of
 * the loop. (Aho, Lam, Sethi, Ullman, "Compilers", 9.5.)
 */
import type { TensorType } from "../../core/shape.js";
import { editNodes, type GraphEditor } from "../edit.js";
import { type Graph, type GraphNode, regionsOf, type Value } from "../graph.js";
import { hasPreparedDerivative } from "../region-rules.js";
import { invariantState, type Loop, loopOf } from "./loops.js";
import type { Pass } from "./pass.js";

export function hoistInvariant(graph: Graph): Graph {
  return editNodes(graph, (node, editor) => {
    const loop = loopOf(node);
    if (!loop || hasPreparedDerivative(node)) editor.push(node);
    else hoistFrom(node, loop, editor);
  });
}

/** Ops that compute something whatever their operands are: they may run even if the loop does not. */
const SAFE = new Set(["elementwise", "reduction", "view", "contraction"]);

function hoistFrom(node: GraphNode, { constants, body }: Loop, editor: GraphEditor): void {
  const test = (node.attrs as { cond?: Graph }).cond;
  const { length } = node.attrs as { length?: number };
  const fixed = invariantState(node, (value) => editor.constantData(value));
  const moved: Value[] = []; // outside, what becomes new constants of the loop
  const regions = [body, ...(test ? [test] : [])].map((region) => {
    const runs = region === test || (length ?? 0) > 0; // at least once, so that even an op that may fail may move
    const outside = new Map<Value, Value>();
    region.params.forEach((param, i) => {
      if (i < constants || fixed.has(i)) outside.set(param, node.inputs[i]);
    });
    const staying = region.nodes.filter((inner) => {
      if (!canMove(inner, runs, outside, region)) return true;
      const inputs = inner.inputs.map((input) => {
        const known = outside.get(input) ?? copyConstant(region, input, editor);
        outside.set(input, known);
        return known;
      });
      const outputs = editor.emit(inner.op, inputs, inner.attrs, inner.loc ?? node.loc);
      inner.outputs.forEach((output, i) => {
        outside.set(output, outputs[i]);
      });
      return false;
    });
    const gone = new Set(
      region.nodes.filter((inner) => !staying.includes(inner)).flatMap((inner) => inner.outputs),
    );
    const read = new Set<Value>([...staying.flatMap((inner) => inner.inputs), ...region.results]);
    const needed = [...gone].filter((value) => read.has(value));
    moved.push(...needed.map((value) => outside.get(value) as Value));
    return { region, staying, needed };
  });
  if (moved.length === 0) {
    editor.push(node);
    return;
  }
  // each region takes all new constants, its own under the values that its nodes read
  const total = moved.length;
  let before = 0;
  const widened = regions.map(({ region, staying, needed }) => {
    let next = region.nextId;
    const extra = moved.map(({ shape, dtype }: TensorType, i): Value => {
      const own = needed[i - before];
      return own ?? { id: next++, name: null, shape, dtype };
    });
    before += needed.length;
    const params = [...region.params.slice(0, constants), ...extra, ...region.params.slice(constants)];
    return region.with({ params, nodes: staying });
  });
  editor.changed();
  editor.push({
    ...node,
    inputs: [...node.inputs.slice(0, constants), ...moved, ...node.inputs.slice(constants)],
    attrs: {
      ...node.attrs,
      body: widened[0],
      ...(test ? { cond: widened[1] } : {}),
      constants: constants + total,
    },
  });
}

function canMove(node: GraphNode, runs: boolean, outside: ReadonlyMap<Value, Value>, region: Graph): boolean {
  if (node.op.kind === "random" || node.inputs.length === 0) return false;
  if (!runs && (!SAFE.has(node.op.kind ?? "") || regionsOf(node.attrs).length > 0)) return false;
  const constant = (value: Value): boolean => region.constants.some((c) => c.value === value);
  return (
    node.inputs.every((input) => outside.has(input) || constant(input)) &&
    node.inputs.some((input) => outside.has(input)) // constants alone are for folding
  );
}

function copyConstant(region: Graph, value: Value, editor: GraphEditor): Value {
  const found = region.constants.find((constant) => constant.value === value);
  if (!found) throw new Error(`%${value.id} is neither invariant nor constant`);
  return editor.constant(found.data);
}

export const licm: Pass = {
  name: "licm",
  summary: "computes once, in front of a loop, what no iteration changes",
  run: hoistInvariant,
};
