/** A progress bar: HTML that is replaced in place in a notebook, a line that is rewritten in a terminal, nothing elsewhere (logs). */
import { escapeHtml, newDisplayId, publisher } from "./bundle.js";

export interface ProgressOptions {
  readonly label?: string;
  /** Least milliseconds between two drawings. Default 100. */
  readonly interval?: number;
}

/** Seconds as people write them. */
function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const s = Math.round(seconds);
  return s < 60 ? `${s} s` : `${Math.floor(s / 60)} min ${s % 60} s`;
}

export class ProgressBar {
  private readonly started = Date.now();
  private readonly id = newDisplayId();
  private shown = false;
  private last = 0;
  private done = 0;
  private note = "";

  /** @param total number of steps; 0 if it is not known */
  constructor(
    readonly total: number,
    private readonly options: ProgressOptions = {},
  ) {}

  /** Says that `done` of `total` steps are over; draws if the last drawing is long enough ago. */
  update(done: number, note = ""): void {
    this.done = done;
    this.note = note;
    const now = Date.now();
    if (now - this.last < (this.options.interval ?? 100)) return;
    this.last = now;
    this.draw(false);
  }

  /** Draws the last state. */
  finish(note = this.note): void {
    this.note = note;
    this.draw(true);
  }

  private text(): string {
    const { done, total } = this;
    const seconds = (Date.now() - this.started) / 1000;
    const left = done > 0 ? (seconds / done) * (total - done) : Number.POSITIVE_INFINITY;
    const time = done >= total ? duration(seconds) : `${duration(seconds)}, ${duration(left)} left`;
    const count = total > 0 ? `${done}/${total}` : String(done);
    return [this.options.label, count, time, this.note].filter(Boolean).join(" · ");
  }

  private draw(last: boolean): void {
    const text = this.text();
    const publish = publisher();
    if (publish) {
      const part = this.total > 0 ? Math.min(1, this.done / this.total) * 100 : last ? 100 : 0;
      const html = `<div style="font-family:monospace;max-width:60em"><div style="background:rgba(127,127,127,.25);height:.6em;border-radius:.3em"><div style="background:#0072b2;height:100%;width:${part.toFixed(1)}%;border-radius:.3em"></div></div>${escapeHtml(text)}</div>`;
      publish({ "text/html": html, "text/plain": text }, { displayId: this.id, update: this.shown });
    } else if (process.stderr.isTTY) {
      process.stderr.write(`\r\x1b[K${text}${last ? "\n" : ""}`);
    }
    this.shown = true;
  }
}
