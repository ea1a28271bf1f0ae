/** A CUDA device in use: its properties, its primary context, its memory and its streams. */
import { DeviceError } from "../../core/errors.js";
import { CachingAllocator } from "./allocator.js";
import { Attribute, type Driver } from "./driver.js";
import { Staging } from "./staging.js";
import { CudaStream } from "./stream.js";
import { Out } from "./table.js";

export interface CudaProperties {
  readonly ordinal: number;
  readonly name: string;
  /** Compute capability: [8, 0] is an A100, [9, 0] an H100. */
  readonly capability: readonly [major: number, minor: number];
  readonly totalBytes: number;
  readonly multiprocessors: number;
  readonly clockMHz: number;
  readonly memoryClockMHz: number;
  readonly memoryBusBits: number;
  readonly l2Bytes: number;
  /** Most shared memory that a block may ask for. */
  readonly sharedBytesPerBlock: number;
  readonly warpSize: number;
}

/** Number of CUDA devices. Starts the driver. */
export function deviceCount(driver: Driver): number {
  driver.cuInit(0);
  const out = new Out();
  driver.cuDeviceGetCount(out.at);
  return out.int();
}

/** Version of CUDA that the driver supports, e.g. "13.0". */
export function driverVersion(driver: Driver): string {
  const out = new Out();
  driver.cuDriverGetVersion(out.at);
  return `${Math.floor(out.int() / 1000)}.${Math.floor((out.int() % 1000) / 10)}`;
}

/** What the driver says of a device. */
export function deviceProperties(driver: Driver, ordinal: number): CudaProperties {
  const out = new Out();
  driver.cuDeviceGet(out.at, ordinal);
  const device = out.int();
  const get = (attribute: number): number => {
    driver.cuDeviceGetAttribute(out.at, attribute, device);
    return out.int();
  };
  const name = new Uint8Array(new ArrayBuffer(256));
  driver.cuDeviceGetName(name, name.length, device);
  driver.cuDeviceTotalMem_v2(out.at, device);
  const totalBytes = out.word();
  return {
    ordinal,
    name: new TextDecoder().decode(name.subarray(0, name.indexOf(0))),
    capability: [get(Attribute.computeCapabilityMajor), get(Attribute.computeCapabilityMinor)],
    totalBytes,
    multiprocessors: get(Attribute.multiprocessorCount),
    clockMHz: get(Attribute.clockRateKHz) / 1000,
    memoryClockMHz: get(Attribute.memoryClockRateKHz) / 1000,
    memoryBusBits: get(Attribute.memoryBusWidthBits),
    l2Bytes: get(Attribute.l2CacheBytes),
    sharedBytesPerBlock: get(Attribute.sharedMemoryPerBlockOptin),
    warpSize: get(Attribute.warpSize),
  };
}

/**
 * What kernels are compiled for: the device's own machine code (sm_90a has wgmma and TMA, which plain sm_90 lacks), or, where
 * the compiler is older than the device, PTX of its newest architecture, which the driver translates.
 * @param known architectures that the compiler has, as numbers; none: all
 * @throws DeviceError if the compiler has none that the device could run.
 */
export function archOf([major, minor]: CudaProperties["capability"], known: readonly number[] = []): string {
  const own = major * 10 + minor;
  if (known.length === 0 || known.includes(own)) return `sm_${own}${major >= 9 ? "a" : ""}`;
  const newest = Math.max(...known.filter((arch) => arch <= own));
  if (!Number.isFinite(newest))
    throw new DeviceError(
      `this NVRTC compiles for ${known.map((arch) => `sm_${arch}`).join(", ")}, the device is sm_${own}: another version is needed`,
    );
  return `compute_${newest}`;
}

export class CudaContext {
  readonly properties: CudaProperties;
  readonly memory: CachingAllocator;
  /** The stream that ops run on. */
  readonly stream: CudaStream;
  readonly staging: Staging;
  private readonly device: number;

  /** @throws DeviceError if there is no such device. */
  constructor(
    readonly driver: Driver,
    ordinal = 0,
    options: { readonly memoryLimit?: number } = {},
  ) {
    const count = deviceCount(driver);
    if (ordinal >= count)
      throw new DeviceError(
        `CUDA device ${ordinal} is wanted, but there are ${count} (see CUDA_VISIBLE_DEVICES)`,
      );
    const out = new Out();
    driver.cuDeviceGet(out.at, ordinal);
    this.device = out.int();
    driver.cuDevicePrimaryCtxRetain(out.at, this.device);
    driver.cuCtxSetCurrent(out.word());
    this.properties = deviceProperties(driver, ordinal);
    this.memory = new CachingAllocator(driver, options.memoryLimit);
    this.stream = new CudaStream(driver);
    this.staging = new Staging(driver);
  }

  /** Waits for all work on the device. @throws CudaError that a kernel caused earlier. */
  synchronize(): void {
    this.driver.cuCtxSynchronize();
  }

  /** Waits for the device and gives everything back. */
  [Symbol.dispose](): void {
    this.synchronize();
    this.staging[Symbol.dispose]();
    this.memory[Symbol.dispose]();
    this.stream[Symbol.dispose]();
    this.driver.cuDevicePrimaryCtxRelease_v2(this.device);
  }
}
