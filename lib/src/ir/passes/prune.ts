/**
 * Dead arguments and results: what a region does not read need not be handed to it, what nobody reads of it need not be
 * returned; a loop's state without readers goes with what computes it.
 */
import { editRegions, GraphEditor } from "../edit.js";
import type { Graph, GraphNode, Value } from "../graph.js";
import { hasPreparedDerivative } from "../region-rules.js";
import { eliminateDeadCode } from "./dce.js";
import { loopOf } from "./loops.js";
import type { Pass } from "./pass.js";

/** Reduces a node to the outputs that are read, or returns it as it is. */
type Pruner = (node: GraphNode, read: ReadonlySet<Value>) => GraphNode;

const PRUNERS: Readonly<Record<string, Pruner>> = {
  call: (node, read) => {
    const { graph } = node.attrs as { graph: Graph };
    return pruneBranches(node, read, 0, [graph], ([only]) => ({ graph: only }));
  },
  cond: (node, read) => {
    const { onTrue, onFalse } = node.attrs as { onTrue: Graph; onFalse: Graph };
    return pruneBranches(node, read, 1, [onTrue, onFalse], ([a, b]) => ({ onTrue: a, onFalse: b }));
  },
  switch: (node, read) => {
    const { branches } = node.attrs as { branches: readonly Graph[] };
    return pruneBranches(node, read, 1, branches, (list) => ({ branches: list }));
  },
  while: pruneLoop,
  scan: pruneLoop,
};

export function pruneRegions(graph: Graph): Graph {
  const read = new Set<Value>([...graph.nodes.flatMap(({ inputs }) => inputs), ...graph.results]);
  const editor = new GraphEditor(graph);
  for (const node of graph.nodes) {
    const inner = editRegions(node, pruneRegions);
    const pruned = hasPreparedDerivative(node) ? inner : (PRUNERS[node.op.name]?.(inner, read) ?? inner);
    if (pruned !== node) editor.changed();
    editor.push(pruned);
  }
  return editor.finish();
}

/** Values that a region's nodes and results read. */
const readIn = (region: Graph): Set<Value> =>
  new Set<Value>([...region.nodes.flatMap(({ inputs }) => inputs), ...region.results]);

const pick = <T>(list: readonly T[], keep: readonly number[]): T[] => keep.map((i) => list[i]);

const indices = (count: number, keep: (i: number) => boolean): number[] =>
  Array.from({ length: count }, (_, i) => i).filter(keep);

function pruneBranches(
  node: GraphNode,
  read: ReadonlySet<Value>,
  shift: number,
  branches: readonly Graph[],
  attrs: (branches: readonly Graph[]) => object,
): GraphNode {
  const results = indices(node.outputs.length, (i) => read.has(node.outputs[i]));
  if (results.length === 0) return node; // dead as a whole
  const shorter = branches.map((branch) =>
    results.length === node.outputs.length
      ? branch
      : eliminateDeadCode(branch.with({ results: pick(branch.results, results) })),
  );
  const reads = shorter.map(readIn);
  const count = node.inputs.length - shift;
  const params = indices(count, (i) => reads.some((set, k) => set.has(shorter[k].params[i])));
  if (results.length === node.outputs.length && params.length === count) return node;
  return {
    ...node,
    inputs: [...node.inputs.slice(0, shift), ...params.map((i) => node.inputs[i + shift])],
    outputs: pick(node.outputs, results),
    attrs: { ...node.attrs, ...attrs(shorter.map((b) => b.with({ params: pick(b.params, params) }))) },
  };
}

function pruneLoop(node: GraphNode, read: ReadonlySet<Value>): GraphNode {
  const loop = loopOf(node);
  if (!loop || !node.outputs.some((output) => read.has(output))) return node;
  const { constants, carry, body } = loop;
  const test = (node.attrs as { cond?: Graph }).cond;
  const live = liveResults(loop, test, (i) => read.has(node.outputs[i]));
  const shorter = eliminateDeadCode(body.with({ results: pick(body.results, live) }));
  const reads = [readIn(shorter), ...(test ? [readIn(test)] : [])];
  const params = indices(node.inputs.length, (i) => {
    const inState = i >= constants && i < constants + carry;
    if (inState) return live.includes(i - constants);
    return reads[0].has(body.params[i]) || (test !== undefined && reads[1].has(test.params[i]));
  });
  if (live.length === node.outputs.length && params.length === node.inputs.length) return node;
  const count = (from: number, to: number): number => params.filter((i) => i >= from && i < to).length;
  return {
    ...node,
    inputs: pick(node.inputs, params),
    outputs: pick(node.outputs, live),
    attrs: {
      ...node.attrs,
      body: shorter.with({ params: pick(shorter.params, params) }),
      ...(test ? { cond: test.with({ params: pick(test.params, params) }) } : {}),
      ...("carry" in node.attrs ? { carry: count(constants, constants + carry) } : {}),
      constants: count(0, constants),
    },
  };
}

/** Results of the body that somebody needs: a reader outside, the test, or what another needed one is made from. */
function liveResults(
  { constants, carry, body }: { constants: number; carry: number; body: Graph },
  test: Graph | undefined,
  isRead: (i: number) => boolean,
): number[] {
  const tested = test ? readIn(test) : new Set<Value>();
  const live = new Set(
    indices(
      body.results.length,
      (i) => isRead(i) || (i < carry && test !== undefined && tested.has(test.params[constants + i])),
    ),
  );
  for (let before = -1; before !== live.size; ) {
    before = live.size;
    const needed = readIn(eliminateDeadCode(body.with({ results: pick(body.results, [...live]) })));
    for (let i = 0; i < carry; i++) if (needed.has(body.params[constants + i])) live.add(i);
  }
  return [...live].sort((a, b) => a - b);
}

export const prune: Pass = {
  name: "prune",
  summary: "drops operands that no region reads and results that nobody reads",
  run: pruneRegions,
};
