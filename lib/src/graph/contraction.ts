/** How a product or convolution with an epilogue is run: block by block where there is a kernel for that, else in two passes. */
import { contiguousLayout } from "../core/layout.js";
import { sizeOf } from "../core/shape.js";
import type { ContractionAttrs } from "../ir/call.js";
import { attentionApart, type FusedAttentionAttrs } from "../ir/fused-attention.js";
import type { Value } from "../ir/graph.js";
import { getOp } from "../ops/registry.js";
import { commit, type HostArray } from "../runtime/host-array.js";
import { findKernel, type PreparedKernel } from "../runtime/kernels.js";
import { prepareAttention } from "../runtime/wasm/kernels/attention.js";
import { type ConvAttrs, prepareConvThen } from "../runtime/wasm/kernels/conv.js";
import { prepareGemmThen } from "../runtime/wasm/kernels/gemm-then.js";
import { type FusedStep, fusedKernel } from "./fused.js";

/** `null` if the epilogue has no compiled form. */
export function contractionStep(
  { op: name, attrs, graph }: ContractionAttrs,
  device: string,
): FusedStep | null {
  const epilogue = fusedKernel(graph);
  if (!epilogue) return null;
  const op = getOp(name);
  const kernel = findKernel(device, name);
  const usable = (ins: readonly HostArray[], outs: readonly HostArray[]): boolean =>
    kernel !== undefined && (!kernel.supports || kernel.supports(ins, outs, attrs));
  /** The result is written first, then read and written again in place. */
  const run = (inputs: readonly HostArray[], outputs: readonly HostArray[]): void => {
    const [factors, others] = [inputs.slice(0, 2), inputs.slice(2)];
    if (usable(factors, outputs)) kernel?.run(factors, outputs, attrs);
    else {
      op.reference(factors, outputs, attrs as never);
      commit(outputs);
    }
    epilogue.run([...outputs, ...others], outputs);
  };
  const prepare = (inputs: readonly HostArray[], outputs: readonly HostArray[]): PreparedKernel | null => {
    const [factors, others] = [inputs.slice(0, 2), inputs.slice(2)];
    if (!usable(factors, outputs)) return null;
    const blocks =
      name === "matmul"
        ? prepareGemmThen(factors, outputs[0], epilogue.program, others)
        : prepareConvThen(factors, outputs[0], attrs as ConvAttrs, others, epilogue.prepare);
    if (blocks) return blocks;
    const first = kernel?.prepare?.(factors, outputs, attrs);
    if (!first) return null;
    const second = epilogue.prepare([...outputs, ...others], outputs);
    return {
      workspace: Math.max(first.workspace ?? 0, second.workspace ?? 0),
      run: (at) => {
        first.run(at);
        second.run(at);
      },
    };
  };
  const launches: FusedStep["launches"] = (inputs, outputs) =>
    usable(inputs.slice(0, 2), outputs) && kernel?.launches === true;
  return { run, prepare, launches };
}

/** Attention: prepared as one kernel where that takes the arrays, else as the ops it stands for. */
export function attentionStep(attrs: FusedAttentionAttrs): FusedStep {
  const run: FusedStep["run"] = (inputs, outputs) => {
    const kernel = prepareAttention(inputs, outputs[0], attrs);
    if (kernel) kernel.run(0);
    else attendPlainly(inputs, outputs[0], attrs);
  };
  return {
    run,
    prepare: (inputs, outputs) => prepareAttention(inputs, outputs[0], attrs),
    launches: (inputs, outputs) => prepareAttention(inputs, outputs[0], attrs) !== null,
  };
}

/** By the reference kernels of the ops that attention is made of. */
function attendPlainly(inputs: readonly HostArray[], out: HostArray, attrs: FusedAttentionAttrs): void {
  const graph = attentionApart(attrs, inputs);
  const values = new Map<Value, HostArray>(graph.params.map((param, i) => [param, inputs[i]]));
  for (const { value, data } of graph.constants) values.set(value, data.host());
  for (const node of graph.nodes) {
    const [output] = node.outputs;
    const target = output === graph.results[0] ? out : scratchArray(output);
    node.op.reference(
      node.inputs.map((input) => values.get(input) as HostArray),
      [target],
      node.attrs as never,
    );
    commit([target]);
    values.set(output, target);
  }
}

/** An array outside of the tensor memory: only reference kernels can work on it. */
function scratchArray({ shape, dtype }: Value): HostArray {
  const data = new Float64Array(sizeOf(shape));
  return { ...contiguousLayout(shape), dtype, data, ptr: 0 };
}
