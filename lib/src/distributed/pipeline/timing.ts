/**
 * A schedule in time: every device does its list in order, each action when what it needs has come. This finds out
 * whether the schedule ends at all, how long devices wait, and how many micro-batches are alive. (Book, chapter 9: bubbles.)
 */
import { ValueError } from "../../core/errors.js";
import { type Action, nameOf, type Schedule } from "./schedules/schedule.js";

/** How long things take, in any unit: of all stages, or by stage. */
export interface ScheduleCosts {
  /** Forward of a micro-batch through a stage. Default 1. */
  readonly forward?: number | readonly number[];
  /** Back through it. Default: twice as long as forward. */
  readonly backward?: number | readonly number[];
  /** Between two stages on different devices. Default 0. */
  readonly transfer?: number;
}

export interface TimedAction extends Action {
  readonly rank: number;
  readonly start: number;
  readonly end: number;
}

export interface ScheduleTiming {
  /** By device, in order. */
  readonly actions: readonly (readonly TimedAction[])[];
  /** From the first start to the last end. */
  readonly total: number;
  /** The part of all devices' time in which they wait. */
  readonly bubble: number;
  /** Micro-batches gone forward and not yet back, at most, by device, summed over its stages. */
  readonly live: readonly number[];
}

/**
 * Runs a schedule on paper.
 * @throws ValueError if an action is missing, doubled or on another device than its stage, if a backward stands before its
 * forward, or if devices wait for each other for ever; the message names the actions
 * @example
 * const schedule = distributed.pipelineSchedule("gpipe", { ranks: 4, microBatches: 2 });
 * distributed.timeSchedule(schedule).bubble // 0.6
 */
export function timeSchedule(schedule: Schedule, costs: ScheduleCosts = {}): ScheduleTiming {
  checkComplete(schedule);
  const { ranks, chunks } = schedule;
  const last = ranks * chunks - 1;
  const length = durations(costs, last + 1);
  const ended = new Map<string, number>();
  const timed: TimedAction[][] = schedule.actions.map(() => []);
  const free = schedule.actions.map(() => 0);
  const arrival = (from: Action, rank: number): number | undefined => {
    const at = ended.get(nameOf(from));
    return at === undefined ? undefined : at + (from.stage % ranks === rank ? 0 : (costs.transfer ?? 0));
  };
  /** When what an action needs is there; `undefined`: not yet known. */
  const ready = (action: Action, rank: number): number | undefined => {
    const { phase, stage, microBatch } = action;
    if (phase === "forward") return stage === 0 ? 0 : arrival({ phase, stage: stage - 1, microBatch }, rank);
    const own = arrival({ phase: "forward", stage, microBatch }, rank);
    const above = stage === last ? 0 : arrival({ phase, stage: stage + 1, microBatch }, rank);
    return own === undefined || above === undefined ? undefined : Math.max(own, above);
  };
  for (let moved = true; moved; ) {
    moved = false;
    for (const [rank, list] of schedule.actions.entries())
      for (let next = list[timed[rank].length]; next; next = list[timed[rank].length]) {
        const from = ready(next, rank);
        if (from === undefined) break;
        const start = Math.max(from, free[rank]);
        const end = start + length(next);
        timed[rank].push({ ...next, rank, start, end });
        ended.set(nameOf(next), end);
        free[rank] = end;
        moved = true;
      }
  }
  const stuck = schedule.actions.flatMap((list, rank) => {
    const next = list[timed[rank].length];
    return next ? [`device ${rank} at ${nameOf(next)}`] : [];
  });
  if (stuck.length > 0)
    throw new ValueError(`${schedule.name}: devices wait for each other for ever: ${stuck.join(", ")}`);
  const total = Math.max(...free);
  const busy = timed.flat().reduce((sum, { start, end }) => sum + end - start, 0);
  return { actions: timed, total, bubble: 1 - busy / (total * ranks), live: schedule.actions.map(mostLive) };
}

function durations({ forward = 1, backward }: ScheduleCosts, stages: number): (action: Action) => number {
  const of = (cost: number | readonly number[], stage: number): number =>
    typeof cost === "number" ? cost : cost[stage];
  for (const [name, cost] of Object.entries({ forward, backward }))
    if (typeof cost === "object" && cost.length !== stages)
      throw new ValueError(
        `timeSchedule: a ${name} cost for each of ${stages} stages wanted, got ${cost.length}`,
      );
  return ({ phase, stage }) =>
    phase === "forward"
      ? of(forward, stage)
      : backward === undefined
        ? 2 * of(forward, stage)
        : of(backward, stage);
}

/** Each stage goes forward and back once with each micro-batch, on its own device, in this order. */
function checkComplete({ name, ranks, chunks, microBatches, actions }: Schedule): void {
  if (actions.length !== ranks)
    throw new ValueError(`${name}: lists for ${ranks} devices wanted, got ${actions.length}`);
  const seen = new Set<string>();
  for (const [rank, list] of actions.entries())
    for (const action of list) {
      const { phase, stage, microBatch } = action;
      const what = nameOf(action);
      if (!(stage >= 0 && stage < ranks * chunks && microBatch >= 0 && microBatch < microBatches))
        throw new ValueError(`${name}: ${what} is of no stage or micro-batch that there is`);
      if (stage % ranks !== rank)
        throw new ValueError(`${name}: ${what} stands on device ${rank}, its stage on ${stage % ranks}`);
      if (seen.has(what)) throw new ValueError(`${name}: ${what} is there twice`);
      if (phase === "backward" && !seen.has(nameOf({ phase: "forward", stage, microBatch })))
        throw new ValueError(`${name}: ${what} comes before its forward`);
      seen.add(what);
    }
  const wanted = 2 * ranks * chunks * microBatches;
  if (seen.size !== wanted) throw new ValueError(`${name}: ${wanted} actions wanted, there are ${seen.size}`);
}

function mostLive(list: readonly Action[]): number {
  let now = 0;
  let most = 0;
  for (const { phase } of list) {
    now += phase === "forward" ? 1 : -1;
    most = Math.max(most, now);
  }
  return most;
}
