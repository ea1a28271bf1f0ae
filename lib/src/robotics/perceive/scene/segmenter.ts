/** A segmenter: a small U-Net, which says for each pixel what it belongs to (Ronneberger et al. 2015). */
import type { Tensor } from "../../../core/tensor.js";
import { Conv2d } from "../../../nn/convolution.js";
import { crossEntropy } from "../../../nn/losses.js";
import { Module } from "../../../nn/module.js";
import { BatchNorm } from "../../../nn/normalization.js";
import { tensor } from "../../../ops/convert.js";
import type { Generator } from "../../../ops/random.js";
import { resize } from "../../../ops/resize.js";
import { concat } from "../../../ops/shape.js";
import { tidy } from "../../../ops/tidy.js";
import { Adam } from "../../../optim/rules.js";
import { fit } from "../../../train/fit.js";
import type { History } from "../../../train/history.js";
import { type SceneTrainingOptions, trainingBatches } from "./detector.js";
import { type Scene, SHAPES, sceneImages } from "./scenes.js";

export class UNet extends Module {
  readonly down: readonly Conv2d[];
  readonly up: readonly Conv2d[];
  readonly norms: readonly BatchNorm[];
  readonly head: Conv2d;

  /**
   * @param classes with the ground, which is 0
   * @param width channels at full size; deeper levels have 2 and 4 times as many
   */
  constructor(
    readonly classes: number = SHAPES.length + 1,
    width = 8,
    generator?: Generator,
  ) {
    super();
    const layer = (inputs: number, outputs: number, stride = 1): Conv2d =>
      new Conv2d(inputs, outputs, 3, { stride, padding: 1, generator });
    this.down = [
      layer(3, width),
      layer(width, 2 * width, 2),
      layer(2 * width, 4 * width, 2),
      layer(4 * width, 4 * width, 2),
    ];
    this.up = [layer(8 * width, 4 * width), layer(6 * width, 2 * width), layer(3 * width, width)];
    this.norms = [...this.down, ...this.up].map(({ outputs }) => new BatchNorm(outputs));
    this.head = new Conv2d(width, classes, 1, { generator });
  }

  /**
   * @param images (N, 3, H, W), H and W multiples of 8
   * @returns logits, (N, classes, H, W)
   */
  override forward(images: Tensor): Tensor {
    const levels: Tensor[] = [];
    let x = images;
    this.down.forEach((layer, i) => {
      x = this.norms[i].forward(layer.forward(x)).relu();
      levels.push(x);
    });
    this.up.forEach((layer, i) => {
      const beside = levels[levels.length - 2 - i];
      const joined = concat([resize(x, [beside.shape[2], beside.shape[3]]), beside], 1);
      x = this.norms[this.down.length + i].forward(layer.forward(joined)).relu();
    });
    return this.head.forward(x);
  }

  /** Class of each pixel of each image, one after the other. */
  segment(images: Tensor): Uint8Array {
    this.eval();
    return tidy(() => Uint8Array.from(this.forward(images).argmax(1).toTypedArray() as ArrayLike<number>));
  }
}

/**
 * Trains a segmenter on scenes with masks.
 * @example
 * const scenes = robotics.perceive.shapeScenes(10, { size: 24 });
 * const model = new robotics.perceive.UNet(4, 2);
 * (await robotics.perceive.trainSegmenter(model, scenes, { epochs: 1 })).loss.length // 1
 */
export async function trainSegmenter(
  model: UNet,
  scenes: readonly Scene[],
  { epochs = 8, batch = 10, rate = 0.01, progress = false, ...options }: SceneTrainingOptions = {},
): Promise<History> {
  const { size } = scenes[0];
  const labels = new Int32Array(scenes.length * size * size);
  scenes.forEach(({ mask }, i) => {
    labels.set(mask, i * mask.length);
  });
  const y = tensor(labels, { shape: [scenes.length, size, size], dtype: "int32" });
  return fit(model, trainingBatches(sceneImages(scenes), y, batch), {
    loss: (logits, truth) => crossEntropy(logits.transpose([0, 2, 3, 1]), truth),
    optimizer: new Adam(model, { lr: rate }),
    epochs,
    progress,
    static: true,
    ...options,
  });
}
