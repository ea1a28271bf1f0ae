/**
 * Attention in one kernel (Dao et al. 2022, FlashAttention; the order of FlashAttention-2): a block takes 64 queries of one
 * head, 16 per warp, and passes over the keys in tiles of 64 that are fetched one tile ahead. Scores stay in registers;
 * when a row's maximum grows, its sums so far are scaled down. Causal blocks skip the tiles that they may not see.
 */
import {
  type AttentionCall,
  type AttentionVariant,
  attentionArguments,
  checkAttention,
  tileCode,
  variantName,
} from "./attention-call.js";
import { type CudaKernel, ceilDiv } from "./kernel.js";

const QUERIES = 64;
const KEYS = 64;
const THREADS = 128;

/** @example compiler.cuda.kernels.attentionKernel({ dtype: "bfloat16", width: 64, causal: true }).name // "mlsys_attention_forward_bfloat16_64_causal" */
export function attentionKernel(variant: AttentionVariant): CudaKernel<AttentionCall> {
  const name = variantName("forward", variant);
  return {
    name,
    source: source(name, variant),
    least: 80,
    launch(call) {
      checkAttention(name, call);
      return {
        grid: [ceilDiv(call.queries, QUERIES), call.heads],
        block: [THREADS],
        shared: (QUERIES + 4 * KEYS) * variant.width * 2,
      };
    },
    arguments: (call) => attentionArguments(call, [call.q, call.k, call.v, call.o, call.lse]),
  };
}

function source(name: string, variant: AttentionVariant): string {
  const { causal } = variant;
  return `#include "mlsys.cuh"
${tileCode(variant, THREADS)}
extern "C" __global__ void __launch_bounds__(${THREADS}) ${name}(const T* __restrict__ Q, const T* __restrict__ K,
    const T* __restrict__ V, T* __restrict__ O, float* __restrict__ LSE, int queries, int keys, float scale) {
  extern __shared__ __align__(1024) unsigned char mlsys_shared[];
  T* sq = (T*)mlsys_shared;
  T* sk = sq + ${QUERIES} * D; // two tiles of keys, two of values
  T* sv = sk + 2 * ${KEYS} * D;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int first = blockIdx.x * ${QUERIES};
  const long long head = blockIdx.y;
  Q += head * queries * D;
  K += head * keys * D;
  V += head * keys * D;
  O += head * queries * D;
  LSE += head * queries;
  const int seen = ${causal ? `first + ${QUERIES} < keys ? first + ${QUERIES} : keys` : "keys"};
  const int tiles = (seen + ${KEYS - 1}) / ${KEYS};
  tile_load<${QUERIES}>(sq, Q, first, queries);
  tile_load<${KEYS}>(sk, K, 0, keys);
  tile_load<${KEYS}>(sv, V, 0, keys);
  cp_async_commit();
  float out[D / 8][4] = {};
  float most[2] = {-1e30f, -1e30f}, sum[2] = {0.f, 0.f}; // of rows lane / 4 and lane / 4 + 8
  const float factor = scale * LOG2E; // exponentials as powers of two
  for (int tile = 0; tile < tiles; tile++) {
    const int side = tile % 2, key = tile * ${KEYS};
    if (tile + 1 < tiles) {
      tile_load<${KEYS}>(sk + (side ^ 1) * ${KEYS} * D, K, key + ${KEYS}, keys);
      tile_load<${KEYS}>(sv + (side ^ 1) * ${KEYS} * D, V, key + ${KEYS}, keys);
    }
    cp_async_commit();
    cp_async_wait<1>();
    __syncthreads();
    float s[${KEYS / 8}][4];
    product_rows<${KEYS / 8}>(s, sq, warp * 16, sk + side * ${KEYS} * D);
    const bool edge = key + ${KEYS} > keys${causal ? ` || key + ${KEYS} > first + warp * 16 + 1` : ""};
#pragma unroll
    for (int half = 0; half < 2; half++) {
${causal ? "      const int row = first + warp * 16 + lane / 4 + half * 8;\n" : ""}      float top = most[half];
#pragma unroll
      for (int j = 0; j < ${KEYS / 8}; j++)
#pragma unroll
        for (int e = 0; e < 2; e++) {
          const int column = key + j * 8 + lane % 4 * 2 + e;
          float x = s[j][half * 2 + e] * factor;
          if (edge && (column >= keys${causal ? " || column > row" : ""})) x = -INFINITY;
          s[j][half * 2 + e] = x;
          top = fmaxf(top, x);
        }
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1)); // the four lanes of a row
      top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
      const float shrink = exp2f(most[half] - top);
      most[half] = top;
      sum[half] *= shrink;
#pragma unroll
      for (int c = 0; c < D / 8; c++) {
        out[c][half * 2] *= shrink;
        out[c][half * 2 + 1] *= shrink;
      }
#pragma unroll
      for (int j = 0; j < ${KEYS / 8}; j++)
#pragma unroll
        for (int e = 0; e < 2; e++) {
          const float p = exp2f(s[j][half * 2 + e] - top);
          s[j][half * 2 + e] = p;
          sum[half] += p;
        }
    }
    product_columns<${KEYS / 8}>(out, s, sv + side * ${KEYS} * D);
    __syncthreads(); // before the tile after next overwrites this one
  }
  cp_async_wait<0>();
#pragma unroll
  for (int half = 0; half < 2; half++) {
    sum[half] += __shfl_xor_sync(0xffffffffu, sum[half], 1);
    sum[half] += __shfl_xor_sync(0xffffffffu, sum[half], 2);
    const int row = first + warp * 16 + lane / 4 + half * 8;
    if (lane % 4 == 0 && row < queries) LSE[row] = (most[half] + log2f(sum[half])) / LOG2E;
  }
  store_rows(O, out, first + warp * 16, queries, 1.f / sum[0], 1.f / sum[1]);
}
`;
}
