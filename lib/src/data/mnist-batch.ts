/** Batches of MNIST read from the files and prepared as the book's pipeline does: resize to 32 × 32, rescale, normalize. */
import { closeSync, openSync, readSync } from "node:fs";
import { stage } from "./spans.js";
import { rescale, resizeBilinear } from "./transforms.js";

/** Which rows of which files. */
export interface MnistTask {
  readonly imagesFile: string;
  readonly labelsFile: string;
  readonly rows: readonly number[];
}

export interface MnistArrays {
  /** rows × 1024, normalized by mean 0.1307 and deviation 0.3081. */
  readonly x: Float32Array;
  readonly y: Int32Array;
}

const IMAGE = 28 * 28;
const IMAGES_HEADER = 16;
const LABELS_HEADER = 8;

/**
 * Reads and prepares one batch; for `parallelMap`, on any thread.
 * @example data.loadMnistBatch({ ...data.mnistFiles("test"), rows: [0, 1] }).y // [7, 2]
 */
export function loadMnistBatch({ imagesFile, labelsFile, rows }: MnistTask): MnistArrays {
  const { pixels, y } = stage("load", () => {
    const pixels = new Uint8Array(rows.length * IMAGE);
    const labels = new Uint8Array(rows.length);
    const [images, labelled] = [openSync(imagesFile, "r"), openSync(labelsFile, "r")];
    try {
      rows.forEach((row, i) => {
        readSync(images, pixels, i * IMAGE, IMAGE, IMAGES_HEADER + row * IMAGE);
        readSync(labelled, labels, i, 1, LABELS_HEADER + row);
      });
    } finally {
      closeSync(images);
      closeSync(labelled);
    }
    return { pixels, y: Int32Array.from(labels) };
  });
  const x = stage("preprocess", () =>
    rescale(resizeBilinear(pixels, [28, 28], [32, 32]), 1 / 255 / 0.3081, -0.1307 / 0.3081),
  );
  return { x, y };
}
