/** Energy by access: what moves, and how far, costs more than what is computed. */
import type { ArrayType } from "./config.js";

/**
 * Picojoules in 45 nm at 0.9 V: Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, figures
 * 1.1.9: integer add 0.03 (8 bits), 0.1 (32); multiply 0.2, 3.1; float add 0.4 (16 bits), 0.9 (32); multiply 1.1, 3.7; 64 bits
 * from a cache of 8 KiB 10, 32 KiB 20, 1 MiB 100; DRAM 1300–2600.
 */
export const PICOJOULES = {
  /** A product and its addition to the sum. */
  mac: { int8: 0.2 + 0.1, bfloat16: 1.1 + 0.9, float16: 1.1 + 0.9, float32: 3.7 + 0.9 } satisfies Record<
    ArrayType,
    number
  >,
  /** One lane of the vector unit. */
  lane: 0.9,
  /** A byte of the outer memory: the middle of 1300 and 2600 for 8. */
  dramByte: 1950 / 8,
} as const;

/**
 * Picojoules of a byte of an on-chip memory of this size: between Horowitz's figures in proportion to the logarithm.
 * @example sramPicojoules(2 ** 20) // 12.5
 */
export function sramPicojoules(bytes: number): number {
  const [small, middle, large] = [
    [2 ** 13, 10 / 8],
    [2 ** 15, 20 / 8],
    [2 ** 20, 100 / 8],
  ];
  const between = ([x0, y0]: number[], [x1, y1]: number[]): number =>
    y0 * (y1 / y0) ** (Math.log2(bytes / x0) / Math.log2(x1 / x0));
  return bytes <= middle[0] ? between(small, middle) : between(middle, large);
}

/**
 * The same accesses in units of one multiply-accumulate, as Eyeriss counts them (Chen, Emer, Sze, ISCA 2016, table IV): register file 1,
 * neighbour in the array 2, global buffer 6, DRAM 200.
 */
export const EYERISS = { register: 1, neighbour: 2, buffer: 6, dram: 200 } as const;
