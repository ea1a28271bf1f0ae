/**
 * Kernels by device and op. An op always has its reference kernel (in `ops/`); a device adds faster ones here.
 * What a device cannot run falls back to the reference kernel, since host storages are shared.
 */
import type { HostArray } from "./host-array.js";

/** Computes `outputs` (contiguous, newly allocated, uninitialized) from `inputs`. */
export type Kernel<A = never> = (
  inputs: readonly HostArray[],
  outputs: readonly HostArray[],
  attrs: A,
) => void;

export interface DeviceKernel<A = never> {
  readonly op: string;
  /** False if this kernel cannot take such dtypes, layouts or attributes; then the reference kernel runs. */
  supports?(inputs: readonly HostArray[], outputs: readonly HostArray[], attrs: A): boolean;
  readonly run: Kernel<A>;
  /** It only launches compiled kernels and looks at no element itself: it may run on a stream. */
  readonly launches?: boolean;
  /** False: `run` takes no tensor memory besides its outputs. Default true. */
  readonly allocates?: boolean;
  /**
   * The same with everything decided that shapes, strides, offsets, dtypes and attributes decide. `null`: nothing can be
   * decided for these. Only for kernels whose `supports` looks at no element.
   */
  prepare?(inputs: readonly HostArray[], outputs: readonly HostArray[], attrs: A): PreparedKernel | null;
}

/** A kernel on certain arrays: called again and again while only their `ptr` and `data` change. */
export interface PreparedKernel {
  /** Bytes that it needs besides while it runs. Default 0. */
  readonly workspace?: number;
  /** @param workspace address of these bytes, at a multiple of 8 */
  run(workspace: number): void;
}

const byDevice = new Map<string, Map<string, DeviceKernel>>();

/**
 * Adds a device's kernel for an op; the last one registered wins.
 * @example
 * extend.registerKernel("example", { op: "sin", run: () => {} });
 * extend.kernelOps("example") // ["sin"]
 */
export function registerKernel<A>(device: string, kernel: DeviceKernel<A>): void {
  const kernels = byDevice.get(device) ?? new Map<string, DeviceKernel>();
  byDevice.set(device, kernels);
  kernels.set(kernel.op, kernel as DeviceKernel);
}

/** @example extend.findKernel("wasm", "matmul")?.op // "matmul" */
export function findKernel(device: string, op: string): DeviceKernel<unknown> | undefined {
  return byDevice.get(device)?.get(op) as DeviceKernel<unknown> | undefined;
}

/**
 * The ops for which a device has its own kernel.
 * @example extend.kernelOps("wasm").includes("matmul") // true
 */
export function kernelOps(device: string): string[] {
  return [...(byDevice.get(device)?.keys() ?? [])].sort();
}
