/**
 * What sm_90a kernels include as `mlsys_hopper.cuh`: copies of whole tiles by the tensor memory accelerator (TMA), the
 * barriers that count their bytes, and products of a warpgroup (4 warps) from shared memory (wgmma), over PTX.
 */
export const HOPPER_PRELUDE_NAME = "mlsys_hopper.cuh";

const registers = Array.from({ length: 64 }, (_, i) => `%${i}`).join(", ");
const outputs = Array.from({ length: 64 }, (_, i) => `"+f"(d[${i}])`).join(", ");

const product = (type: string): string => `
template <> __device__ __forceinline__ void wgmma_m64n128k16<${type}>(float (&d)[64], u64 a, u64 b, int accumulate) {
  asm volatile("{\\n.reg .pred p;\\nsetp.ne.b32 p, %66, 0;\\n"
               "wgmma.mma_async.sync.aligned.m64n128k16.f32.${type}.${type} {${registers}}, %64, %65, p, 1, 1, 0, 1;\\n}"
               : ${outputs}
               : "l"(a), "l"(b), "r"(accumulate));
}`;

export const HOPPER_PRELUDE = `#pragma once
#include "mlsys.cuh"
// A CUtensorMap, made by the host: where a matrix lies, and the tile that is copied at once.
struct __align__(64) TensorMap { unsigned char bytes[128]; };
#define GRID_CONSTANT const __grid_constant__

// Barriers in shared memory that wait for arrivals and for bytes.
__device__ __forceinline__ void mbarrier_init(u64* b, u32 count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(b)), "r"(count) : "memory");
}
__device__ __forceinline__ void mbarrier_fence_init() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
__device__ __forceinline__ void mbarrier_arrive(u64* b) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(b)) : "memory");
}
__device__ __forceinline__ void mbarrier_expect(u64* b, u32 bytes) { // one arrival, and bytes that must come
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(b)), "r"(bytes) : "memory");
}
// Waits until the phase of this parity is over.
__device__ __forceinline__ void mbarrier_wait(u64* b, u32 parity) {
  u32 done = 0;
  while (!done)
    asm volatile("{\\n.reg .pred p;\\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\\nselp.u32 %0, 1, 0, p;\\n}"
                 : "=r"(done) : "r"(shared_address(b)), "r"(parity) : "memory");
}

// The tile whose first element is (column x, row y); elements outside the matrix are zeros.
__device__ __forceinline__ void tma_load(void* to, const TensorMap* map, int x, int y, u64* b) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];"
               ::"r"(shared_address(to)), "l"(map), "r"(x), "r"(y), "r"(shared_address(b)) : "memory");
}

// Where an operand lies in shared memory: 128-byte rows with swizzled 16-byte pieces ("Matrix descriptor" of the manual).
__device__ __forceinline__ u64 wgmma_descriptor(const void* p, u32 leadingBytes, u32 strideBytes) {
  return (u64)((shared_address(p) & 0x3ffff) >> 4) | (u64)(leadingBytes >> 4) << 16 | (u64)(strideBytes >> 4) << 32 | 1ull << 62;
}
__device__ __forceinline__ void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int N> __device__ __forceinline__ void wgmma_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory"); }
// d[64, 128] = a[64, 16]·b[16, 128] (+ d); a by rows, b by rows (transposed, for the instruction).
template <typename T> __device__ __forceinline__ void wgmma_m64n128k16(float (&d)[64], u64 a, u64 b, int accumulate);
${product("f16")}
${product("bf16")}
// Registers move from warps that only copy to warps that multiply.
template <int N> __device__ __forceinline__ void registers_less() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N)); }
template <int N> __device__ __forceinline__ void registers_more() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N)); }
`;
