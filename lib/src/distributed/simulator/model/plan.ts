/** How a training job is laid out over a cluster. */
import { ValueError } from "../../../core/errors.js";
import type { Recompute, Transformer } from "./transformer.js";

export interface Plan {
  /** Replicas. */
  readonly data: number;
  /** Devices that share each layer. Default 1. */
  readonly tensor?: number;
  /** Devices that layers are dealt out to. Default 1. */
  readonly pipeline?: number;
  /** Stages of each of them; more than 1 is the interleaved schedule. Default 1. */
  readonly chunks?: number;
  /** Sequences of a micro-batch. Default 1. */
  readonly microBatch?: number;
  /** By name, of `SCHEDULES`; default "1f1b", with chunks "interleaved". */
  readonly schedule?: string;
  /** Default "none". */
  readonly recompute?: Recompute;
  /** What replicas share out: 0 nothing, 1 optimizer states, 2 gradients too, 3 parameters too. Default 0. */
  readonly zero?: 0 | 1 | 2 | 3;
  /** Share out what lies between a layer's products too (Korthikanti et al. 2022). Default false. */
  readonly sequenceParallel?: boolean;
  /** Reduce gradients beside the last backward pass. Default true. */
  readonly overlap?: boolean;
}

/** A plan with everything said, checked against the model and the batch. */
export interface FullPlan extends Required<Plan> {
  readonly devices: number;
  /** Micro-batches of a step, on each replica. */
  readonly microBatches: number;
}

/**
 * The plan with its defaults.
 * @throws ValueError if it can't be carried out: parts that don't come out even
 * @example
 * const model = { layers: 24, hidden: 2304, heads: 24, sequence: 2048, vocabulary: 51200 };
 * completePlan({ data: 4, pipeline: 2, microBatch: 2 }, model, 64).microBatches // 8
 */
export function completePlan(plan: Plan, model: Transformer, batch: number): FullPlan {
  const { tensor = 1, pipeline = 1, chunks = 1, microBatch = 1, data } = plan;
  for (const [name, value] of Object.entries({ data, tensor, pipeline, chunks, microBatch }))
    if (!Number.isInteger(value) || value < 1)
      throw new ValueError(`plan: ${name} is a whole number from 1, got ${value}`);
  const even = (whole: number, parts: number, what: string): void => {
    if (whole % parts !== 0) throw new ValueError(`plan: ${what} can't be split evenly into ${parts}`);
  };
  even(model.layers, pipeline * chunks, `${model.layers} layers`);
  even(model.heads, tensor, `${model.heads} heads`);
  even(batch, data * microBatch, `a batch of ${batch}`);
  return {
    ...{ data, tensor, pipeline, chunks, microBatch },
    schedule: plan.schedule ?? (chunks > 1 ? "interleaved" : "1f1b"),
    ...{ recompute: plan.recompute ?? "none", zero: plan.zero ?? 0 },
    ...{ sequenceParallel: plan.sequenceParallel ?? false, overlap: plan.overlap ?? true },
    devices: data * tensor * pipeline,
    microBatches: batch / (data * microBatch),
  };
}

/**
 * The device with a place in the mesh: tensor-parallel neighbours next to each other, then replicas, then stages, as
 * Megatron numbers them, so that what talks most shares a server.
 */
export function deviceAt(
  { tensor, data }: Pick<FullPlan, "tensor" | "data">,
  place: { readonly tensor: number; readonly data: number; readonly pipeline: number },
): number {
  return place.tensor + tensor * (place.data + data * place.pipeline);
}
