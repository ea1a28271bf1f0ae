/**
 * GPUs as the simulator sees them: how many processors, what each can issue in a cycle, how far memory is. (Book, chapter
 * 6: GPC, TPC, SM; the hierarchy of memories.)
 *
 * Sources: NVIDIA's architecture papers of Volta (WP-08608), Ampere GA102 and Hopper for counts, clocks and bandwidths; CUDA C
 * Programming Guide, "compute capabilities", for limits; Jia et al. 2018 (arXiv:1804.06826) for latencies of Volta, which
 * the others are close to.
 */

export interface GpuSpec {
  readonly name: string;
  /** Graphics processing clusters, texture processing clusters in each, streaming multiprocessors in each of those. */
  readonly clusters: readonly [gpc: number, tpc: number, sm: number];
  /** Streaming multiprocessors that are in use. */
  readonly processors: number;
  /** Units of each processor. */
  readonly units: {
    readonly fp32: number;
    readonly int32: number;
    readonly fp64: number;
    readonly tensor: number;
    readonly texture: number;
  };
  /** Multiply-adds that a tensor core does in a cycle, of 16-bit numbers. */
  readonly tensorMultiplyAdds: number;
  /** 10⁹ cycles per second. */
  readonly ghz: number;
  /** Of each processor. */
  readonly limits: {
    readonly threads: number;
    readonly blocks: number;
    readonly registers: number;
    readonly sharedBytes: number;
    /** L1 cache and shared memory together. */
    readonly cacheBytes: number;
    readonly threadsPerBlock: number;
    readonly registersPerThread: number;
  };
  /** Cycles from a load to its value. */
  readonly latency: {
    readonly arithmetic: number;
    readonly shared: number;
    readonly l1: number;
    readonly l2: number;
    readonly dram: number;
  };
  /** 10⁹ bytes per second of the whole chip. */
  readonly l2Gbytes: number;
  readonly dramGbytes: number;
  readonly l2Bytes: number;
  readonly memoryBytes: number;
}

const KIB = 1024;
const GIB = 2 ** 30;

const COMMON = { blocks: 32, registers: 65536, threadsPerBlock: 1024, registersPerThread: 255 } as const;

const V100: GpuSpec = {
  name: "V100",
  clusters: [6, 7, 2],
  processors: 80,
  units: { fp32: 64, int32: 64, fp64: 32, tensor: 8, texture: 4 },
  tensorMultiplyAdds: 64, // 4 × 4 × 4
  ghz: 1.53,
  limits: { ...COMMON, threads: 2048, sharedBytes: 96 * KIB, cacheBytes: 128 * KIB },
  latency: { arithmetic: 4, shared: 19, l1: 28, l2: 193, dram: 400 },
  l2Gbytes: 2500,
  dramGbytes: 900,
  l2Bytes: 6 * KIB * KIB,
  memoryBytes: 16 * GIB,
};

const RTX_3080: GpuSpec = {
  name: "RTX 3080",
  clusters: [7, 6, 2],
  processors: 68,
  units: { fp32: 128, int32: 64, fp64: 2, tensor: 4, texture: 4 },
  tensorMultiplyAdds: 128,
  ghz: 1.71,
  limits: { ...COMMON, threads: 1536, blocks: 16, sharedBytes: 100 * KIB, cacheBytes: 128 * KIB },
  latency: { arithmetic: 4, shared: 23, l1: 33, l2: 200, dram: 470 },
  l2Gbytes: 2200,
  dramGbytes: 760,
  l2Bytes: 5 * KIB * KIB,
  memoryBytes: 10 * GIB,
};

const H100: GpuSpec = {
  name: "H100",
  clusters: [8, 9, 2],
  processors: 132,
  units: { fp32: 128, int32: 64, fp64: 64, tensor: 4, texture: 4 },
  tensorMultiplyAdds: 512,
  ghz: 1.83,
  limits: { ...COMMON, threads: 2048, sharedBytes: 228 * KIB, cacheBytes: 256 * KIB },
  latency: { arithmetic: 4, shared: 29, l1: 38, l2: 260, dram: 560 },
  l2Gbytes: 5500,
  dramGbytes: 3350,
  l2Bytes: 50 * KIB * KIB,
  memoryBytes: 80 * GIB,
};

/** GPUs by name. @example compiler.gpu.GPUS.V100.processors // 80 */
export const GPUS: Readonly<Record<"V100" | "RTX 3080" | "H100", GpuSpec>> = {
  V100,
  "RTX 3080": RTX_3080,
  H100,
};

/**
 * What a whole GPU has; `die`: all that is on the die, not what the product uses.
 * @example compiler.gpu.totalsOf(compiler.gpu.GPUS.V100, true).fp32 // 5376
 */
export function totalsOf(
  { clusters: [gpc, tpc, sm], processors, units, tensorMultiplyAdds, ghz }: GpuSpec,
  die = false,
): {
  readonly processors: number;
  readonly fp32: number;
  readonly int32: number;
  readonly fp64: number;
  readonly tensor: number;
  readonly texture: number;
  /** 10⁹ operations per second, a multiply-add counting two. */
  readonly gflops: number;
  /** The same by tensor cores. */
  readonly tensorGflops: number;
} {
  const count = die ? gpc * tpc * sm : processors;
  return {
    processors: count,
    fp32: count * units.fp32,
    int32: count * units.int32,
    fp64: count * units.fp64,
    tensor: count * units.tensor,
    texture: count * units.texture,
    gflops: 2 * count * units.fp32 * ghz,
    tensorGflops: 2 * count * units.tensor * tensorMultiplyAdds * ghz,
  };
}
