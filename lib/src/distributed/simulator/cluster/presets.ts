/**
 * Devices and links by name, with figures from their data sheets and from the book's chapter 9. Bandwidths are per
 * direction: the book's and the vendors' 600 GB/s of NVLink and 64 GB/s of PCIe 4 are both directions together.
 */
import type { LinkKind } from "./network.js";

/** An accelerator, or whatever computes. */
export interface Device {
  readonly name: string;
  /** Peak of matrix products at the precision that training uses, FLOP/s. */
  readonly flops: number;
  /** Part of the peak that a large matrix product reaches. */
  readonly productEfficiency: number;
  /** Bytes per second from and to its memory. */
  readonly memoryBandwidth: number;
  /** Part of it that a long elementwise kernel reaches. */
  readonly memoryEfficiency: number;
  /** Bytes. */
  readonly memory: number;
  /** Seconds that a kernel takes besides its work: launch, fill and drain. */
  readonly kernelOverhead: number;
  /** Multiprocessors, and the tile of a product's result that one of them makes at a time: what doesn't fill the last round is lost. */
  readonly units: number;
  readonly tile: readonly [rows: number, columns: number];
}

/** GB = 10⁹ bytes, as data sheets count. */
const GB = 1e9;

export const DEVICES = {
  /**
   * NVIDIA A100 SXM4 80 GB: 312 TFLOP/s FP16, 108 SMs, 2,039 GB/s (data sheet). The products' 68 % are what makes the
   * 145-billion-parameter row of Megatron-LM's table come out (model/published.test.ts); the other rows are predictions.
   */
  a100: {
    ...{ name: "A100 SXM 80 GB", flops: 312e12, memoryBandwidth: 2039 * GB, memory: 80 * GB },
    ...{ productEfficiency: 0.68, memoryEfficiency: 0.8, kernelOverhead: 5e-6, units: 108, tile: [128, 256] },
  },
  /** The book's A100: the PCIe card with 80 GB and HBM at 1,935 GB/s (data sheet). */
  a100Pcie: {
    ...{ name: "A100 PCIe 80 GB", flops: 312e12, memoryBandwidth: 1935 * GB, memory: 80 * GB },
    ...{ productEfficiency: 0.6, memoryEfficiency: 0.8, kernelOverhead: 5e-6, units: 108, tile: [128, 256] },
  },
  /** NVIDIA H100 SXM5: 989 TFLOP/s BF16 dense, 132 SMs, 3,350 GB/s (data sheet). */
  h100: {
    ...{ name: "H100 SXM 80 GB", flops: 989e12, memoryBandwidth: 3350 * GB, memory: 80 * GB },
    ...{ productEfficiency: 0.7, memoryEfficiency: 0.8, kernelOverhead: 5e-6, units: 132, tile: [128, 256] },
  },
  /** NVIDIA V100 SXM2 32 GB: 125 TFLOP/s FP16, 80 SMs, 900 GB/s (data sheet). */
  v100: {
    ...{ name: "V100 SXM 32 GB", flops: 125e12, memoryBandwidth: 900 * GB, memory: 32 * GB },
    ...{ productEfficiency: 0.75, memoryEfficiency: 0.8, kernelOverhead: 5e-6, units: 80, tile: [128, 128] },
  },
} as const satisfies Record<string, Device>;

/** Bits per second as networks are sold, in bytes per second. */
const gigabits = (rate: number, latency: number): LinkKind => ({ bandwidth: (rate * 1e9) / 8, latency });

export const LINKS = {
  /** NVLink 3 of an A100: 600 GB/s, 300 each way. */
  nvlink3: { bandwidth: 300 * GB, latency: 2e-6 },
  /** NVLink 4 of an H100: 900 GB/s, 450 each way. */
  nvlink4: { bandwidth: 450 * GB, latency: 2e-6 },
  /** PCIe 4.0 × 16: 64 GB/s, 32 each way. */
  pcie4: { bandwidth: 32 * GB, latency: 3e-6 },
  ethernet10: gigabits(10, 30e-6),
  ethernet25: gigabits(25, 20e-6),
  infiniband100: gigabits(100, 5e-6),
  infiniband200: gigabits(200, 5e-6),
} as const satisfies Record<string, LinkKind>;
