/** The best layout for a model on a cluster, and how layouts scale. */
import { ValueError } from "../../../core/errors.js";
import type { Cluster } from "../cluster/cluster.js";
import { memoryPerDevice, STATES } from "./memory.js";
import { completePlan, type FullPlan, type Plan } from "./plan.js";
import { type Step, type StepOptions, simulateStep } from "./step.js";
import { layerSeconds, type Recompute, type Transformer } from "./transformer.js";

export interface SearchSpace {
  /** Default: powers of two up to a server's devices. */
  readonly tensor?: readonly number[];
  /** Default: all that divide the layers. */
  readonly pipeline?: readonly number[];
  /** Default [1]. */
  readonly chunks?: readonly number[];
  /** Default [1, 2, 4, 8, 16]. */
  readonly microBatch?: readonly number[];
  /** Default all three. */
  readonly recompute?: readonly Recompute[];
  /** Default [0, 1]. */
  readonly zero?: readonly Plan["zero"][];
  /** Default true. */
  readonly sequenceParallel?: boolean;
}

export interface SearchResult {
  /** The fastest of all plans of the space that fit. */
  readonly best: Step;
  /** Those that had to be simulated to know that, fastest first. */
  readonly simulated: readonly Step[];
  /** Plans that can be carried out at all; those of them that fit the memory. */
  readonly possible: number;
  readonly fitting: number;
}

/**
 * The fastest plan on all devices of a cluster that fits their memory. Plans are simulated in the order of a lower bound,
 * computation and the schedule's bubble alone, until no bound is below the best time: the result is that of trying all.
 * @param batch sequences of a step
 * @throws ValueError if none fits
 * @example
 * const model = { layers: 12, hidden: 768, heads: 12, sequence: 1024, vocabulary: 51200 };
 * const { plan } = searchPlan(model, dgxA100(1), 64, { pipeline: [1, 2], microBatch: [8] }).best;
 * [plan.data, plan.tensor, plan.pipeline] // [8, 1, 1]
 */
export function searchPlan(
  model: Transformer,
  cluster: Cluster,
  batch: number,
  space: SearchSpace = {},
  options: StepOptions = {},
): SearchResult {
  const { states = STATES.mixed } = options;
  const possible = plansOf(model, cluster, batch, space);
  const fitting = possible.filter(
    (plan) => memoryPerDevice(model, plan, states).total <= cluster.device.memory,
  );
  if (fitting.length === 0) {
    const least = Math.min(...possible.map((plan) => memoryPerDevice(model, plan, states).total));
    throw new ValueError(
      possible.length === 0
        ? `searchPlan: no plan of this space uses all ${cluster.network.devices} devices for a batch of ${batch}`
        : `searchPlan: none of ${possible.length} plans fits ${gigabytes(cluster.device.memory)} a device; the smallest takes ${gigabytes(least)}`,
    );
  }
  const bounds = fitting
    .map((plan) => ({ plan, bound: lowerBound(model, cluster, plan) }))
    .sort((a, b) => a.bound - b.bound);
  const simulated: Step[] = [];
  let best: Step | undefined;
  for (const { plan, bound } of bounds) {
    if (best && bound >= best.seconds) break;
    const step = simulateStep(model, cluster, plan, batch, options);
    simulated.push(step);
    if (!best || step.seconds < best.seconds) best = step;
  }
  simulated.sort((a, b) => a.seconds - b.seconds);
  return { best: best!, simulated, possible: possible.length, fitting: fitting.length };
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

function plansOf(model: Transformer, cluster: Cluster, batch: number, space: SearchSpace): FullPlan[] {
  const { devices } = cluster.network;
  const {
    tensor: tensors = [1, 2, 4, 8, 16].filter((t) => t <= cluster.perServer),
    pipeline: pipelines = Array.from({ length: model.layers }, (_, i) => i + 1),
    chunks: chunkses = [1],
    microBatch: microBatches = [1, 2, 4, 8, 16],
    recompute: recomputes = ["none", "selective", "full"],
    zero: zeros = [0, 1],
    sequenceParallel = true,
  } = space;
  const plans: FullPlan[] = [];
  for (const tensor of tensors)
    for (const pipeline of pipelines)
      for (const chunks of chunkses)
        for (const microBatch of microBatches) {
          const data = devices / (tensor * pipeline);
          const perReplica = batch / (data * microBatch);
          const whole = [data, perReplica, model.layers / (pipeline * chunks), model.heads / tensor];
          if (!whole.every(Number.isInteger) || (pipeline === 1 && chunks > 1)) continue;
          if (chunks > 1 && perReplica % pipeline !== 0) continue; // the interleaved schedule's groups
          for (const recompute of recomputes)
            for (const zero of data > 1 ? zeros : [0 as const])
              plans.push(
                completePlan(
                  {
                    data,
                    tensor,
                    pipeline,
                    chunks,
                    microBatch,
                    recompute,
                    zero,
                    sequenceParallel: sequenceParallel && tensor > 1,
                  },
                  model,
                  batch,
                ),
              );
        }
  return plans;
}

/** Computation and bubble, without a byte sent. */
function lowerBound(model: Transformer, { device }: Cluster, plan: FullPlan): number {
  const { forward, backward, core } = layerSeconds(device, model, plan.microBatch, plan);
  const again = plan.recompute === "full" ? forward : plan.recompute === "selective" ? core : 0;
  const layers = model.layers / (plan.pipeline * plan.chunks);
  return (plan.microBatches * plan.chunks + plan.pipeline - 1) * layers * (forward + backward + again);
}

export interface ScalingPoint {
  readonly devices: number;
  readonly step: Step;
  /** Sequences per second. */
  readonly throughput: number;
  /** Throughput of a device over that of one at the smallest size. */
  readonly efficiency: number;
}

/**
 * A step at several sizes of the cluster.
 * @param at what runs with so many devices: for weak scaling the batch grows with them, for strong scaling it stays
 * @example
 * const model = { layers: 12, hidden: 768, heads: 12, sequence: 1024, vocabulary: 51200 };
 * const points = scalingCurve(model, [8, 64], (n) => ({ cluster: dgxA100(n / 8), plan: { data: n }, batch: 8 * n }));
 * points[1].efficiency > 0.5 // true
 */
export function scalingCurve(
  model: Transformer,
  sizes: readonly number[],
  at: (devices: number) => { readonly cluster: Cluster; readonly plan: Plan; readonly batch: number },
  options: StepOptions = {},
): ScalingPoint[] {
  const steps = sizes.map((devices) => {
    const { cluster, plan, batch } = at(devices);
    return { devices, step: simulateStep(model, cluster, plan, batch, options) };
  });
  const first = steps[0] ? steps[0].step.sequencesPerSecond / steps[0].devices : 1;
  return steps.map(({ devices, step }) => ({
    ...{ devices, step, throughput: step.sequencesPerSecond },
    efficiency: step.sequencesPerSecond / devices / first,
  }));
}
