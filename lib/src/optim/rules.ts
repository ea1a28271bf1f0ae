/** The update rules, each a pure function of one parameter. */
import type { Tensor } from "../core/tensor.js";
import { Optimizer, type OptimizerOptions, type RuleInput, type RuleOutput } from "./optimizer.js";

export interface SGDOptions extends OptimizerOptions {
  /** Default 0: no momentum. */
  readonly momentum?: number;
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
    this.slotNames = options.momentum ? ["velocity"] : [];
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

const decayed = (g: Tensor, p: Tensor, decay: number): Tensor => (decay === 0 ? g : g.add(p.mul(decay)));

export interface AdamOptions extends OptimizerOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly weightDecay?: number;
}

/** Adam (Kingma & Ba 2015) with bias correction. */
export class Adam extends Optimizer {
  protected readonly slotNames = ["mean", "square"];

  constructor(
    target: unknown,
    protected override readonly options: AdamOptions,
  ) {
    super(target, options);
  }

  protected rule({ parameter, gradient, slots, step, rate }: RuleInput): RuleOutput {
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 } = this.options;
    const g = this.decoupled ? gradient : decayed(gradient, parameter, weightDecay);
    const mean = slots.mean.mul(beta1).add(g.mul(1 - beta1));
    const square = slots.square.mul(beta2).add(g.square().mul(1 - beta2));
    const correction1 = step.mul(Math.log(beta1)).exp().neg().add(1);
    const correction2 = step.mul(Math.log(beta2)).exp().neg().add(1);
    const denominator = square.sqrt().div(correction2.sqrt()).add(epsilon);
    const start =
      this.decoupled && weightDecay !== 0 ? parameter.sub(parameter.mul(rate.mul(weightDecay))) : parameter;
    return {
      parameter: start.sub(mean.mul(rate.div(correction1)).div(denominator)),
      slots: { mean, square },
    };
  }

  /** Weight decay apart from the gradient. */
  protected get decoupled(): boolean {
    return false;
  }
}

/** Adam with decoupled weight decay (Loshchilov & Hutter 2019). */
export class AdamW extends Adam {
  protected override get decoupled(): boolean {
    return true;
  }
}

export interface RMSPropOptions extends OptimizerOptions {
  readonly decay?: number;
  readonly epsilon?: number;
}

/** RMSProp (Tieleman & Hinton 2012). */
export class RMSProp extends Optimizer {
  protected readonly slotNames = ["square"];

  constructor(
    target: unknown,
    protected override readonly options: RMSPropOptions,
  ) {
    super(target, options);
  }

  protected rule({ parameter, gradient, slots, rate }: RuleInput): RuleOutput {
    const { decay = 0.99, epsilon = 1e-8 } = this.options;
    const square = slots.square.mul(decay).add(gradient.square().mul(1 - decay));
    return {
      parameter: parameter.sub(gradient.mul(rate).div(square.sqrt().add(epsilon))),
      slots: { square },
    };
  }
}

export interface AdaGradOptions extends OptimizerOptions {
  readonly epsilon?: number;
}

/** AdaGrad (Duchi et al. 2011). */
export class AdaGrad extends Optimizer {
  protected readonly slotNames = ["sum"];

  constructor(
    target: unknown,
    protected override readonly options: AdaGradOptions,
  ) {
    super(target, options);
  }

  protected rule({ parameter, gradient, slots, rate }: RuleInput): RuleOutput {
    const sum = slots.sum.add(gradient.square());
    return {
      parameter: parameter.sub(gradient.mul(rate).div(sum.sqrt().add(this.options.epsilon ?? 1e-10))),
      slots: { sum },
    };
  }
}
