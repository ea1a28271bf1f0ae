/** Nodes of compiled graphs that stand for several ops, each as one or two kernels where there are formulas for its parts. */
import { isContiguous } from "../../core/layout.js";
import { sizeOf } from "../../core/shape.js";
import { operandSets, type TypedProgram, typedProgram } from "../../graph/elementwise-program.js";
import type { RemoteStep } from "../../graph/remote.js";
import type { ContractionAttrs } from "../../ir/call.js";
import type { FusedAttentionAttrs } from "../../ir/fused-attention.js";
import type { FusedReductionAttrs } from "../../ir/fused-reduction.js";
import type { Graph, GraphNode, Value } from "../../ir/graph.js";
import type { Block } from "../../runtime/cuda/allocator.js";
import type { RemoteType } from "../../runtime/remote.js";
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

const compile = (region: Graph): TypedProgram | null => typedProgram(region, programTypes);

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
    run: (inputs, outputs) => {
      for (const [k, set] of operandSets(graphs, inputs, outputs).entries()) {
        const { program, types } = all[k] as TypedProgram;
        runProgram("fused", program, types, set.inputs, set.outputs);
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
