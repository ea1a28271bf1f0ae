/**
 * What our CUDA kernels include as `mlsys.cuh`: storage types, asynchronous copies and tensor-core instructions as small
 * device functions over PTX, so that NVRTC needs none of NVIDIA's headers. Fragment layouts are those of the PTX manual,
 * "Matrix fragments for mma.m16n8k16 / wmma / wgmma".
 */
export const PRELUDE_NAME = "mlsys.cuh";

export const PRELUDE = String.raw`#pragma once
typedef unsigned int u32;
typedef unsigned long long u64;
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif
struct f16 { unsigned short bits; };
struct bf16 { unsigned short bits; };

// Conversions round to nearest, ties to even.
__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(f16 x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}
__device__ __forceinline__ float to_float(bf16 x) { return __uint_as_float((u32)x.bits << 16); }
template <typename T> __device__ __forceinline__ T from_float(float x);
template <> __device__ __forceinline__ float from_float<float>(float x) { return x; }
template <> __device__ __forceinline__ f16 from_float<f16>(float x) {
  f16 y;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}
template <> __device__ __forceinline__ bf16 from_float<bf16>(float x) {
  bf16 y;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}
// Two values in one register, the first in the low half.
template <typename T> __device__ __forceinline__ u32 pack(float low, float high) {
  return (u32)from_float<T>(low).bits | ((u32)from_float<T>(high).bits << 16);
}
// A float with 10 bits of mantissa, as tensor cores take it.
__device__ __forceinline__ u32 to_tf32(float x) {
  u32 y;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
  return y;
}

__device__ __forceinline__ u32 shared_address(const void* p) { return (u32)__cvta_generic_to_shared(p); }

// Asynchronous copies, sm_80: 16 bytes from global to shared memory past the registers; zeros if not valid.
__device__ __forceinline__ void cp_async16(void* to, const void* from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(valid ? 16 : 0));
}
__device__ __forceinline__ void cp_async_commit() { asm volatile("cp.async.commit_group;"); }
// Waits until at most N of this thread's groups are in flight.
template <int N> __device__ __forceinline__ void cp_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N)); }

// Four 8×8 matrices of 16-bit elements; lane l gives the address of row l % 8 of matrix l / 8.
__device__ __forceinline__ void ldmatrix_x4(u32 (&r)[4], const void* p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(p)) : "memory");
}
__device__ __forceinline__ void ldmatrix_x4_trans(u32 (&r)[4], const void* p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(p)) : "memory");
}

// d[16, 8] += a[16, 16]·b[16, 8], accumulated in float32.
template <typename T> __device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1);
template <> __device__ __forceinline__ void mma_m16n8k16<f16>(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
template <> __device__ __forceinline__ void mma_m16n8k16<bf16>(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// The WMMA API of the CUDA manual, as far as our kernels use it: 16×16×16 of 16-bit, 16×16×8 of tf32 elements.
namespace wmma {
struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct tf32 {};
template <typename Use, typename T> struct fragment;
template <typename Use> struct fragment<Use, f16> { u32 r[8]; };
template <typename Use> struct fragment<Use, bf16> { u32 r[4]; };
template <typename Use> struct fragment<Use, tf32> { u32 r[4]; };
template <> struct fragment<accumulator, float> {
  static constexpr int num_elements = 8;
  float x[8];
};

__device__ __forceinline__ void fill_fragment(fragment<accumulator, float>& f, float value) {
#pragma unroll
  for (int i = 0; i < 8; i++) f.x[i] = value;
}
#define MLSYS_WMMA_LOAD8(USE, LETTER)                                                                             \
  __device__ __forceinline__ void load_matrix_sync(fragment<USE, f16>& f, const f16* p, u32 ld) {                 \
    asm volatile("wmma.load." LETTER ".sync.aligned.row.m16n16k16.f16 {%0, %1, %2, %3, %4, %5, %6, %7}, [%8], %9;" \
                 : "=r"(f.r[0]), "=r"(f.r[1]), "=r"(f.r[2]), "=r"(f.r[3]), "=r"(f.r[4]), "=r"(f.r[5]),            \
                   "=r"(f.r[6]), "=r"(f.r[7])                                                                     \
                 : "l"(p), "r"(ld) : "memory");                                                                   \
  }
#define MLSYS_WMMA_LOAD4(USE, LETTER, TYPE, ELEMENT, SHAPE, NAME)                                        \
  __device__ __forceinline__ void load_matrix_sync(fragment<USE, TYPE>& f, const ELEMENT* p, u32 ld) {   \
    asm volatile("wmma.load." LETTER ".sync.aligned.row." SHAPE "." NAME " {%0, %1, %2, %3}, [%4], %5;"  \
                 : "=r"(f.r[0]), "=r"(f.r[1]), "=r"(f.r[2]), "=r"(f.r[3]) : "l"(p), "r"(ld) : "memory"); \
  }
MLSYS_WMMA_LOAD8(matrix_a, "a")
MLSYS_WMMA_LOAD8(matrix_b, "b")
MLSYS_WMMA_LOAD4(matrix_a, "a", bf16, bf16, "m16n16k16", "bf16")
MLSYS_WMMA_LOAD4(matrix_b, "b", bf16, bf16, "m16n16k16", "bf16")
MLSYS_WMMA_LOAD4(matrix_a, "a", tf32, float, "m16n16k8", "tf32")
MLSYS_WMMA_LOAD4(matrix_b, "b", tf32, float, "m16n16k8", "tf32")
// Rounds what was loaded from float32; the instruction would cut the low bits off.
template <typename Use> __device__ __forceinline__ void round_to_tf32(fragment<Use, tf32>& f) {
#pragma unroll
  for (int i = 0; i < 4; i++) f.r[i] = to_tf32(__uint_as_float(f.r[i]));
}
template <typename Use, typename T> __device__ __forceinline__ void round_to_tf32(fragment<Use, T>&) {}

__device__ __forceinline__ void mma_sync(fragment<accumulator, float>& d, const fragment<matrix_a, f16>& a,
                                         const fragment<matrix_b, f16>& b) {
  asm volatile("wmma.mma.sync.aligned.row.row.m16n16k16.f32.f32 {%0, %1, %2, %3, %4, %5, %6, %7}, "
               "{%8, %9, %10, %11, %12, %13, %14, %15}, {%16, %17, %18, %19, %20, %21, %22, %23}, "
               "{%0, %1, %2, %3, %4, %5, %6, %7};"
               : "+f"(d.x[0]), "+f"(d.x[1]), "+f"(d.x[2]), "+f"(d.x[3]), "+f"(d.x[4]), "+f"(d.x[5]), "+f"(d.x[6]),
                 "+f"(d.x[7])
               : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(a.r[4]), "r"(a.r[5]), "r"(a.r[6]), "r"(a.r[7]),
                 "r"(b.r[0]), "r"(b.r[1]), "r"(b.r[2]), "r"(b.r[3]), "r"(b.r[4]), "r"(b.r[5]), "r"(b.r[6]), "r"(b.r[7]));
}
#define MLSYS_WMMA_MMA4(TYPE, SHAPE, NAME)                                                                           \
  __device__ __forceinline__ void mma_sync(fragment<accumulator, float>& d, const fragment<matrix_a, TYPE>& a,       \
                                           const fragment<matrix_b, TYPE>& b) {                                      \
    asm volatile("wmma.mma.sync.aligned.row.row." SHAPE ".f32." NAME "." NAME ".f32 {%0, %1, %2, %3, %4, %5, %6, %7}, " \
                 "{%8, %9, %10, %11}, {%12, %13, %14, %15}, {%0, %1, %2, %3, %4, %5, %6, %7};"                       \
                 : "+f"(d.x[0]), "+f"(d.x[1]), "+f"(d.x[2]), "+f"(d.x[3]), "+f"(d.x[4]), "+f"(d.x[5]),               \
                   "+f"(d.x[6]), "+f"(d.x[7])                                                                        \
                 : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]), "r"(b.r[2]),        \
                   "r"(b.r[3]));                                                                                     \
  }
MLSYS_WMMA_MMA4(bf16, "m16n16k16", "bf16")
MLSYS_WMMA_MMA4(tf32, "m16n16k8", "tf32")
__device__ __forceinline__ void store_matrix_sync(float* p, const fragment<accumulator, float>& f, u32 ld) {
  asm volatile("wmma.store.d.sync.aligned.row.m16n16k16.f32 [%0], {%1, %2, %3, %4, %5, %6, %7, %8}, %9;" ::"l"(p),
               "f"(f.x[0]), "f"(f.x[1]), "f"(f.x[2]), "f"(f.x[3]), "f"(f.x[4]), "f"(f.x[5]), "f"(f.x[6]), "f"(f.x[7]),
               "r"(ld) : "memory");
}
} // namespace wmma
`;
