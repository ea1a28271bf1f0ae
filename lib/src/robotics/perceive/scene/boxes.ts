/** Boxes in images: overlap, and the suppression of doubles. */

/** A rectangle of pixels: x0 ≤ x < x1, y0 ≤ y < y1. */
export interface Box {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/** What a detector says, or what is true (then without a score). */
export interface Labelled extends Box {
  /** Class, from 0. */
  readonly label: number;
}

export interface Detection extends Labelled {
  /** 0 … 1. */
  readonly score: number;
}

/**
 * Area that two boxes share over the area that they cover together (交并比). 0 if both are empty.
 * @example robotics.perceive.boxIoU({ x0: 0, y0: 0, x1: 2, y1: 2 }, { x0: 1, y0: 0, x1: 3, y1: 2 }) // 0.3333
 */
export function boxIoU(a: Box, b: Box): number {
  const area = ({ x0, y0, x1, y1 }: Box): number => Math.max(0, x1 - x0) * Math.max(0, y1 - y0);
  const shared = area({
    x0: Math.max(a.x0, b.x0),
    y0: Math.max(a.y0, b.y0),
    x1: Math.min(a.x1, b.x1),
    y1: Math.min(a.y1, b.y1),
  });
  const together = area(a) + area(b) - shared;
  return together > 0 ? shared / together : 0;
}

/**
 * Greedy non-maximum suppression (非极大值抑制): the best first, without those of its class that overlap it by more.
 * @param threshold IoU above which a weaker box is left out
 * @returns what is kept, by falling score
 * @example
 * const box = { x0: 0, y0: 0, x1: 2, y1: 2, label: 0 };
 * robotics.perceive.nonMaximumSuppression([{ ...box, score: 0.5 }, { ...box, score: 0.9 }])[0].score // 0.9
 */
export function nonMaximumSuppression(detections: readonly Detection[], threshold = 0.5): Detection[] {
  const kept: Detection[] = [];
  for (const candidate of detections.toSorted((a, b) => b.score - a.score))
    if (!kept.some((better) => better.label === candidate.label && boxIoU(better, candidate) > threshold))
      kept.push(candidate);
  return kept;
}
