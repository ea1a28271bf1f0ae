/** Bytes on a device during training: model states as in the ZeRO paper, activations as counted by Korthikanti et al. 2022. */
import { scheduleRule } from "../../pipeline/schedules/index.js";
import type { FullPlan } from "./plan.js";
import { parameterCount, type Recompute, type Transformer } from "./transformer.js";

/** Bytes per parameter. */
export interface StateBytes {
  readonly parameters: number;
  readonly gradients: number;
  readonly optimizer: number;
}

export const STATES = {
  /** Adam in mixed precision: 16-bit parameters and gradients; 32-bit master copy and two moments (Rajbhandari et al. 2020). */
  mixed: { parameters: 2, gradients: 2, optimizer: 12 },
  /** The same with 32-bit gradients, as Megatron-LM sums them. */
  mixedWithFullGradients: { parameters: 2, gradients: 4, optimizer: 12 },
  /** Adam, all in float32. */
  float32: { parameters: 4, gradients: 4, optimizer: 8 },
} as const satisfies Record<string, StateBytes>;

export interface MemoryUse extends StateBytes {
  readonly activations: number;
  readonly total: number;
}

/**
 * Bytes of model states on each of `replicas` devices.
 * @param zero 0 nothing shared out, 1 the optimizer's, 2 gradients too, 3 parameters too
 * @example stateBytes(7.5e9, 64, 3).total / 1e9 // 1.875
 */
export function stateBytes(
  parameters: number,
  replicas: number,
  zero: 0 | 1 | 2 | 3,
  each: StateBytes = STATES.mixed,
): StateBytes & { readonly total: number } {
  const share = (bytes: number, from: number): number => (parameters * bytes) / (zero >= from ? replicas : 1);
  const states = {
    parameters: share(each.parameters, 3),
    gradients: share(each.gradients, 2),
    optimizer: share(each.optimizer, 1),
  };
  return { ...states, total: states.parameters + states.gradients + states.optimizer };
}

/**
 * Bytes that a layer keeps of a micro-batch for its backward pass, on each of `tensor` devices, in 16 bit:
 * s·b·h (34 + 5·a·s/h) on one device (Korthikanti et al. 2022, equations 1, 2, 4; with selective recomputation without
 * the attention's part, with full recomputation its input only).
 * @example
 * const gpt3 = { layers: 96, hidden: 12288, heads: 96, sequence: 2048, vocabulary: 51200 };
 * layerActivationBytes(gpt3, 1) / (2048 * 12288) // 114
 */
export function layerActivationBytes(
  { hidden: h, heads: a, sequence: s }: Transformer,
  batch: number,
  options: {
    readonly tensor?: number;
    readonly sequenceParallel?: boolean;
    readonly recompute?: Recompute;
  } = {},
): number {
  const { tensor: t = 1, sequenceParallel = false, recompute = "none" } = options;
  const sbh = s * batch * h;
  if (recompute === "full") return (2 * sbh) / (sequenceParallel ? t : 1);
  const core = recompute === "selective" ? 0 : (5 * a * s) / (h * t);
  return sbh * ((sequenceParallel ? 10 / t : 10) + 24 / t + core);
}

/**
 * Bytes on the device that holds most: one of the pipeline's first stage.
 * @example
 * const model = { layers: 24, hidden: 2304, heads: 24, sequence: 2048, vocabulary: 51200 };
 * const plan = completePlan({ data: 32, microBatch: 4, recompute: "full" }, model, 512);
 * memoryPerDevice(model, plan).total < 80e9 // true
 */
export function memoryPerDevice(
  model: Transformer,
  plan: FullPlan,
  each: StateBytes = STATES.mixed,
): MemoryUse {
  const { tensor, pipeline, chunks, microBatch, microBatches, data, zero } = plan;
  const embedding = model.hidden * (model.vocabulary + model.sequence);
  const inLayers = (parameterCount(model) - embedding) / pipeline;
  const states = stateBytes((inLayers + embedding) / tensor, data, zero, each);
  const shape = { ranks: pipeline, microBatches, chunks };
  const alive = scheduleRule(plan.schedule).live(shape, 0); // chunks of micro-batches
  const perLayer = layerActivationBytes(model, microBatch, plan);
  const layers = model.layers / (pipeline * chunks);
  // while a layer is computed again, all of it is there
  const again =
    plan.recompute === "full" ? layerActivationBytes(model, microBatch, { ...plan, recompute: "none" }) : 0;
  // logits in 32 bit, and what the output layer keeps, where the last stage is the first
  const output =
    pipeline === 1 ? (4 * model.sequence * microBatch * (model.hidden + model.vocabulary)) / tensor : 0;
  const activations = alive * layers * perLayer + again + output;
  return { ...states, activations, total: states.total + activations };
}
