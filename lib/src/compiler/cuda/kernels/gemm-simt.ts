/**
 * float32 matrix product on the ordinary cores: 128×128 of C per block, 8×8 per thread, K in slices of 8, both slices in
 * shared memory twice so that the next slice is fetched while the present one is multiplied; A is stored transposed, so that
 * a thread reads its rows as float4.
 */
import { checkAligned, gemmArguments, gemmLaunch, gemmParameters, TILE_ORDER } from "./gemm-call.js";
import type { CudaKernel, GemmCall } from "./kernel.js";

const TILE = { m: 128, n: 128, threads: 256, shared: 4 * 2 * 8 * (128 + 4 + 128) };

/**
 * @param aligned rows are multiples of four elements: operands are read as float4
 * @example compiler.cuda.kernels.sgemmKernel(true).launch({ a: 0, b: 0, c: 0, m: 256, n: 128, k: 64 }).grid // [2, 1, 1]
 */
export function sgemmKernel(aligned: boolean): CudaKernel<GemmCall> {
  const name = `mlsys_sgemm_${aligned ? "vector" : "scalar"}`;
  return {
    name,
    source: source(name, aligned),
    least: 80,
    launch(call) {
      if (aligned) checkAligned(name, call, 4);
      return gemmLaunch(call, TILE);
    },
    arguments: gemmArguments,
  };
}

function source(name: string, aligned: boolean): string {
  // Each thread fetches four neighbours of A (row `ar`, from `ak`) and of B (row `bk`, from `bn`).
  const fetch = aligned
    ? `
    const float4 none = make_float4(0.f, 0.f, 0.f, 0.f);
    const float4 va = row < M && k0 + ak < K ? *(const float4*)(A + (long long)row * K + k0 + ak) : none;
    const float4 vb = k0 + bk < K && column < N ? *(const float4*)(B + (long long)(k0 + bk) * N + column) : none;
    fa[0] = va.x; fa[1] = va.y; fa[2] = va.z; fa[3] = va.w;
    fb[0] = vb.x; fb[1] = vb.y; fb[2] = vb.z; fb[3] = vb.w;`
    : `
#pragma unroll
    for (int i = 0; i < 4; i++) {
      fa[i] = row < M && k0 + ak + i < K ? A[(long long)row * K + k0 + ak + i] : 0.f;
      fb[i] = k0 + bk < K && column + i < N ? B[(long long)(k0 + bk) * N + column + i] : 0.f;
    }`;
  return `#include "mlsys.cuh"
#define LDA 132 // 128 and 4: the transposing stores of a warp fall into different banks
extern "C" __global__ void __launch_bounds__(256) ${name}(${gemmParameters("float", "float")}) {${TILE_ORDER(128, 128)}
  extern __shared__ __align__(1024) unsigned char mlsys_shared[];
  float* sa = (float*)mlsys_shared;  // [2][8][LDA]
  float* sb = sa + 2 * 8 * LDA;           // [2][8][128]
  const int t = threadIdx.x, tx = t % 16, ty = t / 16;
  const int ar = t / 2, ak = t % 2 * 4, bk = t / 32, bn = t % 32 * 4;
  const int row = tileM * 128 + ar, column = tileN * 128 + bn;
  float acc[8][8] = {}, fa[4], fb[4];
  auto fetch = [&](int k0) {${fetch}
  };
  auto store = [&](int side) {
#pragma unroll
    for (int i = 0; i < 4; i++) sa[(side * 8 + ak + i) * LDA + ar] = fa[i];
    *(float4*)(sb + (side * 8 + bk) * 128 + bn) = make_float4(fb[0], fb[1], fb[2], fb[3]);
  };
  fetch(0);
  store(0);
  __syncthreads();
  int side = 0;
  for (int k0 = 0; k0 < K; k0 += 8) {
    const bool more = k0 + 8 < K;
    if (more) fetch(k0 + 8);
#pragma unroll
    for (int k = 0; k < 8; k++) {
      float a[8], b[8]; // rows and columns 4·t…, and 64 further: float4 reads without bank conflicts
      *(float4*)a = *(const float4*)(sa + (side * 8 + k) * LDA + ty * 4);
      *(float4*)(a + 4) = *(const float4*)(sa + (side * 8 + k) * LDA + 64 + ty * 4);
      *(float4*)b = *(const float4*)(sb + (side * 8 + k) * 128 + tx * 4);
      *(float4*)(b + 4) = *(const float4*)(sb + (side * 8 + k) * 128 + 64 + tx * 4);
#pragma unroll
      for (int i = 0; i < 8; i++)
#pragma unroll
        for (int j = 0; j < 8; j++) acc[i][j] += a[i] * b[j];
    }
    if (more) store(side ^ 1); // the other side was last read before the barrier behind us
    __syncthreads();
    side ^= 1;
  }
#pragma unroll
  for (int i = 0; i < 8; i++) {
    const int r = tileM * 128 + ty * 4 + i % 4 + i / 4 * 64;
    if (r >= M) continue;
#pragma unroll
    for (int j = 0; j < 8; j++) {
      const int c = tileN * 128 + tx * 4 + j % 4 + j / 4 * 64;
      if (c >= N) continue;
      float* out = C + (long long)r * N + c;
      *out = alpha * acc[i][j] + (beta != 0.f ? beta * *out : 0.f);
    }
  }
}
`;
}
