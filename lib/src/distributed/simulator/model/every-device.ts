/**
 * The same step with every device as a member of its own: the schedule's actions, messages between stages, and the
 * library's collectives in the tensor-parallel and data-parallel groups, all over the links that they share. What
 * `simulateStep` folds by symmetry is spelled out here: for tens of devices, and to check the folding.
 */
import { runCollective } from "../../collectives/registry.js";
import { pipelineSchedule } from "../../pipeline/schedules/index.js";
import { type Cluster, effective } from "../cluster/cluster.js";
import { simulatePrograms, type VirtualRank, type VirtualRun } from "../run/virtual-cluster.js";
import { STATES } from "./memory.js";
import { completePlan, deviceAt, type FullPlan, type Plan } from "./plan.js";
import { actionCosts, type StepOptions } from "./step.js";
import { optimizerSeconds, parameterCount, type Transformer } from "./transformer.js";

/** Tags: messages between stages have one each above these. */
const [TENSOR, DATA, STAGES] = [0, 1, 2];

/**
 * Simulates a step of every device. Gradients are reduced after the last backward pass (`overlap` is not looked at), `zero`
 * is 0; a ring over all replicas in order.
 * @throws ValueError as `simulateStep`
 * @example
 * const model = { layers: 2, hidden: 1024, heads: 16, sequence: 512, vocabulary: 32000 };
 * const plan = { data: 2, tensor: 2, pipeline: 2 };
 * const every = await simulateEveryDevice(model, dgxA100(1), plan, 4);
 * const folded = simulateStep(model, dgxA100(1), { ...plan, overlap: false }, 4);
 * Math.abs(folded.seconds / every.seconds - 1) < 0.1 // true
 */
export function simulateEveryDevice(
  model: Transformer,
  cluster: Cluster,
  plan: Plan,
  batch: number,
  { states = STATES.mixed, record = false }: StepOptions & { readonly record?: boolean } = {},
): Promise<VirtualRun<void>> {
  const full = completePlan(plan, model, batch);
  const network = effective(cluster);
  const costs = actionCosts(model, cluster, network, full);
  const { pipeline, chunks, microBatches, tensor, data } = full;
  const schedule = pipelineSchedule(full.schedule, { ranks: pipeline, microBatches, chunks });
  const layers = model.layers / (pipeline * chunks);
  const last = pipeline * chunks - 1;
  const message = 2 * full.microBatch * model.sequence * model.hidden;
  const shared = parameterCount(model) / (pipeline * tensor);
  const gradientBytes = 2 * Math.round((shared * states.gradients) / 2);
  // nobody looks into messages: one buffer is everybody's, and its pages are never touched
  const buffer = new Uint8Array(Math.max(message, gradientBytes));
  const bytes = (count: number): Uint8Array => buffer.subarray(0, count);
  const repeats = (phase: "forward" | "backward"): number =>
    phase === "backward" && full.recompute === "full" ? 4 : 2;

  const program = async ({ rank, compute, transport, member }: VirtualRank): Promise<void> => {
    const place = placeOf(full, rank);
    if (!place) return;
    const peers = upTo(tensor).map((t) => deviceAt(full, { ...place, tensor: t }));
    const replicas = upTo(data).map((d) => deviceAt(full, { ...place, data: d }));
    const at = (stage: number): number => deviceAt(full, { ...place, pipeline: stage % pipeline });
    const tag = (phase: string, stage: number, microBatch: number): number =>
      STAGES + (stage * microBatches + microBatch) * 2 + (phase === "forward" ? 0 : 1);
    for (const { phase, stage, microBatch } of schedule.actions[place.pipeline]) {
      const from = stage + (phase === "forward" ? -1 : 1);
      const to = stage + (phase === "forward" ? 1 : -1);
      if (from >= 0 && from <= last && pipeline > 1) {
        await transport.receive(at(from), tag(phase, from, microBatch), bytes(Math.floor(message / tensor)));
        const counts = upTo(tensor).map(() => Math.floor(message / tensor));
        if (tensor > 1)
          await runCollective(
            "allGather",
            member(TENSOR, peers),
            { data: bytes(counts[0] * tensor), counts },
            "ring",
          );
      }
      if (phase === "forward" && stage === last) await compute(costs.output.forward, "output");
      for (let layer = 0; layer < layers; layer++) {
        await compute(costs[phase].compute / layers, `${phase} ${microBatch}`);
        for (let i = 0; tensor > 1 && i < repeats(phase); i++)
          await runCollective(
            "allReduce",
            member(TENSOR, peers),
            { data: bytes(message), dtype: "float16", op: "sum" },
            "ring",
          );
      }
      if (phase === "backward" && stage === last) await compute(costs.output.backward, "output");
      if (to >= 0 && to <= last && pipeline > 1)
        await transport.send(at(to), tag(phase, stage, microBatch), bytes(Math.floor(message / tensor)));
    }
    if (data > 1)
      await runCollective(
        "allReduce",
        member(DATA, replicas),
        { data: bytes(gradientBytes), dtype: "float16", op: "sum" },
        "ring",
      );
    await compute(optimizerSeconds(cluster.device, shared), "optimizer");
  };
  return simulatePrograms(network, program, { payload: "phantom", record });
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Where a device stands in the mesh; `undefined`: it has nothing to do. */
function placeOf(
  { tensor, data, devices }: FullPlan,
  rank: number,
): { readonly tensor: number; readonly data: number; readonly pipeline: number } | undefined {
  if (rank >= devices) return undefined;
  const row = Math.floor(rank / tensor);
  return { tensor: rank % tensor, data: row % data, pipeline: Math.floor(row / data) };
}
