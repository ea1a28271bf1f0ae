// The device functions of mlsys_hopper.cuh. A TMA copy lands, in random order, while somebody waits at its barrier.
#ifndef MLSYS_HOPPER_CUH
#define MLSYS_HOPPER_CUH
#include "mlsys.cuh"
// As the fake driver fills it.
struct alignas(64) TensorMap { u64 address, columns, rows, rowBytes, boxColumns, boxRows, swizzle, type, unused[8]; };
#define GRID_CONSTANT const

namespace emu {
struct Barrier { int tx; unsigned char count, pending, phase, made; };
struct Tile { void* to; const TensorMap* map; int x, y; Barrier* barrier; };
inline Tile tiles[256];
inline int tileCount = 0;
inline void need(bool ok, const char* what) {
  if (!ok) { fprintf(stderr, "%s\n", what); abort(); }
}
inline void turn(Barrier& b) {
  if (b.pending == 0 && b.tx == 0) {
    b.phase ^= 1;
    b.pending = b.count;
    progress++;
  }
}
inline void land(Tile t) {
  const TensorMap& m = *t.map;
  need(m.swizzle == 3 && m.boxColumns == 64, "TMA: tiles of 64 columns with 128-byte swizzle are emulated");
  need(((unsigned char*)t.to - mlsys_shared) % 1024 == 0, "TMA: swizzled tiles begin at multiples of 1024 bytes");
  for (int r = 0; r < (int)m.boxRows; r++)
    for (int c = 0; c < 64; c++) {
      long long row = t.y + r, column = t.x + c;
      unsigned short v = 0;
      if (row >= 0 && row < (long long)m.rows && column >= 0 && column < (long long)m.columns)
        memcpy(&v, (const char*)m.address + row * m.rowBytes + column * 2, 2);
      memcpy((char*)t.to + r * 128 + ((c / 8) ^ (r & 7)) * 16 + c % 8 * 2, &v, 2);
    }
  t.barrier->tx -= (int)(m.boxRows * 128);
  turn(*t.barrier);
}
} // namespace emu

inline void mbarrier_init(u64* b, u32 count) { *(emu::Barrier*)b = {0, (unsigned char)count, (unsigned char)count, 0, 0x5a}; }
inline void mbarrier_fence_init() {}
inline emu::Barrier& emu_barrier(u64* b) {
  emu::need(((emu::Barrier*)b)->made == 0x5a, "mbarrier: used before it was made");
  return *(emu::Barrier*)b;
}
inline void mbarrier_arrive(u64* b) {
  emu::Barrier& x = emu_barrier(b);
  emu::need(x.pending > 0, "mbarrier: more arrivals than it counts");
  x.pending--;
  emu::turn(x);
}
inline void mbarrier_expect(u64* b, u32 bytes) {
  emu_barrier(b).tx += (int)bytes;
  mbarrier_arrive(b);
}
inline void mbarrier_wait(u64* b, u32 parity) {
  emu::Barrier& x = emu_barrier(b);
  while (x.phase == parity) { // the phase of this parity is still running
    int mine[256], count = 0;
    for (int i = 0; i < emu::tileCount; i++) if (emu::tiles[i].barrier == &x) mine[count++] = i;
    if (count > 0) {
      int i = mine[emu::dice() % count];
      emu::Tile t = emu::tiles[i];
      emu::tiles[i] = emu::tiles[--emu::tileCount];
      emu::land(t);
      emu::progress++;
    } else emu::yield(emu::POLLING);
  }
}
inline void tma_load(void* to, const TensorMap* map, int x, int y, u64* b) {
  emu::need(emu::tileCount < 256, "TMA: too many copies in flight");
  emu::tiles[emu::tileCount++] = {to, map, x, y, (emu::Barrier*)b};
}

inline u64 wgmma_descriptor(const void* p, u32 leadingBytes, u32 strideBytes) {
  return (u64)((shared_address(p) & 0x3ffff) >> 4) | (u64)(leadingBytes >> 4) << 16 | (u64)(strideBytes >> 4) << 32 | 1ull << 62;
}
// The element at a byte offset: 16-byte pieces (address bits 4 to 6) are swizzled by the row of 128 bytes (bits 7 to 9).
template <typename T> inline float emu_operand(u64 descriptor, u32 offset) {
  emu::need(descriptor >> 62 == 1, "wgmma: 128-byte swizzle is emulated");
  u32 address = ((u32)(descriptor & 0x3fff) << 4) + offset;
  address ^= address >> 3 & 0x70;
  T v;
  memcpy(&v, mlsys_shared + address, 2);
  return to_float(v);
}
inline u32 emu_leading(u64 d) { return (u32)(d >> 16 & 0x3fff) << 4; }
inline u32 emu_stride(u64 d) { return (u32)(d >> 32 & 0x3fff) << 4; }
inline void wgmma_fence() { __syncwarp(); }
inline void wgmma_commit() {}
template <int N> inline void wgmma_wait() { __syncwarp(); }
template <typename T> inline void wgmma_m64n128k16(float (&d)[64], u64 a, u64 b, int accumulate) {
  int t = emu::self - emu::fibers, lane = t % 32, warp = t / 32 % 4;
  float left[2][16];
  for (int half = 0; half < 2; half++)
    for (int k = 0; k < 16; k++) {
      u32 row = warp * 16 + lane / 4 + half * 8; // by rows of K: 8 rows to a stride
      left[half][k] = emu_operand<T>(a, row / 8 * emu_stride(a) + row % 8 * 128 + k * 2);
    }
  for (int j = 0; j < 16; j++)
    for (int e = 0; e < 2; e++) {
      u32 n = j * 8 + lane % 4 * 2 + e; // by rows of N: 64 columns to a leading step, 8 of K to a stride
      double sum[2] = {0, 0};
      for (u32 k = 0; k < 16; k++) {
        float right = emu_operand<T>(b, n / 64 * emu_leading(b) + k / 8 * emu_stride(b) + k % 8 * 128 + n % 64 * 2);
        sum[0] += (double)left[0][k] * right;
        sum[1] += (double)left[1][k] * right;
      }
      for (int half = 0; half < 2; half++) {
        float& out = d[j * 4 + half * 2 + e];
        out = (float)((accumulate ? out : 0.f) + sum[half]);
      }
    }
}
template <int N> inline void registers_less() {}
template <int N> inline void registers_more() {}
#endif
