/** What the attention kernels share: their operands, and device code for tiles of rows in shared memory. */
import { ValueError } from "../../../core/errors.js";
import { f32, i32, type KernelArgument, pointer } from "../../../runtime/cuda/module.js";
import { type HalfStorage, STORAGE } from "./kernel.js";

/** Heads side by side, each contiguous: q [heads, queries, d], k and v [heads, keys, d]. */
export interface AttentionCall {
  readonly q: number;
  readonly k: number;
  readonly v: number;
  /** Output [heads, queries, d]; of the backward pass: what the forward pass gave. */
  readonly o: number;
  /** Per row the logarithm of the sum of exponentials, float32 [heads, queries]: the backward pass wants it. */
  readonly lse: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  /** Factor of the scores. */
  readonly scale: number;
}

export interface AttentionVariant {
  readonly dtype: HalfStorage;
  /** Width of a head: 32, 64 or 128. */
  readonly width: 32 | 64 | 128;
  /** Query i sees the keys 0 … i. */
  readonly causal: boolean;
}

export const variantName = (what: string, { dtype, width, causal }: AttentionVariant): string =>
  `mlsys_attention_${what}_${dtype}_${width}${causal ? "_causal" : ""}`;

export function checkAttention(name: string, call: AttentionCall): void {
  for (const key of ["q", "k", "v", "o"] as const)
    if (call[key] % 16)
      throw new ValueError(`${name}: the address of ${key} must be a multiple of 16, got ${call[key]}`);
  if (call.heads < 1 || call.queries < 1 || call.keys < 1)
    throw new ValueError(`${name}: heads, queries and keys are at least 1`);
}

export const attentionArguments = (call: AttentionCall, pointers: readonly number[]): KernelArgument[] => [
  ...pointers.map(pointer),
  i32(call.queries),
  i32(call.keys),
  f32(call.scale),
];

/**
 * Device functions for tiles [rows][D] of 16-bit elements with swizzled 16-byte pieces, read by 16 rows at a time:
 * \`tile_load\` fetches rows of global memory, \`fragment_a\` gives rows as the left operand of a product, \`fragment_rows\` 16 rows as
 * columns of the right operand (x·rowsᵀ), \`fragment_columns\` 16 rows as the sum dimension of the right operand (x·rows).
 */
export const tileCode = ({ dtype, width }: AttentionVariant, threads: number): string => `
typedef ${STORAGE[dtype]} T;
#define D ${width}
#define PIECES ${width / 8}
#define LOG2E 1.4426950408889634f
__device__ __forceinline__ T* tile_at(T* tile, int row, int piece) {
  return tile + row * D + (piece ^ (row${width === 32 ? " >> 1" : ""} & ${Math.min(8, width / 8) - 1})) * 8;
}
// Rows [first, first + ROWS) of a matrix of \`rows\` rows; those past its end are zeros.
template <int ROWS> __device__ __forceinline__ void tile_load(T* tile, const T* from, int first, int rows) {
#pragma unroll
  for (int e = threadIdx.x; e < ROWS * PIECES; e += ${threads}) {
    const int row = e / PIECES, piece = e % PIECES;
    const bool in = first + row < rows;
    cp_async16(tile_at(tile, row, piece), in ? from + (long long)(first + row) * D + piece * 8 : from, in);
  }
}
__device__ __forceinline__ void fragment_a(u32 (&a)[4], T* tile, int row, int step) {
  const int lane = threadIdx.x % 32;
  ldmatrix_x4(a, tile_at(tile, row + lane % 16, step * 2 + lane / 16));
}
__device__ __forceinline__ void fragment_rows(u32 (&b)[4], T* tile, int row, int step) {
  const int lane = threadIdx.x % 32;
  ldmatrix_x4(b, tile_at(tile, row + lane / 16 * 8 + lane % 8, step * 2 + lane / 8 % 2));
}
__device__ __forceinline__ void fragment_columns(u32 (&b)[4], T* tile, int row, int columns) {
  const int lane = threadIdx.x % 32;
  ldmatrix_x4_trans(b, tile_at(tile, row + lane % 16, columns * 2 + lane / 16));
}
// s[16, 8·N] = rows of \`left\` · (rows of \`right\`)ᵀ
template <int N> __device__ __forceinline__ void product_rows(float (&s)[N][4], T* left, int row, T* right) {
#pragma unroll
  for (int j = 0; j < N; j++) s[j][0] = s[j][1] = s[j][2] = s[j][3] = 0.f;
#pragma unroll
  for (int step = 0; step < D / 16; step++) {
    u32 a[4], b[4];
    fragment_a(a, left, row, step);
#pragma unroll
    for (int j = 0; j < N / 2; j++) {
      fragment_rows(b, right, j * 16, step);
      mma_m16n8k16<T>(s[2 * j], a, b[0], b[1]);
      mma_m16n8k16<T>(s[2 * j + 1], a, b[2], b[3]);
    }
  }
}
// out[16, D] += p[16, 8·N] · rows of \`right\`; p is what product_rows left in the registers.
template <int N> __device__ __forceinline__ void product_columns(float (&out)[D / 8][4], const float (&p)[N][4], T* right) {
#pragma unroll
  for (int j = 0; j < N / 2; j++) {
    const u32 a[4] = {pack<T>(p[2 * j][0], p[2 * j][1]), pack<T>(p[2 * j][2], p[2 * j][3]),
                      pack<T>(p[2 * j + 1][0], p[2 * j + 1][1]), pack<T>(p[2 * j + 1][2], p[2 * j + 1][3])};
#pragma unroll
    for (int c = 0; c < D / 16; c++) {
      u32 b[4];
      fragment_columns(b, right, j * 16, c);
      mma_m16n8k16<T>(out[2 * c], a, b[0], b[1]);
      mma_m16n8k16<T>(out[2 * c + 1], a, b[2], b[3]);
    }
  }
}
// Rows \`row\` and \`row + 8\` of this lane, scaled, to global memory.
__device__ __forceinline__ void store_rows(T* to, const float (&x)[D / 8][4], int row, int rows, float low, float high) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const int r = row + lane / 4 + half * 8;
    if (r >= rows) continue;
    const float factor = half ? high : low;
#pragma unroll
    for (int c = 0; c < D / 8; c++)
      *(u32*)(to + (long long)r * D + c * 8 + lane % 4 * 2) = pack<T>(x[c][half * 2] * factor, x[c][half * 2 + 1] * factor);
  }
}
`;
