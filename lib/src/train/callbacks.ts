/** Callbacks (回调函数) for `fit` that most trainings want. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ValueError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import type { Module } from "../nn/module.js";
import type { Optimizer } from "../optim/optimizer.js";
import { saveCheckpoint } from "./checkpoint.js";
import type { Callback, FitEvent } from "./fit.js";

export interface EarlyStoppingOptions {
  /** A metric's name, or "loss": the mean training loss of the epoch. Default "loss". */
  readonly metric?: string;
  /** Epochs without a better value before training ends. Default 3. */
  readonly patience?: number;
  /** What is better. Default: less for "loss", more for others. */
  readonly better?: "less" | "more";
  /** A value must be better by more than this. Default 0. */
  readonly least?: number;
  /** Gets the weights of the best epoch back in the end. */
  readonly restore?: Module;
}

/**
 * Ends a training when a number no longer gets better.
 * @example train.earlyStopping({ metric: "accuracy", patience: 5 }).onEpoch !== undefined // true
 * @throws ValueError for a patience that is no whole number from 1; at the end of an epoch for an unknown metric.
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  const { metric = "loss", patience = 3, least = 0, restore } = options;
  const { better = metric === "loss" ? "less" : "more" } = options;
  if (!Number.isInteger(patience) || patience < 1)
    throw new ValueError(`earlyStopping: patience is a whole number from 1, got ${patience}`);
  let best = Number.NaN;
  let since = 0;
  let weights: Map<string, Tensor> | null = null;
  return {
    onEpoch(event) {
      const value = monitored(metric, event);
      const gain = better === "less" ? best - value : value - best;
      if (Number.isNaN(best) || gain > least) {
        best = value;
        since = 0;
        weights = restore?.stateDict() ?? null;
        return;
      }
      if (++since < patience) return;
      event.stop();
      if (restore && weights) restore.loadStateDict(weights);
    },
  };
}

function monitored(metric: string, { epoch, history }: FitEvent): number {
  if (metric === "loss") return history.epochLoss(epoch);
  const value = history.metrics[metric]?.[epoch];
  if (value === undefined)
    throw new ValueError(
      `earlyStopping: there is no metric ${metric}; there are loss, ${Object.keys(history.metrics).join(", ")}`,
    );
  return value;
}

export interface CheckpointOptions {
  readonly model: Module;
  readonly optimizer?: Optimizer;
  /** Steps between two checkpoints; without it, one is written after each epoch. */
  readonly everySteps?: number;
  /** How many are kept; older ones are deleted. Default 10. */
  readonly keep?: number;
}

/**
 * Writes checkpoints `folder/step-1875.safetensors` while a model trains (see `loadCheckpoint`).
 * @example train.checkpoints("/tmp/mlsys-run", { model: new nn.Dense(2, 1), everySteps: 1875 }).onStep !== undefined // true
 * @throws ValueError for numbers that are not whole and from 1.
 */
export function checkpoints(folder: string, options: CheckpointOptions): Callback {
  const { model, optimizer, everySteps, keep = 10 } = options;
  for (const [name, value] of Object.entries({ everySteps: everySteps ?? 1, keep }))
    if (!Number.isInteger(value) || value < 1)
      throw new ValueError(`checkpoints: ${name} is a whole number from 1, got ${value}`);
  const written: string[] = [];
  const write = async ({ step, history }: FitEvent): Promise<void> => {
    const file = join(folder, `step-${step}.safetensors`);
    await saveCheckpoint(file, { model, optimizer, history });
    written.push(file);
    while (written.length > keep) await rm(written.shift() as string, { force: true });
  };
  return everySteps === undefined
    ? { onEpoch: write }
    : { onStep: (event) => (event.step % everySteps === 0 ? write(event) : undefined) };
}
