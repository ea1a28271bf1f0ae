/** Captured graphs on the accelerator: results, and where the cycles went, node by node. */
import { bytesPerElement } from "../../core/dtype.js";
import type { Tensor } from "../../core/tensor.js";
import { capturedValues } from "../../graph/capture.js";
import type { Graph, GraphNode, Value } from "../../ir/graph.js";
import { needConcrete } from "../../ops/read.js";
import { denseFromBytes, elementBytes } from "../../runtime/dense.js";
import { macsPerCycle, type NpuConfig, NpuError } from "./config.js";
import { ELEMENT_BYTES, type Instruction } from "./isa.js";
import { Emitter, fixKernel, placeOf } from "./kernel.js";
import { type Lowered, lower } from "./lower.js";
import { runsOf } from "./regions.js";
import type { InstructionSpan, RunReport } from "./report.js";
import { type SimulateOptions, simulate } from "./simulate.js";
import { graphKernel } from "./stages.js";
import { synchronize } from "./synchronize.js";

/** What a piece of the graph cost. Pieces overlap: one's loads run while another is computed. */
export interface NpuNode {
  /** Ops, in order; those behind the first were done before the results left the chip. */
  readonly ops: readonly string[];
  readonly what: Lowered["what"];
  /** Why it is not on the array; null: it is. */
  readonly why: string | null;
  /** Cycles of the first instruction's start and the last one's end. */
  readonly start: number;
  readonly end: number;
  readonly macs: number;
  /** Of what the array could do from start to end. */
  readonly utilization: number;
  /** Bytes from and to the outer memory. */
  readonly bytes: number;
  readonly instructions: number;
}

export interface NpuRun {
  readonly outputs: readonly Tensor[];
  readonly report: RunReport;
  readonly nodes: readonly NpuNode[];
  readonly program: readonly Instruction[];
}

/**
 * Runs a graph on the model, as one program. Values that the graph captured (parameters of modules) come from where they are now.
 * @throws NpuError for an op or a dtype without a path, by name.
 * @example
 * const g = capture((x: Tensor, w: Tensor) => x.matmul(w).relu(), ones([2, 3]), ones([3, 2]));
 * compiler.npu.run(npuConfig("teaching-4x4", { type: "float32" }), g, [ones([2, 3]), ones([3, 2])]).outputs[0] // [[3, 3], [3, 3]]
 */
export function run(
  config: NpuConfig,
  graph: Graph,
  inputs: readonly Tensor[],
  options: Omit<SimulateOptions, "dram" | "trace" | "values"> = {},
): NpuRun {
  const given = [
    ...inputs,
    ...capturedValues(graph).slice(0, Math.max(0, graph.params.length - inputs.length)),
  ];
  checkInputs(graph, given);
  const { kernel, owner, params, constants, results } = graphKernel(graph);
  const fixed = fixKernel(kernel, {});
  const out = new Emitter();
  const pieces = lower(config, fixed, out);
  const program = synchronize(config, out.program);
  const dram = new ArrayBuffer(fixed.bytes);
  const bytes = new Uint8Array(dram);
  const put = (name: string, tensor: Tensor): void =>
    bytes.set(elementBytes(needConcrete(tensor, "npu.run")), placeOf(fixed, name).offset);
  for (const [i, name] of params.entries()) put(name, given[i]);
  for (const [i, name] of constants.entries()) put(name, graph.constants[i].data);
  const report = simulate(config, program, { ...options, dram, trace: true });
  const outputs = graph.results.map((v, i) => fetch(bytes, placeOf(fixed, results[i]).offset, v));
  return { outputs, report, nodes: nodesOf(config, pieces, owner, program, report.spans), program };
}

function fetch(bytes: Uint8Array, offset: number, v: Value): Tensor {
  const size = v.shape.reduce((n, d) => n * d, 1) * bytesPerElement(v.dtype);
  return denseFromBytes(bytes.slice(offset, offset + size), v.shape, v.dtype, "cpu");
}

function checkInputs(graph: Graph, given: readonly Tensor[]): void {
  if (given.length !== graph.params.length)
    throw new NpuError(`graph ${graph.name}: ${graph.params.length} inputs expected, ${given.length} given`);
  graph.params.forEach((p, i) => {
    const { dtype, shape } = given[i];
    if (dtype !== p.dtype || shape.join() !== p.shape.join())
      throw new NpuError(
        `graph ${graph.name}: input ${i} is ${dtype}(${shape.join(", ")}), ${p.dtype}(${p.shape.join(", ")}) was expected`,
      );
  });
}

function nodesOf(
  config: NpuConfig,
  pieces: readonly Lowered[],
  owner: readonly GraphNode[],
  program: readonly Instruction[],
  spans: readonly InstructionSpan[],
): NpuNode[] {
  const grouped: { pieces: Lowered[]; owners: GraphNode[] }[] = [];
  for (const piece of pieces) {
    const owners = [...new Set(owner.slice(piece.statements[0], piece.statements[1]))];
    const last = grouped[grouped.length - 1];
    // The nests of one op are one piece.
    if (last && owners.length === 1 && last.owners.length === 1 && last.owners[0] === owners[0])
      last.pieces.push(piece);
    else grouped.push({ pieces: [piece], owners });
  }
  return grouped.map(({ pieces: mine, owners }) => {
    const [from, to] = [mine[0].instructions[0], mine[mine.length - 1].instructions[1]];
    const here = spans.slice(from, to);
    const start = here.reduce((x, s) => Math.min(x, s.start), Number.POSITIVE_INFINITY);
    const end = here.reduce((x, s) => Math.max(x, s.end), 0);
    const { macs, bytes } = workOf(program, from, to);
    const main = mine.find((p) => p.what !== "vector") ?? mine[mine.length - 1];
    return {
      ops: owners.map((n) => n.op.name),
      what: main.what,
      why: main.why,
      start: here.length === 0 ? 0 : start,
      end,
      macs,
      utilization: end > start ? macs / ((end - start) * macsPerCycle(config)) : 0,
      bytes,
      instructions: to - from,
    };
  });
}

function workOf(program: readonly Instruction[], from: number, to: number): { macs: number; bytes: number } {
  let [macs, bytes, held] = [0, 0, 0];
  for (const i of program.slice(from, to)) {
    if (i.op === "preload") held = i.rows * i.columns;
    else if (i.op === "matmul") macs += i.ny * i.nx * held;
    else if (i.op === "outer") macs += i.k * i.m * i.n;
    else if (i.op === "load" || i.op === "store") {
      const { count, length } = runsOf(i);
      bytes += count * length * ELEMENT_BYTES[i.type];
    }
  }
  return { macs, bytes };
}
