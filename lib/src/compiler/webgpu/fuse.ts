/** Nodes of compiled graphs that stand for several ops, each as one kernel where there are formulas for its parts. */
import type { DType } from "../../core/dtype.js";
import { sizeOf } from "../../core/shape.js";
import { operandSets, type TypedProgram, typedProgram } from "../../graph/elementwise-program.js";
import type { RemoteStep } from "../../graph/remote.js";
import type { ContractionAttrs } from "../../ir/call.js";
import type { FusedAttentionAttrs } from "../../ir/fused-attention.js";
import type { FusedReductionAttrs } from "../../ir/fused-reduction.js";
import type { Graph, GraphNode, Value } from "../../ir/graph.js";
import type { ConvAttrs } from "../../ops/conv.js";
import type { RemoteType } from "../../runtime/remote.js";
import type { GpuBuffer } from "../../runtime/webgpu/queue.js";
import { attend, attentionFits, attentionPays } from "./attention.js";
import { Plans } from "./commands.js";
import { convolve, fitsAtOnce } from "./conv.js";
import { operandVectors, programText, programTypes, runProgram } from "./elementwise.js";
import { type Epilogue, product } from "./matmul.js";
import { reduce } from "./reduce.js";
import { fitsBinding, type GpuArray, isStored, type ShaderWriter } from "./shader.js";

type Step = RemoteStep<GpuBuffer>;

const compile = (region: Graph): TypedProgram | null => typedProgram(region, programTypes);

const allFit = (inputs: readonly RemoteType[], outputs: readonly Value[]): boolean =>
  inputs.every(fitsBinding) && outputs.every((y) => isStored(y));

function fusedStep({ graph }: { graph: Graph }): Step | null {
  const compiled = compile(graph);
  if (!compiled) return null;
  const { program, types } = compiled;
  return {
    supports: allFit,
    run: (inputs, outputs) => {
      if (sizeOf(outputs[0].shape) > 0) runProgram("fused", program, types, inputs, outputs);
    },
  };
}

function fusedManyStep({ graphs }: { graphs: readonly Graph[] }): Step | null {
  const all = graphs.map(compile);
  if (all.some((compiled) => compiled === null)) return null;
  return {
    supports: allFit,
    run: (inputs, outputs) => {
      for (const [k, set] of operandSets(graphs, inputs, outputs).entries()) {
        const { program, types } = all[k] as TypedProgram;
        if (sizeOf(set.outputs[0].shape) > 0)
          runProgram("fusedMany", program, types, set.inputs, set.outputs);
      }
    },
  };
}

const FOLDED: ReadonlySet<DType> = new Set(["float32", "int32"]);

function reductionStep({ op, attrs, graph }: FusedReductionAttrs): Step | null {
  const compiled = compile(graph);
  if (!compiled) return null;
  const [{ shape }] = graph.results;
  return {
    supports: (inputs, outputs) => allFit(inputs, outputs) && outputs.every((y) => FOLDED.has(y.dtype)),
    run: (inputs, [out]) => reduce(op, `fused ${op}`, { inputs, ...compiled }, shape, attrs.axes, out),
  };
}

/** A program of the product and other operands, as what follows the product. */
function epilogueOf(
  { program, types }: TypedProgram,
  others: readonly GpuArray[],
  shape: readonly number[],
): Epilogue {
  return {
    write(w: ShaderWriter) {
      const operands = operandVectors(w, shape, others);
      const body = programText(w, program, types, ["v", ...operands.values]);
      w.declare(
        `fn epilogue(i: u32, v: vec4f) -> vec4f {\n${operands.text}${body.text}  return ${body.values[program.outputs[0]]};\n}`,
      );
      return "v = epilogue(i, v);";
    },
  };
}

function contractionStep({ op, attrs, graph }: ContractionAttrs): Step | null {
  const compiled = compile(graph);
  if (!compiled || (op !== "matmul" && op !== "conv2d")) return null;
  if (graph.results.length !== 1 || graph.results[0].dtype !== "float32") return null;
  const supports: Step["supports"] = (inputs, outputs) => {
    const { shape } = outputs[0];
    const row = op === "matmul" ? shape[shape.length - 1] : shape[2] * shape[3];
    const [a, b] = inputs;
    return (
      allFit(inputs, outputs) &&
      a.dtype === "float32" &&
      b.dtype === "float32" &&
      row % 4 === 0 &&
      (op === "matmul" || fitsAtOnce(a.shape, b.shape, shape, attrs as unknown as ConvAttrs))
    );
  };
  return {
    supports,
    run(inputs, [out]) {
      const epilogue = epilogueOf(compiled, inputs.slice(2), out.shape);
      if (op === "matmul") product("matmul, fused", inputs[0], inputs[1], out, epilogue);
      else convolve(inputs[0], inputs[1], out, attrs as unknown as ConvAttrs, epilogue);
    },
  };
}

function attentionStep(attrs: FusedAttentionAttrs): Step {
  return {
    supports: (inputs) => attentionFits(inputs) && attentionPays(inputs),
    run: (inputs, [out]) => attend(inputs, out, attrs),
  };
}

const STEPS: Readonly<Record<string, (attrs: never) => Step | null>> = {
  fused: fusedStep,
  fusedMany: fusedManyStep,
  fusedReduction: reductionStep,
  fusedContraction: contractionStep,
  fusedAttention: attentionStep,
};

/** The device's kernel for such a node. */
export function fuse({ op, attrs }: GraphNode): Step | null {
  const step = STEPS[op.name]?.(attrs as never);
  if (!step) return null;
  const plans = new Plans(); // of this node
  return {
    supports: step.supports,
    run: (inputs, outputs) => plans.run("", inputs, outputs, () => step.run(inputs, outputs)),
  };
}
