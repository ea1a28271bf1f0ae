/** Networks that name what is in a picture, for the detector: AlexNet for ImageNet's classes, and a small one for fruit. */
import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { centerCrop } from "../../data/vision/geometry.js";
import type { Image } from "../../data/vision/image.js";
import { resize } from "../../data/vision/resize.js";
import { type FloatImage, hwc2chw, normalize } from "../../data/vision/values.js";
import { loadOnnx } from "../../deploy/onnx/read.js";
import { Sequential } from "../../nn/containers.js";
import {
  AdaptiveAvgPool2d,
  Conv2d,
  Dense,
  Dropout,
  Flatten,
  MaxPool2d,
  Module,
  ReLU,
} from "../../nn/index.js";
import { tidy } from "../../ops/tidy.js";
import { denseFrom } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import { loadSafetensors } from "../../train/safetensors.js";

/** Names what is in a picture by a class of ImageNet. */
export interface ImageClassifier {
  /** Of an image (height, width, 3). */
  classify(image: Image): number;
}

const MEAN = [0.485, 0.456, 0.406].map((value) => value * 255);
const STD = [0.229, 0.224, 0.225].map((value) => value * 255);

/**
 * What networks of ImageNet are given: the shorter side resized to 256, the middle 224 × 224, channels first, each with its
 * mean subtracted and divided by its deviation. float32 (3, 224, 224).
 * @example robotics.caseStudy.imageNetInput(robotics.caseStudy.fruitPhoto("lemon", 1)).shape // [3, 224, 224]
 */
export function imageNetInput(image: Image): FloatImage {
  const [height, width] = image.shape;
  const size: [number, number] =
    height <= width ? [256, Math.trunc((256 * width) / height)] : [Math.trunc((256 * height) / width), 256];
  return hwc2chw(normalize(centerCrop(resize(image, size), [224, 224]), MEAN, STD));
}

/**
 * AlexNet as torchvision has it, whose weights it takes: (n, 3, 224, 224) to logits (n, classes). (Krizhevsky, 2014.)
 * Its 1000 classes take 61,100,840 parameters.
 * @example new robotics.caseStudy.AlexNet({ classes: 5, hidden: 8 }).forward(zeros([1, 3, 224, 224])) // float32(1, 5)
 */
export class AlexNet extends Module {
  readonly features: Sequential;
  readonly classifier: Sequential;

  constructor({
    classes = 1000,
    hidden = 4096,
  }: { readonly classes?: number; readonly hidden?: number } = {}) {
    super();
    this.features = new Sequential(
      new Conv2d(3, 64, 11, { stride: 4, padding: 2 }),
      new ReLU(),
      new MaxPool2d(3, { stride: 2 }),
      new Conv2d(64, 192, 5, { padding: 2 }),
      new ReLU(),
      new MaxPool2d(3, { stride: 2 }),
      new Conv2d(192, 384, 3, { padding: 1 }),
      new ReLU(),
      new Conv2d(384, 256, 3, { padding: 1 }),
      new ReLU(),
      new Conv2d(256, 256, 3, { padding: 1 }),
      new ReLU(),
      new MaxPool2d(3, { stride: 2 }),
      new AdaptiveAvgPool2d(6),
      new Flatten(),
    );
    this.classifier = new Sequential(
      new Dropout(0.5),
      new Dense(256 * 6 * 6, hidden),
      new ReLU(),
      new Dropout(0.5),
      new Dense(hidden, hidden),
      new ReLU(),
      new Dense(hidden, classes),
    );
  }

  override forward(x: Tensor): Tensor {
    return this.classifier.forward(this.features.forward(x));
  }
}

/**
 * AlexNet's shape with a tenth of a percent of its weights: for six kinds of fruit.
 * @example robotics.caseStudy.fruitNetwork(6).forward(zeros([1, 3, 224, 224])) // float32(1, 6)
 */
export function fruitNetwork(classes: number): Sequential {
  return new Sequential(
    new Conv2d(3, 16, 11, { stride: 4, padding: 2 }),
    new ReLU(),
    new MaxPool2d(3, { stride: 2 }),
    new Conv2d(16, 32, 5, { padding: 2 }),
    new ReLU(),
    new MaxPool2d(3, { stride: 2 }),
    new Conv2d(32, 48, 3, { padding: 1 }),
    new ReLU(),
    new MaxPool2d(3, { stride: 2 }),
    new AdaptiveAvgPool2d(2),
    new Flatten(),
    new Dense(48 * 4, classes),
  );
}

/** The fruit network, trained by this library on `fruitPhoto`s (`node lib/scripts/train-fruit.mjs`). */
const FRUIT_MODEL = fileURLToPath(new URL("../../../assets/fruit.onnx", import.meta.url));

/**
 * A classifier from a file: an ONNX model from (1, 3, 224, 224) to (1, classes), or a `.safetensors` of torchvision's AlexNet.
 * Without a file, the small network for fruit that comes with the library. An ONNX model's metadata may say
 * `classes`, a JSON array with the ImageNet class of each of its outputs.
 * @throws OnnxError for a damaged model; ValueError for one whose output is no row of scores, or for another kind of file
 * @example const { classify } = await robotics.caseStudy.loadClassifier();
 */
export async function loadClassifier(file: string = FRUIT_MODEL): Promise<ImageClassifier> {
  await stat(file);
  if (file.endsWith(".safetensors")) return alexNet(file);
  if (!file.endsWith(".onnx"))
    throw new ValueError(`loadClassifier: ${file} is neither .onnx nor .safetensors`);
  const model = await loadOnnx(file);
  const text = model.description.metadata.classes;
  const classes = text === undefined ? undefined : classesOf(text, file);
  return { classify: (image) => best(image, (x) => model.call(x)[0] as Tensor, file, classes) };
}

async function alexNet(file: string): Promise<ImageClassifier> {
  const weights = await loadSafetensors(file);
  const last = weights.get("classifier.6.weight");
  if (last?.ndim !== 2)
    throw new ValueError(`${file}: there is no matrix "classifier.6.weight", as AlexNet has`);
  const network = new AlexNet({ classes: last.shape[0], hidden: last.shape[1] });
  network.loadStateDict(new Map([...weights].map(([name, value]) => fromTorch(name, value))));
  network.eval();
  return { classify: (image) => best(image, (x) => network.forward(x), file) };
}

/** torchvision counts layers without the word, keeps dense weights as (out, in) and biases as (out). */
function fromTorch(name: string, value: Tensor): [string, Tensor] {
  const ours = name.replace(/^(features|classifier)\./, "$1.layers.");
  if (ours.startsWith("features") && ours.endsWith("bias")) return [ours, value.reshape([-1, 1, 1])];
  return [ours, ours.startsWith("classifier") && ours.endsWith("weight") ? value.transpose() : value];
}

function best(
  image: Image,
  network: (x: Tensor) => Tensor,
  file: string,
  classes?: readonly number[],
): number {
  return tidy(() => {
    const { data } = imageNetInput(image);
    const scores = network(denseFrom(data, [1, 3, 224, 224], "float32", getDevice()));
    if (scores.ndim !== 2 || scores.shape[0] !== 1)
      throw new ValueError(
        `${file}: its output has the shape (${scores.shape.join(", ")}), (1, classes) expected`,
      );
    const place = scores.argmax(-1).toArray() as number[];
    return classes ? classes[place[0]] : place[0];
  });
}

function classesOf(text: string, file: string): number[] {
  const classes: unknown = JSON.parse(text);
  if (!Array.isArray(classes) || !classes.every((id) => Number.isInteger(id)))
    throw new ValueError(`${file}: its metadata "classes" is no array of whole numbers`);
  return classes;
}
