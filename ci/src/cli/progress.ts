/** How far the work is and how long it will take: a bar on a terminal, a line now and then in a log. */
import { Presets, SingleBar } from "cli-progress";
import { printable } from "../report/terminal.js";

export interface Progress {
  step(label: string, done: number, total: number): void;
  stop(): void;
}

/** A log gets a line no more often than this. */
const LINE_MS = 15_000;

export function startProgress(what: string): Progress {
  let bar: SingleBar | undefined;
  const started = Date.now();
  let lastLine = started;
  return {
    step(label, done, total) {
      if (!process.stderr.isTTY) {
        const now = Date.now();
        if (done === 0 || now - lastLine < LINE_MS) return;
        lastLine = now;
        const left = Math.ceil((((now - started) / done) * (total - done)) / 1000);
        process.stderr.write(`${what} ${done}/${total}, about ${left} s left\n`);
        return;
      }
      if (!bar) {
        const format = `${what} {bar} {value}/{total} · {eta_formatted} left · {label}`;
        bar = new SingleBar(
          { format, stream: process.stderr, clearOnComplete: true, hideCursor: true },
          Presets.shades_classic,
        );
        bar.start(total, done, { label: "" });
      }
      bar.update(done, { label: printable(label).slice(-50) });
    },
    stop: () => bar?.stop(),
  };
}
