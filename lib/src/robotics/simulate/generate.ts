/** Worlds made from a seed: a room with things in it, mazes, a floor of rooms with doors. */
import { ValueError } from "../../core/errors.js";
import type { BodySpec } from "./body.js";
import type { Point } from "./geometry.js";
import { Draws, NoiseSource } from "./noise.js";
import { runs } from "./occupancy.js";
import type { MaterialSpec } from "./texture.js";
import { World } from "./world.js";

const WALL: MaterialSpec = { color: [196, 178, 156], texture: "bricks", reflectivity: 0.7 };

/** Kinds of things in rooms: what detectors learn to tell apart. */
export const THINGS = ["box", "cylinder", "ball", "post"] as const;
export type Thing = (typeof THINGS)[number];

export interface RoomOptions {
  /** Metres. Default 8 and 6; the room begins at the origin. */
  readonly width?: number;
  readonly height?: number;
  /** How many things stand in it. Default 0. */
  readonly things?: number;
  /** Kinds of them. Default all. */
  readonly kinds?: readonly Thing[];
  /** How many people walk through it, as cylinders. Default 0. */
  readonly people?: number;
  /** Landmarks on the walls and in the room. Default 0. */
  readonly landmarks?: number;
  readonly seed?: number;
  /** Metres. Default 2.5. */
  readonly wallHeight?: number;
  /** Metres around the middle that stay free. Default 0.6. */
  readonly clear?: number;
}

const checkSize = (value: number, what: string): void => {
  if (!(value > 0 && Number.isFinite(value)))
    throw new ValueError(`${what} is a positive number of metres, got ${value}`);
};

const checkCount = (value: number, what: string, least = 0): void => {
  if (!Number.isInteger(value) || value < least)
    throw new ValueError(`${what} is a whole number from ${least}, got ${value}`);
};

function thing(kind: Thing, at: Point, draws: Draws): BodySpec {
  const color = draws.pick([
    [200, 60, 50],
    [60, 130, 70],
    [50, 90, 180],
    [220, 170, 40],
    [130, 80, 150],
  ] as const);
  const size = draws.uniform(0.15, 0.35);
  if (kind === "ball")
    return {
      class: kind,
      at,
      shape: { kind: "sphere", radius: size },
      material: { color, texture: "stripes" },
    };
  if (kind === "cylinder")
    return {
      class: kind,
      at,
      shape: { kind: "circle", radius: size * 0.8 },
      height: draws.uniform(0.5, 1.2),
      material: { color, texture: "checker" },
    };
  const corners = kind === "box" ? 4 : 3; // a post is a slim prism with three sides
  const turn = draws.uniform(0, 2 * Math.PI);
  const radius = kind === "box" ? size * 1.2 : size * 0.7;
  const points = Array.from({ length: corners }, (_, i) => ({
    x: radius * Math.cos(turn + (2 * Math.PI * i) / corners),
    y: radius * Math.sin(turn + (2 * Math.PI * i) / corners),
  }));
  return {
    class: kind,
    at,
    shape: { kind: "polygon", points },
    height: kind === "box" ? draws.uniform(0.3, 0.8) : draws.uniform(0.6, 1),
    material: kind === "box" ? { color, texture: "speckle" } : { color: [235, 110, 30], texture: "stripes" },
  };
}

/**
 * A rectangular room from (0, 0) to (width, height), with things that do not touch, each kind a class for cameras.
 * @throws ValueError if sizes are not positive, or the things find no room
 * @example robotics.simulate.room({ things: 6, seed: 1 }).bodies.length // 7
 */
export function room(options: RoomOptions = {}): World {
  const { width = 8, height = 6, things = 0, kinds = THINGS, people = 0, landmarks = 0 } = options;
  const { seed = 0, wallHeight = 2.5, clear = 0.6 } = options;
  checkSize(width, "room: width");
  checkSize(height, "room: height");
  for (const [what, count] of Object.entries({ things, people, landmarks }))
    checkCount(count, `room: ${what}`);
  if (kinds.length === 0 || kinds.some((kind) => !THINGS.includes(kind)))
    throw new ValueError(`room: kinds are of ${THINGS.join(", ")}; got [${kinds.join(", ")}]`);
  const draws = new Draws(new NoiseSource(seed), "world");
  const corners = [
    { x: 0, y: 0 },
    { x: width, y: 0 },
    { x: width, y: height },
    { x: 0, y: height },
  ];
  const segments = corners.map((corner, i) => [corner, corners[(i + 1) % 4]] as const);
  const bodies: BodySpec[] = [
    {
      class: "wall",
      name: "walls",
      shape: { kind: "segments", segments },
      height: wallHeight,
      material: WALL,
    },
  ];
  const taken: (Point & { reach: number })[] = [{ x: width / 2, y: height / 2, reach: clear }];
  for (let i = 0; i < things; i++) {
    const reach = 0.45;
    const at = freeSpot(draws, width, height, reach, taken);
    if (!at) throw new ValueError(`room: ${things} things do not fit into ${width} m × ${height} m`);
    taken.push({ ...at, reach });
    bodies.push(thing(draws.pick(kinds), at, draws));
  }
  for (let i = 0; i < people; i++) bodies.push(person(draws, width, height));
  const points = Array.from({ length: landmarks }, (_, id) => {
    const side = draws.below(4);
    const along = draws.uniform(0.02, 0.98);
    const z = draws.uniform(0.2, Math.min(2, wallHeight));
    // half of them on the walls, half in the room
    if (id % 2 === 1)
      return { id, x: draws.uniform(0.3, width - 0.3), y: draws.uniform(0.3, height - 0.3), z };
    return side < 2
      ? { id, x: along * width, y: side * height, z }
      : { id, x: (side - 2) * width, y: along * height, z };
  });
  return new World({ bodies, landmarks: points });
}

function freeSpot(
  draws: Draws,
  width: number,
  height: number,
  reach: number,
  taken: readonly (Point & { reach: number })[],
): Point | null {
  if (width <= 2 * reach || height <= 2 * reach) return null;
  for (let attempt = 0; attempt < 500; attempt++) {
    const at = { x: draws.uniform(reach, width - reach), y: draws.uniform(reach, height - reach) };
    if (taken.every((one) => Math.hypot(one.x - at.x, one.y - at.y) >= one.reach + reach)) return at;
  }
  return null;
}

function person(draws: Draws, width: number, height: number): BodySpec {
  const spot = (): Point => ({ x: draws.uniform(0.4, width - 0.4), y: draws.uniform(0.4, height - 0.4) });
  return {
    class: "person",
    shape: { kind: "circle", radius: 0.22 },
    height: 1.7,
    material: { color: [90, 110, 60], texture: "speckle" },
    motion: {
      waypoints: [spot(), spot(), spot()],
      speed: draws.uniform(0.3, 0.9),
      loop: "around",
      start: draws.uniform(0, 5),
    },
  };
}

export interface MazeOptions {
  /** Cells across and up. Default 8 and 6. */
  readonly columns?: number;
  readonly rows?: number;
  /** Metres along a cell's side. Default 1. */
  readonly cell?: number;
  /** Part of the inner walls that are taken away, so that there is more than one way. Default 0. */
  readonly openings?: number;
  readonly seed?: number;
  /** Metres. Default 1. */
  readonly wallHeight?: number;
}

/**
 * A maze in which every cell is reached from every other: a random spanning tree, walked depth first.
 * Cell (i, j) has its middle at ((i + ½) · cell, (j + ½) · cell).
 * @example robotics.simulate.maze({ columns: 10, rows: 10, seed: 3 })
 */
export function maze(options: MazeOptions = {}): World {
  const { columns = 8, rows = 6, cell = 1, openings = 0, seed = 0, wallHeight = 1 } = options;
  checkCount(columns, "maze: columns", 1);
  checkCount(rows, "maze: rows", 1);
  checkSize(cell, "maze: cell");
  if (!(openings >= 0 && openings <= 1))
    throw new ValueError(`maze: openings is a part, 0 … 1, got ${openings}`);
  const draws = new Draws(new NoiseSource(seed), "world", 1);
  const open = new Set<string>(); // walls taken away, by the two cells that they part
  const wall = (a: number, b: number): string => `${Math.min(a, b)} ${Math.max(a, b)}`;
  const around = (at: number): number[] => {
    const [i, j] = [at % columns, Math.floor(at / columns)];
    return [
      ...(i > 0 ? [at - 1] : []),
      ...(i < columns - 1 ? [at + 1] : []),
      ...(j > 0 ? [at - columns] : []),
      ...(j < rows - 1 ? [at + columns] : []),
    ];
  };
  const seen = new Set([0]);
  const path = [0];
  while (path.length > 0) {
    const at = path[path.length - 1];
    const next = around(at).filter((one) => !seen.has(one));
    if (next.length === 0) {
      path.pop();
      continue;
    }
    const to = draws.pick(next);
    open.add(wall(at, to));
    seen.add(to);
    path.push(to);
  }
  const segments: [Point, Point][] = [];
  const point = (i: number, j: number): Point => ({ x: i * cell, y: j * cell });
  for (let j = 0; j <= rows; j++)
    runs(
      columns,
      (i) => isWall(j === 0 || j === rows, (j - 1) * columns + i, j * columns + i),
      (a, b) => segments.push([point(a, j), point(b, j)]),
    );
  for (let i = 0; i <= columns; i++)
    runs(
      rows,
      (j) => isWall(i === 0 || i === columns, j * columns + i - 1, j * columns + i),
      (a, b) => segments.push([point(i, a), point(i, b)]),
    );
  return new World({
    bodies: [
      {
        class: "wall",
        name: "walls",
        shape: { kind: "segments", segments },
        height: wallHeight,
        material: WALL,
      },
    ],
  });

  function isWall(border: boolean, a: number, b: number): boolean {
    return border || (!open.has(wall(a, b)) && !(openings > 0 && draws.uniform() < openings));
  }
}

export interface FloorOptions {
  /** Metres. Default 16 and 12. */
  readonly width?: number;
  readonly height?: number;
  /** No room is cut that would have a side shorter than this, metres. Default 3. */
  readonly smallest?: number;
  /** Of a door, metres. Default 1. */
  readonly door?: number;
  readonly seed?: number;
  /** Metres. Default 2.5. */
  readonly wallHeight?: number;
}

/**
 * A floor of rooms: a rectangle that is cut in two again and again, each cut with a door.
 * @example robotics.simulate.floor({ seed: 2 })
 */
export function floor(options: FloorOptions = {}): World {
  const { width = 16, height = 12, smallest = 3, door = 1, seed = 0, wallHeight = 2.5 } = options;
  for (const [what, size] of Object.entries({ width, height, smallest, door }))
    checkSize(size, `floor: ${what}`);
  if (door > smallest / 2)
    throw new ValueError(`floor: a door of ${door} m is more than half of the smallest room's ${smallest} m`);
  const draws = new Draws(new NoiseSource(seed), "world", 2);
  const cuts: { upright: boolean; at: number; from: number; to: number; doorAt: number }[] = [];
  /** A place for a cut that ends at no door of the walls at `from` and `to`. */
  const clearOfDoors = (
    upright: boolean,
    low: number,
    high: number,
    from: number,
    to: number,
  ): number | null => {
    const doors = cuts.filter((one) => one.upright !== upright && (one.at === from || one.at === to));
    for (let attempt = 0; attempt < 30; attempt++) {
      const at = draws.uniform(low, high);
      if (doors.every(({ doorAt }) => at < doorAt - 0.2 || at > doorAt + door + 0.2)) return at;
    }
    return null;
  };
  const cut = (x0: number, y0: number, x1: number, y1: number): void => {
    const [w, h] = [x1 - x0, y1 - y0];
    const upright = w > h;
    const long = Math.max(w, h);
    if (long < 2 * smallest) return;
    const [low, end] = upright ? [x0, x1] : [y0, y1];
    const [from, to] = upright ? [y0, y1] : [x0, x1];
    const at = clearOfDoors(upright, low + smallest, end - smallest, from, to);
    if (at === null) return;
    // the door keeps away from the ends, where later walls may meet this one
    const doorAt = draws.uniform(from + 0.25, Math.max(from + 0.25, to - door - 0.25));
    cuts.push({ upright, at, from, to, doorAt });
    if (upright) {
      cut(x0, y0, at, y1);
      cut(at, y0, x1, y1);
    } else {
      cut(x0, y0, x1, at);
      cut(x0, at, x1, y1);
    }
  };
  cut(0, 0, width, height);
  const pieces: [Point, Point][] = [];
  const piece = (upright: boolean, at: number, from: number, to: number): void => {
    if (to - from < 1e-9) return;
    pieces.push(
      upright
        ? [
            { x: at, y: from },
            { x: at, y: to },
          ]
        : [
            { x: from, y: at },
            { x: to, y: at },
          ],
    );
  };
  for (const { upright, at, from, to, doorAt } of cuts) {
    piece(upright, at, from, doorAt);
    piece(upright, at, doorAt + door, to);
  }
  for (const [upright, at, to] of [
    [true, 0, height],
    [true, width, height],
    [false, 0, width],
    [false, height, width],
  ] as const)
    piece(upright, at, 0, to);
  return new World({
    bodies: [
      {
        class: "wall",
        name: "walls",
        shape: { kind: "segments", segments: pieces },
        height: wallHeight,
        material: WALL,
      },
    ],
  });
}
