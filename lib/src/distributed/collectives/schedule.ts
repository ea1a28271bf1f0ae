/** What members did when: a collective's steps, as a table of members × time for notebooks, and as spans of a timeline. */
import { displaySymbol, escapeHtml, type MimeBundle } from "../../core/display.js";
import type { Span } from "../../viz/timeline.js";

/** Something that a member did. Times in seconds from any common zero. */
export interface Step {
  readonly what: "send" | "receive" | "combine";
  readonly rank: number;
  /** The other member of a message; of a combination, the same. */
  readonly peer: number;
  readonly bytes: number;
  readonly start: number;
  readonly end: number;
}

/**
 * The steps of all members; shown in a notebook, a picture of who sends to whom.
 * @example new distributed.Schedule([{ what: "send", rank: 0, peer: 1, bytes: 8, start: 0, end: 2 }], 2).seconds // 2
 */
export class Schedule {
  /** In order of their starts. */
  readonly steps: readonly Step[];

  constructor(
    steps: readonly Step[],
    /** Number of members. */
    readonly size: number,
  ) {
    this.steps = [...steps].sort((a, b) => a.start - b.start);
  }

  /** Seconds from the first start to the last end. */
  get seconds(): number {
    if (this.steps.length === 0) return 0;
    return (
      this.steps.reduce((last, { end }) => Math.max(last, end), this.steps[0].start) - this.steps[0].start
    );
  }

  /** Bytes that member `rank` sent. */
  sentBy(rank: number): number {
    return this.steps.reduce(
      (sum, step) => sum + (step.what === "send" && step.rank === rank ? step.bytes : 0),
      0,
    );
  }

  /** For `viz.gantt`: each member's sends, receives and combinations in rows of their own. */
  spans(): Span[] {
    return this.steps.map(({ what, rank, start, end }) => ({
      lane: `rank ${rank} ${what === "combine" ? "compute" : what}`,
      name: what,
      start: start * 1000,
      end: end * 1000,
    }));
  }

  /** Members down, rounds across; a cell says what is sent to whom. Of many rounds, a line for each step. */
  toString(): string {
    const { times, cells } = this.table();
    if (times.length > WIDEST) return this.steps.map(line).join("\n");
    const rows = [
      ["", ...times.map((time) => `${(time * 1e6).toFixed(1)} µs`)],
      ...cells.map((row, rank) => [`rank ${rank}`, ...row.map((steps) => steps.map(label).join(", "))]),
    ];
    const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
    return rows
      .map((row) =>
        row
          .map((cell, i) => cell.padEnd(widths[i]))
          .join("  ")
          .trimEnd(),
      )
      .join("\n");
  }

  [displaySymbol](): MimeBundle {
    return { "text/plain": this.toString(), "image/svg+xml": this.svg() };
  }

  /** Columns are the times at which messages start; a member's cell holds those that it sends then. */
  private table(): { times: number[]; cells: Step[][][] } {
    const sends = this.steps.filter(({ what }) => what === "send");
    const zero = sends[0]?.start ?? 0;
    const times: number[] = [];
    for (const { start } of sends)
      if (!times.some((time) => Math.abs(time - (start - zero)) < 1e-12)) times.push(start - zero);
    const cells = Array.from({ length: this.size }, () => times.map((): Step[] => []));
    for (const step of sends)
      cells[step.rank][times.findIndex((time) => Math.abs(time - (step.start - zero)) < 1e-12)].push(step);
    return { times, cells };
  }

  /** A line of time for each member, an arrow for each message. */
  private svg(): string {
    const sends = this.steps.filter(({ what }) => what === "send");
    const combines = this.steps.filter(({ what }) => what === "combine");
    const zero = this.steps[0]?.start ?? 0;
    const [left, width, row] = [70, 640, 44];
    const x = (time: number): number => left + ((time - zero) / (this.seconds || 1)) * width;
    const y = (rank: number): number => 24 + rank * row;
    const height = 24 + this.size * row;
    const most = Math.max(1, ...sends.map(({ bytes }) => bytes));
    const parts = Array.from(
      { length: this.size },
      (_, rank) =>
        `<text x="8" y="${y(rank) + 4}" fill="currentColor">rank ${rank}</text>` +
        `<line x1="${left}" x2="${left + width}" y1="${y(rank)}" y2="${y(rank)}" stroke="currentColor" opacity="0.25"/>`,
    );
    for (const { rank, bytes, start, end } of combines)
      parts.push(
        `<rect x="${x(start).toFixed(1)}" y="${y(rank) - 5}" width="${Math.max(1, x(end) - x(start)).toFixed(1)}" height="10" fill="#e07b39"><title>${escapeHtml(`rank ${rank} combines ${bytes} bytes`)}</title></rect>`,
      );
    for (const { rank, peer, bytes, start, end } of sends)
      parts.push(
        `<line x1="${x(start).toFixed(1)}" y1="${y(rank)}" x2="${x(end).toFixed(1)}" y2="${y(peer)}" stroke="#4573b5" stroke-width="${(1 + (2.5 * bytes) / most).toFixed(1)}" marker-end="url(#arrow)"><title>${escapeHtml(`rank ${rank} sends rank ${peer} ${bytes} bytes`)}</title></line>`,
      );
    return (
      `<svg xmlns="http://www.w3.org/2000/svg" width="${left + width + 20}" height="${height}" font-family="sans-serif" font-size="12">` +
      `<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="#4573b5"/></marker></defs>` +
      `${parts.join("")}</svg>`
    );
  }
}

/** Columns of a table that can still be read; measured steps have a time each. */
const WIDEST = 12;

const line = ({ what, rank, peer, bytes, start, end }: Step): string =>
  `rank ${rank} ${what === "combine" ? "combines" : `${what}s ${what === "send" ? "to" : "from"} ${peer}`} ${bytes} B in ${((end - start) * 1e6).toFixed(1)} µs`;

const label = ({ peer, bytes }: Step): string => `→${peer} ${bytes} B`;
