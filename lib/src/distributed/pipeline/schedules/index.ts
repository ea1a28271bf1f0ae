/** The schedules there are. */
import { ValueError } from "../../../core/errors.js";
import { gpipe } from "./gpipe.js";
import { interleaved } from "./interleaved.js";
import { oneForwardOneBackward } from "./one-f-one-b.js";
import type { Schedule, ScheduleRule, ScheduleShape } from "./schedule.js";

export const SCHEDULES: readonly ScheduleRule[] = [gpipe, oneForwardOneBackward, interleaved];

/**
 * A schedule by name, for so many devices and micro-batches.
 * @param shape `chunks`: stages of each device, default 1
 * @throws ValueError for an unknown name, counts that are no whole numbers from 1, and shapes that the schedule can't do
 * @example
 * const { actions } = distributed.pipelineSchedule("1f1b", { ranks: 2, microBatches: 2 });
 * actions[1].map(distributed.actionName) // ["F1.0", "B1.0", "F1.1", "B1.1"]
 */
export function pipelineSchedule(
  name: string,
  { ranks, microBatches, chunks = 1 }: Omit<ScheduleShape, "chunks"> & { readonly chunks?: number },
): Schedule {
  const rule = scheduleRule(name);
  const shape = { ranks, microBatches, chunks };
  for (const [what, count] of Object.entries(shape))
    if (!Number.isInteger(count) || count < 1)
      throw new ValueError(`pipelineSchedule: ${what} is a whole number from 1, got ${count}`);
  const why = rule.unfit?.(shape);
  if (why) throw new ValueError(`pipelineSchedule: ${name} does not fit: ${why}`);
  return { name, ...shape, actions: rule.build(shape) };
}

/**
 * What is known of a schedule.
 * @throws ValueError for an unknown name, with those there are
 * @example distributed.scheduleRule("gpipe").bubble({ ranks: 4, microBatches: 12, chunks: 1 }) // 0.2
 */
export function scheduleRule(name: string): ScheduleRule {
  const rule = SCHEDULES.find((known) => known.name === name);
  if (rule) return rule;
  const names = SCHEDULES.map((known) => known.name).join(", ");
  throw new ValueError(`there is no pipeline schedule "${name}"; there are ${names}`);
}
