/** Detection and segmentation: metrics against pycocotools, networks trained here, the ground seen from above. */
import { describe, expect, test } from "vitest";
import { expectedFile } from "../../../../test/support/expected.js";
import { Generator } from "../../../index.js";
import { birdsEyeView } from "./birds-eye.js";
import { boxIoU, type Detection, type Labelled, nonMaximumSuppression } from "./boxes.js";
import { CenterDetector, detectionTarget, trainDetector } from "./detector.js";
import { detectionMetrics, segmentationMetrics } from "./metrics.js";
import { sceneImages, shapeScenes } from "./scenes.js";
import { trainSegmenter, UNet } from "./segmenter.js";

interface Case {
  readonly truth: Labelled[][];
  readonly found: Detection[][];
  readonly mAP: number;
  readonly mAP50: number;
  readonly mAP75: number;
  readonly perClass: number[];
}

test("average precision is pycocotools'", () => {
  for (const { truth, found, mAP, mAP50, mAP75, perClass } of expectedFile<Case[]>(
    "robotics/detection.json",
  )) {
    const metrics = detectionMetrics(found, truth);
    expect(metrics.mAP).toBeCloseTo(mAP, 10);
    expect(metrics.mAP50).toBeCloseTo(mAP50, 10);
    expect(metrics.mAP75).toBeCloseTo(mAP75, 10);
    metrics.perClass.forEach((ap, k) => {
      expect(ap).toBeCloseTo(perClass[k], 10);
    });
  }
  expect(() => detectionMetrics([], [[]])).toThrow("detections of 0 images, truth of 1");
});

test("boxes: overlap, and suppression of doubles per class", () => {
  const box = (x0: number, label = 0, score = 1): Detection => ({
    x0,
    y0: 0,
    x1: x0 + 10,
    y1: 10,
    label,
    score,
  });
  expect(boxIoU(box(0), box(5))).toBeCloseTo(1 / 3);
  expect(boxIoU(box(0), box(20))).toBe(0);
  expect(boxIoU({ x0: 1, y0: 1, x1: 1, y1: 1 }, { x0: 1, y0: 1, x1: 1, y1: 1 })).toBe(0);
  const kept = nonMaximumSuppression([box(1, 0, 0.5), box(0, 0, 0.9), box(1, 1, 0.4), box(8, 0, 0.3)]);
  expect(kept.map(({ x0, label }) => [x0, label])).toEqual([
    [0, 0],
    [1, 1],
    [8, 0],
  ]);
});

test("segmentation metrics by hand", () => {
  const { iou, meanIoU, pixelAccuracy } = segmentationMetrics([0, 0, 1, 1, 2], [0, 1, 1, 1, 1], 4);
  expect(iou).toEqual([1 / 2, 2 / 4, 0, Number.NaN]);
  expect(meanIoU).toBeCloseTo(1 / 3);
  expect(pixelAccuracy).toBeCloseTo(3 / 5);
  expect(() => segmentationMetrics([0], [], 1)).toThrow("1 pixels predicted, 0 true");
});

describe("scenes", () => {
  test("depend on the seed alone; masks lie inside boxes", () => {
    const [a, b] = [shapeScenes(5, { seed: 3 }), shapeScenes(5, { seed: 3 })];
    expect(a).toEqual(b);
    expect(shapeScenes(5, { seed: 4 })).not.toEqual(a);
    for (const { mask, boxes, size } of a)
      mask.forEach((label, at) => {
        if (label === 0) return;
        const [x, y] = [(at % size) + 0.5, Math.floor(at / size) + 0.5];
        expect(
          boxes.some(
            (box) => box.label === label - 1 && x >= box.x0 && x < box.x1 && y >= box.y0 && y < box.y1,
          ),
        ).toBe(true);
      });
    expect(() => shapeScenes(1, { size: 30 })).toThrow("a multiple of 8, wanted, got 30");
  });

  test("a detector's target has its peak where the object's middle is", () => {
    const target = detectionTarget([{ x0: 8, y0: 12, x1: 20, y1: 28, label: 1 }], 3, 12, 12);
    const cell = 5 * 12 + 3; // the middle (14, 20) of a grid of 4 pixels
    expect(target[144 + cell]).toBe(1);
    expect(Array.from(target.subarray(3 * 144)).filter((v) => v !== 0)).toEqual([0.5, 3, 4, 1]);
    expect(target[3 * 144 + cell]).toBe(0.5);
  });
});

test("a detector learns to find shapes", async () => {
  const generator = new Generator(5);
  const model = new CenterDetector(3, 10, generator);
  const held = shapeScenes(60, { seed: 99, size: 32 });
  const truth = held.map(({ boxes }) => boxes);
  const before = detectionMetrics(model.detect(sceneImages(held)), truth).mAP50;
  const history = await trainDetector(model, shapeScenes(160, { seed: 1, size: 32 }), { rate: 8e-3 });
  expect(history.loss.at(-1) as number).toBeLessThan((history.loss[0] as number) / 4);
  const { mAP50, mAP } = detectionMetrics(model.detect(sceneImages(held), { threshold: 0.1 }), truth);
  // over several first weights 0.92 … 0.98 and 0.42 … 0.49 come out
  expect(mAP50).toBeGreaterThan(0.75);
  expect(mAP).toBeGreaterThan(0.25);
  expect(before).toBeLessThan(0.1);
});

test("a segmenter learns what each pixel belongs to", async () => {
  const model = new UNet(4, 6, new Generator(3));
  await trainSegmenter(model, shapeScenes(100, { seed: 2, size: 24 }), { epochs: 10, batch: 5 });
  const held = shapeScenes(40, { seed: 77, size: 24 });
  const truth = Uint8Array.from(held.flatMap(({ mask }) => Array.from(mask)));
  const { meanIoU, pixelAccuracy } = segmentationMetrics(model.segment(sceneImages(held)), truth, 4);
  // the ground alone is 0.86 of all pixels; these weights reach 0.97 and 0.78, others 0.93 and 0.48 as soon
  expect(pixelAccuracy).toBeGreaterThan(0.93);
  expect(meanIoU).toBeGreaterThan(0.55);
});

test("a front view's labels land where the ground is, seen from above", () => {
  const camera = {
    fx: 120,
    fy: 120,
    cx: 79.5,
    cy: 59.5,
    distortion: [-0.05, 0, 0, 0] as [number, number, number, number],
  };
  // a road that bends: class 1 within 1 m of a line
  const ground = (x: number, forward: number): number => (Math.abs(x - 0.02 * forward ** 2) < 1 ? 1 : 0);
  const [height, pitch] = [1.2, 0.3];
  const labels = new Uint8Array(160 * 120);
  for (let v = 0; v < 120; v++)
    for (let u = 0; u < 160; u++) {
      // the ground point of a pixel, by search along the ray (undistorted by the mapping's own inverse)
      const [a, b] = undistort(camera, u, v);
      const [y, z] = [Math.cos(pitch) * b + Math.sin(pitch), -Math.sin(pitch) * b + Math.cos(pitch)];
      labels[v * 160 + u] = y > 1e-3 ? ground((a * height) / y, (z * height) / y) : 2;
    }
  const options = { camera, height, pitch, ahead: [1.5, 7] as [number, number], aside: 3, resolution: 0.1 };
  const view = birdsEyeView(labels, [160, 120], options);
  expect([view.width, view.height]).toEqual([60, 55]);
  let [right, seen] = [0, 0];
  view.labels.forEach((label, at) => {
    if (label === 255) return;
    seen++;
    const [x, forward] = [-3 + ((at % 60) + 0.5) * 0.1, 7 - (Math.floor(at / 60) + 0.5) * 0.1];
    if (label === ground(x, forward)) right++;
  });
  expect(seen).toBeGreaterThan(2000);
  expect(right / seen).toBeGreaterThan(0.97);
  expect(() => birdsEyeView(labels, [10, 10], options)).toThrow("10 × 10 pixels have 100 labels");
  expect(() => birdsEyeView(labels, [160, 120], { ...options, height: 0 })).toThrow("a height");
});

/** Newton's iteration on the radial model, apart from the library's. */
function undistort(
  camera: { fx: number; fy: number; cx: number; cy: number; distortion: number[] },
  u: number,
  v: number,
): [number, number] {
  const [a, b] = [(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy];
  const r = Math.hypot(a, b);
  if (r === 0) return [0, 0];
  let s = r;
  for (let i = 0; i < 20; i++)
    s -= (s + camera.distortion[0] * s ** 3 - r) / (1 + 3 * camera.distortion[0] * s ** 2);
  return [(a * s) / r, (b * s) / r];
}
