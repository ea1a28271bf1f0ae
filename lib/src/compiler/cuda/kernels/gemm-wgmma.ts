/**
 * float16 / bfloat16 matrix product for Hopper (sm_90a): one thread fetches tiles of A and B by TMA into a ring of 4 stages,
 * two warpgroups multiply 64×128 of C each by wgmma straight from shared memory. Full barriers count bytes, empty ones the
 * warpgroups that are done with a stage.
 */
import { DeviceError, ValueError } from "../../../core/errors.js";
import { type Driver, TENSOR_MAP_BYTES, TensorMap } from "../../../runtime/cuda/driver.js";
import { f32, i32, pointer } from "../../../runtime/cuda/module.js";
import { koffi } from "../../../runtime/native/ffi.js";
import { checkAligned, TILE_ORDER } from "./gemm-call.js";
import type { HalfGemm } from "./gemm-mma.js";
import { type CudaKernel, ceilDiv, type GemmCall, type HalfStorage, STORAGE } from "./kernel.js";

const STAGES = 4;
const A_BYTES = 128 * 64 * 2;
const B_HALF = 64 * 64 * 2; // 64 rows of K by 64 columns: a TMA tile is 128 bytes wide
const STAGE_BYTES = A_BYTES + 2 * B_HALF;
const THREADS = 384;

/** With the tensor maps of both operands (see `tensorMap`). One matrix, no batch. */
export interface TmaGemmCall extends GemmCall {
  readonly mapA: Uint8Array;
  readonly mapB: Uint8Array;
}

/**
 * The tensor map of a row-major matrix for tiles of `tileRows` rows and 64 columns of 16-bit elements.
 * @throws CudaError if rows do not start at multiples of 16 bytes.
 * @example compiler.cuda.kernels.tensorMap.length // 3
 */
export function tensorMap(
  driver: Driver,
  matrix: {
    readonly address: number;
    readonly rows: number;
    readonly columns: number;
    readonly dtype: HalfStorage;
  },
  tileRows: number,
): Uint8Array {
  const { address, rows, columns, dtype } = matrix;
  const place = (list: readonly number[], wide: boolean): ArrayBufferView => {
    const buffer = new ArrayBuffer(128);
    if (wide) new BigUint64Array(buffer).set(list.map(BigInt));
    else new Uint32Array(buffer).set(list);
    return wide ? new BigUint64Array(buffer) : new Uint32Array(buffer);
  };
  const ffi = koffi();
  if (typeof ffi === "string") throw new DeviceError(ffi);
  // The driver wants the map at a multiple of 64; a copy may lie anywhere.
  const room = new Uint8Array(new ArrayBuffer(TENSOR_MAP_BYTES + 64));
  const start = Number(ffi.address(room));
  const offset = (64 - (start % 64)) % 64;
  driver.cuTensorMapEncodeTiled(
    start + offset,
    TensorMap[dtype],
    2,
    address,
    place([columns, rows], true),
    place([columns * 2], true),
    place([64, tileRows], false),
    place([1, 1], false),
    0,
    TensorMap.swizzle128B,
    TensorMap.promoteL2_128B,
    0,
  );
  return room.slice(offset, offset + TENSOR_MAP_BYTES);
}

/** @example compiler.cuda.kernels.wgmmaGemmKernel({ input: "bfloat16", output: "float32" }).least // 90 */
export function wgmmaGemmKernel({ input, output }: HalfGemm): CudaKernel<TmaGemmCall> {
  const name = `mlsys_gemm_wgmma_${input}_${output}`;
  return {
    name,
    source: source(name, STORAGE[input], STORAGE[output]),
    least: 90,
    launch(call) {
      checkAligned(name, call, 8);
      if ((call.batch ?? 1) !== 1) throw new ValueError(`${name}: one matrix, got a batch of ${call.batch}`);
      return {
        grid: [ceilDiv(call.m, 128) * ceilDiv(call.n, 128)],
        block: [THREADS],
        shared: STAGES * STAGE_BYTES + 1024 + 2 * STAGES * 8,
      };
    },
    arguments: ({ mapA, mapB, c, m, n, k, alpha = 1, beta = 0 }) => [
      { kind: "bytes", value: mapA },
      { kind: "bytes", value: mapB },
      pointer(c),
      i32(m),
      i32(n),
      i32(k),
      f32(alpha),
      f32(beta),
    ],
  };
}

function source(name: string, T: string, OUT: string): string {
  return `#include "mlsys_hopper.cuh"
extern "C" __global__ void __launch_bounds__(${THREADS}) ${name}(GRID_CONSTANT TensorMap mapA, GRID_CONSTANT TensorMap mapB, ${OUT}* __restrict__ C, int M, int N, int K, float alpha, float beta) {
  const ${T}* A = 0; const ${T}* B = 0; const long long strideA = 0, strideB = 0;${TILE_ORDER(128, 128)}
  extern __shared__ __align__(1024) unsigned char mlsys_shared[];
  // Swizzled tiles begin at multiples of 1024 bytes.
  unsigned char* stages = mlsys_shared + ((1024 - (shared_address(mlsys_shared) & 1023)) & 1023);
  u64* full = (u64*)(stages + ${STAGES * STAGE_BYTES});
  u64* empty = full + ${STAGES};
  const int group = threadIdx.x / 128, t = threadIdx.x % 128, slices = (K + 63) / 64;
  if (threadIdx.x == 0) {
    for (int s = 0; s < ${STAGES}; s++) {
      mbarrier_init(full + s, 1);
      mbarrier_init(empty + s, 2);
    }
    mbarrier_fence_init();
  }
  __syncthreads();
  if (group == 0) {
    registers_less<40>();
    if (t == 0)
      for (int slice = 0; slice < slices; slice++) {
        const int s = slice % ${STAGES};
        unsigned char* stage = stages + s * ${STAGE_BYTES};
        mbarrier_wait(empty + s, slice / ${STAGES} % 2 ^ 1); // the first round finds every stage empty
        mbarrier_expect(full + s, ${STAGE_BYTES});
        tma_load(stage, &mapA, slice * 64, tileM * 128, full + s);
        tma_load(stage + ${A_BYTES}, &mapB, tileN * 128, slice * 64, full + s);
        tma_load(stage + ${A_BYTES + B_HALF}, &mapB, tileN * 128 + 64, slice * 64, full + s);
      }
    return;
  }
  registers_more<232>();
  const int rows = (group - 1) * 64;
  float acc[64];
#pragma unroll
  for (int i = 0; i < 64; i++) acc[i] = 0.f;
  for (int slice = 0; slice < slices; slice++) {
    const int s = slice % ${STAGES};
    unsigned char* stage = stages + s * ${STAGE_BYTES};
    mbarrier_wait(full + s, slice / ${STAGES} % 2);
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < 4; k++) {
      // A: 8 rows make 1024 bytes; 16 of K are 32 bytes further in the same rows. B: 8 of K make 1024 bytes, the other 64
      // columns lie in the next tile; 16 of K are 2048 bytes further.
      const u64 a = wgmma_descriptor(stage + rows * 128 + k * 32, 16, 1024);
      const u64 b = wgmma_descriptor(stage + ${A_BYTES} + k * 2048, ${B_HALF}, 1024);
      wgmma_m64n128k16<${T}>(acc, a, b, 1);
    }
    wgmma_commit();
    wgmma_wait<1>(); // the products of the slice before are done
    if (slice > 0 && t == 0) mbarrier_arrive(empty + (slice - 1) % ${STAGES});
  }
  wgmma_wait<0>();
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const int r = tileM * 128 + rows + t / 32 * 16 + t % 32 / 4 + half * 8;
    if (r >= M) continue;
#pragma unroll
    for (int j = 0; j < 16; j++) {
      const int c = tileN * 128 + j * 8 + t % 4 * 2;
      if (c >= N) continue; // N is even: both neighbours are in or out
      ${OUT}* out = C + (long long)r * N + c;
#pragma unroll
      for (int e = 0; e < 2; e++) {
        const float old = beta != 0.f ? beta * to_float(out[e]) : 0.f;
        out[e] = from_float<${OUT}>(alpha * acc[j * 4 + half * 2 + e] + old);
      }
    }
  }
}
`;
}
