/** What a hand-scheduled CUDA kernel is: its text, what it needs, and how it is launched. */
import type { KernelArgument, Launch } from "../../../runtime/cuda/module.js";

/** @typeParam P sizes and operands of one call */
export interface CudaKernel<P> {
  /** Name of the `__global__` function. */
  readonly name: string;
  /** CUDA C++ that includes `mlsys.cuh` (and `mlsys_hopper.cuh`). */
  readonly source: string;
  /** Lowest compute capability × 10 that runs it; 90 means sm_90a. */
  readonly least: 80 | 90;
  /** Grid, block and dynamic shared memory of a call. @throws ValueError for sizes that it cannot take. */
  launch(call: P): Launch;
  /** The kernel's arguments in order. */
  arguments(call: P): readonly KernelArgument[];
}

/** Storage types of kernels, as CUDA text names them. */
export const STORAGE = { float32: "float", float16: "f16", bfloat16: "bf16" } as const;
export type Storage = keyof typeof STORAGE;
export type HalfStorage = "float16" | "bfloat16";

/** C[m, n] = alpha·A[m, k]·B[k, n] + beta·C, row-major and contiguous, for each of `batch` matrices. */
export interface GemmCall {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch?: number;
  /** Elements between matrices of the batch; 0 repeats one. Defaults: contiguous. */
  readonly strideA?: number;
  readonly strideB?: number;
  readonly alpha?: number;
  readonly beta?: number;
}

export const ceilDiv = (a: number, b: number): number => Math.ceil(a / b);
