/** More rules that give each element a step of its own: Adadelta, Adamax, Lion. */
import { Optimizer, type OptimizerOptions, type RuleInput, type RuleOutput } from "./optimizer.js";
import { averaged, biasOf, checkOptions, decayed } from "./rule-parts.js";

export interface AdadeltaOptions extends Partial<OptimizerOptions> {
  /** Of both means of squares. Default 0.9. */
  readonly decay?: number;
  /** Default 1e-6. */
  readonly epsilon?: number;
  /** Added to the gradient as weightDecay · parameter. */
  readonly weightDecay?: number;
}

/** Adadelta (Zeiler 2012): the size of its own past steps gives the unit, so that the learning rate can stay 1, its default. */
export class Adadelta extends Optimizer {
  protected readonly slotNames = ["square", "delta"];
  protected override readonly options: AdadeltaOptions & OptimizerOptions;

  constructor(target: unknown, options: AdadeltaOptions = {}) {
    const all = { ...options, lr: options.lr ?? 1 };
    super(target, all);
    this.options = all;
    const { decay, epsilon, weightDecay } = options;
    checkOptions("Adadelta", { epsilon, weightDecay });
    checkOptions("Adadelta", { decay }, 1);
  }

  protected rule({ parameter, gradient, slots, rate }: RuleInput): RuleOutput {
    const { decay = 0.9, epsilon = 1e-6, weightDecay = 0 } = this.options;
    const g = decayed(gradient, parameter, weightDecay);
    const square = averaged(slots.square, g.square(), decay);
    const step = slots.delta.add(epsilon).sqrt().div(square.add(epsilon).sqrt()).mul(g);
    const delta = averaged(slots.delta, step.square(), decay);
    return { parameter: parameter.sub(step.mul(rate)), slots: { square, delta } };
  }
}

export interface AdamaxOptions extends OptimizerOptions {
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.999. */
  readonly beta2?: number;
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Added to the gradient as weightDecay · parameter. */
  readonly weightDecay?: number;
}

/** Adam with the largest instead of the mean square of past gradients (Kingma & Ba 2015, section 7). */
export class Adamax extends Optimizer {
  protected readonly slotNames = ["mean", "largest"];

  constructor(
    target: unknown,
    protected override readonly options: AdamaxOptions,
  ) {
    super(target, options);
    const { beta1, beta2, epsilon, weightDecay } = options;
    checkOptions("Adamax", { epsilon, weightDecay });
    checkOptions("Adamax", { beta1, beta2 }, 1);
  }

  protected rule({ parameter, gradient, slots, step, rate }: RuleInput): RuleOutput {
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 } = this.options;
    const g = decayed(gradient, parameter, weightDecay);
    const mean = averaged(slots.mean, g, beta1);
    const largest = slots.largest.mul(beta2).maximum(g.abs().add(epsilon));
    const size = rate.div(biasOf(beta1, step));
    return { parameter: parameter.sub(mean.div(largest).mul(size)), slots: { mean, largest } };
  }
}

export interface LionOptions extends OptimizerOptions {
  /** Of the direction. Default 0.9. */
  readonly beta1?: number;
  /** Of what is remembered. Default 0.99. */
  readonly beta2?: number;
  /** Decoupled, as in AdamW. Default 0. */
  readonly weightDecay?: number;
}

/** Lion (Chen et al. 2023): each element moves by the learning rate, in the direction of a mean gradient's sign. */
export class Lion extends Optimizer {
  protected readonly slotNames = ["mean"];

  constructor(
    target: unknown,
    protected override readonly options: LionOptions,
  ) {
    super(target, options);
    const { beta1, beta2, weightDecay } = options;
    checkOptions("Lion", { weightDecay });
    checkOptions("Lion", { beta1, beta2 }, 1);
  }

  protected rule({ parameter, gradient, slots, rate }: RuleInput): RuleOutput {
    const { beta1 = 0.9, beta2 = 0.99, weightDecay = 0 } = this.options;
    const direction = decayed(averaged(slots.mean, gradient, beta1).sign(), parameter, weightDecay);
    return {
      parameter: parameter.sub(direction.mul(rate)),
      slots: { mean: averaged(slots.mean, gradient, beta2) },
    };
  }
}
