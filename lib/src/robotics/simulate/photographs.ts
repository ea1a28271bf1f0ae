/** Pictures with their truth from random places of random worlds: data to train detectors and segmenters on. */
import { ValueError } from "../../core/errors.js";
import { boxesOf, type LabeledBox } from "./boxes.js";
import type { Pose } from "./geometry.js";
import { Draws, NoiseSource } from "./noise.js";
import type { CameraSpec } from "./pinhole.js";
import type { Frame } from "./render.js";
import { Simulation } from "./simulation.js";
import type { World } from "./world.js";

export interface PhotographsOptions {
  readonly count: number;
  readonly camera?: CameraSpec;
  /** Worlds that the pictures are spread over, in order. Default one for each 10 pictures. */
  readonly worlds?: number;
  readonly seed?: number;
  /** Bodies of which fewer pixels are seen get no box. Default 4. */
  readonly leastPixels?: number;
}

export interface Photograph {
  readonly frame: Frame;
  readonly boxes: readonly LabeledBox[];
  /** Of the robot. */
  readonly pose: Pose;
  readonly world: World;
}

/** Of the robot that carries the camera, metres. */
const RADIUS = 0.15;

/**
 * Pictures, one after the other.
 * @param worldOf makes a world of a seed
 * @throws ValueError for counts that are none, or a world without a free place
 * @example
 * const worlds = (seed: number) => robotics.simulate.room({ things: 8, seed });
 * for (const { frame, boxes } of robotics.simulate.photographs(worlds, { count: 20, camera: { width: 64, height: 48 } }))
 *   frame.semantic.length + boxes.length;
 */
export function* photographs(
  worldOf: (seed: number) => World,
  options: PhotographsOptions,
): Generator<Photograph, void> {
  const { count, camera, seed = 0, leastPixels = 4 } = options;
  const { worlds = Math.ceil(count / 10) } = options;
  for (const [name, value] of Object.entries({ count, worlds }))
    if (!Number.isInteger(value) || value < 1)
      throw new ValueError(`photographs: ${name} is a whole number from 1, got ${value}`);
  const draws = new Draws(new NoiseSource(seed), "environment", 1);
  let world: World | undefined;
  let which = -1;
  for (let i = 0; i < count; i++) {
    const next = Math.floor((i * worlds) / count);
    if (next !== which || !world) world = worldOf(draws.below(2 ** 31));
    which = next;
    const pose = freePose(world, draws);
    // the seed of the picture's noise
    const { robot } = new Simulation(world, {
      robots: [{ pose, radius: RADIUS, camera }],
      seed: draws.below(2 ** 31),
    });
    const frame = robot.photograph();
    yield { frame, boxes: boxesOf(frame, leastPixels), pose, world };
  }
}

function freePose(world: World, draws: Draws): Pose {
  const { minX, minY, maxX, maxY } = world.bounds;
  for (let attempt = 0; attempt < 2000; attempt++) {
    const at = { x: draws.uniform(minX, maxX), y: draws.uniform(minY, maxY) };
    const theta = draws.uniform(-Math.PI, Math.PI);
    if (world.isFree(at, RADIUS + 0.01)) return { ...at, theta };
  }
  throw new ValueError("photographs: the world has no free place for the camera");
}
