/**
 * fit: the training loop. It yields to the event loop between steps, so that interrupts and drawings get through, and
 * swaps the weights once per step, so that an interrupt at any moment leaves a usable model and its history.
 */
import { valueAndGrad } from "../autodiff/grad.js";
import { ValueError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { toStatic } from "../graph/static.js";
import type { Module } from "../nn/module.js";
import { tidy } from "../ops/tidy.js";
import type { Optimizer } from "../optim/optimizer.js";
import { newDisplayId, publisher } from "../viz/bundle.js";
import { ProgressBar } from "../viz/progress.js";
import { History } from "./history.js";

/** A batch: inputs and what should come out. */
export interface Batch {
  readonly x: Tensor;
  readonly y: Tensor;
}

/** A module from one tensor to another. */
export interface Model extends Module {
  forward(x: Tensor): Tensor;
}

/** A number computed from predictions and truth, averaged over batches. */
export type Metric = (prediction: Tensor, y: Tensor) => Tensor;

export interface FitEvent {
  readonly epoch: number;
  /** Steps taken, over all epochs. */
  readonly step: number;
  readonly loss: number;
  readonly history: History;
  /** Ends the training after this step. */
  readonly stop: () => void;
}

export interface Callback {
  onStep?(event: FitEvent): void | Promise<void>;
  onEpoch?(event: FitEvent): void | Promise<void>;
}

export interface FitOptions {
  readonly loss: (prediction: Tensor, y: Tensor) => Tensor;
  readonly optimizer: Optimizer;
  readonly epochs?: number;
  /** Evaluated after each epoch on `validation`. */
  readonly metrics?: Readonly<Record<string, Metric>>;
  readonly validation?: Iterable<Batch>;
  readonly callbacks?: readonly Callback[];
  /** Ends the training after the step in which it fires. */
  readonly signal?: AbortSignal;
  /** Captures the whole training step (forward, backward, update) and runs it as a graph: see `toStatic`. Default false. */
  readonly static?: boolean;
  /** Draws a progress bar and, in notebooks, the loss. Default true. */
  readonly progress?: boolean;
}

/** Milliseconds between two drawings of the loss. */
const PLOT_EVERY = 500;

/** Milliseconds of work between two breaths for the event loop. */
const YIELD_EVERY = 50;

/**
 * Trains `model` on batches.
 * @example const history = await fit(model, batches({ x, y }, { size: 32, shuffle: true }), { loss: nn.crossEntropy, optimizer, epochs: 3 });
 * @throws ValueError if the loss becomes NaN or infinite, with the step; the weights are those before it.
 */
export async function fit(
  model: Model,
  data: Iterable<Batch> & { readonly size?: number },
  options: FitOptions,
): Promise<History> {
  const {
    loss,
    optimizer,
    epochs = 1,
    metrics = {},
    validation,
    callbacks = [],
    signal,
    progress = true,
  } = options;
  let step = 0;
  const history = new History(Object.keys(metrics));
  const gradient = valueAndGrad((m: Model, x: Tensor, y: Tensor) => loss(m.forward(x), y));
  const plot = progress ? livePlot(history) : null;
  let stopped = false;
  let epoch = 0;
  const finite = (value: Tensor): number => {
    const number = value.item();
    if (!Number.isFinite(number))
      throw new ValueError(
        `fit: the loss is ${number} at step ${step} (epoch ${epoch + 1}); lower the learning rate or look for bad inputs. The weights are those before this step`,
      );
    return number;
  };
  const eager = (x: Tensor, y: Tensor): Tensor => {
    const [value, grads] = gradient(model, x, y);
    if (value.trace === null) finite(value); // a graph that is being captured has no number yet
    optimizer.step(grads);
    return value;
  };
  const train = options.static
    ? toStatic(eager, { name: "train", beforeAssign: (value) => finite(value as Tensor) })
    : eager;
  let breath = Date.now();
  model.train();
  for (; epoch < epochs && !stopped; epoch++) {
    const bar = progress ? new ProgressBar(data.size ?? 0, { label: `epoch ${epoch + 1}/${epochs}` }) : null;
    let done = 0;
    let last = Number.NaN;
    const event = (): FitEvent => ({
      epoch,
      step,
      loss: last,
      history,
      stop: () => {
        stopped = true;
      },
    });
    for (const batch of data) {
      last = tidy(() => train(batch.x, batch.y).item());
      batch.x.dispose();
      batch.y.dispose();
      history.addStep(last);
      step++;
      done++;
      bar?.update(done, `loss ${last.toFixed(4)}`);
      plot?.update();
      for (const callback of callbacks) await callback.onStep?.(event());
      if (signal?.aborted) stopped = true;
      if (Date.now() - breath > YIELD_EVERY) {
        await new Promise((resolve) => setImmediate(resolve));
        breath = Date.now();
      }
      if (stopped) break;
    }
    const scores = validation ? evaluate(model, validation, metrics) : {};
    model.train();
    history.addEpoch(scores);
    bar?.finish(
      [
        `loss ${history.epochLoss(epoch).toFixed(4)}`,
        ...Object.entries(scores).map(([k, v]) => `${k} ${v.toFixed(4)}`),
      ].join(" · "),
    );
    plot?.update(true);
    for (const callback of callbacks) await callback.onEpoch?.(event());
  }
  return history;
}

/** Metrics of a model over batches, weighted by their sizes. The model is in evaluation mode meanwhile. */
export function evaluate(
  model: Model,
  data: Iterable<Batch>,
  metrics: Readonly<Record<string, Metric>>,
): Record<string, number> {
  const sums: Record<string, number> = Object.fromEntries(Object.keys(metrics).map((name) => [name, 0]));
  const { training } = model;
  let count = 0;
  model.eval();
  try {
    for (const { x, y } of data) {
      const rows = x.shape[0];
      tidy(() => {
        const prediction = model.forward(x).detach();
        for (const [name, metric] of Object.entries(metrics))
          sums[name] += metric(prediction, y).item() * rows;
        return null;
      });
      count += rows;
      x.dispose();
      y.dispose();
    }
  } finally {
    model.train(training);
  }
  return Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / count]));
}

/** Draws the history in place while it grows; only where a notebook listens. */
function livePlot(history: History): { update(last?: boolean): void } | null {
  const displayId = newDisplayId();
  let shown = false;
  let drawn = 0;
  return {
    update(last = false) {
      const publish = publisher();
      if (!publish || (!last && Date.now() - drawn < PLOT_EVERY)) return;
      drawn = Date.now();
      publish(history.figure().bundle(), { displayId, update: shown });
      shown = true;
    },
  };
}
