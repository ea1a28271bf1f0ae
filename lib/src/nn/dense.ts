/** Fully connected layers. */
import { Variable } from "../autodiff/variable.js";
import { ShapeError } from "../core/errors.js";
import { formatShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { zeros } from "../ops/create.js";
import { checkSizes } from "./check.js";
import { heUniform, type InitOptions, xavierUniform } from "./init.js";
import { Module } from "./module.js";

export interface DenseOptions extends InitOptions {
  readonly bias?: boolean;
}

/** x·W + b: a fully connected layer (全连接层). x: (…, inputs) → (…, outputs). */
export class Dense extends Module {
  weight: Variable;
  bias: Variable | null;

  constructor(
    readonly inputs: number,
    readonly outputs: number,
    { bias = true, ...init }: DenseOptions = {},
  ) {
    super();
    checkSizes("Dense", { inputs, outputs });
    this.weight = new Variable(heUniform([inputs, outputs], init), { name: "weight" });
    this.bias = bias ? new Variable(zeros([outputs], init), { name: "bias" }) : null;
  }

  override forward(x: Tensor): Tensor {
    const y = x.matmul(this.weight);
    return this.bias ? y.add(this.bias) : y;
  }
}

/** xᵀ·Wₖ·y + bₖ for each output k. x: (…, first), y: (…, second) → (…, outputs). */
export class Bilinear extends Module {
  /** (first, outputs, second). */
  weight: Variable;
  bias: Variable | null;

  constructor(
    readonly first: number,
    readonly second: number,
    readonly outputs: number,
    { bias = true, ...init }: DenseOptions = {},
  ) {
    super();
    checkSizes("Bilinear", { first, second, outputs });
    const flat = xavierUniform([first, outputs * second], init);
    this.weight = new Variable(flat.reshape([first, outputs, second]), { name: "weight" });
    this.bias = bias ? new Variable(zeros([outputs], init), { name: "bias" }) : null;
  }

  override forward(x: Tensor, y: Tensor): Tensor {
    const { first, second, outputs } = this;
    const batch = x.shape.slice(0, -1);
    if (x.shape.at(-1) !== first || y.shape.at(-1) !== second || batch.join() !== y.shape.slice(0, -1).join())
      throw new ShapeError(
        `Bilinear: (…, ${first}) and (…, ${second}) with the same … wanted, got ${formatShape(x.shape)} and ${formatShape(y.shape)}`,
      );
    const left = x
      .matmul(this.weight.reshape([first, outputs * second]))
      .reshape([...batch, outputs, second]);
    const z = left.matmul(y.expandDims(-1)).squeeze(-1);
    return this.bias ? z.add(this.bias) : z;
  }
}
