/**
 * Gradients of attention, recomputed tile by tile from the rows' log-sum-exp (FlashAttention-2): one kernel for dQ, which
 * passes over the keys, and one for dK and dV, which passes over the queries. Each tile of scores is made twice, but no two
 * blocks add to the same gradient: no atomics, the same bits in every run.
 */
import { pointer } from "../../../runtime/cuda/module.js";
import {
  type AttentionCall,
  type AttentionVariant,
  attentionArguments,
  checkAttention,
  tileCode,
  variantName,
} from "./attention-call.js";
import { type CudaKernel, ceilDiv, STORAGE } from "./kernel.js";

export interface AttentionBackwardCall extends AttentionCall {
  /** Gradient of the output. */
  readonly dO: number;
  /** float32 [heads, queries]: written by the `delta` kernel, read by the others. */
  readonly delta: number;
  readonly dQ: number;
  readonly dK: number;
  readonly dV: number;
}

/** Rows that a block owns, 16 per warp, and rows of a tile that it passes over. */
const OWN = 64;
const THREADS = 128;
const passed = (width: number): number => (width === 128 ? 32 : 64); // registers hold the gradients of a tile twice

/**
 * The three kernels, to be launched in this order on one stream.
 * @example compiler.cuda.kernels.attentionBackwardKernels({ dtype: "float16", width: 64, causal: false }).length // 3
 */
export function attentionBackwardKernels(
  variant: AttentionVariant,
): readonly CudaKernel<AttentionBackwardCall>[] {
  return [deltaKernel(variant), keysKernel(variant), queriesKernel(variant)];
}

/** delta[row] = Σ dO·O: what the softmax's derivative subtracts. One warp per row. */
function deltaKernel(variant: AttentionVariant): CudaKernel<AttentionBackwardCall> {
  const name = variantName("delta", variant);
  const T = STORAGE[variant.dtype];
  return {
    name,
    least: 80,
    source: `#include "mlsys.cuh"
extern "C" __global__ void __launch_bounds__(${THREADS}) ${name}(const ${T}* __restrict__ O, const ${T}* __restrict__ DO, float* __restrict__ DELTA, int rows) {
  const int row = blockIdx.x * ${THREADS / 32} + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  float sum = 0.f;
#pragma unroll
  for (int i = lane; i < ${variant.width}; i += 32)
    sum += to_float(O[(long long)row * ${variant.width} + i]) * to_float(DO[(long long)row * ${variant.width} + i]);
#pragma unroll
  for (int by = 16; by > 0; by /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, by);
  if (lane == 0) DELTA[row] = sum;
}
`,
    launch: (call) => ({ grid: [ceilDiv(call.heads * call.queries, THREADS / 32)], block: [THREADS] }),
    arguments: (call) => [
      pointer(call.o),
      pointer(call.dO),
      pointer(call.delta),
      { kind: "i32", value: call.heads * call.queries },
    ],
  };
}

const PARAMETERS = `const T* __restrict__ Q, const T* __restrict__ K, const T* __restrict__ V, const T* __restrict__ DO,
    const float* __restrict__ LSE, const float* __restrict__ DELTA`;

const operands = (call: AttentionBackwardCall): number[] => [
  call.q,
  call.k,
  call.v,
  call.dO,
  call.lse,
  call.delta,
];

const HEAD = `
  extern __shared__ __align__(1024) unsigned char mlsys_shared[];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int first = blockIdx.x * ${OWN}, own = first + warp * 16;
  const long long head = blockIdx.y;
  Q += head * queries * D;
  K += head * keys * D;
  V += head * keys * D;
  DO += head * queries * D;
  LSE += head * queries;
  DELTA += head * queries;
  const float factor = scale * LOG2E;`;

/** dQ of 64 queries: S = Q·Kᵀ, P = exp(S − lse), dP = dO·Vᵀ, dS = P∘(dP − delta), dQ += dS·K. */
function queriesKernel(variant: AttentionVariant): CudaKernel<AttentionBackwardCall> {
  const name = variantName("backward_q", variant);
  const { causal, width } = variant;
  const pass = passed(width);
  return {
    name,
    least: 80,
    source: `#include "mlsys.cuh"
${tileCode(variant, THREADS)}
extern "C" __global__ void __launch_bounds__(${THREADS}) ${name}(${PARAMETERS}, T* __restrict__ DQ, int queries, int keys, float scale) {${HEAD}
  T* sq = (T*)mlsys_shared;
  T* sdo = sq + ${OWN} * D;
  T* sk = sdo + ${OWN} * D;
  T* sv = sk + ${pass} * D;
  DQ += head * queries * D;
  const int seen = ${causal ? `first + ${OWN} < keys ? first + ${OWN} : keys` : "keys"};
  tile_load<${OWN}>(sq, Q, first, queries);
  tile_load<${OWN}>(sdo, DO, first, queries);
  float lse[2], delta[2], dq[D / 8][4] = {};
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const int row = own + lane / 4 + half * 8;
    lse[half] = row < queries ? LSE[row] * LOG2E : INFINITY; // rows past the end get weights of 0
    delta[half] = row < queries ? DELTA[row] : 0.f;
  }
  for (int key = 0; key < seen; key += ${pass}) {
    tile_load<${pass}>(sk, K, key, keys);
    tile_load<${pass}>(sv, V, key, keys);
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
    float s[${pass / 8}][4], dp[${pass / 8}][4];
    product_rows<${pass / 8}>(s, sq, warp * 16, sk);
    product_rows<${pass / 8}>(dp, sdo, warp * 16, sv);
#pragma unroll
    for (int j = 0; j < ${pass / 8}; j++)
#pragma unroll
      for (int e = 0; e < 4; e++) {
        const int row = own + lane / 4 + e / 2 * 8, column = key + j * 8 + lane % 4 * 2 + e % 2;
        const bool sees = column < keys${causal ? " && column <= row" : " && row >= 0"};
        const float p = sees ? exp2f(s[j][e] * factor - lse[e / 2]) : 0.f;
        s[j][e] = p * (dp[j][e] - delta[e / 2]);
      }
    product_columns<${pass / 8}>(dq, s, sk);
    __syncthreads();
  }
  store_rows(DQ, dq, own, queries, scale, scale);
}
`,
    launch(call) {
      checkAttention(name, call);
      return {
        grid: [ceilDiv(call.queries, OWN), call.heads],
        block: [THREADS],
        shared: 2 * (OWN + pass) * width * 2,
      };
    },
    arguments: (call) => attentionArguments(call, [...operands(call), call.dQ]),
  };
}

/** dK and dV of 64 keys, all transposed: Sᵀ = K·Qᵀ, dV += Pᵀ·dO, dPᵀ = V·dOᵀ, dK += dSᵀ·Q. */
function keysKernel(variant: AttentionVariant): CudaKernel<AttentionBackwardCall> {
  const name = variantName("backward_kv", variant);
  const { causal, width } = variant;
  const pass = passed(width);
  return {
    name,
    least: 80,
    source: `#include "mlsys.cuh"
${tileCode(variant, THREADS)}
extern "C" __global__ void __launch_bounds__(${THREADS}) ${name}(${PARAMETERS}, T* __restrict__ DK, T* __restrict__ DV, int queries, int keys, float scale) {${HEAD}
  T* sk = (T*)mlsys_shared;
  T* sv = sk + ${OWN} * D;
  T* sq = sv + ${OWN} * D;
  T* sdo = sq + ${pass} * D;
  float* slse = (float*)(sdo + ${pass} * D);
  float* sdelta = slse + ${pass};
  DK += head * keys * D;
  DV += head * keys * D;
  tile_load<${OWN}>(sk, K, first, keys);
  tile_load<${OWN}>(sv, V, first, keys);
  float dk[D / 8][4] = {}, dv[D / 8][4] = {};
  for (int query = ${causal ? `first / ${pass} * ${pass}` : "0"}; query < queries; query += ${pass}) {
    tile_load<${pass}>(sq, Q, query, queries);
    tile_load<${pass}>(sdo, DO, query, queries);
    cp_async_commit();
    for (int i = threadIdx.x; i < ${pass}; i += ${THREADS}) {
      slse[i] = query + i < queries ? LSE[query + i] * LOG2E : INFINITY;
      sdelta[i] = query + i < queries ? DELTA[query + i] : 0.f;
    }
    cp_async_wait<0>();
    __syncthreads();
    float s[${pass / 8}][4], dp[${pass / 8}][4];
    product_rows<${pass / 8}>(s, sk, warp * 16, sq);
    product_rows<${pass / 8}>(dp, sv, warp * 16, sdo);
#pragma unroll
    for (int j = 0; j < ${pass / 8}; j++)
#pragma unroll
      for (int e = 0; e < 4; e++) {
        const int i = j * 8 + lane % 4 * 2 + e % 2;
        const int key = own + lane / 4 + e / 2 * 8;
        const bool sees = key < keys${causal ? " && key <= query + i" : ""};
        const float p = sees ? exp2f(s[j][e] * factor - slse[i]) : 0.f;
        s[j][e] = p;
        dp[j][e] = p * (dp[j][e] - sdelta[i]);
      }
    product_columns<${pass / 8}>(dv, s, sdo);
    product_columns<${pass / 8}>(dk, dp, sq);
    __syncthreads();
  }
  cp_async_wait<0>();
  store_rows(DK, dk, own, keys, scale, scale);
  store_rows(DV, dv, own, keys, 1.f, 1.f);
}
`,
    launch(call) {
      checkAttention(name, call);
      return {
        grid: [ceilDiv(call.keys, OWN), call.heads],
        block: [THREADS],
        shared: 2 * (OWN + pass) * width * 2 + 2 * pass * 4,
      };
    },
    arguments: (call) => attentionArguments(call, [...operands(call), call.dK, call.dV]),
  };
}
