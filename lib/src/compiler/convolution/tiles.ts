/** Tiles of a line of outputs, in vectors. */
import type { FastFilter } from "./cook-toom.js";

export interface Tiles {
  readonly f: FastFilter;
  /** Of a line, with what fills a vector. */
  readonly across: number;
  /** Neighbouring tiles in a vector; 1: none. */
  readonly lanes: number;
}

/** As wide vectors as can be filled: what fills the last one is multiplied for nothing. */
export function tilesAcross(width: number, m: number, lanes: number): Omit<Tiles, "f"> {
  const least = Math.ceil(width / m);
  const up = (by: number): number => Math.ceil(least / by) * by;
  let count = lanes;
  while (count > 4 && up(count) > 1.15 * least) count /= 2;
  if (count === 4 && up(4) > 1.34 * least) count = 1;
  return { across: up(count), lanes: count };
}
