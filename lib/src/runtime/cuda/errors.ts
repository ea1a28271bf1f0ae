/** Errors of NVIDIA's libraries: which function failed, with which code, and what that means. */
import { DeviceError } from "../../core/errors.js";

/** A call into the CUDA driver or one of its libraries that did not succeed. */
export class CudaError extends DeviceError {
  override name = "CudaError";

  constructor(
    /** The function that was called, as its library exports it. */
    readonly called: string,
    /** What it returned. */
    readonly code: number,
    /** The code's name in the library's header. */
    readonly codeName: string,
    detail: string,
  ) {
    super(`${called} failed with ${codeName} (${code}): ${detail}`);
  }
}

/** What the codes of one library mean. */
export type CodeTable = Readonly<Record<number, readonly [name: string, text: string]>>;

/** `CUresult` (cuda.h). */
export const DRIVER_CODES: CodeTable = {
  1: ["CUDA_ERROR_INVALID_VALUE", "an argument is outside its range"],
  2: ["CUDA_ERROR_OUT_OF_MEMORY", "the device has not enough free memory"],
  3: ["CUDA_ERROR_NOT_INITIALIZED", "cuInit was not called"],
  4: ["CUDA_ERROR_DEINITIALIZED", "the driver is shutting down"],
  34: ["CUDA_ERROR_STUB_LIBRARY", "libcuda is the toolkit's stub: the real one comes with the driver"],
  46: ["CUDA_ERROR_DEVICE_UNAVAILABLE", "the device is busy or in exclusive use"],
  100: ["CUDA_ERROR_NO_DEVICE", "no CUDA device is visible (see CUDA_VISIBLE_DEVICES)"],
  101: ["CUDA_ERROR_INVALID_DEVICE", "there is no device of this number"],
  200: ["CUDA_ERROR_INVALID_IMAGE", "the module's image is not valid"],
  201: ["CUDA_ERROR_INVALID_CONTEXT", "no context is current on this thread"],
  209: ["CUDA_ERROR_NO_BINARY_FOR_GPU", "the module holds no code for this architecture"],
  218: ["CUDA_ERROR_INVALID_PTX", "the PTX could not be compiled"],
  222: ["CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the PTX is newer than this driver"],
  300: ["CUDA_ERROR_INVALID_SOURCE", "the kernel source is not valid"],
  303: ["CUDA_ERROR_SHARED_OBJECT_INIT_FAILED", "a shared library could not be started"],
  304: ["CUDA_ERROR_OPERATING_SYSTEM", "a system call failed"],
  400: ["CUDA_ERROR_INVALID_HANDLE", "a handle is not valid, or was destroyed"],
  401: ["CUDA_ERROR_ILLEGAL_STATE", "a resource is in a state that does not allow this"],
  500: ["CUDA_ERROR_NOT_FOUND", "there is no such symbol"],
  600: ["CUDA_ERROR_NOT_READY", "the work is not done yet"],
  700: ["CUDA_ERROR_ILLEGAL_ADDRESS", "a kernel read or wrote outside its memory; the context is lost"],
  701: ["CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "a block needs more registers or shared memory than an SM has"],
  702: ["CUDA_ERROR_LAUNCH_TIMEOUT", "a kernel ran too long"],
  712: ["CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", "this host memory is pinned already"],
  713: ["CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", "this host memory is not pinned"],
  714: ["CUDA_ERROR_HARDWARE_STACK_ERROR", "a kernel damaged its call stack; the context is lost"],
  715: ["CUDA_ERROR_ILLEGAL_INSTRUCTION", "a kernel has an illegal instruction; the context is lost"],
  716: ["CUDA_ERROR_MISALIGNED_ADDRESS", "a kernel used a misaligned address; the context is lost"],
  719: ["CUDA_ERROR_LAUNCH_FAILED", "a kernel ended with an exception; the context is lost"],
  800: ["CUDA_ERROR_NOT_PERMITTED", "this is not permitted"],
  801: ["CUDA_ERROR_NOT_SUPPORTED", "this driver or device does not support it"],
  803: ["CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "kernel module and libcuda are of different versions"],
  900: ["CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "the call is not permitted while a stream is captured"],
  901: ["CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "an earlier error has ended the capture"],
  902: ["CUDA_ERROR_STREAM_CAPTURE_MERGE", "two captures would be merged"],
  903: ["CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "the capture was not begun on this stream"],
  904: ["CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "a forked stream was not joined before the capture ended"],
  905: ["CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "the capture depends on work outside it"],
  906: ["CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", "the legacy stream would be made to wait for a capture"],
  907: ["CUDA_ERROR_CAPTURED_EVENT", "the event was recorded in a capture"],
  910: ["CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE", "the graph differs too much to update"],
  999: ["CUDA_ERROR_UNKNOWN", "an error inside the driver"],
};

/** `nvrtcResult` (nvrtc.h). */
export const NVRTC_CODES: CodeTable = {
  1: ["NVRTC_ERROR_OUT_OF_MEMORY", "not enough host memory"],
  2: ["NVRTC_ERROR_PROGRAM_CREATION_FAILURE", "the program could not be made"],
  3: ["NVRTC_ERROR_INVALID_INPUT", "an argument is not valid"],
  4: ["NVRTC_ERROR_INVALID_PROGRAM", "the program's handle is not valid"],
  5: ["NVRTC_ERROR_INVALID_OPTION", "an option is not known to this version"],
  6: ["NVRTC_ERROR_COMPILATION", "the source does not compile"],
  7: ["NVRTC_ERROR_BUILTIN_OPERATION_FAILURE", "libnvrtc-builtins is missing beside libnvrtc"],
  11: ["NVRTC_ERROR_INTERNAL_ERROR", "an error inside the compiler"],
};

/** `cublasStatus_t` (cublas_api.h). */
export const CUBLAS_CODES: CodeTable = {
  1: ["CUBLAS_STATUS_NOT_INITIALIZED", "the handle is missing, or the library could not start"],
  3: ["CUBLAS_STATUS_ALLOC_FAILED", "the library could not allocate"],
  7: ["CUBLAS_STATUS_INVALID_VALUE", "an argument is outside its range"],
  8: ["CUBLAS_STATUS_ARCH_MISMATCH", "the device lacks a feature that this needs"],
  11: ["CUBLAS_STATUS_MAPPING_ERROR", "device memory could not be mapped"],
  13: ["CUBLAS_STATUS_EXECUTION_FAILED", "a kernel could not run"],
  14: ["CUBLAS_STATUS_INTERNAL_ERROR", "an error inside the library"],
  15: ["CUBLAS_STATUS_NOT_SUPPORTED", "this combination of types and layouts is not supported"],
  16: ["CUBLAS_STATUS_LICENSE_ERROR", "a license is missing"],
};

/** `cudnnStatus_t` (cudnn_graph.h of version 9). */
export const CUDNN_CODES: CodeTable = {
  1001: ["CUDNN_STATUS_NOT_INITIALIZED", "the library could not start"],
  1002: ["CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH", "its parts are of different versions"],
  1003: ["CUDNN_STATUS_SERIALIZATION_VERSION_MISMATCH", "data of another version"],
  2000: ["CUDNN_STATUS_BAD_PARAM", "an argument is outside its range"],
  3000: ["CUDNN_STATUS_NOT_SUPPORTED", "this combination is not supported"],
  4000: ["CUDNN_STATUS_INTERNAL_ERROR", "an error inside the library"],
  5000: ["CUDNN_STATUS_EXECUTION_FAILED", "a kernel could not run"],
};

/** `ncclResult_t` (nccl.h of version 2). */
export const NCCL_CODES: CodeTable = {
  1: ["ncclUnhandledCudaError", "a call into CUDA failed"],
  2: ["ncclSystemError", "a call into the system failed: a network or shared memory (see NCCL_DEBUG=INFO)"],
  3: ["ncclInternalError", "an error inside the library, or of its memory"],
  4: ["ncclInvalidArgument", "an argument is not valid"],
  5: ["ncclInvalidUsage", "the members call different things, or two of them share a GPU"],
  6: ["ncclRemoteError", "another member has failed or ended"],
  7: ["ncclInProgress", "the operation is under way"],
  8: ["ncclTimeout", "an operation took too long"],
};

/** The error of a result code that is not 0. */
export function cudaError(called: string, code: number, codes: CodeTable, detail?: string): CudaError {
  const [name, text] = codes[code] ?? ["an unlisted code", "see the library's header"];
  return new CudaError(called, code, name, detail ?? text);
}
