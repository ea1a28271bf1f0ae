/**
 * Matrix product on tensor cores by CUDA's WMMA interface, for float16, bfloat16, and float32 rounded to tf32: 128×128 of C
 * per block of 8 warps, slices of K through two stages of shared memory by cp.async. Rows are padded by 16 bytes against
 * bank conflicts, since the interface hides its layout and so rules out swizzling.
 */
import { checkAligned, gemmArguments, gemmLaunch, gemmParameters, TILE_ORDER } from "./gemm-call.js";
import { type CudaKernel, type GemmCall, STORAGE, type Storage } from "./kernel.js";

/**
 * @param input float32 is multiplied as tf32
 * @example compiler.cuda.kernels.wmmaGemmKernel("float32").name // "mlsys_gemm_wmma_tf32"
 */
export function wmmaGemmKernel(input: Storage): CudaKernel<GemmCall> {
  const name = `mlsys_gemm_wmma_${input === "float32" ? "tf32" : input}`;
  const size = input === "float32" ? 4 : 2;
  const piece = 16 / size; // elements of a 16-byte copy
  const depth = 64 / size; // of K per slice: 64 bytes of each row of A
  const stageBytes = 128 * (64 + 16) + depth * (128 * size + 16);
  const shared = Math.max(2 * stageBytes, 8 * 16 * 20 * 4);
  return {
    name,
    source: source(name, input, piece, depth, stageBytes),
    least: 80,
    launch(call) {
      checkAligned(name, call, piece);
      return gemmLaunch(call, { m: 128, n: 128, threads: 256, shared });
    },
    arguments: gemmArguments,
  };
}

function source(name: string, input: Storage, piece: number, depth: number, stageBytes: number): string {
  const T = STORAGE[input];
  const F = input === "float32" ? "wmma::tf32" : T;
  const step = input === "float32" ? 8 : 16; // K of one fragment
  const lda = depth + piece;
  const ldb = 128 + piece;
  const piecesB = 128 / piece;
  return `#include "mlsys.cuh"
extern "C" __global__ void __launch_bounds__(256) ${name}(${gemmParameters(T, "float")}) {${TILE_ORDER(128, 128)}
  extern __shared__ __align__(1024) unsigned char mlsys_shared[];
  const int t = threadIdx.x, lane = t % 32, warp = t / 32;
  const int warpM = warp / 4 * 64, warpN = warp % 4 * 32;
  const int rowBase = tileM * 128, columnBase = tileN * 128, slices = (K + ${depth - 1}) / ${depth};
  auto load = [&](int slice) {
    if (slice < slices) {
      ${T}* sa = (${T}*)(mlsys_shared + slice % 2 * ${stageBytes});
      ${T}* sb = sa + 128 * ${lda};
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const int e = t + i * 256;
        const int ra = e / 4, ka = slice * ${depth} + e % 4 * ${piece};
        const bool inA = rowBase + ra < M && ka < K;
        cp_async16(sa + ra * ${lda} + e % 4 * ${piece}, inA ? A + (long long)(rowBase + ra) * K + ka : A, inA);
        const int rb = e / ${piecesB}, pb = e % ${piecesB} * ${piece}, kb = slice * ${depth} + rb;
        const bool inB = kb < K && columnBase + pb < N;
        cp_async16(sb + rb * ${ldb} + pb, inB ? B + (long long)kb * N + columnBase + pb : B, inB);
      }
    }
    cp_async_commit();
  };
  wmma::fragment<wmma::accumulator, float> acc[4][2];
#pragma unroll
  for (int i = 0; i < 4; i++)
#pragma unroll
    for (int j = 0; j < 2; j++) wmma::fill_fragment(acc[i][j], 0.f);
  load(0);
  for (int slice = 0; slice < slices; slice++) {
    load(slice + 1);
    cp_async_wait<1>();
    __syncthreads();
    const ${T}* sa = (const ${T}*)(mlsys_shared + slice % 2 * ${stageBytes});
    const ${T}* sb = sa + 128 * ${lda};
#pragma unroll
    for (int k = 0; k < ${depth}; k += ${step}) {
      wmma::fragment<wmma::matrix_a, ${F}> a[4];
      wmma::fragment<wmma::matrix_b, ${F}> b[2];
#pragma unroll
      for (int i = 0; i < 4; i++) {
        wmma::load_matrix_sync(a[i], sa + (warpM + i * 16) * ${lda} + k, ${lda});
        wmma::round_to_tf32(a[i]);
      }
#pragma unroll
      for (int j = 0; j < 2; j++) {
        wmma::load_matrix_sync(b[j], sb + k * ${ldb} + warpN + j * 16, ${ldb});
        wmma::round_to_tf32(b[j]);
      }
#pragma unroll
      for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 2; j++) wmma::mma_sync(acc[i][j], a[i], b[j]);
    }
    __syncthreads(); // before the stage is filled anew
  }
  cp_async_wait<0>();
  // Through shared memory to C: what lane holds which element is the interface's secret.
  float* tile = (float*)mlsys_shared + warp * 16 * 20;
#pragma unroll
  for (int i = 0; i < 4; i++)
#pragma unroll
    for (int j = 0; j < 2; j++) {
      wmma::store_matrix_sync(tile, acc[i][j], 20);
      __syncwarp();
#pragma unroll
      for (int e = lane; e < 256; e += 32) {
        const int r = rowBase + warpM + i * 16 + e / 16, c = columnBase + warpN + j * 16 + e % 16;
        if (r < M && c < N) {
          float* out = C + (long long)r * N + c;
          *out = alpha * tile[e / 16 * 20 + e % 16] + (beta != 0.f ? beta * *out : 0.f);
        }
      }
      __syncwarp();
    }
}
`;
}
