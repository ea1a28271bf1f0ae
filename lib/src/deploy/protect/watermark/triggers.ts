/**
 * A watermark in the behaviour (Adi, Baum, Cisse, Pinkas, Keshet: Turning your weakness into a strength, USENIX Security 2018):
 * inputs that mean nothing, with labels that were drawn. A model that was trained on them answers as drawn; another can only
 * guess. The proof needs the model's answers alone, as a server gives them.
 */
import { ShapeError, ValueError } from "../../../core/errors.js";
import { formatShape, type Shape, sizeOf } from "../../../core/shape.js";
import type { Tensor } from "../../../core/tensor.js";
import { needConcrete } from "../../../ops/read.js";
import { tidy } from "../../../ops/tidy.js";
import { type DenseTensor, denseFrom, elementBytes } from "../../../runtime/dense.js";
import { getDevice } from "../../../runtime/devices.js";
import { outsideScopes } from "../../../runtime/tidy.js";
import { Dice } from "../dice.js";
import { commitmentTo, type Evidence, evidence } from "./evidence.js";

export interface TriggerOptions {
  /** Makes inputs and labels. Whoever has it can recognise the inputs, and train a model to forget them. */
  readonly key: Uint8Array | string;
  /** Of one input. */
  readonly shape: Shape;
  readonly classes: number;
  /** Number of inputs. Default 50. */
  readonly count?: number;
  /** Range of the inputs' elements. Default 0 to 1. */
  readonly range?: readonly [low: number, high: number];
}

/**
 * Inputs with the labels that only a marked model gives them.
 * @example new deploy.TriggerSet({ key: "secret", shape: [4], classes: 3, count: 6 }).inputs.shape // [6, 4]
 */
export class TriggerSet {
  /** float32 (count, …shape), to be trained on among the other data. */
  readonly inputs: DenseTensor;
  /** int32 (count). */
  readonly labels: DenseTensor;
  readonly classes: number;
  /** To be published before the model is: it binds to inputs and labels. */
  readonly commitment: string;

  /** @throws ValueError for fewer than two classes, no input, or an empty range. */
  constructor({ key, shape, classes, count = 50, range: [low, high] = [0, 1] }: TriggerOptions) {
    if (!Number.isInteger(classes) || classes < 2)
      throw new ValueError(`TriggerSet: ${classes} classes, at least 2 were expected`);
    if (!Number.isInteger(count) || count < 1)
      throw new ValueError(`TriggerSet: ${count} inputs, at least 1 was expected`);
    if (!(low < high)) throw new ValueError(`TriggerSet: the range ${low} to ${high} is empty`);
    const dice = new Dice(Buffer.from(key as string));
    const elements = Float32Array.from(
      { length: count * sizeOf(shape) },
      () => low + (high - low) * (dice.below(2 ** 24) / 2 ** 24),
    );
    const labels = Int32Array.from({ length: count }, () => dice.below(classes));
    this.classes = classes;
    this.inputs = outsideScopes(() => denseFrom(elements, [count, ...shape], "float32", getDevice()));
    this.labels = outsideScopes(() => denseFrom(labels, [count], "int32", getDevice()));
    this.commitment = commitmentTo("triggers", key, elementBytes(this.inputs), elementBytes(this.labels));
  }

  /**
   * How many inputs get the label that was drawn: one of `classes` by chance, whatever the model, for labels are independent.
   * @param answer scores (count, classes) of inputs, or their classes (count)
   * @throws ShapeError for answers of another shape.
   */
  verify(answer: (inputs: Tensor) => Tensor): Evidence {
    const count = this.labels.size;
    const given = tidy(() => {
      const scores = answer(this.inputs);
      const fits = scores.shape[0] === count && (scores.ndim === 1 || scores.shape[1] === this.classes);
      if (!fits || scores.ndim > 2)
        throw new ShapeError(
          `TriggerSet: the model answers ${formatShape(scores.shape)}, (${count}, ${this.classes}) or (${count}) was expected`,
        );
      return needConcrete(scores.ndim === 1 ? scores : scores.argmax(1), "TriggerSet").toTypedArray();
    });
    const labels = this.labels.toTypedArray();
    const matches = Array.from(given, Number).filter((label, i) => label === Number(labels[i])).length;
    return evidence(matches, count, 1 / this.classes);
  }
}
