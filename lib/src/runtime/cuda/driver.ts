/**
 * The CUDA driver API (libcuda.so.1, nvcuda.dll): the functions that we call, with their signatures as in cuda.h, and the
 * constants they take. A test compares the rows with that header.
 */
import { DRIVER_CODES } from "./errors.js";
import { bindLibrary, checkedLibrary, type Library, type RawLibrary } from "./table.js";

export const DRIVER = {
  cuInit: ["u32"],
  cuDriverGetVersion: ["host"],
  cuDeviceGetCount: ["host"],
  cuDeviceGet: ["host", "i32"],
  cuDeviceGetName: ["host", "i32", "i32"],
  cuDeviceTotalMem_v2: ["host", "i32"],
  cuDeviceGetAttribute: ["host", "i32", "i32"],
  cuDevicePrimaryCtxRetain: ["host", "i32"],
  cuDevicePrimaryCtxRelease_v2: ["i32"],
  cuCtxSetCurrent: ["handle"],
  cuCtxSynchronize: [],
  cuModuleLoadDataEx: ["host", "host", "u32", "host", "host"],
  cuModuleUnload: ["handle"],
  cuModuleGetFunction: ["host", "handle", "text"],
  cuFuncGetAttribute: ["host", "i32", "handle"],
  cuFuncSetAttribute: ["handle", "i32", "i32"],
  cuOccupancyMaxActiveBlocksPerMultiprocessor: ["host", "handle", "i32", "size"],
  cuMemGetInfo_v2: ["host", "host"],
  cuMemAlloc_v2: ["host", "size"],
  cuMemFree_v2: ["handle"],
  cuMemAllocAsync: ["host", "size", "handle"],
  cuMemFreeAsync: ["handle", "handle"],
  cuMemHostAlloc: ["host", "size", "u32"],
  cuMemFreeHost: ["host"],
  cuMemHostRegister_v2: ["host", "size", "u32"],
  cuMemHostUnregister: ["host"],
  cuMemcpyHtoD_v2: ["handle", "host", "size"],
  cuMemcpyDtoH_v2: ["host", "handle", "size"],
  cuMemcpyDtoD_v2: ["handle", "handle", "size"],
  cuMemcpyHtoDAsync_v2: ["handle", "host", "size", "handle"],
  cuMemcpyDtoHAsync_v2: ["host", "handle", "size", "handle"],
  cuMemcpyDtoDAsync_v2: ["handle", "handle", "size", "handle"],
  cuMemsetD8Async: ["handle", "u32", "size", "handle"],
  cuMemsetD32Async: ["handle", "u32", "size", "handle"],
  cuStreamCreateWithPriority: ["host", "u32", "i32"],
  cuStreamDestroy_v2: ["handle"],
  cuStreamSynchronize: ["handle"],
  cuStreamQuery: ["handle"],
  cuStreamWaitEvent: ["handle", "handle", "u32"],
  cuStreamBeginCapture_v2: ["handle", "i32"],
  cuStreamEndCapture: ["handle", "host"],
  cuStreamIsCapturing: ["handle", "host"],
  cuEventCreate: ["host", "u32"],
  cuEventDestroy_v2: ["handle"],
  cuEventRecord: ["handle", "handle"],
  cuEventQuery: ["handle"],
  cuEventSynchronize: ["handle"],
  cuEventElapsedTime: ["host", "handle", "handle"],
  cuLaunchKernel: ["handle", "u32", "u32", "u32", "u32", "u32", "u32", "u32", "handle", "host", "host"],
  cuGraphInstantiateWithFlags: ["host", "handle", "i64"],
  cuGraphGetNodes: ["handle", "host", "host"],
  cuGraphExecUpdate_v2: ["handle", "handle", "host"],
  cuGraphLaunch: ["handle", "handle"],
  cuGraphExecDestroy: ["handle"],
  cuGraphDestroy: ["handle"],
  cuTensorMapEncodeTiled: [
    "host",
    "i32",
    "u32",
    "handle",
    "host",
    "host",
    "host",
    "host",
    "i32",
    "i32",
    "i32",
    "i32",
  ],
} as const;

export type Driver = Library<typeof DRIVER>;
export type RawDriver = RawLibrary<typeof DRIVER>;

/** `CUdevice_attribute` */
export const Attribute = {
  maxThreadsPerBlock: 1,
  sharedMemoryPerBlock: 8,
  warpSize: 10,
  clockRateKHz: 13,
  multiprocessorCount: 16,
  memoryClockRateKHz: 36,
  memoryBusWidthBits: 37,
  l2CacheBytes: 38,
  asyncEngineCount: 40,
  computeCapabilityMajor: 75,
  computeCapabilityMinor: 76,
  sharedMemoryPerMultiprocessor: 81,
  sharedMemoryPerBlockOptin: 97,
} as const;

/** `CUfunction_attribute` */
export const FunctionAttribute = {
  maxThreadsPerBlock: 0,
  staticSharedBytes: 1,
  localBytes: 3,
  registers: 4,
  maxDynamicSharedBytes: 8,
} as const;

/** `CUstream_flags`: does not wait for the legacy default stream. */
export const STREAM_NON_BLOCKING = 1;
/** `CUevent_flags`: only orders streams, keeps no time; cheaper. */
export const EVENT_DISABLE_TIMING = 2;
/** `CUstreamCaptureMode`: memory may be allocated during a capture; the caching allocator does. */
export const CAPTURE_MODE_RELAXED = 2;
/** `CU_MEMHOSTREGISTER_PORTABLE`: pinned for every context. */
export const HOST_PORTABLE = 1;
/** `CUDA_ERROR_OUT_OF_MEMORY`, `CUDA_ERROR_NOT_READY` */
export const OUT_OF_MEMORY = 2;
export const NOT_READY = 600;

/** `CUtensorMapDataType`, `CUtensorMapSwizzle`, `CUtensorMapL2promotion` as far as our kernels use them. */
export const TensorMap = { float16: 6, float32: 7, bfloat16: 9, swizzle128B: 3, promoteL2_128B: 2 } as const;
/** Bytes of a `CUtensorMap`, which must lie at a multiple of 64. */
export const TENSOR_MAP_BYTES = 128;

/** Names of the driver's library, the first that loads is taken. */
export const DRIVER_LIBRARIES: readonly string[] =
  process.platform === "win32" ? ["nvcuda.dll"] : ["libcuda.so.1", "libcuda.so"];

/** The functions with checked results. */
export const checkedDriver = (raw: RawDriver): Driver => checkedLibrary(DRIVER, raw, DRIVER_CODES);

/** The driver of this machine. @throws DeviceError if it has none. */
export function loadDriver(): Driver {
  let problem: unknown;
  for (const name of DRIVER_LIBRARIES) {
    try {
      return checkedDriver(bindLibrary(name, DRIVER));
    } catch (error) {
      problem = error;
    }
  }
  throw problem;
}
