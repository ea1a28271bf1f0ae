/**
 * Checks of plans that know nothing of lifetimes: the nodes are run in thought, each write marks its addresses, each read
 * looks whether what it wants still lies there.
 */
import { MlsysError } from "../../core/errors.js";
import { dagOf } from "../../graph/dag.js";
import { layoutsOf } from "../../graph/layouts.js";
import type { Graph, GraphNode, Value } from "../../ir/graph.js";
import type { MemoryPlan, PlannedBuffer } from "./plan.js";

/**
 * Returns the plan.
 * @param order positions of the nodes in the order in which they run; default: their own
 * @throws MlsysError naming the node and the buffer, if a value is overwritten before it was read last, or a buffer
 * sticks out of the arena, or is not aligned.
 * @example const g = capture((x: Tensor) => x.matmul(x).sum(), ones([2, 2])); compiler.checkPlan(g, compiler.planMemory(g)).graph // "f"
 */
export function checkPlan(graph: Graph, plan: MemoryPlan, order?: readonly number[]): MemoryPlan {
  const names = dagOf(graph).nameOf;
  const bufferOf = new Map<number, PlannedBuffer>();
  for (const buffer of plan.buffers) {
    for (const id of buffer.values) bufferOf.set(id, buffer);
    if (buffer.offset % plan.alignment !== 0)
      throw new MlsysError(
        `${buffer.name} starts at ${buffer.offset}, not at a multiple of ${plan.alignment}`,
      );
    if (buffer.offset < 0 || buffer.offset + buffer.bytes > plan.peakBytes)
      throw new MlsysError(
        `${buffer.name} lies in ${rangeOf(buffer)}, outside of an arena of ${plan.peakBytes} bytes`,
      );
  }
  const { viewed } = layoutsOf(graph);
  /** What can be read from each buffer. */
  const holds = new Map<PlannedBuffer, Set<Value>>();
  const write = (buffer: PlannedBuffer, value: Value | null): void => {
    for (const other of plan.buffers) if (other !== buffer && overlap(other, buffer)) holds.delete(other);
    holds.set(buffer, new Set(value ? [value] : []));
  };
  const read = (value: Value, by: string): void => {
    const buffer = bufferOf.get(value.id);
    if (buffer && !holds.get(buffer)?.has(value))
      throw new MlsysError(`${by} reads ${buffer.name}, which was overwritten before in ${rangeOf(buffer)}`);
  };
  for (const value of [...graph.params, ...graph.constants.map((constant) => constant.value)]) {
    const buffer = bufferOf.get(value.id);
    if (buffer) write(buffer, value);
  }
  const workspaces = plan.buffers.filter(({ kind }) => kind === "workspace");
  for (const i of order ?? graph.nodes.keys()) {
    const node = graph.nodes[i];
    const name = names.get(node) as string;
    for (const input of node.inputs) read(input, name);
    const [output] = node.outputs;
    const base = viewed.get(output);
    if (base) {
      const buffer = bufferOf.get(output.id);
      if (buffer && buffer === bufferOf.get(base.id)) holds.get(buffer)?.add(output);
      continue;
    }
    const own = workspaces.filter((buffer) => buffer.first === i);
    const outputs = node.outputs.flatMap((value) => bufferOf.get(value.id) ?? []);
    apart(node, [...outputs, ...own], bufferOf, name);
    for (const buffer of own) write(buffer, null);
    for (const value of node.outputs) {
      const buffer = bufferOf.get(value.id);
      if (buffer) write(buffer, value);
    }
  }
  for (const result of graph.results) read(result, "the caller");
  return plan;
}

/** What a node writes must not lie where it reads, unless it is written element for element. */
function apart(
  node: GraphNode,
  written: readonly PlannedBuffer[],
  bufferOf: ReadonlyMap<number, PlannedBuffer>,
  name: string,
): void {
  const elementwise = node.op.kind === "elementwise" || node.op.name === "fused";
  const sources = node.inputs.flatMap((input) => bufferOf.get(input.id) ?? []);
  written.forEach((target, k) => {
    for (const source of sources)
      if (overlap(source, target) && !(elementwise && source === target))
        throw new MlsysError(`${name} writes ${target.name} over ${source.name}, which it reads`);
    for (const other of written.slice(k + 1))
      if (overlap(other, target)) throw new MlsysError(`${name} writes ${target.name} over ${other.name}`);
  });
}

const overlap = (a: PlannedBuffer, b: PlannedBuffer): boolean =>
  a.bytes > 0 && b.bytes > 0 && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;

const rangeOf = ({ offset, bytes }: PlannedBuffer): string => `bytes ${offset} to ${offset + bytes}`;
