/** What happened during training. */
import { ValueError } from "../core/errors.js";
import { displaySymbol, type MimeBundle } from "../viz/bundle.js";
import { curveSvg } from "../viz/curve.js";
import { Figure, layoutOf, type PlotTrace } from "../viz/plot.js";

/** Points drawn of a curve; longer ones are thinned. */
const MAX_POINTS = 500;

export class History {
  /** Loss of each step. */
  readonly loss: number[] = [];
  /** Metrics after each epoch. */
  readonly metrics: Record<string, number[]>;
  /** Number of steps taken when each epoch ended. */
  readonly epochEnds: number[] = [];

  constructor(metricNames: readonly string[] = []) {
    this.metrics = Object.fromEntries(metricNames.map((name) => [name, []]));
  }

  /** A history that was written by `JSON.stringify`. @throws Error if it is something else. */
  static fromJSON(written: unknown): History {
    const { loss, metrics, epochEnds } = (written ?? {}) as Partial<History>;
    const numbers = (x: unknown): x is number[] =>
      Array.isArray(x) && x.every((v) => v === null || typeof v === "number");
    if (
      !numbers(loss) ||
      !numbers(epochEnds) ||
      typeof metrics !== "object" ||
      !Object.values(metrics).every(numbers)
    )
      throw new Error("loss, metrics and epochEnds wanted");
    const history = new History();
    history.continueFrom({ loss, metrics, epochEnds });
    return history;
  }

  /** Takes over what another history holds, in front of all that is added from now on. @throws ValueError if this one is not empty. */
  continueFrom({ loss, metrics, epochEnds }: Pick<History, "loss" | "metrics" | "epochEnds">): void {
    if (this.loss.length > 0) throw new ValueError("History.continueFrom: this history has steps already");
    const plain = (values: readonly number[]): number[] => values.map((v) => v ?? Number.NaN); // JSON has no NaN
    for (const value of plain(loss)) this.loss.push(value);
    for (const end of epochEnds) this.epochEnds.push(end);
    for (const [name, values] of Object.entries(metrics)) this.metrics[name] = plain(values);
  }

  addStep(loss: number): void {
    this.loss.push(loss);
  }

  addEpoch(scores: Readonly<Record<string, number>>): void {
    this.epochEnds.push(this.loss.length);
    for (const [name, value] of Object.entries(scores)) {
      this.metrics[name] ??= [];
      this.metrics[name].push(value);
    }
  }

  /** Mean loss of an epoch (from 0). */
  epochLoss(epoch: number): number {
    const steps = this.loss.slice(this.epochEnds[epoch - 1] ?? 0, this.epochEnds[epoch]);
    return steps.reduce((a, b) => a + b, 0) / steps.length;
  }

  /** The loss by step as a small picture that can be replaced often. */
  svg(): string {
    const { x, y } = this.curve();
    return curveSvg(x, y, "step", "loss");
  }

  /** The loss by step, smoothed over neighbours when there are many, and the metrics by epoch. */
  figure(): Figure {
    const { x, y, width } = this.curve();
    const traces: PlotTrace[] = [
      { type: "scatter", mode: "lines", name: width > 1 ? `loss (mean of ${width})` : "loss", x, y },
    ];
    for (const [name, values] of Object.entries(this.metrics)) {
      if (values.length > 0)
        traces.push({
          type: "scatter",
          mode: "lines+markers",
          name,
          x: this.epochEnds.slice(0, values.length),
          y: values,
          yaxis: "y2",
        });
    }
    const layout = layoutOf({ xLabel: "step", yLabel: "loss" });
    const second =
      traces.length > 1
        ? {
            yaxis2: { overlaying: "y", side: "right", title: { text: Object.keys(this.metrics).join(", ") } },
          }
        : {};
    return new Figure(traces, {
      ...layout,
      ...second,
      showlegend: true,
      legend: { orientation: "h", y: 1.15 },
    });
  }

  /** The loss, thinned: each point is the mean of `width` steps. */
  private curve(): { x: number[]; y: number[]; width: number } {
    const width = Math.max(1, Math.ceil(this.loss.length / MAX_POINTS));
    const x: number[] = [];
    const y: number[] = [];
    for (let i = 0; i < this.loss.length; i += width) {
      const part = this.loss.slice(i, i + width);
      x.push(i + part.length);
      y.push(part.reduce((a, b) => a + b, 0) / part.length);
    }
    return { x, y, width };
  }

  [displaySymbol](): MimeBundle {
    return this.figure().bundle();
  }
}
