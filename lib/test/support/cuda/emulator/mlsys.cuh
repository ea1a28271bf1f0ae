// The device functions of mlsys.cuh, lane by lane as the PTX manual describes them.
#ifndef MLSYS_CUH
#define MLSYS_CUH
#include "cuda.h"
typedef unsigned int u32;
typedef unsigned long long u64;
struct f16 { unsigned short bits; };
struct bf16 { unsigned short bits; };

inline float to_float(float x) { return x; }
inline float to_float(f16 x) {
  _Float16 h;
  memcpy(&h, &x.bits, 2);
  return (float)h;
}
inline float to_float(bf16 x) { return __uint_as_float((u32)x.bits << 16); }
template <typename T> inline T from_float(float x);
template <> inline float from_float<float>(float x) { return x; }
template <> inline f16 from_float<f16>(float x) {
  _Float16 h = (_Float16)x;
  f16 y;
  memcpy(&y.bits, &h, 2);
  return y;
}
template <> inline bf16 from_float<bf16>(float x) {
  u32 u = __float_as_uint(x);
  if ((u & 0x7fffffff) > 0x7f800000) return {0x7fff};
  return {(unsigned short)((u + 0x7fff + (u >> 16 & 1)) >> 16)};
}
template <typename T> inline u32 pack(float low, float high) {
  return (u32)from_float<T>(low).bits | ((u32)from_float<T>(high).bits << 16);
}
template <typename T> inline float unpack(u32 pair, int half) { return to_float(T{(unsigned short)(pair >> (16 * half))}); }
inline u32 to_tf32(float x) { // to nearest, ties away from zero
  u32 u = __float_as_uint(x);
  return (u & 0x7f800000) == 0x7f800000 ? u : (u + 0x1000) & ~0x1fffu;
}

inline u32 shared_address(const void* p) { return (u32)__cvta_generic_to_shared(p); }

inline void cp_async16(void* to, const void* from, bool valid) {
  if (((uintptr_t)to | (valid ? (uintptr_t)from : 0)) & 15) { fprintf(stderr, "cp.async: misaligned address\n"); abort(); }
  emu::Fiber& f = *emu::self;
  if (f.copyCount == f.copyRoom) f.copies = (emu::Copy*)realloc(f.copies, (f.copyRoom = f.copyRoom * 2 + 16) * sizeof(emu::Copy));
  f.copies[f.copyCount++] = {to, from, f.groups, valid};
}
inline void cp_async_commit() { emu::self->groups++; }
template <int N> inline void cp_async_wait() { emu::landCopies(N); }

// Lane l holds elements (l / 4, 2·(l % 4)) and the one to its right of each matrix; transposed: of its transpose.
inline void emu_ldmatrix(u32 (&r)[4], const void* p, bool transposed) {
  if ((uintptr_t)p & 15) { fprintf(stderr, "ldmatrix: misaligned address\n"); abort(); }
  unsigned short row[8];
  memcpy(row, p, 16);
  auto all = emu::exchange(0xffffffffu, row, sizeof row);
  int lane = emu::self->lane, i = lane / 4, j = lane % 4 * 2;
  for (int m = 0; m < 4; m++) {
    auto at = [&](int y, int x) { unsigned short v; memcpy(&v, all[m * 8 + y] + 2 * x, 2); return v; };
    r[m] = transposed ? at(j, i) | (u32)at(j + 1, i) << 16 : at(i, j) | (u32)at(i, j + 1) << 16;
  }
}
inline void ldmatrix_x4(u32 (&r)[4], const void* p) { emu_ldmatrix(r, p, false); }
inline void ldmatrix_x4_trans(u32 (&r)[4], const void* p) { emu_ldmatrix(r, p, true); }

template <typename T> inline void mma_m16n8k16(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  u32 mine[6] = {a[0], a[1], a[2], a[3], b0, b1};
  auto all = emu::exchange(0xffffffffu, mine, sizeof mine);
  auto reg = [&](int lane, int i) { u32 v; memcpy(&v, all[lane] + 4 * i, 4); return v; };
  // A: row i is held by lanes 4·(i % 8) + …, registers (i / 8) and, for columns from 8 on, + 2; B: column n by lanes 4·n + ….
  auto A = [&](int i, int k) { return unpack<T>(reg(i % 8 * 4 + k % 8 / 2, i / 8 + k / 8 * 2), k % 2); };
  auto B = [&](int k, int n) { return unpack<T>(reg(n * 4 + k % 8 / 2, 4 + k / 8), k % 2); };
  int lane = emu::self->lane;
  for (int e = 0; e < 4; e++) {
    int i = lane / 4 + e / 2 * 8, n = lane % 4 * 2 + e % 2;
    double sum = 0;
    for (int k = 0; k < 16; k++) sum += (double)A(i, k) * B(k, n);
    d[e] = (float)(d[e] + sum);
  }
}

// The manual leaves open which lane holds what of a WMMA fragment: here each holds all of it.
namespace wmma {
struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct tf32 {};
template <typename Use, typename T> struct fragment;
template <typename Use> struct fragment<Use, f16> { float x[16][16]; };
template <typename Use> struct fragment<Use, bf16> { float x[16][16]; };
template <> struct fragment<matrix_a, tf32> { float x[16][8]; };
template <> struct fragment<matrix_b, tf32> { float x[8][16]; };
template <> struct fragment<accumulator, float> {
  static constexpr int num_elements = 256;
  float x[256];
};
inline void fill_fragment(fragment<accumulator, float>& f, float value) { for (float& x : f.x) x = value; }
template <typename F, typename E> inline void emu_load(F& f, const E* p, u32 ld) {
  constexpr int R = sizeof f.x / sizeof f.x[0], C = sizeof f.x[0] / sizeof(float);
  for (int i = 0; i < R; i++) for (int j = 0; j < C; j++) f.x[i][j] = to_float(p[i * ld + j]);
  __syncwarp();
}
template <typename Use, typename T> inline void load_matrix_sync(fragment<Use, T>& f, const T* p, u32 ld) { emu_load(f, p, ld); }
template <typename Use> inline void load_matrix_sync(fragment<Use, tf32>& f, const float* p, u32 ld) { emu_load(f, p, ld); }
template <typename Use> inline void round_to_tf32(fragment<Use, tf32>& f) {
  for (auto& row : f.x) for (float& x : row) x = __uint_as_float(to_tf32(x));
}
template <typename Use, typename T> inline void round_to_tf32(fragment<Use, T>&) {}
template <typename T> inline void mma_sync(fragment<accumulator, float>& d, const fragment<matrix_a, T>& a, const fragment<matrix_b, T>& b) {
  constexpr int K = sizeof a.x[0] / sizeof(float);
  for (int i = 0; i < 16; i++)
    for (int k = 0; k < K; k++)
      for (int j = 0; j < 16; j++) d.x[i * 16 + j] += a.x[i][k] * b.x[k][j];
  __syncwarp();
}
inline void store_matrix_sync(float* p, const fragment<accumulator, float>& f, u32 ld) {
  __syncwarp();
  for (int e = emu::self->lane; e < 256; e += 32) p[e / 16 * ld + e % 16] = f.x[e];
  __syncwarp();
}
} // namespace wmma
#endif
