/** A GPU language: how a module and its kernels are put together, and the target that writes statements. */
import type { Buffer, LoopType } from "../../loop/ir.js";
import type { Barrier } from "./barriers.js";
import type { Accesses, Multiples } from "./storage.js";
import type { GpuTarget } from "./target.js";

/** A buffer of a program: a parameter, or a temporary in global memory. */
export interface GpuBuffer {
  readonly buffer: Buffer;
  readonly accesses: Accesses;
}

/** A kernel as it is put into a module. */
export interface GpuEntry {
  readonly name: string;
  readonly threads: number;
  readonly target: GpuTarget;
}

export interface Dialect {
  readonly name: string;
  target(
    kernel: string,
    accesses: ReadonlyMap<string, Accesses>,
    multiples: Multiples,
    sizes: readonly string[],
  ): GpuTarget;
  /** The number of the block along an axis (0: x), and of the thread in its block. */
  readonly block: (axis: number) => string;
  /** The number of the block where one axis may be longer than a grid is wide. */
  readonly foldedBlock: string;
  readonly thread: string;
  barrier(kind: Barrier): string;
  /** The text of a module. */
  module(buffers: readonly GpuBuffer[], sizes: readonly string[], entries: readonly GpuEntry[]): string;
  /** Bytes that a buffer of a block takes. */
  bytes(dtype: LoopType): number;
}

/** Blocks along x before a single axis is continued along y; the least that devices allow is 65535. */
export const FOLD = 32768;
