/**
 * fit: the training loop. It yields to the event loop between steps, so that interrupts and drawings get through, and
 * swaps the weights once per step, so that an interrupt at any moment leaves a usable model and its history.
 */
import { valueAndGrad } from "../autodiff/grad.js";
import { noGrad } from "../autodiff/tape-mode.js";
import { ValueError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { toStatic } from "../graph/static.js";
import type { Module } from "../nn/module.js";
import { tidy } from "../ops/tidy.js";
import { clipByGlobalNorm, clipGradNorm } from "../optim/clip.js";
import type { Optimizer } from "../optim/optimizer.js";
import { type MimeBundle, newDisplayId, publisher } from "../viz/bundle.js";
import { ProgressBar } from "../viz/progress.js";
import { History } from "./history.js";
import { supplied, suppliedLater } from "./supply.js";

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
  /** From 0, over the whole history. */
  readonly epoch: number;
  /** Steps taken, over the whole history. */
  readonly step: number;
  /** Of the last step. */
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
  /** A number that is added to the loss, computed from the weights of the model that it is given: regularization, a watermark. */
  readonly penalty?: (model: Model) => Tensor;
  readonly epochs?: number;
  /** Evaluated after each epoch on `validation`, which they need. */
  readonly metrics?: Readonly<Record<string, Metric>>;
  readonly validation?: Iterable<Batch>;
  readonly callbacks?: readonly Callback[];
  /** Ends the training after the step in which it fires; the history up to there is returned. */
  readonly signal?: AbortSignal;
  /** Is continued instead of a new one: for a further training, and to have it after an interrupt or an error. */
  readonly history?: History;
  /** Captures the whole training step (forward, backward, update) and runs it as a graph: see `toStatic`. Default false. */
  readonly static?: boolean;
  /**
   * Takes gradients by `backward()` on the optimizer's variables, not by `valueAndGrad` of the model: for models whose weights
   * are not leaves of their own, as sharded ones. Default false.
   */
  readonly backward?: boolean;
  /** Gradients that are longer than this, taken together, are scaled down to it: see `optim.clipByGlobalNorm`. */
  readonly clipNorm?: number;
  /** Draws a progress bar and, in notebooks, the loss. Default true. */
  readonly progress?: boolean;
}

/** What `fit` walks in each epoch: a list, a `Dataset`; a `Pipeline` or whatever else gives batches later. */
export type Batches = (Iterable<Batch> | AsyncIterable<Batch>) & { readonly size?: number | undefined };

/** Milliseconds between two drawings of the loss. */
const PLOT_EVERY = 500;

/** Milliseconds of work between two breaths for the event loop. */
const YIELD_EVERY = 50;

/**
 * Trains `model` on batches. Tensors that `data` makes for a batch are disposed after its step.
 * @example
 * const model = new nn.Dense(2, 1);
 * const optimizer = new optim.SGD(model, { lr: 0.1 });
 * const rows = data.batches({ x: ones([4, 2]), y: ones([4, 1]) }, { size: 2 });
 * const history = await fit(model, rows, { loss: nn.mse, optimizer, epochs: 3, progress: false });
 * history.epochEnds.length // 3
 * @throws ValueError if the loss becomes NaN or infinite, with the step (the weights are those before it); if there is
 *   no batch; if there are metrics and no data for them.
 */
export async function fit(model: Model, data: Batches, options: FitOptions): Promise<History> {
  const { epochs = 1, metrics = {}, validation, callbacks = [], signal, progress = true } = options;
  checkOptions(options);
  const history = options.history ?? new History(Object.keys(metrics));
  const train = trainingStep(model, options, history);
  const plot = progress ? livePlot(history) : null;
  let stopped = signal?.aborted ?? false;
  let breath = Date.now();
  for (let k = 0; k < epochs && !stopped; k++) {
    const epoch = history.epochEnds.length;
    const bar = progress ? new ProgressBar(countOf(data), { label: `epoch ${k + 1}/${epochs}` }) : null;
    let done = 0;
    let last = Number.NaN;
    const event = (): FitEvent => ({
      epoch,
      step: history.loss.length,
      loss: last,
      history,
      stop: () => {
        stopped = true;
      },
    });
    model.train();
    const step = (batch: Batch): void => {
      last = tidy(() => train(batch.x, batch.y).item());
      history.addStep(last);
      done++;
      bar?.update(done, `loss ${last.toFixed(4)}`);
      plot?.update();
      if (signal?.aborted) stopped = true;
    };
    const between = async (): Promise<void> => {
      for (const callback of callbacks) await callback.onStep?.(event());
      if (signal?.aborted) stopped = true;
      if (stopped || Date.now() - breath <= YIELD_EVERY) return;
      await new Promise((resolve) => setImmediate(resolve));
      breath = Date.now();
    };
    if (Symbol.iterator in data)
      for (const batch of supplied(data)) {
        step(batch);
        if (callbacks.length > 0 || Date.now() - breath > YIELD_EVERY) await between();
        if (stopped) break;
      }
    else
      for await (const batch of suppliedLater(data)) {
        step(batch);
        await between();
        if (stopped) break;
      }
    if (done === 0)
      throw new ValueError(
        k === 0
          ? "fit: the data has no batch"
          : `fit: the data had no batch in epoch ${k + 1}; a generator can be walked only once, a Dataset again and again`,
      );
    const scores = validation && !signal?.aborted ? evaluate(model, validation, metrics) : {};
    model.train();
    history.addEpoch(scores);
    const summary = { loss: history.epochLoss(epoch), ...scores };
    bar?.finish(
      Object.entries(summary)
        .map(([name, value]) => `${name} ${value.toFixed(4)}`)
        .join(" · "),
    );
    plot?.update(true);
    for (const callback of callbacks) await callback.onEpoch?.(event());
    if (signal?.aborted) stopped = true;
  }
  if (history.loss.length > 0) plot?.finish();
  return history;
}

function checkOptions(options: FitOptions): void {
  const { epochs = 1, metrics = {}, validation, clipNorm, backward, static: captured } = options;
  if (backward && captured)
    throw new ValueError("fit: backward goes over the tape, which a captured step does not have; choose one");
  if (clipNorm !== undefined && !(clipNorm > 0))
    throw new ValueError(`fit: clipNorm is above 0, got ${clipNorm}`);
  if (!Number.isInteger(epochs) || epochs < 0)
    throw new ValueError(`fit: the number of epochs is a whole number from 0, got ${epochs}`);
  if (Object.keys(metrics).length > 0 && !validation)
    throw new ValueError(`fit: the metrics ${Object.keys(metrics).join(", ")} need data: give validation`);
}

/** Number of batches, where it is known; else 0. */
function countOf(data: Batches): number {
  return data.size ?? (Array.isArray(data) ? data.length : 0);
}

/** One step: loss, gradients, update. Returns the loss. */
function trainingStep(
  model: Model,
  { loss, optimizer, penalty, clipNorm, static: captured, backward }: FitOptions,
  history: History,
): (x: Tensor, y: Tensor) => Tensor {
  const lossOf = (m: Model, x: Tensor, y: Tensor): Tensor => {
    const value = loss(m.forward(x), y);
    return penalty ? value.add(penalty(m)) : value;
  };
  const gradient = valueAndGrad(lossOf);
  const checkFinite = (value: Tensor): void => {
    const number = value.item();
    if (!Number.isFinite(number))
      throw new ValueError(
        `fit: the loss is ${number} at step ${history.loss.length} (epoch ${history.epochEnds.length + 1}); lower the learning rate or look for bad inputs. The weights are those before this step`,
      );
  };
  const eager = (x: Tensor, y: Tensor): Tensor => {
    const [value, grads] = gradient(model, x, y);
    if (value.trace === null) checkFinite(value); // a graph that is being captured has no number yet
    optimizer.step(clipNorm === undefined ? grads : clipByGlobalNorm(grads, clipNorm).gradients);
    return value;
  };
  const onTape = (x: Tensor, y: Tensor): Tensor => {
    optimizer.zeroGrad();
    const value = lossOf(model, x, y);
    checkFinite(value);
    value.backward();
    if (clipNorm !== undefined) clip(model, clipNorm);
    optimizer.step();
    optimizer.zeroGrad();
    return value.detach();
  };
  if (backward) return onTape;
  return captured
    ? toStatic(eager, { name: "train", beforeAssign: (value) => checkFinite(value as Tensor) })
    : eager;
}

/** Models whose gradients lie on several machines know their length themselves. */
function clip(model: Model & { clipGradNorm?(limit: number): number }, limit: number): void {
  if (model.clipGradNorm) model.clipGradNorm(limit);
  else clipGradNorm(model, limit);
}

/**
 * Metrics of a model over batches, weighted by their sizes. The model is in evaluation mode meanwhile.
 * @throws ValueError if there is no row.
 * @example train.evaluate(new nn.Dense(2, 3), data.batches({ x: ones([4, 2]), y: zeros([4], { dtype: "int32" }) }, { size: 2 }), { loss: nn.crossEntropy }).loss > 0 // true
 */
export function evaluate(
  model: Model,
  data: Iterable<Batch>,
  metrics: Readonly<Record<string, Metric>>,
): Record<string, number> {
  const names = Object.keys(metrics);
  const sums = names.map(() => 0);
  const { training } = model;
  let count = 0;
  model.eval();
  try {
    for (const { x, y } of supplied(data)) {
      const rows = x.shape[0];
      noGrad(() =>
        tidy(() => {
          const prediction = model.forward(x);
          for (const [i, name] of names.entries()) sums[i] += metrics[name](prediction, y).item() * rows;
          return null;
        }),
      );
      count += rows;
    }
  } finally {
    model.train(training);
  }
  if (count === 0)
    throw new ValueError(
      "evaluate: the data has no row; a generator can be walked only once, a Dataset again and again",
    );
  return Object.fromEntries(names.map((name, i) => [name, sums[i] / count]));
}

/** Draws the history in place while it grows, and the whole figure in the end; only where a notebook listens. */
function livePlot(history: History): { update(now?: boolean): void; finish(): void } | null {
  const displayId = newDisplayId();
  let shown = false;
  let drawn = 0;
  const draw = (bundle: MimeBundle): void => {
    publisher()?.(bundle, { displayId, update: shown });
    shown = true;
  };
  return {
    update(now = false) {
      if (!publisher() || (!now && Date.now() - drawn < PLOT_EVERY)) return;
      drawn = Date.now();
      draw({ "image/svg+xml": history.svg(), "text/plain": `loss after ${history.loss.length} steps` });
    },
    finish: () => draw(history.figure().bundle()),
  };
}
