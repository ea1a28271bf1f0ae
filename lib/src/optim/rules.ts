/** The update rules, each a pure function of one parameter. */
import { ValueError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { Optimizer, type OptimizerOptions, type RuleInput, type RuleOutput } from "./optimizer.js";
import { averaged, biasOf, checkOptions, decayed } from "./rule-parts.js";

export interface SGDOptions extends OptimizerOptions {
  /** Default 0: no momentum. */
  readonly momentum?: number;
  /** Looks ahead along the velocity; needs a momentum. */
  readonly nesterov?: boolean;
  /** Added to the gradient as weightDecay · parameter. */
  readonly weightDecay?: number;
}

/** Gradient descent with momentum (as PyTorch: v ← m·v + g; p ← p − lr·v). */
export class SGD extends Optimizer {
  protected readonly slotNames: readonly string[];

  constructor(
    target: unknown,
    protected override readonly options: SGDOptions,
  ) {
    super(target, options);
    const { momentum = 0, nesterov = false, weightDecay } = options;
    checkOptions("SGD", { momentum, weightDecay });
    if (nesterov && momentum === 0) throw new ValueError("SGD: nesterov needs a momentum above 0");
    this.slotNames = momentum > 0 ? ["velocity"] : [];
  }

  protected rule({ parameter, gradient, slots, rate }: RuleInput): RuleOutput {
    const { momentum = 0, nesterov = false, weightDecay = 0 } = this.options;
    const g = decayed(gradient, parameter, weightDecay);
    if (momentum === 0) return { parameter: parameter.sub(g.mul(rate)), slots: {} };
    const velocity = slots.velocity.mul(momentum).add(g);
    const direction = nesterov ? velocity.mul(momentum).add(g) : velocity;
    return { parameter: parameter.sub(direction.mul(rate)), slots: { velocity } };
  }
}

export interface AdamOptions extends OptimizerOptions {
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.999. */
  readonly beta2?: number;
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Default 0; of AdamW 0.01. */
  readonly weightDecay?: number;
}

/** Adam (Kingma & Ba 2015) with bias correction. Weight decay is part of the gradient: see AdamW. */
export class Adam extends Optimizer {
  protected readonly slotNames = ["mean", "square"];

  constructor(
    target: unknown,
    protected override readonly options: AdamOptions,
  ) {
    super(target, options);
    const { beta1, beta2, epsilon, weightDecay } = options;
    checkOptions(this.constructor.name, { epsilon, weightDecay });
    checkOptions(this.constructor.name, { beta1, beta2 }, 1);
  }

  protected rule(input: RuleInput): RuleOutput {
    const { parameter, gradient } = input;
    return this.moved({ ...input, gradient: decayed(gradient, parameter, this.options.weightDecay ?? 0) });
  }

  /** The step without weight decay. */
  protected moved({ parameter, gradient, slots, step, rate }: RuleInput): RuleOutput {
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = this.options;
    const mean = averaged(slots.mean, gradient, beta1);
    const square = averaged(slots.square, gradient.square(), beta2);
    const denominator = square.sqrt().div(biasOf(beta2, step).sqrt()).add(epsilon);
    const size = rate.div(biasOf(beta1, step));
    return { parameter: parameter.sub(mean.mul(size).div(denominator)), slots: { mean, square } };
  }
}

/** Adam with decoupled weight decay (Loshchilov & Hutter 2019): p ← p − lr · weightDecay · p, apart from the gradient. */
export class AdamW extends Adam {
  protected override rule(input: RuleInput): RuleOutput {
    const { parameter, rate } = input;
    const { weightDecay = 0.01 } = this.options;
    if (weightDecay === 0) return this.moved(input);
    return this.moved({ ...input, parameter: parameter.sub(parameter.mul(rate.mul(weightDecay))) });
  }
}

export interface RMSPropOptions extends OptimizerOptions {
  /** Of the mean of squared gradients. Default 0.99. */
  readonly decay?: number;
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Default 0: no momentum. */
  readonly momentum?: number;
  /** Divides by the deviation instead of the root mean square. Default false. */
  readonly centered?: boolean;
  /** Added to the gradient as weightDecay · parameter. */
  readonly weightDecay?: number;
}

/** RMSProp (Tieleman & Hinton 2012; centered: Graves 2013). */
export class RMSProp extends Optimizer {
  protected readonly slotNames: readonly string[];

  constructor(
    target: unknown,
    protected override readonly options: RMSPropOptions,
  ) {
    super(target, options);
    const { decay, epsilon, momentum = 0, weightDecay, centered = false } = options;
    checkOptions("RMSProp", { epsilon, momentum, weightDecay });
    checkOptions("RMSProp", { decay }, 1);
    this.slotNames = ["square", ...(centered ? ["mean"] : []), ...(momentum > 0 ? ["velocity"] : [])];
  }

  protected rule({ parameter, gradient, slots, rate }: RuleInput): RuleOutput {
    const { decay = 0.99, epsilon = 1e-8, momentum = 0, centered = false, weightDecay = 0 } = this.options;
    const g = decayed(gradient, parameter, weightDecay);
    const next: Record<string, Tensor> = { square: averaged(slots.square, g.square(), decay) };
    let square = next.square;
    if (centered) {
      next.mean = averaged(slots.mean, g, decay);
      square = square.sub(next.mean.square());
    }
    let direction = g.div(square.sqrt().add(epsilon));
    if (momentum > 0) {
      direction = slots.velocity.mul(momentum).add(direction);
      next.velocity = direction;
    }
    return { parameter: parameter.sub(direction.mul(rate)), slots: next };
  }
}

export interface AdaGradOptions extends OptimizerOptions {
  /** Default 1e-10. */
  readonly epsilon?: number;
  /** Added to the gradient as weightDecay · parameter. */
  readonly weightDecay?: number;
}

/** AdaGrad (Duchi et al. 2011). */
export class AdaGrad extends Optimizer {
  protected readonly slotNames = ["sum"];

  constructor(
    target: unknown,
    protected override readonly options: AdaGradOptions,
  ) {
    super(target, options);
    checkOptions("AdaGrad", { epsilon: options.epsilon, weightDecay: options.weightDecay });
  }

  protected rule({ parameter, gradient, slots, rate }: RuleInput): RuleOutput {
    const { epsilon = 1e-10, weightDecay = 0 } = this.options;
    const g = decayed(gradient, parameter, weightDecay);
    const sum = slots.sum.add(g.square());
    return { parameter: parameter.sub(g.mul(rate).div(sum.sqrt().add(epsilon))), slots: { sum } };
  }
}
