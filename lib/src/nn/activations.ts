/** Activation functions (激活函数) as layers: elementwise, without weights (PReLU has one per channel). */
import { Variable } from "../autodiff/variable.js";
import type { DType } from "../core/dtype.js";
import { ShapeError } from "../core/errors.js";
import { formatShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { full } from "../ops/create.js";
import { checkSizes } from "./check.js";
import { Module } from "./module.js";

/** Any function of tensors as a layer. */
export class Activation extends Module {
  constructor(readonly apply: (x: Tensor) => Tensor) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return this.apply(x);
  }
}

/** max(x, 0). */
export class ReLU extends Module {
  override forward(x: Tensor): Tensor {
    return x.relu();
  }
}

/** min(max(x, 0), 6). */
export class ReLU6 extends Module {
  override forward(x: Tensor): Tensor {
    return x.relu6();
  }
}

/** x where positive, else slope·x. */
export class LeakyReLU extends Module {
  constructor(readonly slope = 0.01) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return x.leakyRelu(this.slope);
  }
}

/** x where positive, else w·x with a learned w per channel (axis 1), or one for all (He et al. 2015). */
export class PReLU extends Module {
  weight: Variable;

  constructor(
    readonly channels = 1,
    { start = 0.25, dtype }: { readonly start?: number; readonly dtype?: DType } = {},
  ) {
    super();
    checkSizes("PReLU", { channels });
    this.weight = new Variable(full([channels], start, { dtype }), { name: "weight" });
  }

  override forward(x: Tensor): Tensor {
    const { channels } = this;
    if (channels > 1 && x.shape[1] !== channels)
      throw new ShapeError(`PReLU: (n, ${channels}, …) wanted, got ${formatShape(x.shape)}`);
    const slope =
      channels === 1 ? this.weight : this.weight.reshape([channels, ...x.shape.slice(2).map(() => 1)]);
    return x.relu().sub(x.neg().relu().mul(slope));
  }
}

/** x where positive, else eˣ − 1. */
export class ELU extends Module {
  override forward(x: Tensor): Tensor {
    return x.elu();
  }
}

/** Scaled ELU, which keeps mean 0 and variance 1. */
export class SELU extends Module {
  override forward(x: Tensor): Tensor {
    return x.selu();
  }
}

/** x·Φ(x), exact or (`approximate`) by tanh as in GPT-2. */
export class GELU extends Module {
  constructor(readonly approximate = false) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return this.approximate ? x.geluTanh() : x.gelu();
  }
}

/** x·σ(x), also called swish. */
export class SiLU extends Module {
  override forward(x: Tensor): Tensor {
    return x.silu();
  }
}

/** x·tanh(softplus(x)). */
export class Mish extends Module {
  override forward(x: Tensor): Tensor {
    return x.mish();
  }
}

/** ln(1 + eˣ). */
export class Softplus extends Module {
  override forward(x: Tensor): Tensor {
    return x.softplus();
  }
}

/** x/(1 + |x|). */
export class Softsign extends Module {
  override forward(x: Tensor): Tensor {
    return x.softsign();
  }
}

/** Hyperbolic tangent. */
export class Tanh extends Module {
  override forward(x: Tensor): Tensor {
    return x.tanh();
  }
}

/** 1/(1 + e⁻ˣ). */
export class Sigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return x.sigmoid();
  }
}

/** A sigmoid of straight lines. */
export class HardSigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return x.hardSigmoid();
  }
}

/** x·hardSigmoid(x). */
export class HardSwish extends Module {
  override forward(x: Tensor): Tensor {
    return x.hardSwish();
  }
}

/** eˣ/Σeˣ along an axis. */
export class Softmax extends Module {
  constructor(readonly axis = -1) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return x.softmax(this.axis);
  }
}

/** ln softmax along an axis. */
export class LogSoftmax extends Module {
  constructor(readonly axis = -1) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return x.logSoftmax(this.axis);
  }
}
