/** A progress bar with the time left, on a terminal only: logs and pipes get nothing. */
import { Presets, SingleBar } from "cli-progress";
import { printable } from "../report/terminal.js";

export interface Progress {
  step(label: string, done: number, total: number): void;
  stop(): void;
}

export function startProgress(what: string): Progress {
  let bar: SingleBar | undefined;
  return {
    step(label, done, total) {
      if (!process.stderr.isTTY) return;
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
