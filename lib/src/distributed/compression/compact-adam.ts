/**
 * Adam whose state takes 4 bytes a parameter instead of 8: means in 1-6-9, means of squares in 0-6-10, as DALL-E's was
 * (Ramesh et al. 2021). The step itself is computed in the parameters' precision.
 */
import type { Tensor } from "../../core/tensor.js";
import { zeros } from "../../ops/create.js";
import type { OptimizerOptions, RuleInput, RuleOutput } from "../../optim/optimizer.js";
import { Adam, type AdamOptions } from "../../optim/rules.js";
import { decodeFloat, encodeFloat } from "./float-ops.js";

export interface CompactAdamOptions extends AdamOptions, OptimizerOptions {
  /** Format of the means. Default "1-6-9". */
  readonly meanFormat?: string;
  /** Format of the means of squares: they have no sign. Default "0-6-10". */
  readonly squareFormat?: string;
  /**
   * Gradients are multiplied by this for the state, so that it lies in the formats' range; the step does not depend on it
   * but through ε. Default 2¹⁰.
   */
  readonly scale?: number;
}

export class CompactAdam extends Adam {
  private readonly meanFormat: string;
  private readonly squareFormat: string;
  private readonly scale: number;

  constructor(target: unknown, options: CompactAdamOptions) {
    const { meanFormat = "1-6-9", squareFormat = "0-6-10", scale = 2 ** 10, epsilon = 1e-8 } = options;
    super(target, { ...options, epsilon: epsilon * scale });
    this.meanFormat = meanFormat;
    this.squareFormat = squareFormat;
    this.scale = scale;
  }

  protected override slotLike(parameter: Tensor): Tensor {
    return zeros(parameter.shape, { dtype: "int16" });
  }

  protected override moved(input: RuleInput): RuleOutput {
    const { slots, gradient, parameter } = input;
    const { dtype } = parameter;
    const next = super.moved({
      ...input,
      gradient: gradient.mul(this.scale),
      slots: {
        mean: decodeFloat(slots.mean, this.meanFormat).cast(dtype),
        square: decodeFloat(slots.square, this.squareFormat).cast(dtype),
      },
    });
    return {
      parameter: next.parameter,
      slots: {
        mean: encodeFloat(next.slots.mean, this.meanFormat),
        square: encodeFloat(next.slots.square, this.squareFormat),
      },
    };
  }
}
