/**
 * A watermark in the weights (Uchida, Nagai, Sakazawa, Satoh: Embedding watermarks into deep neural networks, ICMR 2017). A
 * secret random matrix X projects one layer's weights, averaged over its outputs, onto as many numbers as the mark has bits; a
 * penalty in training moves their signs to the bits. Who knows X reads them; others see weights like any.
 */
import { ShapeError, ValueError } from "../../../core/errors.js";
import { formatShape } from "../../../core/shape.js";
import { Tensor } from "../../../core/tensor.js";
import { binaryCrossEntropy } from "../../../nn/losses.js";
import type { Module } from "../../../nn/module.js";
import { needConcrete } from "../../../ops/read.js";
import { tidy } from "../../../ops/tidy.js";
import { type DenseTensor, denseFrom } from "../../../runtime/dense.js";
import { getDevice } from "../../../runtime/devices.js";
import { outsideScopes } from "../../../runtime/tidy.js";
import { Dice } from "../dice.js";
import { commitmentTo, type Evidence, evidence } from "./evidence.js";

export interface WeightWatermarkOptions {
  /** Path of the weight in the module: `layers.0.weight`. */
  readonly weight: string;
  /** What is embedded, bit by bit from each byte's highest: text as UTF-8. */
  readonly message: string | Uint8Array;
  /** Makes the secret matrix. Whoever has it can read the mark, and remove it. */
  readonly key: Uint8Array | string;
  /** Factor of the penalty. Default 0.1. */
  readonly strength?: number;
  /** The weight's axis of outputs, over which it is averaged. Default: the first of convolutions, the last of `nn.Dense`. */
  readonly axis?: number;
}

/**
 * A mark for the weights of one layer.
 * @example const model = new nn.Sequential(new nn.Dense(8, 4)); const mark = new deploy.WeightWatermark({ weight: "layers.0.weight", message: "A", key: "secret" }); mark.penalty(model).shape.length // 0
 */
export class WeightWatermark {
  readonly bits: readonly number[];
  /** To be published before the model is: it binds to key, message and place. */
  readonly commitment: string;
  private matrix: DenseTensor | null = null;

  constructor(private readonly options: WeightWatermarkOptions) {
    const { message, weight, key, strength = 0.1 } = options;
    this.bits = [...Buffer.from(message as string)].flatMap((byte) =>
      Array.from({ length: 8 }, (_, i) => (byte >> (7 - i)) & 1),
    );
    if (this.bits.length === 0) throw new ValueError("WeightWatermark: the message is empty");
    if (!(strength > 0))
      throw new ValueError(`WeightWatermark: the strength is ${strength}, above 0 was expected`);
    this.commitment = commitmentTo("weights", weight, message, key);
  }

  /**
   * For `fit(model, rows, { penalty: mark.penalty, … })`: what is to be added to the loss.
   * @throws ValueError if the module has no such weight; ShapeError if it is smaller than the message.
   */
  readonly penalty = (model: Module): Tensor => {
    const { strength = 0.1 } = this.options;
    const projected = this.projected(this.weightOf(model));
    return binaryCrossEntropy(projected, this.bits as number[]).mul(strength);
  };

  /** The bits that are there. @throws as `penalty`. */
  extract(model: Module | Tensor): number[] {
    const weight = model instanceof Tensor ? model : this.weightOf(model);
    const numbers = tidy(() => needConcrete(this.projected(weight), "WeightWatermark").toTypedArray());
    return Array.from(numbers, (x) => (Number(x) >= 0 ? 1 : 0));
  }

  /** How many bits are right: half of them by chance. @throws as `penalty`. */
  verify(model: Module | Tensor): Evidence {
    const found = this.extract(model);
    const matches = found.filter((bit, i) => bit === this.bits[i]).length;
    return evidence(matches, this.bits.length, 0.5);
  }

  private weightOf(model: Module): Tensor {
    const { weight } = this.options;
    let found: unknown = model;
    for (const step of weight.split("."))
      found =
        typeof found === "object" && found !== null ? (found as Record<string, unknown>)[step] : undefined;
    if (found instanceof Tensor) return found;
    throw new ValueError(
      `WeightWatermark: ${model.constructor.name} has no weight ${JSON.stringify(weight)}`,
    );
  }

  private projected(weight: Tensor): Tensor {
    const { axis = weight.ndim === 2 ? 1 : 0 } = this.options;
    const mean = weight.mean(axis);
    if (mean.size < this.bits.length)
      throw new ShapeError(
        `WeightWatermark: ${this.bits.length} bits do not fit into a weight ${formatShape(weight.shape)}, whose outputs have ${mean.size} weights each`,
      );
    return this.secret(mean.size).matmul(mean.reshape([mean.size]).cast("float32"));
  }

  /** (bits, size), normally distributed. */
  private secret(size: number): DenseTensor {
    if (this.matrix?.shape[1] !== size) {
      const { key } = this.options;
      const dice = new Dice(Buffer.from(key as string));
      const numbers = Float32Array.from({ length: this.bits.length * size }, () => dice.normal());
      this.matrix = outsideScopes(() => denseFrom(numbers, [this.bits.length, size], "float32", getDevice()));
    }
    return this.matrix;
  }
}
