/** LAMB: layer-wise step sizes, for batches of tens of thousands. */
import { where } from "../ops/select.js";
import { Optimizer, type OptimizerOptions, type RuleInput, type RuleOutput } from "./optimizer.js";
import { averaged, biasOf, checkOptions, decayed } from "./rule-parts.js";

export interface LAMBOptions extends OptimizerOptions {
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.999. */
  readonly beta2?: number;
  /** Default 1e-6. */
  readonly epsilon?: number;
  /** Default 0. */
  readonly weightDecay?: number;
}

/**
 * Adam's direction plus weight decay, scaled so that a step's length is the learning rate times the parameter's own length
 * (You et al. 2020, algorithm 2).
 */
export class LAMB extends Optimizer {
  protected readonly slotNames = ["mean", "square"];

  constructor(
    target: unknown,
    protected override readonly options: LAMBOptions,
  ) {
    super(target, options);
    const { beta1, beta2, epsilon, weightDecay } = options;
    checkOptions("LAMB", { epsilon, weightDecay });
    checkOptions("LAMB", { beta1, beta2 }, 1);
  }

  protected rule({ parameter, gradient, slots, step, rate }: RuleInput): RuleOutput {
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-6, weightDecay = 0 } = this.options;
    const mean = averaged(slots.mean, gradient, beta1);
    const square = averaged(slots.square, gradient.square(), beta2);
    const adam = mean.div(biasOf(beta1, step)).div(square.div(biasOf(beta2, step)).sqrt().add(epsilon));
    const direction = decayed(adam, parameter, weightDecay);
    const [own, length] = [parameter, direction].map((x) => x.square().sum().sqrt());
    // a parameter that is 0 (a fresh bias), or a direction that is, has no ratio
    const trust = where(own.mul(length).greater(0), own.div(length), 1);
    return { parameter: parameter.sub(direction.mul(rate.mul(trust))), slots: { mean, square } };
  }
}
