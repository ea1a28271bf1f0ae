/** How the detector's network for fruit is trained, and what of its pictures it gets right. */
import type { Sequential } from "../../nn/containers.js";
import { crossEntropy } from "../../nn/losses.js";
import { Adam } from "../../optim/rules.js";
import { cosine } from "../../optim/schedules.js";
import { denseFrom } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import { type Batch, type FitOptions, fit } from "../../train/fit.js";
import { fruitNetwork, type ImageClassifier, imageNetInput } from "./classifier.js";
import { FRUIT_KINDS, fruitClass, fruitPhoto } from "./fruit.js";

export interface TrainFruitOptions extends Pick<FitOptions, "progress" | "signal" | "callbacks"> {
  /** Pictures of each kind. Default 200. */
  readonly pictures?: number;
  /** Default 12. */
  readonly epochs?: number;
  /** Seed of the first picture. Default 0. */
  readonly from?: number;
}

const BATCH = 24;

/**
 * Trains a new network on pictures with the seeds `from`, `from` + 1, …; its outputs are in the order of `FRUIT_KINDS`.
 * The library's global seed (`manualSeed`) decides its first weights.
 * @example const network = await robotics.caseStudy.trainFruitNetwork({ pictures: 4, epochs: 1, progress: false });
 */
export async function trainFruitNetwork({
  pictures = 200,
  epochs = 12,
  from = 0,
  ...options
}: TrainFruitOptions = {}): Promise<Sequential> {
  const network = fruitNetwork(FRUIT_KINDS.length);
  const batches = photoBatches(pictures, from);
  const steps = epochs * batches.size;
  await fit(network, batches, {
    loss: crossEntropy,
    optimizer: new Adam(network, { lr: cosine(2e-3, steps) }),
    epochs,
    static: true,
    ...options,
  });
  return network.eval();
}

/** Kinds take turns, so that every batch has all; a batch's tensors are made when it is its turn. */
function photoBatches(pictures: number, from: number): Iterable<Batch> & { readonly size: number } {
  const kinds = FRUIT_KINDS.length;
  const inputs: Float32Array[] = [];
  for (let i = 0; i < pictures * kinds; i++)
    inputs.push(imageNetInput(fruitPhoto(FRUIT_KINDS[i % kinds], from + i)).data as Float32Array);
  const size = Math.floor(inputs.length / BATCH);
  return {
    size,
    *[Symbol.iterator]() {
      for (let batch = 0; batch < size; batch++) {
        const x = new Float32Array(BATCH * 3 * 224 * 224);
        for (let i = 0; i < BATCH; i++) x.set(inputs[batch * BATCH + i], i * 3 * 224 * 224);
        const y = Array.from({ length: BATCH }, (_, i) => (batch * BATCH + i) % kinds);
        yield {
          x: denseFrom(x, [BATCH, 3, 224, 224], "float32", getDevice()),
          y: denseFrom(y, [BATCH], "int32", getDevice()),
        };
      }
    },
  };
}

/**
 * Of `pictures` pictures of each kind with seeds from `from`, how many a classifier gets right: 0 to 1, by kind.
 * @example
 * const constant = { classify: () => 953 };
 * robotics.caseStudy.fruitAccuracy(constant, { pictures: 1 }).pineapple; // 1
 */
export function fruitAccuracy(
  classifier: ImageClassifier,
  { pictures = 20, from = 1_000_000 }: { readonly pictures?: number; readonly from?: number } = {},
): Record<string, number> {
  const entries = FRUIT_KINDS.map((kind) => {
    let right = 0;
    for (let i = 0; i < pictures; i++)
      if (classifier.classify(fruitPhoto(kind, from + i)) === fruitClass(kind)) right++;
    return [kind, right / pictures] as const;
  });
  return Object.fromEntries(entries);
}
