/**
 * Pipeline stages: consecutive layers on consecutive groups of devices, so that a batch of micro-batches is through
 * soonest: Σ tᵢ + (B − 1)·max tᵢ. For each candidate of the slowest stage's time a dynamic program finds the least sum of the
 * others. (Alpa's inter-operator pass: Zheng et al. 2022, §5.)
 */
import { ValueError } from "../../../core/errors.js";

/** What a stage takes: seconds for one micro-batch; `null` if it does not fit on so many devices. */
export type StageCost = (first: number, end: number, devices: number) => number | null;

export interface StageProblem {
  /** Number of layers. */
  readonly layers: number;
  readonly devices: number;
  readonly microBatches: number;
  /** Layers `first` … `end` − 1. */
  readonly cost: StageCost;
  /** How many devices a stage may have. Default: powers of two, as Alpa's one-machine submeshes. */
  readonly groups?: readonly number[];
}

export interface Stage {
  /** The first layer, and the one behind the last. */
  readonly first: number;
  readonly end: number;
  readonly devices: number;
  readonly time: number;
}

export interface StagePlan {
  readonly stages: readonly Stage[];
  /** Seconds for the whole batch. */
  readonly time: number;
}

/**
 * The best cut of layers into stages; every device is used.
 * @example distributed.pipelineStages({ layers: 4, devices: 2, microBatches: 8, cost: (first, end, devices) => (end - first) / Math.sqrt(devices) }).stages.length // 2
 * @throws ValueError if no cut fits
 */
export function pipelineStages(problem: StageProblem): StagePlan {
  const { layers, devices, microBatches, cost } = problem;
  const groups = (problem.groups ?? powersOfTwo(devices)).filter((group) => group <= devices);
  const times = new Map<string, number | null>();
  const timeOf = (first: number, end: number, group: number): number | null => {
    const key = `${first} ${end} ${group}`;
    const known = times.get(key);
    if (known !== undefined) return known;
    const time = cost(first, end, group);
    times.set(key, time);
    return time;
  };
  const candidates = new Set<number>();
  for (let first = 0; first < layers; first++)
    for (let end = first + 1; end <= layers; end++)
      for (const group of groups) {
        const time = timeOf(first, end, group);
        if (time !== null) candidates.add(time);
      }
  let best: StagePlan | null = null;
  for (const slowest of [...candidates].sort((a, b) => a - b)) {
    if (best && (microBatches - 1) * slowest >= best.time) break; // it only gets longer
    const stages = leastSum(layers, devices, groups, (first, end, group) => {
      const time = timeOf(first, end, group);
      return time !== null && time <= slowest ? time : null;
    });
    if (!stages) continue;
    const longest = stages.reduce((most, { time }) => Math.max(most, time), 0);
    const time = stages.reduce((sum, stage) => sum + stage.time, 0) + (microBatches - 1) * longest;
    if (!best || time < best.time) best = { stages, time };
  }
  if (!best) throw new ValueError(`pipelineStages: no cut of ${layers} layers fits on ${devices} devices`);
  return best;
}

/** Layers from `first` on, on so many devices, with the least sum of times. */
function leastSum(
  layers: number,
  devices: number,
  groups: readonly number[],
  cost: StageCost,
): Stage[] | null {
  interface Rest {
    readonly sum: number;
    readonly stage: Stage;
    readonly next: Rest | null;
  }
  const memo = new Map<string, Rest | null>();
  const rest = (first: number, left: number): Rest | null | undefined => {
    if (first === layers) return left === 0 ? undefined : null; // undefined: the end is reached
    if (left === 0) return null;
    const key = `${first} ${left}`;
    const known = memo.get(key);
    if (known !== undefined) return known;
    let best: Rest | null = null;
    for (let end = first + 1; end <= layers; end++)
      for (const group of groups) {
        if (group > left) continue;
        const time = cost(first, end, group);
        if (time === null) continue;
        const next = rest(end, left - group);
        if (next === null) continue;
        const sum = time + (next?.sum ?? 0);
        if (!best || sum < best.sum)
          best = { sum, stage: { first, end, devices: group, time }, next: next ?? null };
      }
    memo.set(key, best);
    return best;
  };
  const stages: Stage[] = [];
  for (let at = rest(0, devices); at; at = at.next) stages.push(at.stage);
  return stages.length > 0 ? stages : null;
}

function powersOfTwo(most: number): number[] {
  const found: number[] = [];
  for (let p = 1; p <= most; p *= 2) found.push(p);
  return found;
}
