/**
 * How good detections and segmentations are: mean average precision as COCO measures it (Lin et al. 2014; pycocotools, all
 * areas, 100 detections an image), mean intersection over union.
 */
import { ShapeError } from "../../../core/errors.js";
import { boxIoU, type Detection, type Labelled } from "./boxes.js";

export interface DetectionMetrics {
  /** Mean over classes and over IoU thresholds 0.5, 0.55, …, 0.95. */
  readonly mAP: number;
  /** At IoU 0.5 and 0.75. */
  readonly mAP50: number;
  readonly mAP75: number;
  /** Per class, over all thresholds; NaN for a class that is nowhere. */
  readonly perClass: readonly number[];
}

const THRESHOLDS = Array.from({ length: 10 }, (_, i) => 0.5 + 0.05 * i);
const MOST_DETECTIONS = 100;

/**
 * @param detections,truth per image
 * @throws ShapeError if the numbers of images differ.
 * @example
 * const box = { x0: 0, y0: 0, x1: 2, y1: 2, label: 0 };
 * robotics.perceive.detectionMetrics([[{ ...box, score: 0.9 }]], [[box]]).mAP // 1
 */
export function detectionMetrics(
  detections: readonly (readonly Detection[])[],
  truth: readonly (readonly Labelled[])[],
): DetectionMetrics {
  if (detections.length !== truth.length)
    throw new ShapeError(
      `detectionMetrics: detections of ${detections.length} images, truth of ${truth.length}`,
    );
  const labels = new Set([...truth, ...detections].flatMap((list) => list.map(({ label }) => label)));
  const classes = Math.max(-1, ...labels) + 1;
  const table = Array.from({ length: classes }, (_, label) =>
    THRESHOLDS.map((threshold) => averagePrecision(detections, truth, label, threshold)),
  );
  const mean = (values: readonly number[]): number => {
    const real = values.filter((v) => !Number.isNaN(v));
    return real.length > 0 ? real.reduce((a, b) => a + b) / real.length : Number.NaN;
  };
  return {
    mAP: mean(table.flat()),
    mAP50: mean(table.map((row) => row[0])),
    mAP75: mean(table.map((row) => row[5])),
    perClass: table.map(mean),
  };
}

/**
 * Area under the precision–recall curve of one class, read at 101 recalls; NaN if the class is nowhere.
 * @example
 * const box = { x0: 0, y0: 0, x1: 2, y1: 2, label: 0 };
 * robotics.perceive.averagePrecision([[]], [[box]], 0, 0.5) // 0
 */
export function averagePrecision(
  detections: readonly (readonly Detection[])[],
  truth: readonly (readonly Labelled[])[],
  label: number,
  threshold: number,
): number {
  const total = truth.reduce((sum, list) => sum + list.filter((box) => box.label === label).length, 0);
  if (total === 0) return Number.NaN;
  const judged = detections.flatMap((list, image) =>
    judge(
      list.filter((box) => box.label === label),
      truth[image].filter((box) => box.label === label),
      threshold,
    ),
  );
  judged.sort((a, b) => b.score - a.score);
  let hits = 0;
  const precision: number[] = [];
  const recall: number[] = [];
  judged.forEach(({ hit }, i) => {
    if (hit) hits++;
    precision.push(hits / (i + 1));
    recall.push(hits / total);
  });
  for (let i = precision.length - 2; i >= 0; i--) precision[i] = Math.max(precision[i], precision[i + 1]);
  let [sum, at] = [0, 0];
  for (let k = 0; k <= 100; k++) {
    while (at < recall.length && recall[at] < k / 100) at++;
    if (at < recall.length) sum += precision[at];
  }
  return sum / 101;
}

/** The best first, each to the free true box that it overlaps most. */
function judge(
  detections: readonly Detection[],
  truth: readonly Labelled[],
  threshold: number,
): { score: number; hit: boolean }[] {
  const taken = new Set<number>();
  return detections
    .toSorted((a, b) => b.score - a.score)
    .slice(0, MOST_DETECTIONS)
    .map((detection) => {
      let [best, most] = [-1, Math.min(threshold, 1 - 1e-10)];
      truth.forEach((box, i) => {
        if (taken.has(i)) return;
        const overlap = boxIoU(detection, box);
        if (overlap >= most) [best, most] = [i, overlap];
      });
      if (best >= 0) taken.add(best);
      return { score: detection.score, hit: best >= 0 };
    });
}

export interface SegmentationMetrics {
  /** Per class; NaN for one that neither has. */
  readonly iou: readonly number[];
  /** Mean over classes that are there. */
  readonly meanIoU: number;
  readonly pixelAccuracy: number;
}

/**
 * @param predicted,truth class of each pixel, of any number of images one after the other
 * @param classes how many there are
 * @example robotics.perceive.segmentationMetrics([0, 1], [0, 0], 2).pixelAccuracy // 0.5
 */
export function segmentationMetrics(
  predicted: ArrayLike<number>,
  truth: ArrayLike<number>,
  classes: number,
): SegmentationMetrics {
  if (predicted.length !== truth.length)
    throw new ShapeError(`segmentationMetrics: ${predicted.length} pixels predicted, ${truth.length} true`);
  const [shared, said, real] = [0, 1, 2].map(() => new Float64Array(classes));
  let right = 0;
  for (let i = 0; i < truth.length; i++) {
    said[predicted[i]]++;
    real[truth[i]]++;
    if (predicted[i] !== truth[i]) continue;
    shared[truth[i]]++;
    right++;
  }
  const iou = Array.from(shared, (s, k) => s / (said[k] + real[k] - s));
  const there = iou.filter((v) => !Number.isNaN(v));
  return {
    iou,
    meanIoU: there.reduce((a, b) => a + b, 0) / there.length,
    pixelAccuracy: right / truth.length,
  };
}
