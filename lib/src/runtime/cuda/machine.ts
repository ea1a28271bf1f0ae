/** What a machine has of CUDA: the driver, the compiler and the libraries, each found or missing with the way to get it. */
import { type CudaProperties, deviceCount, deviceProperties, driverVersion } from "./context.js";
import { type Cublas, findCublas } from "./cublas.js";
import { findCublasLt } from "./cublaslt.js";
import { findCudnn } from "./cudnn.js";
import { type Driver, loadDriver } from "./driver.js";
import { findNvrtc, type Nvrtc, nvrtcVersion } from "./nvrtc.js";

/** A part that is there, or why it is not. */
export type Part<T> = T | string;

export interface CudaMachine {
  readonly driver: Part<Driver>;
  readonly nvrtc: Part<Nvrtc>;
  readonly cublas: Part<Cublas>;
  /** Compiled kernels are kept on disk. */
  readonly cached: boolean;
}

let machine: CudaMachine | undefined;
let substitute: CudaMachine | null = null;

/** This machine's parts. Looks once. */
export function cudaMachine(): CudaMachine {
  machine ??= { driver: findDriver(), nvrtc: findNvrtc(), cublas: findCublas(), cached: true };
  return substitute ?? machine;
}

/** Puts another machine in the place of this one; null: this one again. For tests. */
export function useCudaMachine(other: CudaMachine | null): void {
  substitute = other;
}

function findDriver(): Part<Driver> {
  let driver: Driver;
  try {
    driver = loadDriver();
  } catch (error) {
    return `NVIDIA's driver is missing (${(error as Error).message}): install it, or start the container with the GPU`;
  }
  try {
    return deviceCount(driver) > 0 ? driver : "the driver sees no CUDA device (see CUDA_VISIBLE_DEVICES)";
  } catch (error) {
    return (error as Error).message;
  }
}

/** The device that ops run on: number MLSYS_CUDA_DEVICE, default 0. */
export function wantedOrdinal(): number {
  const wanted = Number(process.env.MLSYS_CUDA_DEVICE ?? 0);
  return Number.isInteger(wanted) && wanted >= 0 ? wanted : 0;
}

/** What there is and what is missing. `available`: ops can run. */
export function describeCuda(): { available: boolean; detail: string } {
  const { driver, nvrtc, cublas } = cudaMachine();
  if (typeof driver === "string") return { available: false, detail: driver };
  if (typeof nvrtc === "string") return { available: false, detail: nvrtc };
  let properties: CudaProperties;
  try {
    const count = deviceCount(driver);
    const ordinal = wantedOrdinal();
    if (ordinal >= count)
      return { available: false, detail: `MLSYS_CUDA_DEVICE is ${ordinal}, but there are ${count} devices` };
    properties = deviceProperties(driver, ordinal);
  } catch (error) {
    return { available: false, detail: (error as Error).message };
  }
  const { name, capability, totalBytes, multiprocessors } = properties;
  if (capability[0] < 8)
    return {
      available: false,
      detail: `${name} has compute capability ${capability.join(".")}; kernels here need 8.0 (Ampere)`,
    };
  const parts = [
    `${name}, sm_${capability.join("")}, ${multiprocessors} multiprocessors, ${gib(totalBytes)}`,
    `CUDA ${driverVersion(driver)}, NVRTC ${nvrtcVersion(nvrtc).join(".")}`,
    typeof cublas === "string" ? `products by own kernels, since ${cublas}` : "cuBLAS",
  ];
  return { available: true, detail: parts.join("; ") };
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(bytes < 2 ** 32 ? 1 : 0)} GiB`;

/** The optional libraries that no op of the device needs. */
export function describeOptional(): Readonly<Record<"cublasLt" | "cudnn", string>> {
  const say = (part: unknown): string => (typeof part === "string" ? part : "found");
  return { cublasLt: say(findCublasLt()), cudnn: say(findCudnn()) };
}
