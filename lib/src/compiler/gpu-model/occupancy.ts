/** How many blocks fit on a streaming multiprocessor at once, and what is in the way of more. */
import { ValueError } from "../../core/errors.js";
import type { GpuSpec } from "./spec.js";

export const WARP = 32;
/** Registers are given out to warps in pieces, shared memory to blocks. */
const REGISTER_PIECE = 256;
const SHARED_PIECE = 1024;

export interface Launch {
  readonly threads: number;
  readonly registersPerThread: number;
  readonly sharedBytes: number;
}

export interface Occupancy {
  readonly blocks: number;
  readonly warps: number;
  /** Of the warps that a processor can hold. */
  readonly share: number;
  readonly limitedBy: "threads" | "blocks" | "registers" | "shared memory";
}

/**
 * The rules of CUDA's occupancy calculator.
 * @example compiler.gpu.occupancyOf(compiler.gpu.GPUS.V100, { threads: 256, registersPerThread: 128, sharedBytes: 0 }).share // 0.25
 * @throws ValueError if not even one block fits
 */
export function occupancyOf({ name, limits }: GpuSpec, launch: Launch): Occupancy {
  const { threads, registersPerThread, sharedBytes } = launch;
  if (threads < 1 || threads > limits.threadsPerBlock)
    throw new ValueError(`${name}: a block has 1 to ${limits.threadsPerBlock} threads, not ${threads}`);
  if (registersPerThread > limits.registersPerThread)
    throw new ValueError(
      `${name}: a thread has at most ${limits.registersPerThread} registers, not ${registersPerThread}`,
    );
  const warps = Math.ceil(threads / WARP);
  const perWarp = Math.ceil((registersPerThread * WARP) / REGISTER_PIECE) * REGISTER_PIECE;
  const shared = Math.ceil(sharedBytes / SHARED_PIECE) * SHARED_PIECE;
  const bounds = {
    blocks: limits.blocks,
    threads: Math.floor(limits.threads / (warps * WARP)),
    registers: Math.floor(limits.registers / perWarp / warps),
    "shared memory": shared === 0 ? Number.POSITIVE_INFINITY : Math.floor(limits.sharedBytes / shared),
  };
  const [limitedBy, blocks] = (Object.entries(bounds) as [Occupancy["limitedBy"], number][]).reduce((a, b) =>
    b[1] < a[1] ? b : a,
  );
  if (blocks === 0)
    throw new ValueError(`${name}: a block of this kernel does not fit: too much ${limitedBy}`);
  return { blocks, warps: blocks * warps, share: (blocks * warps * WARP) / limits.threads, limitedBy };
}
