/** Dubins curves (1957): the shortest ways of a car that drives forward and turns no tighter than a radius. */
import { ValueError } from "../../core/errors.js";
import type { Pose2 } from "../control/path-tracking.js";

/** Left or right on the tightest circle, or straight. */
export type DubinsTurn = "L" | "S" | "R";

/** The six kinds of shortest ways. */
export const DUBINS_WORDS = ["LSL", "RSR", "LSR", "RSL", "RLR", "LRL"] as const;
export type DubinsWord = (typeof DUBINS_WORDS)[number];

export interface DubinsPath {
  readonly word: DubinsWord;
  /** Lengths of the three pieces, m. */
  readonly lengths: readonly [number, number, number];
  /** m. */
  readonly length: number;
  readonly start: Pose2;
  /** m. */
  readonly radius: number;
}

const TURN = 2 * Math.PI;
const positive = (angle: number): number => {
  const turned = angle - TURN * Math.floor(angle / TURN);
  return turned > TURN - 1e-9 ? 0 : turned; // a full circle by rounding is none
};

/** Below this square of a length two circles are the same one, and the line between them has no direction. */
const COINCIDENT = 1e-14;

/** Parameters t, p, q of each word for a start (0, 0, α) and an end (d, 0, β), radius 1 (Shkel & Lumelsky 2001); `null`: none. */
const FORMULAS: Record<
  DubinsWord,
  (a: number, b: number, d: number) => readonly [number, number, number] | null
> = {
  LSL: (a, b, d) => {
    const square = 2 + d * d - 2 * Math.cos(a - b) + 2 * d * (Math.sin(a) - Math.sin(b));
    if (square < COINCIDENT) return [0, 0, positive(b - a)];
    const angle = Math.atan2(Math.cos(b) - Math.cos(a), d + Math.sin(a) - Math.sin(b));
    return [positive(angle - a), Math.sqrt(square), positive(b - angle)];
  },
  RSR: (a, b, d) => {
    const square = 2 + d * d - 2 * Math.cos(a - b) + 2 * d * (Math.sin(b) - Math.sin(a));
    if (square < COINCIDENT) return [0, 0, positive(a - b)];
    const angle = Math.atan2(Math.cos(a) - Math.cos(b), d - Math.sin(a) + Math.sin(b));
    return [positive(a - angle), Math.sqrt(square), positive(angle - b)];
  },
  LSR: (a, b, d) => {
    const square = -2 + d * d + 2 * Math.cos(a - b) + 2 * d * (Math.sin(a) + Math.sin(b));
    if (square < -COINCIDENT) return null;
    const p = Math.sqrt(Math.max(0, square));
    const angle = Math.atan2(-Math.cos(a) - Math.cos(b), d + Math.sin(a) + Math.sin(b)) - Math.atan2(-2, p);
    return [positive(angle - a), p, positive(angle - b)];
  },
  RSL: (a, b, d) => {
    const square = -2 + d * d + 2 * Math.cos(a - b) - 2 * d * (Math.sin(a) + Math.sin(b));
    if (square < -COINCIDENT) return null;
    const p = Math.sqrt(Math.max(0, square));
    const angle = Math.atan2(Math.cos(a) + Math.cos(b), d - Math.sin(a) - Math.sin(b)) - Math.atan2(2, p);
    return [positive(a - angle), p, positive(b - angle)];
  },
  RLR: (a, b, d) => {
    const cos = (6 - d * d + 2 * Math.cos(a - b) + 2 * d * (Math.sin(a) - Math.sin(b))) / 8;
    if (Math.abs(cos) > 1 + COINCIDENT) return null;
    const p = TURN - Math.acos(Math.max(-1, Math.min(1, cos)));
    const t = positive(a - Math.atan2(Math.cos(a) - Math.cos(b), d - Math.sin(a) + Math.sin(b)) + p / 2);
    return [t, p, positive(a - b - t + p)];
  },
  LRL: (a, b, d) => {
    const cos = (6 - d * d + 2 * Math.cos(a - b) + 2 * d * (Math.sin(b) - Math.sin(a))) / 8;
    if (Math.abs(cos) > 1 + COINCIDENT) return null;
    const p = TURN - Math.acos(Math.max(-1, Math.min(1, cos)));
    const t = positive(-a + Math.atan2(Math.cos(b) - Math.cos(a), d + Math.sin(a) - Math.sin(b)) + p / 2);
    return [t, p, positive(b - a - t + p)];
  },
};

/** The way of one kind, if it exists. */
function dubinsWord(word: DubinsWord, start: Pose2, end: Pose2, radius: number): DubinsPath | null {
  const [dx, dy] = [end[0] - start[0], end[1] - start[1]];
  const direction = Math.atan2(dy, dx);
  const found = FORMULAS[word](
    positive(start[2] - direction),
    positive(end[2] - direction),
    Math.hypot(dx, dy) / radius,
  );
  if (!found) return null;
  const lengths = found.map((v) => v * radius) as [number, number, number];
  return { word, lengths, length: lengths[0] + lengths[1] + lengths[2], start, radius };
}

/**
 * The shortest way between two poses.
 * @param radius of the tightest turn, m
 * @example plan.dubins([0, 0, 0], [0, 2, Math.PI], 1).length // 3.1416
 */
export function dubins(start: Pose2, end: Pose2, radius: number): DubinsPath {
  return dubinsWays(start, end, radius)[0];
}

/**
 * The ways of all kinds that exist, the shortest first.
 * @example plan.dubinsWays([0, 0, 0], [9, 0, 0], 1).length // 4
 */
export function dubinsWays(start: Pose2, end: Pose2, radius: number): DubinsPath[] {
  if (!(radius > 0)) throw new ValueError(`dubins: a radius above 0 m wanted, got ${radius}`);
  return DUBINS_WORDS.flatMap((word) => dubinsWord(word, start, end, radius) ?? []).sort(
    (a, b) => a.length - b.length,
  );
}

/** The pose after a turn of some length. */
function moved([x, y, heading]: Pose2, turn: DubinsTurn, length: number, radius: number): Pose2 {
  if (turn === "S") return [x + length * Math.cos(heading), y + length * Math.sin(heading), heading];
  const sign = turn === "L" ? 1 : -1;
  const next = heading + (sign * length) / radius;
  return [
    x + sign * radius * (Math.sin(next) - Math.sin(heading)),
    y - sign * radius * (Math.cos(next) - Math.cos(heading)),
    next,
  ];
}

/**
 * The pose `along` metres from the start of a way.
 * @example plan.dubinsPose(plan.dubins([0, 0, 0], [5, 0, 0], 1), 2) // [2, 0, 0]
 */
export function dubinsPose({ word, lengths, start, radius }: DubinsPath, along: number): Pose2 {
  let pose = start;
  let rest = Math.max(0, along);
  for (const [i, length] of lengths.entries()) {
    const part = Math.min(rest, length);
    pose = moved(pose, word[i] as DubinsTurn, part, radius);
    rest -= part;
  }
  return pose;
}

/**
 * Poses along a way, at most `spacing` metres from each other, ends included.
 * @example plan.dubinsPoses(plan.dubins([0, 0, 0], [1, 0, 0], 1), 0.5).length // 3
 */
export function dubinsPoses(path: DubinsPath, spacing: number): Pose2[] {
  if (!(spacing > 0)) throw new ValueError(`dubinsPoses: a spacing above 0 m wanted, got ${spacing}`);
  const count = Math.max(1, Math.ceil(path.length / spacing - 1e-9));
  return Array.from({ length: count + 1 }, (_, i) => dubinsPose(path, (i / count) * path.length));
}
