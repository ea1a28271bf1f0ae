/** Occupancy grids: worlds from pictures of floors, and back. Fields as in nav_msgs/OccupancyGrid. */
import { ValueError } from "../../core/errors.js";
import { checkImage, type Image } from "../../data/vision/image.js";
import { type BodySpec, contains } from "./body.js";
import type { Point } from "./geometry.js";
import { World, type WorldSpec } from "./world.js";

export interface Occupancy {
  readonly width: number;
  readonly height: number;
  /** Metres along a cell's side. */
  readonly resolution: number;
  /** Corner of the first cell. */
  readonly origin: Point;
  /** Rows from the bottom up: 0 free … 100 occupied, −1 unknown. */
  readonly data: Int8Array;
}

export interface FromOccupancyOptions extends Omit<WorldSpec, "bodies"> {
  /** Cells from this value on are walls. Default 50; unknown cells are none. */
  readonly threshold?: number;
  /** Of the walls, metres. Default 2.5. */
  readonly wallHeight?: number;
  /** More bodies. */
  readonly bodies?: readonly BodySpec[];
}

/**
 * A world whose walls are the occupied cells.
 * @throws ValueError if the data do not fill the grid
 * @example
 * const grid = { width: 3, height: 1, resolution: 1, origin: { x: 0, y: 0 }, data: Int8Array.of(0, 0, 100) };
 * robotics.simulate.fromOccupancy(grid).cast({ x: 0.5, y: 0.5 }, 0)?.distance // 1.5
 */
export function fromOccupancy(grid: Occupancy, options: FromOccupancyOptions = {}): World {
  const { width, height, resolution, origin, data } = grid;
  const { threshold = 50, wallHeight = 2.5, bodies = [], ...rest } = options;
  if (data.length !== width * height)
    throw new ValueError(`occupancy: ${data.length} cells for a grid of ${width} × ${height}`);
  if (!(resolution > 0))
    throw new ValueError(`occupancy: the resolution is a positive number of metres, got ${resolution}`);
  const full = (column: number, row: number): boolean =>
    column >= 0 && column < width && row >= 0 && row < height && data[row * width + column] >= threshold;
  const point = (column: number, row: number): Point => ({
    x: origin.x + column * resolution,
    y: origin.y + row * resolution,
  });
  const segments: [Point, Point][] = [];
  // borders between free and occupied cells, as long as they go straight on
  for (let row = 0; row <= height; row++)
    runs(
      width,
      (column) => full(column, row) !== full(column, row - 1),
      (from, to) => segments.push([point(from, row), point(to, row)]),
    );
  for (let column = 0; column <= width; column++)
    runs(
      height,
      (row) => full(column, row) !== full(column - 1, row),
      (from, to) => segments.push([point(column, from), point(column, to)]),
    );
  const walls: BodySpec[] =
    segments.length === 0
      ? []
      : [
          {
            class: "wall",
            name: "walls",
            shape: { kind: "outline", segments },
            height: wallHeight,
            material: { color: [190, 170, 150], texture: "bricks", reflectivity: 0.7 },
          },
        ];
  const end = point(width, height);
  const bounds = { minX: origin.x, minY: origin.y, maxX: end.x, maxY: end.y };
  return new World({ bounds, ...rest, bodies: [...walls, ...bodies] });
}

/** Stretches of numbers for which something holds, from the first to the one behind the last. */
export function runs(
  count: number,
  holds: (i: number) => boolean,
  found: (from: number, to: number) => void,
): void {
  let from = -1;
  for (let i = 0; i <= count; i++) {
    const on = i < count && holds(i);
    if (on && from < 0) from = i;
    if (on || from < 0) continue;
    found(from, i);
    from = -1;
  }
}

export interface FromImageOptions {
  /** Metres along a pixel's side. */
  readonly resolution: number;
  /** Corner of the lower left pixel. Default (0, 0). */
  readonly origin?: Point;
  /** Darker than this is occupied, and lighter than that free, as parts of black. Default 0.65 and 0.196. */
  readonly occupiedThreshold?: number;
  readonly freeThreshold?: number;
  /** White is occupied. Default false. */
  readonly negate?: boolean;
}

/**
 * A map from a picture of a floor, as map_server reads one (its mode `trinary`): dark pixels are walls, light ones free,
 * those between, and transparent ones, unknown.
 * @param image grey, RGB or either with opacity; the first row is the top
 * @throws ValueError if the array is no image, or thresholds are not 0 ≤ free < occupied ≤ 1
 * @example
 * const image = { dtype: "uint8" as const, shape: [1, 3, 1], data: Uint8Array.of(0, 205, 255) };
 * robotics.simulate.occupancyOfImage(image, { resolution: 0.05 }).data // [100, -1, 0]
 */
export function occupancyOfImage(image: Image, options: FromImageOptions): Occupancy {
  const { resolution, origin = { x: 0, y: 0 }, negate = false } = options;
  const { occupiedThreshold = 0.65, freeThreshold = 0.196 } = options;
  const [height, width, channels] = checkImage(image, "occupancyOfImage");
  if (!(freeThreshold >= 0 && freeThreshold < occupiedThreshold && occupiedThreshold <= 1))
    throw new ValueError(
      `occupancyOfImage: thresholds are 0 ≤ free < occupied ≤ 1, got ${freeThreshold} and ${occupiedThreshold}`,
    );
  const opacity = channels % 2 === 0;
  const colours = opacity ? channels - 1 : channels;
  const data = new Int8Array(width * height);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const at = (row * width + column) * channels;
      let sum = 0;
      for (let c = 0; c < colours; c++) sum += image.data[at + c];
      const light = sum / (255 * colours);
      const dark = negate ? light : 1 - light;
      const known = !opacity || image.data[at + colours] === 255;
      const value = dark > occupiedThreshold ? 100 : dark < freeThreshold ? 0 : -1;
      data[(height - 1 - row) * width + column] = known ? value : -1;
    }
  return { width, height, resolution, origin, data };
}

/**
 * A world from a drawing: `#` is a wall, a digit or letter a landmark (ids in reading order, from 0), all else is free.
 * The first line is the top.
 * @param options `cell`: metres a character. Default 0.5.
 * @example
 * robotics.simulate.fromText(`
 * #####
 * #  a#
 * #####`).landmarks[0].x // 1.75
 */
export function fromText(
  text: string,
  { cell = 0.5, ...options }: FromOccupancyOptions & { readonly cell?: number } = {},
): World {
  const lines = text.replace(/^\s*\n|\s+$/g, "").split("\n");
  const [height, width] = [lines.length, Math.max(...lines.map((line) => line.length))];
  const data = new Int8Array(width * height);
  const landmarks: { id: number; x: number; y: number }[] = [];
  lines.forEach((line, i) => {
    const row = height - 1 - i;
    [...line].forEach((character, column) => {
      if (character === "#") data[row * width + column] = 100;
      else if (/[\p{L}\d]/u.test(character))
        landmarks.push({ id: landmarks.length, x: (column + 0.5) * cell, y: (row + 0.5) * cell });
    });
  });
  return fromOccupancy(
    { width, height, resolution: cell, origin: { x: 0, y: 0 }, data },
    { landmarks, ...options },
  );
}

/**
 * What of a world is occupied: cells that the surface of a body that does not move passes, and those inside of solids.
 * @param options `resolution`: metres, default 0.05; `inflate`: cells nearer than so many metres to a body count too
 * @example robotics.simulate.occupancyOf(robotics.simulate.room(), { resolution: 0.1 }).width // 82
 */
export function occupancyOf(
  world: World,
  { resolution = 0.05, inflate = 0 }: { readonly resolution?: number; readonly inflate?: number } = {},
): Occupancy {
  if (!(resolution > 0))
    throw new ValueError(`occupancy: the resolution is a positive number of metres, got ${resolution}`);
  const { minX, minY, maxX, maxY } = world.bounds;
  // a wall that lies on the border has its cells
  const origin = { x: minX - resolution, y: minY - resolution };
  const width = Math.ceil((maxX - minX) / resolution - 1e-9) + 2;
  const height = Math.ceil((maxY - minY) / resolution - 1e-9) + 2;
  if (width * height > 1 << 26)
    throw new ValueError(`occupancy: ${width} × ${height} cells are too many: take a coarser resolution`);
  const data = new Int8Array(width * height);
  const solids = world.bodies.filter((body) => body.solid && !body.motion);
  // a thin wall between two cells is in both of them; a solid whose side is between them is in its own
  const thin = (resolution / 2) * (1 + 1e-6) + inflate;
  const thick = (resolution / 2) * (1 - 1e-6) + inflate;
  const { surfaces, bodies } = world;
  const touched = (x: number, y: number): boolean => {
    const count = surfaces.near(x - thin, y - thin, x + thin, y + thin);
    for (let i = 0; i < count; i++) {
      const k = surfaces.found[i];
      if (world.distanceTo(k, x, y) < (bodies[surfaces.bodyOf[k]].solid ? thick : thin)) return true;
    }
    return false;
  };
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const x = origin.x + (column + 0.5) * resolution;
      const y = origin.y + (row + 0.5) * resolution;
      const occupied = touched(x, y) || solids.some((body) => contains(body, body.at, x, y));
      if (occupied) data[row * width + column] = 100;
    }
  return { width, height, resolution, origin, data };
}
