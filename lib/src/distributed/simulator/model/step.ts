/**
 * One training step of a transformer on a cluster. The pipeline's schedule is run action by action, the library's own; the
 * collectives take as long as all groups of their kind need at once on the cluster's links. Replicas and the devices of a
 * tensor-parallel group do the same at the same time, so one of each is simulated: exact as long as they are equally fast.
 */
import { ValueError } from "../../../core/errors.js";
import type { Span } from "../../../viz/timeline.js";
import { pipelineSchedule } from "../../pipeline/schedules/index.js";
import type { Action } from "../../pipeline/schedules/schedule.js";
import { type Cluster, effective } from "../cluster/cluster.js";
import type { Network } from "../cluster/network.js";
import { collectiveSeconds, roundSeconds } from "../run/rounds.js";
import { type MemoryUse, memoryPerDevice, STATES, type StateBytes } from "./memory.js";
import { completePlan, deviceAt, type FullPlan, type Plan } from "./plan.js";
import {
  flopsPerSequence,
  layerSeconds,
  optimizerSeconds,
  outputSeconds,
  parameterCount,
  type Transformer,
} from "./transformer.js";

export interface StepOptions {
  /** Bytes per parameter; default mixed precision. */
  readonly states?: StateBytes;
}

export interface Step {
  readonly plan: FullPlan;
  /** Seconds of the whole step. */
  readonly seconds: number;
  /** Seconds by cause, the mean of the pipeline's devices; what is hidden behind computation is not counted. */
  readonly parts: {
    readonly compute: number;
    readonly tensorParallel: number;
    readonly pipelineTransfers: number;
    readonly bubble: number;
    readonly gradients: number;
    readonly optimizer: number;
  };
  /** Part of the pipeline's time in which devices wait. */
  readonly bubble: number;
  /** FLOP/s of a device as papers count them: the model's products, with what full recomputation repeats. */
  readonly flopsPerDevice: number;
  /** Model FLOP/s (nothing repeated) over the device's peak. */
  readonly modelFlopsUtilization: number;
  readonly sequencesPerSecond: number;
  readonly memory: MemoryUse;
  /** Whether it fits. */
  readonly fits: boolean;
  /** What the stages of one replica do, milliseconds, without the gradients' exchange and the optimizer. */
  spans(): Span[];
}

/**
 * Simulates a step.
 * @param batch sequences of a step, over all replicas
 * @throws ValueError if the plan does not fit the model, the batch or the cluster's number of devices
 * @example
 * const gpt3 = { layers: 96, hidden: 12288, heads: 96, sequence: 2048, vocabulary: 51200 };
 * simulateStep(gpt3, dgxA100(128), { data: 16, tensor: 8, pipeline: 8, recompute: "full" }, 1536).fits // true
 */
export function simulateStep(
  model: Transformer,
  cluster: Cluster,
  plan: Plan,
  batch: number,
  { states = STATES.mixed }: StepOptions = {},
): Step {
  const full = completePlan(plan, model, batch);
  const network = effective(cluster);
  if (full.devices > network.devices)
    throw new ValueError(
      `simulateStep: the plan wants ${full.devices} devices, the cluster has ${network.devices}`,
    );
  const { device } = cluster;
  const costs = actionCosts(model, cluster, network, full);
  const pipeline = runPipeline(full, costs);
  const shared = parameterCount(model) / (full.pipeline * full.tensor);
  const gradients = gradientSeconds(
    network,
    cluster,
    full,
    shared * states.gradients,
    shared * states.parameters,
  );
  // beside the backward pass of the last micro-batch, all but the last bucket can be hidden
  const window = full.zero === 3 ? pipeline.seconds : costs.backward.compute * full.chunks;
  const hidden = full.overlap ? Math.min(gradients.hideable, window) : 0;
  const optimizer = optimizerSeconds(device, full.zero > 0 ? shared / full.data : shared);
  const exposed = gradients.seconds - hidden;
  const seconds = pipeline.seconds + exposed + optimizer;
  const memory = memoryPerDevice(model, full, states);
  const done = batch * flopsPerSequence(model, full.recompute === "full" ? "full" : "none");
  const useful = batch * flopsPerSequence(model, "none");
  const steps = full.microBatches * full.chunks;
  return {
    plan: full,
    seconds,
    parts: {
      compute:
        steps * (costs.forward.compute + costs.backward.compute) +
        (full.microBatches * (costs.output.forward + costs.output.backward)) / full.pipeline,
      tensorParallel: steps * (costs.forward.communication + costs.backward.communication),
      // every stage but the last sends forward, every one but the first back
      pipelineTransfers:
        (2 * full.microBatches * (full.pipeline * full.chunks - 1) * costs.transfer) / full.pipeline,
      bubble: pipeline.waiting,
      gradients: exposed,
      optimizer,
    },
    bubble: pipeline.waiting / pipeline.seconds,
    flopsPerDevice: done / seconds / full.devices,
    modelFlopsUtilization: useful / seconds / full.devices / device.flops,
    sequencesPerSecond: batch / seconds,
    memory,
    fits: memory.total <= device.memory,
    spans: pipeline.spans,
  };
}

export interface Costs {
  /** One stage, one micro-batch. */
  readonly forward: { readonly compute: number; readonly communication: number };
  readonly backward: { readonly compute: number; readonly communication: number };
  /** On the last stage besides. */
  readonly output: { readonly forward: number; readonly backward: number };
  /** To the next stage. */
  readonly transfer: number;
}

/** What each action of the schedule costs. */
export function actionCosts(
  model: Transformer,
  { device }: Cluster,
  network: Network,
  plan: FullPlan,
): Costs {
  const { tensor, pipeline, chunks, microBatch, recompute, data } = plan;
  const layer = layerSeconds(device, model, microBatch, plan);
  const layers = model.layers / (pipeline * chunks);
  const again = recompute === "full" ? layer.forward : recompute === "selective" ? layer.core : 0;
  const message = 2 * microBatch * model.sequence * model.hidden; // an activation, 16 bit
  const server = plan.tensor > 1 ? tensorGroups(plan) : [];
  // with sequence parallelism an allGather and a reduceScatter stand for each allReduce: as many bytes
  const reduce = tensor > 1 ? collectiveSeconds(network, server, "allReduce ring", message) : 0;
  const collectives = recompute === "full" ? 4 : 2;
  // each device of a tensor-parallel group sends its part, which is gathered again inside of the server (§4.1)
  const hops =
    pipeline === 1
      ? []
      : upTo(data * tensor).map((i) => ({
          from: deviceAt(plan, { tensor: i % tensor, data: Math.floor(i / tensor), pipeline: 0 }),
          to: deviceAt(plan, { tensor: i % tensor, data: Math.floor(i / tensor), pipeline: 1 }),
          bytes: message / tensor,
        }));
  const gather =
    tensor > 1 && hops.length > 0 ? collectiveSeconds(network, server, "allGather ring", message) : 0;
  return {
    forward: { compute: layers * layer.forward, communication: layers * 2 * reduce },
    backward: { compute: layers * (layer.backward + again), communication: layers * collectives * reduce },
    output: outputSeconds(device, model, microBatch, tensor),
    transfer: hops.length > 0 ? roundSeconds(network, hops) + gather : 0,
  };
}

/** One group: others are in other servers, or on other links of the same switch. */
const tensorGroups = ({ tensor }: FullPlan): number[][] => [upTo(tensor)];
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/**
 * Runs the schedule. A device also does its sends, as Megatron's schedules of 2021 wait for them. Nothing here shares a link
 * that is not in the costs already, so each action starts when its device is free and what it needs has come.
 */
function runPipeline(
  plan: FullPlan,
  costs: Costs,
): { seconds: number; waiting: number; spans: () => Span[] } {
  const { pipeline: ranks, chunks, microBatches, schedule } = plan;
  const { actions } = pipelineSchedule(schedule, { ranks, microBatches, chunks });
  const last = ranks * chunks - 1;
  const length = { forward: total(costs.forward), backward: total(costs.backward) };
  const place = (phase: Action["phase"], stage: number, microBatch: number): number =>
    ((phase === "forward" ? 0 : 1) * (last + 1) + stage) * microBatches + microBatch;
  /** When an action's result is where it is wanted. */
  const there = new Float64Array(2 * (last + 1) * microBatches).fill(Number.NaN);
  const done = new Int32Array(ranks);
  const free = new Float64Array(ranks);
  const starts = actions.map((list) => new Float64Array(list.length));
  const ends = actions.map((list) => new Float64Array(list.length));
  let busy = 0;
  const open = upTo(ranks); // devices that may be able to go on
  while (open.length > 0) {
    const rank = open.pop()!;
    for (let i = done[rank]; i < actions[rank].length; i = ++done[rank]) {
      const { phase, stage, microBatch }: Action = actions[rank][i];
      const [from, to]: number[] = phase === "forward" ? [stage - 1, stage + 1] : [stage + 1, stage - 1];
      const ready: number = from < 0 || from > last ? 0 : there[place(phase, from, microBatch)];
      if (Number.isNaN(ready)) break;
      const work = length[phase] + (stage === last ? costs.output[phase] : 0);
      const send = to >= 0 && to <= last && ranks > 1 ? costs.transfer : 0;
      starts[rank][i] = Math.max(ready, free[rank]);
      ends[rank][i] = starts[rank][i] + work;
      free[rank] = ends[rank][i] + send;
      there[place(phase, stage, microBatch)] = free[rank];
      busy += work + send;
      if (to >= 0 && to <= last && to % ranks !== rank) open.push(to % ranks);
    }
  }
  const seconds = free.reduce((most, time) => Math.max(most, time), 0);
  const spans = (): Span[] =>
    actions.flatMap((list, rank) =>
      list.map(({ phase }, i) => ({
        ...{ lane: `device ${rank}`, name: phase, start: starts[rank][i] * 1e3, end: ends[rank][i] * 1e3 },
      })),
    );
  return { seconds, waiting: Math.max(0, seconds - busy / ranks), spans };
}

const total = ({ compute, communication }: { compute: number; communication: number }): number =>
  compute + communication;

/** Seconds of the replicas' communication in a step, and how much of it can go on beside the backward pass. */
function gradientSeconds(
  network: Network,
  { perServer }: Cluster,
  plan: FullPlan,
  gradientBytes: number,
  parameterBytes: number,
): { seconds: number; hideable: number } {
  const { data, tensor, pipeline, zero, microBatches, chunks } = plan;
  if (data === 1) return { seconds: 0, hideable: 0 };
  const rings = Math.max(1, Math.min(data, Math.floor(perServer / tensor)));
  // a ring per card of a server, as NCCL lays its channels: ring r starts each server at its r-th member
  const groups = upTo(pipeline * tensor * rings).map((g) => {
    const place = { tensor: g % tensor, pipeline: Math.floor(g / tensor) % pipeline };
    const turn = Math.floor(g / (tensor * pipeline));
    const order = upTo(data).map((d) => {
      const first = d - (d % rings);
      const size = Math.min(rings, data - first);
      return first + ((d - first + turn) % size);
    });
    return order.map((d) => deviceAt(plan, { ...place, data: d }));
  });
  const time = (algorithm: string, bytes: number): number =>
    collectiveSeconds(network, groups, algorithm, bytes / rings);
  if (zero === 0) {
    const seconds = time("allReduce ring", gradientBytes);
    return { seconds, hideable: seconds };
  }
  if (zero < 3) {
    // each replica updates its part; parameters are gathered after the step
    const reduce = time("reduceScatter ring", gradientBytes);
    return { seconds: reduce + time("allGather ring", parameterBytes), hideable: reduce };
  }
  // parameters for every pass of every micro-batch, gradients once back: prefetched a layer ahead
  const passes = 2 * microBatches * chunks;
  const seconds =
    passes * time("allGather ring", parameterBytes / chunks) +
    microBatches * time("reduceScatter ring", gradientBytes);
  return { seconds, hideable: seconds };
}
