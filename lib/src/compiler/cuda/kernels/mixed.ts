/** Helpers of mixed-precision training: casts of flat arrays, and unscaling of gradients with a check for overflow. */
import { f32, i32, pointer } from "../../../runtime/cuda/module.js";
import { type CudaKernel, ceilDiv, STORAGE, type Storage } from "./kernel.js";

const THREADS = 256;
/** Blocks at most: a grid-stride loop does the rest. */
const BLOCKS = 2048;

export interface CastCall {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

const grid = (count: number): number => Math.max(1, Math.min(BLOCKS, ceilDiv(count, THREADS)));

/**
 * to[i] = from[i], rounded to nearest, ties to even.
 * @example compiler.cuda.kernels.castKernel("float32", "float16").name // "mlsys_cast_float32_float16"
 */
export function castKernel(from: Storage, to: Storage): CudaKernel<CastCall> {
  const name = `mlsys_cast_${from}_${to}`;
  return {
    name,
    least: 80,
    source: `#include "mlsys.cuh"
extern "C" __global__ void __launch_bounds__(${THREADS}) ${name}(const ${STORAGE[from]}* __restrict__ from, ${STORAGE[to]}* __restrict__ to, int count) {
  for (int i = blockIdx.x * ${THREADS} + threadIdx.x; i < count; i += gridDim.x * ${THREADS})
    to[i] = from_float<${STORAGE[to]}>(to_float(from[i]));
}
`,
    launch: ({ count }) => ({ grid: [grid(count)], block: [THREADS] }),
    arguments: ({ from, to, count }) => [pointer(from), pointer(to), i32(count)],
  };
}

export interface UnscaleCall {
  readonly gradient: number;
  /** float32 */
  readonly to: number;
  readonly count: number;
  /** 1 / scale of the loss. */
  readonly inverse: number;
  /** float32: set to 1 if any element is infinite or NaN, else left alone. */
  readonly found: number;
}

/**
 * to[i] = gradient[i]·inverse in float32; says whether any was not finite.
 * @example compiler.cuda.kernels.unscaleKernel("float16").least // 80
 */
export function unscaleKernel(dtype: Storage): CudaKernel<UnscaleCall> {
  const name = `mlsys_unscale_${dtype}`;
  return {
    name,
    least: 80,
    source: `#include "mlsys.cuh"
extern "C" __global__ void __launch_bounds__(${THREADS}) ${name}(const ${STORAGE[dtype]}* __restrict__ gradient, float* __restrict__ to, int count, float inverse, float* __restrict__ found) {
  bool bad = false;
  for (int i = blockIdx.x * ${THREADS} + threadIdx.x; i < count; i += gridDim.x * ${THREADS}) {
    const float g = to_float(gradient[i]);
    bad |= (__float_as_uint(g) & 0x7f800000u) == 0x7f800000u;
    to[i] = g * inverse;
  }
  if (bad) *found = 1.f; // every writer writes the same
}
`,
    launch: ({ count }) => ({ grid: [grid(count)], block: [THREADS] }),
    arguments: ({ gradient, to, count, inverse, found }) => [
      pointer(gradient),
      pointer(to),
      i32(count),
      f32(inverse),
      pointer(found),
    ],
  };
}
