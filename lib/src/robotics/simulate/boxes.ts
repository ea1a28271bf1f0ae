/** Boxes around what a picture shows, from its labels: the truth for detectors. */
import type { Frame } from "./render.js";

/** Pixels; the far borders belong to the box no more. */
export interface LabeledBox {
  /** Index into the world's `classes`. */
  readonly label: number;
  readonly instance: number;
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
  /** Pixels that are seen of it. */
  readonly pixels: number;
}

/**
 * A box around the visible pixels of each body, in the order of their instances.
 * @param leastPixels bodies of which less is seen are left out. Default 1
 * @example
 * const world = robotics.simulate.room();
 * const { robot } = new robotics.simulate.Simulation(world, { robots: [{ pose: { x: 4, y: 3, theta: 0 } }] });
 * world.classes[robotics.simulate.boxesOf(robot.photograph())[0].label] // "wall"
 */
export function boxesOf(frame: Frame, leastPixels = 1): LabeledBox[] {
  const found = new Map<number, { -readonly [K in keyof LabeledBox]: LabeledBox[K] }>();
  const { width, instance, semantic } = frame;
  for (let at = 0; at < instance.length; at++) {
    if (instance[at] === 0) continue;
    const x = at % width;
    const y = (at - x) / width;
    const box = found.get(instance[at]);
    if (!box) {
      const label = semantic[at];
      found.set(instance[at], {
        label,
        instance: instance[at],
        x0: x,
        y0: y,
        x1: x + 1,
        y1: y + 1,
        pixels: 1,
      });
      continue;
    }
    box.x0 = Math.min(box.x0, x);
    box.x1 = Math.max(box.x1, x + 1);
    box.y1 = y + 1;
    box.pixels++;
  }
  return [...found.values()]
    .filter(({ pixels }) => pixels >= leastPixels)
    .sort((a, b) => a.instance - b.instance);
}
