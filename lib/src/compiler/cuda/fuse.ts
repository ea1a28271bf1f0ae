/** Nodes of compiled graphs that stand for several ops, each as one or two kernels where there are formulas for its parts. */
import type { DType } from "../../core/dtype.js";
import { isContiguous } from "../../core/layout.js";
import { sizeOf } from "../../core/shape.js";
import type { RemoteStep } from "../../graph/remote.js";
import type { ContractionAttrs } from "../../ir/call.js";
import type { FusedAttentionAttrs } from "../../ir/fused-attention.js";
import type { FusedReductionAttrs } from "../../ir/fused-reduction.js";
import type { Graph, GraphNode, Value } from "../../ir/graph.js";
import type { Block } from "../../runtime/cuda/allocator.js";
import type { RemoteType } from "../../runtime/remote.js";
import type { ElementwiseNode, ElementwiseProgram } from "../../runtime/wasm/elementwise/program.js";
import { convOps } from "./conv.js";
import { cuda } from "./device.js";
import { programTypes, runProgram } from "./elementwise.js";
import { attentionKernel } from "./kernels/attention.js";
import type { AttentionVariant } from "./kernels/attention-call.js";
import type { HalfStorage } from "./kernels/kernel.js";
import { matmulOp } from "./matmul.js";
import { reduce } from "./reduce.js";
import { type CudaArray, type CudaOp, computed, fits } from "./types.js";

type Step = RemoteStep<Block>;

interface Compiled {
  readonly program: ElementwiseProgram;
  readonly types: readonly DType[];
}

/** A region of elementwise ops as a program; null if some op or dtype has no formula, or a constant is no scalar. */
function compile(region: Graph): Compiled | null {
  const number = new Map<Value, number>();
  for (const [i, param] of region.params.entries()) number.set(param, i);
  const nodes: ElementwiseNode[] = [];
  const add = (value: Value, node: ElementwiseNode): void => {
    number.set(value, region.params.length + nodes.length);
    nodes.push(node);
  };
  for (const { value, data } of region.constants) {
    if (data.size !== 1) return null;
    add(value, { op: "constant", args: [], attrs: { value: data.item(), dtype: value.dtype } });
  }
  for (const { op, inputs, attrs, outputs } of region.nodes) {
    const args = inputs.map((input) => number.get(input));
    if (outputs.length !== 1 || args.some((arg) => arg === undefined)) return null;
    const given = op.name === "cast" ? { ...attrs, dtype: outputs[0].dtype } : attrs;
    add(outputs[0], { op: op.name, args: args as number[], attrs: given as Record<string, unknown> });
  }
  const program: ElementwiseProgram = {
    inputs: region.params.map((param) => param.dtype),
    nodes,
    outputs: region.results.map((result) => number.get(result) as number),
  };
  const types = programTypes(program);
  return types && { program, types };
}

const allFit = (inputs: readonly RemoteType[]): boolean => fits(inputs);

function fusedStep({ graph }: { graph: Graph }): Step | null {
  const compiled = compile(graph);
  return (
    compiled && {
      supports: allFit,
      run: (inputs, outputs) => runProgram("fused", compiled.program, compiled.types, inputs, outputs),
    }
  );
}

function fusedManyStep({ graphs }: { graphs: readonly Graph[] }): Step | null {
  const all = graphs.map(compile);
  if (all.some((compiled) => compiled === null)) return null;
  return {
    supports: allFit,
    run(inputs, outputs) {
      let [i, o] = [0, 0];
      for (const [k, { params, results }] of graphs.entries()) {
        const { program, types } = all[k] as Compiled;
        const [ins, outs] = [inputs.slice(i, i + params.length), outputs.slice(o, o + results.length)];
        runProgram("fused", program, types, ins, outs);
        i += params.length;
        o += results.length;
      }
    },
  };
}

function reductionStep({ op, attrs, graph }: FusedReductionAttrs): Step | null {
  const compiled = compile(graph);
  if (!compiled) return null;
  const [{ shape }] = graph.results;
  return {
    supports: (inputs, outputs) => allFit(inputs) && computed(outputs[0].dtype) !== "bool",
    run: (inputs, [out]) => reduce(op, { inputs, ...compiled }, shape, attrs.axes, out),
  };
}

const CONTRACTIONS = new Map<string, CudaOp>([
  ["matmul", matmulOp as CudaOp],
  ...convOps.map((op): [string, CudaOp] => [op.op, op]),
]);

/** The product into the result's memory, and one kernel there for all that follows it. */
function contractionStep({ op, attrs, graph }: ContractionAttrs): Step | null {
  const compiled = compile(graph);
  const contraction = CONTRACTIONS.get(op);
  if (!compiled || !contraction || graph.results.length !== 1) return null;
  const [made] = graph.params;
  const [result] = graph.results;
  if (made.dtype !== result.dtype || made.shape.join() !== result.shape.join()) return null;
  return {
    supports: (inputs, outputs) =>
      allFit(inputs) &&
      (contraction.supports?.(
        inputs.slice(0, 2),
        [{ ...inputs[0], ...typeOf(outputs[0]) }],
        attrs as never,
      ) ??
        true),
    run(inputs, [out]) {
      contraction.run(inputs.slice(0, 2), [out], attrs as never);
      runProgram("epilogue", compiled.program, compiled.types, [out, ...inputs.slice(2)], [out]);
    },
  };
}

const typeOf = ({ shape, dtype }: Value): RemoteType => ({
  ...{ shape, dtype, offset: 0 },
  strides: shape.map((_, i) => sizeOf(shape.slice(i + 1))),
});

const WIDTHS: ReadonlySet<number> = new Set([32, 64, 128]);

function attentionFits(inputs: readonly RemoteType[]): boolean {
  const [q, k, v] = inputs;
  const width = q.shape[q.shape.length - 1];
  const heads = q.shape.slice(0, -2).join();
  return (
    fits(inputs) &&
    (q.dtype === "float16" || q.dtype === "bfloat16") &&
    WIDTHS.has(width) &&
    [k, v].every((x) => x.dtype === q.dtype && x.shape.slice(0, -2).join() === heads) &&
    v.shape[v.shape.length - 1] === width &&
    inputs.every((x) => isContiguous(x) && x.offset % 8 === 0) &&
    sizeOf(q.shape.slice(0, -2)) <= 65535 && // blocks along y of a grid
    sizeOf(q.shape) > 0 &&
    sizeOf(k.shape) > 0
  );
}

function attend(
  [q, k, v]: readonly CudaArray[],
  out: CudaArray,
  { scale, causal }: FusedAttentionAttrs,
): void {
  const [queries, width] = q.shape.slice(-2);
  const heads = sizeOf(q.shape.slice(0, -2));
  const variant: AttentionVariant = {
    dtype: q.dtype as HalfStorage,
    width: width as AttentionVariant["width"],
    causal,
  };
  const kernel = attentionKernel(variant);
  const at = ({ handle, offset }: CudaArray): number => handle.address + offset * 2;
  cuda().withWorkspace(heads * queries * 4, (lse) => {
    const call = {
      ...{ q: at(q), k: at(k), v: at(v), o: at(out), lse },
      ...{ heads, queries, keys: k.shape[k.shape.length - 2], scale },
    };
    cuda().launch(kernel.source, kernel.name, kernel.launch(call), kernel.arguments(call));
  });
}

const attentionStep = (attrs: FusedAttentionAttrs): Step => ({
  supports: attentionFits,
  run: (inputs, [out]) => attend(inputs, out, attrs),
});

const STEPS: Readonly<Record<string, (attrs: never) => Step | null>> = {
  fused: fusedStep,
  fusedMany: fusedManyStep,
  fusedReduction: reductionStep,
  fusedContraction: contractionStep,
  fusedAttention: attentionStep,
};

/** The device's kernels for such a node; null: its parts run one by one. */
export function fuse({ op, attrs }: GraphNode): Step | null {
  return STEPS[op.name]?.(attrs as never) ?? null;
}
