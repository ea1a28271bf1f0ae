/** Synthetic scenes: bright discs, squares and triangles on a dark, shaded, noisy ground, with boxes and masks. */
import { ValueError } from "../../../core/errors.js";
import { WordStream } from "../../../core/random.js";
import type { Tensor } from "../../../core/tensor.js";
import { tensor } from "../../../ops/convert.js";
import { normals } from "../random.js";
import type { Labelled } from "./boxes.js";

/** Names of the labels 0, 1, 2; in masks they are 1, 2, 3, and 0 is the ground. */
export const SHAPES = ["disc", "square", "triangle"] as const;

export interface Scene {
  /** 3 × size × size, about 0 … 1. */
  readonly image: Float32Array;
  readonly size: number;
  readonly boxes: readonly Labelled[];
  /** Class of each pixel. */
  readonly mask: Uint8Array;
}

export interface SceneOptions {
  /** Pixels. Default 40; a multiple of 8. */
  readonly size?: number;
  /** Objects in a scene, at most. Default 2. */
  readonly objects?: number;
  readonly seed?: number;
}

/**
 * @throws ValueError for a size that is no multiple of 8 from 24 on.
 * @example robotics.perceive.shapeScenes(2, { size: 24 })[1].mask.length // 576
 */
export function shapeScenes(count: number, options: SceneOptions = {}): Scene[] {
  const { size = 40, objects = 2, seed = 0 } = options;
  if (!(size >= 24 && size % 8 === 0))
    throw new ValueError(`shapeScenes: a size of 24 or more, a multiple of 8, wanted, got ${size}`);
  return Array.from({ length: count }, (_, i) => {
    const stream = new WordStream([seed, 0x736870], i);
    return scene(stream, size, 1 + stream.below(objects));
  });
}

function scene(stream: WordStream, size: number, objects: number): Scene {
  const normal = normals(stream);
  const image = new Float32Array(3 * size * size);
  const mask = new Uint8Array(size * size);
  const ground = [0, 1, 2].map(() => stream.uniform(0.1, 0.4));
  const [slopeX, slopeY] = [stream.uniform(-0.2, 0.2), stream.uniform(-0.2, 0.2)];
  const boxes: Labelled[] = [];
  const colours: number[][] = [];
  for (let tries = 0; boxes.length < objects && tries < 40; tries++) {
    const side = stream.uniform(0.28, 0.45) * size;
    const [x0, y0] = [stream.uniform(0, size - side), stream.uniform(0, size - side)];
    const box = { x0, y0, x1: x0 + side, y1: y0 + side, label: stream.below(3) };
    if (boxes.some((b) => b.x0 < box.x1 && box.x0 < b.x1 && b.y0 < box.y1 && box.y0 < b.y1)) continue;
    const colour = [0, 1, 2].map(() => stream.uniform(0.5, 1));
    boxes.push(box);
    colours.push(colour);
  }
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) {
      const at = y * size + x;
      const which = boxes.findIndex((box) => covers(box, x + 0.5, y + 0.5));
      if (which >= 0) mask[at] = boxes[which].label + 1;
      const shade = slopeX * (x / size - 0.5) + slopeY * (y / size - 0.5);
      for (let c = 0; c < 3; c++)
        image[c * size * size + at] = (which >= 0 ? colours[which][c] : ground[c]) + shade + 0.04 * normal();
    }
  return { image, size, boxes, mask };
}

function covers({ x0, y0, x1, y1, label }: Labelled, x: number, y: number): boolean {
  if (x < x0 || x >= x1 || y < y0 || y >= y1) return false;
  const [u, v] = [(x - x0) / (x1 - x0), (y - y0) / (y1 - y0)];
  if (label === 0) return (u - 0.5) ** 2 + (v - 0.5) ** 2 < 0.25;
  if (label === 1) return true;
  return Math.abs(u - 0.5) < v / 2;
}

/**
 * Images of scenes as one float32 tensor (N, 3, size, size).
 * @example robotics.perceive.sceneImages(robotics.perceive.shapeScenes(2, { size: 24 })) // float32(2, 3, 24, 24)
 */
export function sceneImages(scenes: readonly Scene[]): Tensor {
  const { size } = scenes[0];
  const out = new Float32Array(scenes.length * 3 * size * size);
  scenes.forEach(({ image }, i) => {
    out.set(image, i * image.length);
  });
  return tensor(out, { shape: [scenes.length, 3, size, size], dtype: "float32" });
}
