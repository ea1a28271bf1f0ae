/**
 * Quantization after training: weights become whole numbers of 8 bits or fewer, and, where samples show their ranges, what
 * goes into convolutions and products too. Quantizing and dequantizing are ops of the graph, which ONNX has as
 * QuantizeLinear and DequantizeLinear; engines with kernels for whole numbers run what stands between on those.
 */
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { compile, type Executable } from "../../graph/execute.js";
import { GraphEditor } from "../../ir/edit.js";
import type { Graph, GraphNode } from "../../ir/graph.js";
import { runPasses } from "../../ir/passes/index.js";
import { tidy } from "../../ops/tidy.js";
import type { DenseTensor } from "../../runtime/dense.js";
import { outsideScopes } from "../../runtime/tidy.js";
import { convert, weightBytes } from "../convert/convert.js";
import type { Exportable } from "../convert/exportable.js";
import { type CalibrationOptions, Observer } from "./calibrate.js";
import { correctionsOf } from "./correct.js";
import { layerOf, type Plan, type Target } from "./layer.js";
import { lowerQuantized } from "./lower.js";
import { quantParams } from "./scheme.js";
import { packedWeight, quantizedWeight, type WeightOptions } from "./weights.js";

export interface QuantizeOptions {
  /** Default: 8 bits, symmetric, per channel. */
  readonly weights?: WeightOptions;
  /** How what goes into layers is quantized; `null`: weights alone are. Default: 8 bits, asymmetric, by extremes. */
  readonly activations?: CalibrationOptions | null;
  /** Arguments to run the model on, which show the ranges. Needed unless `activations` is null. */
  readonly samples?: readonly (readonly Tensor[])[];
  /** Takes the mean error of each channel of each layer, on the samples, out of the result. Default false. */
  readonly biasCorrection?: boolean;
  /** Layers that stay as they are. Default: none. */
  readonly skip?: (node: GraphNode, index: number) => boolean;
}

/** One layer that was quantized. */
export interface QuantizedLayer {
  readonly op: string;
  readonly weight: string | null;
  readonly shape: readonly number[];
  readonly bits: number;
  /** Range of what goes in; `null` where that stays as it is. */
  readonly range: readonly [number, number] | null;
  /** Power of the weights over that of what quantization changed, in decibels. */
  readonly signalToNoise: number;
}

export interface QuantizationReport {
  readonly layers: readonly QuantizedLayer[];
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** A quantized model: a graph that `writeOnnx` and `saveModel` take. */
export class Quantized {
  private executable: Executable | null = null;
  private lowered: Graph | null = null;

  constructor(
    readonly graph: Graph,
    readonly report: QuantizationReport,
  ) {}

  /** The same on whole numbers, which `call` runs: see `lowerQuantized`. */
  get integers(): Graph {
    this.lowered ??= lowerQuantized(this.graph).graph;
    return this.lowered;
  }

  /** The results, compiled at the first call. @throws IRError if the arguments do not fit. */
  call(...args: Tensor[]): Tensor[] {
    this.executable ??= compile(this.integers, { level: "O1" });
    return this.executable.run(args);
  }
}

/**
 * Quantizes convolutions and products with constant weights, after conversion (see `convert`).
 * @param args examples of the arguments
 * @throws ValueError where samples are needed and missing, or an option is out of range.
 * @example deploy.quantize(new nn.Dense(64, 32), [ones([1, 64])], { activations: null }).report.layers[0].bits // 8
 */
export function quantize(
  model: Exportable,
  args: readonly unknown[],
  options: QuantizeOptions = {},
): Quantized {
  const { weights = {}, activations = {}, samples = [] } = options;
  if (activations && samples.length === 0)
    throw new ValueError(
      "quantize: samples show the ranges of what goes into layers; give some, or activations: null for weights alone",
    );
  if (activations && weights.group !== undefined)
    throw new ValueError("quantize: groups are for weights alone: give activations: null");
  return outsideScopes(() => quantized(model, args, options));
}

function quantized(model: Exportable, args: readonly unknown[], options: QuantizeOptions): Quantized {
  const { weights = {}, activations = {}, samples = [] } = options;
  const { graph } = convert(model, args, { runs: 0 });
  const targets = targetsOf(graph).filter(({ node }, i) => !options.skip?.(node, i));
  const ranges = activations ? calibrated(graph, targets, samples, activations) : null;
  const plans = targets.map((target, i): Plan => {
    const range = ranges?.[i] ?? null;
    return {
      target,
      weight: activations ? quantizedWeight(target, weights) : packedWeight(target, weights),
      input: range && quantParams([range], [], { symmetric: false, ...activations }),
      range,
    };
  });
  const corrections = options.biasCorrection ? correctionsOf(graph, plans, samples) : null;
  const after = runPasses(rewritten(graph, plans, corrections), ["cse", "dce"]);
  return new Quantized(after, {
    layers: plans.map(({ target, weight, range }) => ({
      op: target.node.op.name,
      weight: target.name,
      shape: target.weight.shape,
      bits: weights.bits ?? 8,
      range,
      signalToNoise: weight.signalToNoise,
    })),
    bytesBefore: weightBytes(graph),
    bytesAfter: weightBytes(after),
  });
}

function targetsOf(graph: Graph): Target[] {
  const constants = new Map(graph.constants.map((constant) => [constant.value, constant]));
  return graph.nodes.flatMap((node) => {
    const constant = constants.get(node.inputs[1]);
    const layer =
      node.op.name === "conv2d" || (node.op.name === "matmul" && node.inputs[1]?.shape.length === 2);
    if (!layer || !constant || constant.data.dtype !== "float32") return [];
    return [{ node, weight: constant.data, name: constant.value.name }];
  });
}

/** Ranges of what goes into each layer, over all samples. */
function calibrated(
  graph: Graph,
  targets: readonly Target[],
  samples: readonly (readonly Tensor[])[],
  options: CalibrationOptions,
): (readonly [number, number])[] {
  const inputs = [...new Set(targets.map(({ node }) => node.inputs[0]))];
  const probe = compile(graph.with({ results: inputs, origin: {} }), { level: "O1" });
  const observers = inputs.map(() => new Observer());
  for (const sample of samples)
    tidy(() => {
      probe.run(sample).forEach((value, i) => {
        observers[i].add(value.toTypedArray());
      });
    });
  return targets.map(({ node }) => observers[inputs.indexOf(node.inputs[0])].range(options));
}

function rewritten(graph: Graph, plans: readonly Plan[], corrections: readonly DenseTensor[] | null): Graph {
  const byNode = new Map(
    plans.map((plan, i) => [plan.target.node, { plan, correction: corrections?.[i] ?? null }]),
  );
  const editor = new GraphEditor(graph);
  for (const node of graph.nodes) {
    const found = byNode.get(node);
    if (!found) {
      editor.push(editor.current(node));
      continue;
    }
    let y = layerOf(editor, node, found.plan, editor.now(node.inputs[0]));
    if (found.correction) [y] = editor.emit("add", [y, editor.constant(found.correction)]);
    editor.replace(node.outputs[0], y);
  }
  return editor.finish();
}
