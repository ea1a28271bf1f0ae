/** Training a small model by a large one, on top of `fit`. (Book, chapter 8: knowledge distillation.) */
import { noGrad } from "../../autodiff/tape-mode.js";
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { crossEntropy } from "../../nn/losses.js";
import { Module } from "../../nn/module.js";
import type { Optimizer } from "../../optim/optimizer.js";
import { type Batches, type FitOptions, fit, type Model } from "../../train/fit.js";
import type { History } from "../../train/history.js";
import { attentionTransfer, hintLoss, type SoftOptions, softCrossEntropy } from "./losses.js";

/** Two layers, by their paths in the models, whose results are compared. */
export interface LayerPair {
  readonly student: string;
  readonly teacher: string;
  /** The part in the loss. Default 1. */
  readonly weight?: number;
}

export interface HintPair extends LayerPair {
  /** From the student's features to the teacher's; it is trained along. Needed where shapes differ. */
  readonly regressor?: Module;
}

export interface DistillOptions extends Omit<FitOptions, "loss" | "optimizer">, SoftOptions {
  /** Makes the optimizer for what is trained: the student and the regressors. */
  readonly optimizer: (trained: Module) => Optimizer;
  /** λ: the part of the teacher's answers; 0: they do not count. Default 1. */
  readonly weight?: number;
  /** The part of the labels; 0: they do not count. Default 1. */
  readonly labelWeight?: number;
  /** How answers are compared with labels. Default `nn.crossEntropy`. */
  readonly labelLoss?: (prediction: Tensor, y: Tensor) => Tensor;
  /** Features to be taken over (FitNets). For its first stage alone, set both weights to 0. */
  readonly hints?: readonly HintPair[];
  /** Layers of images that are to look where the teacher's do. */
  readonly attention?: readonly LayerPair[];
}

/** What is trained, as one model: the student's answers go out. */
class Trained extends Module {
  constructor(
    readonly student: Model,
    readonly regressors: readonly Module[],
    /** Called with what comes in, while training. */
    private readonly ask: (x: Tensor) => void,
  ) {
    super();
  }

  override forward(x: Tensor): Tensor {
    if (this.training) this.ask(x);
    return this.student.forward(x);
  }
}

/** The layer at a path. @throws ValueError if there is none. */
function layerAt(model: Module, path: string, who: string): Module {
  const found = new Map(model.namedModules()).get(path);
  if (!found) throw new ValueError(`distill: the ${who} has no layer ${path}`);
  return found;
}

/**
 * Trains the student on batches, by labels and by what the teacher makes of the same inputs:
 * labelWeight·H(s, y) + weight·H(τ(s), τ(t)) + hints + attention. The teacher stays as it is, in evaluation mode.
 * @throws as `fit` and the losses; ValueError for a layer that a model has not, and where every part has weight 0.
 * @example
 * const [teacher, student] = [new nn.Dense(2, 3), new nn.Dense(2, 3)];
 * const rows = data.batches({ x: ones([4, 2]), y: zeros([4], { dtype: "int32" }) }, { size: 2 });
 * const optimizer = (trained: nn.Module) => new optim.SGD(trained, { lr: 0.1 });
 * (await deploy.distill(student, teacher, rows, { optimizer, epochs: 2, progress: false })).loss.length // 4
 */
export async function distill(
  student: Model,
  teacher: Model,
  data: Batches,
  options: DistillOptions,
): Promise<History> {
  const {
    hints = [],
    attention = [],
    temperature,
    squared,
    optimizer,
    labelLoss = crossEntropy,
    ...rest
  } = options;
  const { weight = 1, labelWeight = 1, ...fitting } = rest;
  const parts = [weight, labelWeight, ...[...hints, ...attention].map((pair) => pair.weight ?? 1)];
  if (!parts.every((part) => part >= 0 && part < Number.POSITIVE_INFINITY))
    throw new ValueError(`distill: the parts of the loss are finite and from 0, got ${parts.join(", ")}`);
  if (parts.every((part) => part === 0)) throw new ValueError("distill: every part of the loss has weight 0");
  // What the hooks saw of the present batch: the loss follows the forward pass within one step.
  const seen = new Map<Module, Tensor>();
  let answers: Tensor | null = null;
  const pairs = [...hints, ...attention].map((pair) => ({
    mine: layerAt(student, pair.student, "student"),
    theirs: layerAt(teacher, pair.teacher, "teacher"),
  }));
  const hooks = [...new Set(pairs.flatMap(({ mine, theirs }) => [mine, theirs]))].map((layer) =>
    layer.registerForwardHook((_module, _inputs, output) => {
      seen.set(layer, output as Tensor); // by the layer itself: transformations call copies of it
    }),
  );
  const trained = new Trained(
    student,
    hints.flatMap(({ regressor }) => (regressor ? [regressor] : [])),
    (x) => {
      answers = noGrad(() => teacher.forward(x));
    },
  );
  const modes = teacher.namedModules().map(([, module]) => [module, module.training] as const);
  teacher.eval();
  // fit differentiates a copy of what is trained; the regressors in use are the copy's.
  let copies: readonly Module[] = [];
  const watch = trained.registerForwardPreHook((module) => {
    copies = module.regressors;
  });
  const loss = (prediction: Tensor, y: Tensor): Tensor => {
    const terms: Tensor[] = [];
    if (labelWeight > 0) terms.push(labelLoss(prediction, y).mul(labelWeight));
    if (weight > 0)
      terms.push(softCrossEntropy(prediction, answers as Tensor, { temperature, squared }).mul(weight));
    let next = 0;
    [...hints, ...attention].forEach((pair, i) => {
      const [mine, theirs] = [pairs[i].mine, pairs[i].theirs].map((layer) => seen.get(layer) as Tensor);
      const regressor = i < hints.length && hints[i].regressor ? copies[next++] : undefined;
      const term = i < hints.length ? hintLoss(mine, theirs, regressor) : attentionTransfer(mine, theirs);
      terms.push(term.mul(pair.weight ?? 1));
    });
    return terms.reduce((a, b) => a.add(b));
  };
  try {
    return await fit(trained, data, { ...fitting, loss, optimizer: optimizer(trained) });
  } finally {
    watch();
    for (const off of hooks) off();
    for (const [module, training] of modes) module.training = training;
    seen.clear();
  }
}
