/**
 * float16 / bfloat16 matrix product on tensor cores by instructions: 128×128 of C per block of 8 warps (64×32 each), K in
 * slices of 32 that travel through a ring of 4 stages by cp.async, fragments by ldmatrix, products by mma.sync in float32.
 * 16-byte pieces of shared memory are swizzled so that the eight rows of an ldmatrix lie in different banks.
 */
import { checkAligned, gemmArguments, gemmLaunch, gemmParameters, TILE_ORDER } from "./gemm-call.js";
import { type CudaKernel, type GemmCall, type HalfStorage, STORAGE } from "./kernel.js";

const STAGES = 4;
const STAGE_BYTES = 2 * (128 * 32 + 32 * 128);
const TILE = { m: 128, n: 128, threads: 256, shared: STAGES * STAGE_BYTES };

export interface HalfGemm {
  readonly input: HalfStorage;
  readonly output: HalfStorage | "float32";
}

/** @example compiler.cuda.kernels.mmaGemmKernel({ input: "bfloat16", output: "float32" }).least // 80 */
export function mmaGemmKernel({ input, output }: HalfGemm): CudaKernel<GemmCall> {
  const name = `mlsys_gemm_mma_${input}_${output}`;
  return {
    name,
    source: source(name, STORAGE[input], STORAGE[output]),
    least: 80,
    launch(call) {
      checkAligned(name, call, 8);
      return gemmLaunch(call, TILE);
    },
    arguments: gemmArguments,
  };
}

function source(name: string, T: string, OUT: string): string {
  return `#include "mlsys.cuh"
extern "C" __global__ void __launch_bounds__(256) ${name}(${gemmParameters(T, OUT)}) {${TILE_ORDER(128, 128)}
  extern __shared__ __align__(1024) unsigned char mlsys_shared[];
  const int t = threadIdx.x, lane = t % 32, warp = t / 32;
  const int warpM = warp / 4 * 64, warpN = warp % 4 * 32;
  const int rowBase = tileM * 128, columnBase = tileN * 128, slices = (K + 31) / 32;
  // Bytes of (row, 16-byte piece) in a stage: rows of A have 4 pieces, rows of B 16.
  auto atA = [](int row, int piece) { return row * 64 + (piece ^ (row >> 1 & 3)) * 16; };
  auto atB = [](int row, int piece) { return ${128 * 32 * 2} + row * 256 + (piece ^ (row & 7)) * 16; };
  auto load = [&](int slice) {
    if (slice < slices) {
      unsigned char* stage = mlsys_shared + slice % ${STAGES} * ${STAGE_BYTES};
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const int e = t + i * 256;
        const int ra = e / 4, ka = slice * 32 + e % 4 * 8;
        const bool inA = rowBase + ra < M && ka < K;
        cp_async16(stage + atA(ra, e % 4), inA ? A + (long long)(rowBase + ra) * K + ka : A, inA);
        const int kb = slice * 32 + e / 16, cb = columnBase + e % 16 * 8;
        const bool inB = kb < K && cb < N;
        cp_async16(stage + atB(e / 16, e % 16), inB ? B + (long long)kb * N + cb : B, inB);
      }
    }
    cp_async_commit(); // also an empty group, so that the number of groups in flight stays the same
  };
  float acc[4][4][4] = {};
#pragma unroll
  for (int s = 0; s < ${STAGES - 1}; s++) load(s);
  for (int slice = 0; slice < slices; slice++) {
    cp_async_wait<${STAGES - 2}>();
    __syncthreads(); // the slice is there for all, and all are done with the stage that is filled next
    load(slice + ${STAGES - 1});
    const unsigned char* stage = mlsys_shared + slice % ${STAGES} * ${STAGE_BYTES};
#pragma unroll
    for (int k = 0; k < 2; k++) {
      u32 a[4][4], b[2][4];
#pragma unroll
      for (int i = 0; i < 4; i++) ldmatrix_x4(a[i], stage + atA(warpM + i * 16 + lane % 16, k * 2 + lane / 16));
#pragma unroll
      for (int j = 0; j < 2; j++)
        ldmatrix_x4_trans(b[j], stage + atB(k * 16 + lane % 16, warpN / 8 + j * 2 + lane / 16));
#pragma unroll
      for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) mma_m16n8k16<${T}>(acc[i][j], a[i], b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
    }
  }
  cp_async_wait<0>();
#pragma unroll
  for (int i = 0; i < 4; i++)
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int r = rowBase + warpM + i * 16 + lane / 4 + half * 8;
      if (r >= M) continue;
#pragma unroll
      for (int j = 0; j < 4; j++) {
        const int c = columnBase + warpN + j * 8 + lane % 4 * 2;
        if (c >= N) continue; // N is even: both neighbours are in or out
        ${OUT}* out = C + (long long)r * N + c;
#pragma unroll
        for (int e = 0; e < 2; e++) {
          const float old = beta != 0.f ? beta * to_float(out[e]) : 0.f;
          out[e] = from_float<${OUT}>(alpha * acc[i][j][half * 2 + e] + old);
        }
      }
    }
}
`;
}
