/** What tells a Transformer the order of its inputs. */
import { Variable } from "../autodiff/variable.js";
import { ShapeError } from "../core/errors.js";
import { formatShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { tensor } from "../ops/convert.js";
import { defaultGenerator } from "../ops/random.js";
import { checkSizes } from "./check.js";
import type { InitOptions } from "./init.js";
import { Module } from "./module.js";

/** Adds fixed sines and cosines to vectors (N, t, size): feature 2i of position p gets sin(p/10000^(2i/size)), feature 2i + 1 its cosine (Vaswani et al. 2017). */
export class SinusoidalPositions extends Module {
  constructor(readonly size: number) {
    super();
    checkSizes("SinusoidalPositions", { size });
  }

  override forward(x: Tensor): Tensor {
    const { size } = this;
    const length = lengthOf("SinusoidalPositions", x, size);
    const values = Float64Array.from({ length: length * size }, (_, k) => {
      const [p, feature] = [Math.floor(k / size), k % size];
      const angle = p / 10_000 ** ((feature - (feature % 2)) / size);
      return feature % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    });
    return x.add(tensor(values, { shape: [length, size], dtype: x.dtype }));
  }
}

/** Adds a learned vector per position to vectors (N, t, size), t ≤ `longest`. */
export class LearnedPositions extends Module {
  weight: Variable;

  constructor(
    readonly longest: number,
    readonly size: number,
    { generator = defaultGenerator(), dtype }: InitOptions = {},
  ) {
    super();
    checkSizes("LearnedPositions", { longest, size });
    this.weight = new Variable(generator.normal([longest, size], 0, 0.02, { dtype }), { name: "weight" });
  }

  override forward(x: Tensor): Tensor {
    const length = lengthOf("LearnedPositions", x, this.size);
    if (length > this.longest)
      throw new ShapeError(
        `LearnedPositions: there are ${this.longest} positions, the sequence has ${length}`,
      );
    return x.add(this.weight.slice([0, length]));
  }
}

function lengthOf(layer: string, x: Tensor, size: number): number {
  if (x.ndim < 2 || x.shape.at(-1) !== size)
    throw new ShapeError(`${layer}: (…, t, ${size}) wanted, got ${formatShape(x.shape)}`);
  return x.shape[x.ndim - 2];
}
