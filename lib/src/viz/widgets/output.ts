/** An output area of its own, for what callbacks print and show. */
import { type CapturedOutput, capturer } from "./comm.js";
import { layoutModel } from "./value.js";
import { Widget } from "./widget.js";

/** Between two times that the page is told, in milliseconds: each time it is told everything. */
const INTERVAL_MS = 50;
const MAX_STREAM = 200_000;
const MAX_OUTPUTS = 200;

interface Kept {
  output: Record<string, unknown>;
  /** The name under which it can be replaced. */
  displayId?: unknown;
}

/** An output area that is a widget. */
export class OutputArea extends Widget {
  private kept: Kept[] = [];
  private clearing = false;
  private told = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(layout: object = {}) {
    super(
      { model: "Output", module: "@jupyter-widgets/output" },
      { msg_id: "", outputs: [], tabbable: null, tooltip: null, layout: layoutModel(layout) },
    );
  }

  /** What stands in the area, as outputs of a notebook's cell. */
  get outputs(): readonly Record<string, unknown>[] {
    return this.kept.map(({ output }) => output);
  }

  /**
   * Calls `body`; what it prints, shows and throws, at once or later, goes to this area.
   * Without a kernel it is only called.
   */
  capture<T>(body: () => T): T | undefined {
    const capture = capturer();
    if (!capture) return body();
    const value = capture(this.take, body) as T | undefined;
    this.tell();
    return value;
  }

  /** Empties the area; with `wait`, only when the next output comes. */
  clear(wait = false): void {
    this.take({ output_type: "clear_output", wait });
    if (!wait) this.tell();
  }

  /** Clears what a `clear(true)` still waits to clear. */
  settle(): void {
    if (this.clearing) this.clear();
  }

  override toString(): string {
    return `Output(${this.kept.length})`;
  }

  private readonly take = (output: CapturedOutput): void => {
    if (output.output_type === "clear_output") {
      this.clearing = output.wait;
      if (!output.wait) this.kept = [];
    } else if (output.output_type === "update_display_data") this.replace(output);
    else {
      if (this.clearing) this.kept = [];
      this.clearing = false;
      this.add(output);
    }
    this.tellSoon();
  };

  private add(output: Exclude<CapturedOutput, { output_type: "clear_output" }>): void {
    const last = this.kept[this.kept.length - 1]?.output;
    if (output.output_type === "stream" && last?.output_type === "stream" && last.name === output.name) {
      const text = String(last.text) + output.text;
      // The end is what a reader of a growing text wants to see.
      const cut = text.length > MAX_STREAM ? `… truncated\n${text.slice(-MAX_STREAM)}` : text;
      this.kept[this.kept.length - 1] = { output: { ...last, text: cut } };
      return;
    }
    if ("transient" in output) {
      const { transient, ...rest } = output;
      this.kept.push({ output: rest, displayId: (transient as { display_id?: unknown }).display_id });
    } else this.kept.push({ output });
    if (this.kept.length > MAX_OUTPUTS) this.kept.splice(0, this.kept.length - MAX_OUTPUTS);
  }

  private replace({
    data,
    metadata,
    transient,
  }: {
    data: object;
    metadata: object;
    transient: object;
  }): void {
    const id = (transient as { display_id?: unknown }).display_id;
    this.kept = this.kept.map((one) =>
      one.displayId === id ? { ...one, output: { ...one.output, data, metadata } } : one,
    );
  }

  private tellSoon(): void {
    const wait = INTERVAL_MS - (performance.now() - this.told);
    if (wait <= 0) this.tell();
    else this.timer ??= setTimeout(() => this.tell(), wait);
  }

  private tell(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.told = performance.now();
    if (!this.clearing) this.set({ outputs: this.outputs });
  }
}

/**
 * An output area; `capture` fills it.
 * @example widgets.output().outputs.length // 0
 */
export function output(layout: Readonly<Record<string, string>> = {}): OutputArea {
  return new OutputArea(layout);
}
