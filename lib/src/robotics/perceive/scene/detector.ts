/**
 * A detector: a small convolutional network that marks the middle of each object on a grid, with its size (Zhou et al.,
 * "Objects as points", 2019; focal loss as of Law & Deng, "CornerNet", 2018).
 */
import type { Tensor } from "../../../core/tensor.js";
import { batches } from "../../../data/dataset/rows.js";
import { Conv2d } from "../../../nn/convolution.js";
import { Module } from "../../../nn/module.js";
import { BatchNorm } from "../../../nn/normalization.js";
import { tensor } from "../../../ops/convert.js";
import type { Generator } from "../../../ops/random.js";
import { tidy } from "../../../ops/tidy.js";
import { Adam } from "../../../optim/rules.js";
import { type Callback, fit } from "../../../train/fit.js";
import type { History } from "../../../train/history.js";
import { type Detection, type Labelled, nonMaximumSuppression } from "./boxes.js";
import { type Scene, SHAPES, sceneImages } from "./scenes.js";

/** Pixels to a cell of the grid. */
const STRIDE = 4;

export class CenterDetector extends Module {
  readonly layers: readonly Conv2d[];
  readonly norms: readonly BatchNorm[];
  readonly head: Conv2d;

  /**
   * @param classes of objects
   * @param width channels of the first layer; the deeper ones have twice as many
   */
  constructor(
    readonly classes: number = SHAPES.length,
    width = 16,
    generator?: Generator,
  ) {
    super();
    const layer = (inputs: number, outputs: number, stride: number): Conv2d =>
      new Conv2d(inputs, outputs, 3, { stride, padding: 1, generator });
    this.layers = [
      layer(3, width, 2),
      layer(width, 2 * width, 2),
      layer(2 * width, 2 * width, 1),
      layer(2 * width, 2 * width, 1),
    ];
    this.norms = this.layers.map(({ outputs }) => new BatchNorm(outputs));
    this.head = new Conv2d(2 * width, classes + 4, 1, { generator });
    // at first nothing is likely to be there: else the empty cells swamp the loss
    const { bias } = this.head;
    bias?.assign(
      tensor(Float32Array.from({ length: classes + 4 }, (_, i) => (i < classes ? -3 : 0))).reshape(
        bias.shape,
      ),
    );
  }

  /**
   * @param images (N, 3, H, W)
   * @returns (N, classes + 4, H/4, W/4): logits of a middle per class; its place in the cell (x, y), width and height in cells
   */
  override forward(images: Tensor): Tensor {
    let x = images;
    this.layers.forEach((layer, i) => {
      x = this.norms[i].forward(layer.forward(x)).relu();
    });
    return this.head.forward(x);
  }

  /** Objects in each image, by falling score. */
  detect(
    images: Tensor,
    { threshold = 0.3, overlap = 0.5 }: { readonly threshold?: number; readonly overlap?: number } = {},
  ): Detection[][] {
    this.eval();
    return tidy(() => {
      const y = this.forward(images);
      const [n, channels, h, w] = y.shape;
      const values = y.toTypedArray() as Float32Array;
      return Array.from({ length: n }, (_, i) =>
        nonMaximumSuppression(
          decode(
            values.subarray(i * channels * h * w, (i + 1) * channels * h * w),
            this.classes,
            h,
            w,
            threshold,
          ),
          overlap,
        ),
      );
    });
  }
}

/** Cells that are a local maximum of their class, as boxes. */
function decode(y: Float32Array, classes: number, h: number, w: number, threshold: number): Detection[] {
  const found: Detection[] = [];
  const cells = h * w;
  for (let label = 0; label < classes; label++)
    for (let cell = 0; cell < cells; cell++) {
      const logit = y[label * cells + cell];
      const score = 1 / (1 + Math.exp(-logit));
      if (score < threshold) continue;
      const [row, column] = [Math.floor(cell / w), cell % w];
      let most = true;
      for (let a = Math.max(0, row - 1); a <= Math.min(h - 1, row + 1); a++)
        for (let b = Math.max(0, column - 1); b <= Math.min(w - 1, column + 1); b++)
          if (y[label * cells + a * w + b] > logit) most = false;
      if (!most) continue;
      const at = (k: number): number => y[(classes + k) * cells + cell];
      const [x, z] = [(column + at(0)) * STRIDE, (row + at(1)) * STRIDE];
      const [half, tall] = [(at(2) * STRIDE) / 2, (at(3) * STRIDE) / 2];
      found.push({ x0: x - half, y0: z - tall, x1: x + half, y1: z + tall, label, score });
    }
  return found;
}

/**
 * What the network should say: heat per class, box, and where a box counts: (classes + 5) × h × w.
 * @example robotics.perceive.detectionTarget([{ x0: 0, y0: 0, x1: 4, y1: 4, label: 0 }], 1, 2, 2)[0] // 1
 */
export function detectionTarget(
  boxes: readonly Labelled[],
  classes: number,
  h: number,
  w: number,
): Float32Array {
  const out = new Float32Array((classes + 5) * h * w);
  const cells = h * w;
  for (const { x0, y0, x1, y1, label } of boxes) {
    const [cx, cy] = [(x0 + x1) / 2 / STRIDE, (y0 + y1) / 2 / STRIDE];
    const [column, row] = [Math.min(w - 1, Math.floor(cx)), Math.min(h - 1, Math.floor(cy))];
    const spread = Math.max(0.5, Math.min(x1 - x0, y1 - y0) / STRIDE / 6);
    for (let a = 0; a < h; a++)
      for (let b = 0; b < w; b++) {
        const heat = Math.exp(-((a - row) ** 2 + (b - column) ** 2) / (2 * spread ** 2));
        const at = label * cells + a * w + b;
        out[at] = Math.max(out[at], heat);
      }
    const cell = row * w + column;
    const values = [cx - column, cy - row, (x1 - x0) / STRIDE, (y1 - y0) / STRIDE, 1];
    values.forEach((v, k) => {
      out[(classes + k) * cells + cell] = v;
    });
  }
  return out;
}

/**
 * Focal loss of the middles plus a tenth of the boxes' absolute error, both per object.
 * @example
 * const target = tensor(robotics.perceive.detectionTarget([], 1, 2, 2), { shape: [1, 6, 2, 2] });
 * robotics.perceive.detectionLoss(zeros([1, 5, 2, 2]), target).item() // 0.6931
 */
export function detectionLoss(prediction: Tensor, target: Tensor): Tensor {
  const classes = prediction.shape[1] - 4;
  const logits = prediction.slice(":", [0, classes]);
  const heat = target.slice(":", [0, classes]);
  const there = target.slice(":", [classes + 4, classes + 5]);
  const objects = there.sum().maximum(1);
  const p = logits.sigmoid();
  const middle = heat.greaterEqual(1).cast("float32");
  const found = p.neg().add(1).square().mul(logits.neg().softplus()).mul(middle);
  const empty = p.square().mul(logits.softplus()).mul(heat.neg().add(1).square().square());
  const box = prediction
    .slice(":", [classes, classes + 4])
    .sub(target.slice(":", [classes, classes + 4]))
    .abs()
    .mul(there);
  return found.add(empty).sum().add(box.sum().mul(0.1)).div(objects);
}

export interface SceneTrainingOptions {
  /** Default 12; of `trainSegmenter` 8. */
  readonly epochs?: number;
  /** Default 16; of `trainSegmenter` 10. */
  readonly batch?: number;
  /** Of Adam. Default 5e-3; of `trainSegmenter` 0.01. */
  readonly rate?: number;
  readonly callbacks?: readonly Callback[];
  readonly signal?: AbortSignal;
  /** Draws a progress bar. Default false. */
  readonly progress?: boolean;
}

/** In a new order each epoch; full ones only, so that one graph runs them all. */
export function trainingBatches(x: Tensor, y: Tensor, size: number) {
  return batches({ x, y }, { size: Math.min(size, x.shape[0]), shuffle: true, dropRemainder: true });
}

/**
 * Trains a detector on scenes with boxes.
 * @example
 * const scenes = robotics.perceive.shapeScenes(16, { size: 24 });
 * const model = new robotics.perceive.CenterDetector(3, 4);
 * (await robotics.perceive.trainDetector(model, scenes, { epochs: 1 })).loss.length // 1
 */
export async function trainDetector(
  model: CenterDetector,
  scenes: readonly Scene[],
  { epochs = 12, batch = 16, rate = 5e-3, progress = false, ...options }: SceneTrainingOptions = {},
): Promise<History> {
  const grid = scenes[0].size / STRIDE;
  const size = (model.classes + 5) * grid * grid;
  const y = new Float32Array(scenes.length * size);
  scenes.forEach(({ boxes }, i) => {
    y.set(detectionTarget(boxes, model.classes, grid, grid), i * size);
  });
  const targets = tensor(y, { shape: [scenes.length, model.classes + 5, grid, grid], dtype: "float32" });
  return fit(model, trainingBatches(sceneImages(scenes), targets, batch), {
    loss: detectionLoss,
    optimizer: new Adam(model, { lr: rate }),
    epochs,
    progress,
    static: true,
    ...options,
  });
}
