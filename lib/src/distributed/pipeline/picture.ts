/** A schedule as a picture: devices × time, a box with its micro-batch for each action. (The figures of GPipe and Megatron-LM.) */
import { displaySymbol, escapeHtml, type MimeBundle } from "../../core/display.js";
import { nameOf, type Schedule } from "./schedules/schedule.js";
import { type ScheduleCosts, type ScheduleTiming, type TimedAction, timeSchedule } from "./timing.js";

/** Shows itself in a notebook. */
export interface SchedulePicture {
  readonly timing: ScheduleTiming;
  svg(): string;
  /** A line per device, a cell per unit of time: F or B and the micro-batch, dots where it waits. */
  toString(): string;
  [displaySymbol](): MimeBundle;
}

/**
 * @throws ValueError as `timeSchedule`
 * @example
 * const schedule = distributed.pipelineSchedule("1f1b", { ranks: 2, microBatches: 2 });
 * `${distributed.schedulePicture(schedule)}`
 * // device 0 F0 F1 .. .. B0 B0 .. B1 B1
 * // device 1 .. F0 B0 B0 F1 B1 B1 .. ..
 */
export function schedulePicture(schedule: Schedule, costs: ScheduleCosts = {}): SchedulePicture {
  const timing = timeSchedule(schedule, costs);
  const title = `${schedule.name}: ${schedule.ranks} devices, ${schedule.microBatches} micro-batches, ${(100 * timing.bubble).toFixed(1)} % of the time spent waiting`;
  return {
    timing,
    svg: () => svg(schedule, timing, title),
    toString: () => text(timing),
    [displaySymbol]: () => ({ "image/svg+xml": svg(schedule, timing, title), "text/plain": text(timing) }),
  };
}

/** Columns of the text, for schedules whose times are no whole units. */
const MOST_COLUMNS = 400;

function text({ actions, total }: ScheduleTiming): string {
  const unit = Math.max(total / MOST_COLUMNS, shortest(actions.flat()));
  const columns = Math.ceil(total / unit - 1e-9);
  const width = Math.max(...actions.flat().map((a) => String(a.microBatch).length)) + 1;
  return actions
    .map((list, rank) => {
      const cells = new Array<string>(columns).fill(".".repeat(width));
      for (const { phase, microBatch, start, end } of list)
        for (
          let c = Math.round(start / unit);
          c < Math.max(Math.round(start / unit) + 1, Math.round(end / unit));
          c++
        )
          if (end > start)
            cells[c] = `${phase === "forward" ? "F" : "B"}${String(microBatch).padEnd(width - 1)}`;
      return `device ${rank} ${cells.join(" ")}`;
    })
    .join("\n");
}

const shortest = (list: readonly TimedAction[]): number =>
  Math.min(...list.map(({ start, end }) => end - start).filter((length) => length > 0));

const [ROW, LEFT, TOP, WIDTH] = [26, 70, 26, 900];

function svg({ ranks, chunks }: Schedule, { actions, total }: ScheduleTiming, title: string): string {
  const scale = (WIDTH - LEFT) / total;
  const boxes = actions.flatMap((list, rank) =>
    list.map((action) => box(action, rank, scale, ranks, chunks)),
  );
  const labels = actions.map(
    (_, rank) => `<text x="4" y="${TOP + rank * ROW + 17}" font-size="12">device ${rank}</text>`,
  );
  const height = TOP + ranks * ROW + 6;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" font-family="sans-serif"><rect width="${WIDTH}" height="${height}" fill="white"/><text x="4" y="16" font-size="12" font-weight="bold">${escapeHtml(title)}</text>${labels.join("")}${boxes.join("")}</svg>`;
}

/** Forward blue, backward green; stages further back on the same device darker. */
function box(action: TimedAction, rank: number, scale: number, ranks: number, chunks: number): string {
  const { phase, stage, microBatch, start, end } = action;
  const chunk = Math.floor(stage / ranks);
  const light = 78 - (chunks > 1 ? (30 * chunk) / (chunks - 1) : 0);
  const [x, y, width] = [LEFT + start * scale, TOP + rank * ROW, (end - start) * scale];
  const label =
    width < 9
      ? ""
      : `<text x="${fixed(x + width / 2)}" y="${y + 16}" font-size="11" text-anchor="middle">${microBatch}</text>`;
  return `<g><title>${nameOf(action)}: ${fixed(start)}–${fixed(end)}</title><rect x="${fixed(x)}" y="${y}" width="${fixed(width)}" height="${ROW - 4}" fill="hsl(${phase === "forward" ? 212 : 135},60%,${fixed(light)}%)" stroke="white"/>${label}</g>`;
}

const fixed = (x: number): string => String(Math.round(x * 100) / 100);
