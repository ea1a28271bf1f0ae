// CUDA C++ as ordinary C++: the threads of a block are fibers of one system thread, run in random order from barrier to
// barrier; blocks run one after the other in random order. Shared memory starts as NaN, so that a missing barrier shows in
// the numbers; a barrier that not all threads reach is found as a deadlock.
#ifndef MLSYS_EMULATED_CUDA_H
#define MLSYS_EMULATED_CUDA_H
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__
#define __shared__ static __attribute__((section("emu_shared")))
#define __align__(n) __attribute__((aligned(n)))
#define __constant__ static

struct uint3 { unsigned x, y, z; };
typedef uint3 dim3;
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(4) char4 { signed char x, y, z, w; };
struct alignas(4) uchar4 { unsigned char x, y, z, w; };
struct alignas(8) short4 { short x, y, z, w; };
struct alignas(8) ushort4 { unsigned short x, y, z, w; };
struct alignas(16) double2 { double x, y; };
inline char4 make_char4(signed char x, signed char y, signed char z, signed char w) { return {x, y, z, w}; }
inline uchar4 make_uchar4(unsigned char x, unsigned char y, unsigned char z, unsigned char w) { return {x, y, z, w}; }
inline short4 make_short4(short x, short y, short z, short w) { return {x, y, z, w}; }
inline ushort4 make_ushort4(unsigned short x, unsigned short y, unsigned short z, unsigned short w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

inline constexpr int EMU_SHARED_BYTES = 232448; // what a block may have on sm_90
inline unsigned char mlsys_shared[EMU_SHARED_BYTES] __attribute__((aligned(1024)));
__attribute__((section("emu_shared"), used)) static char emu_shared_anchor[16];
extern char __start_emu_shared[], __stop_emu_shared[];

namespace emu {
enum State { READY, AT_BARRIER, IN_WARP, POLLING, DONE };
constexpr int WARP = 32;
constexpr size_t STACK = 128 * 1024;
constexpr int MAX_THREADS = 1024;
constexpr int PAYLOAD = 64;
struct Copy { void* to; const void* from; int group; bool valid; };
struct Fiber {
  ucontext_t context;
  State state;
  uint3 thread;
  int lane, warp, barrier, generation;
  unsigned mask;
  // Copies in flight: they land when their thread waits for them.
  Copy* copies;
  int copyCount, copyRoom, groups;
};
struct Warp {
  alignas(16) unsigned char data[2][WARP][PAYLOAD];
  int arrived[2];
};
inline Fiber fibers[MAX_THREADS];
inline Warp warps[MAX_THREADS / WARP];
inline char* stacks = nullptr;
inline Fiber* self = nullptr;
inline ucontext_t scheduler;
inline uint3 block, grid, blockSize;
inline int threads, live, arrivedAt[16], barrierThreads[16];
inline uint64_t progress, random;
inline char message[512];
inline void (*entry)(void**);
inline void** arguments;

inline uint32_t dice() { // xorshift64*
  random ^= random >> 12;
  random ^= random << 25;
  random ^= random >> 27;
  return (uint32_t)((random * 2685821657736338717ULL) >> 32);
}
inline void yield(State state) {
  self->state = state;
  swapcontext(&self->context, &scheduler);
}
inline void landCopies(int keep) {
  Fiber& f = *self;
  int left = 0;
  for (int i = 0; i < f.copyCount; i++) {
    Copy& c = f.copies[i];
    if (c.group + keep < f.groups) {
      if (c.valid) memcpy(c.to, c.from, 16);
      else memset(c.to, 0, 16);
    } else f.copies[left++] = c;
  }
  f.copyCount = left;
}
inline void releaseBarrier(int id) {
  if (arrivedAt[id] == 0 || arrivedAt[id] < (barrierThreads[id] ? barrierThreads[id] : live)) return;
  arrivedAt[id] = 0;
  progress++;
  for (int i = 0; i < threads; i++)
    if (fibers[i].state == AT_BARRIER && fibers[i].barrier == id) fibers[i].state = READY;
}
// A barrier of the block (count 0), or of `count` threads under a number of its own.
inline void barrier(int id, int count) {
  self->barrier = id;
  barrierThreads[id] = count;
  arrivedAt[id]++;
  self->state = AT_BARRIER;
  releaseBarrier(id);
  if (self->state == AT_BARRIER) swapcontext(&self->context, &scheduler);
}
// Every lane of the warp gives `bytes` bytes and, once all have, gets those of all lanes.
inline const unsigned char (*exchange(unsigned mask, const void* mine, size_t bytes))[PAYLOAD] {
  Warp& w = warps[self->warp];
  int side = self->generation++ & 1;
  if (bytes) memcpy(w.data[side][self->lane], mine, bytes);
  unsigned exists = threads - self->warp * WARP >= WARP ? 0xffffffffu : (1u << (threads - self->warp * WARP)) - 1;
  int wanted = __builtin_popcount(mask & exists);
  if (++w.arrived[side] < wanted) {
    yield(IN_WARP);
  } else {
    w.arrived[side] = 0;
    progress++;
    for (int i = self->warp * WARP; i < threads && i < (self->warp + 1) * WARP; i++)
      if (fibers[i].state == IN_WARP && (mask >> fibers[i].lane & 1)) fibers[i].state = READY;
  }
  return w.data[side];
}
inline void body() {
  entry(arguments);
  landCopies(0);
  self->state = DONE;
  live--;
  progress++;
  for (int id = 0; id < 16; id++) if (barrierThreads[id] == 0) releaseBarrier(id);
  swapcontext(&self->context, &scheduler);
}
inline bool runBlock() {
  memset(mlsys_shared, 0xff, sizeof mlsys_shared);
  memset(__start_emu_shared, 0xff, __stop_emu_shared - __start_emu_shared);
  memset(warps, 0, sizeof warps);
  memset(arrivedAt, 0, sizeof arrivedAt);
  memset(barrierThreads, 0, sizeof barrierThreads);
  threads = blockSize.x * blockSize.y * blockSize.z;
  live = threads;
  for (int i = 0; i < threads; i++) {
    Fiber& f = fibers[i];
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = stacks + i * STACK;
    f.context.uc_stack.ss_size = STACK;
    f.context.uc_link = nullptr;
    makecontext(&f.context, body, 0);
    f.state = READY;
    f.thread = {i % blockSize.x, i / blockSize.x % blockSize.y, i / (blockSize.x * blockSize.y)};
    f.lane = i % WARP;
    f.warp = i / WARP;
    f.generation = f.copyCount = f.groups = 0;
  }
  static int ready[MAX_THREADS];
  uint64_t seen = 0;
  int idle = 0;
  while (live > 0) {
    int count = 0;
    for (int i = 0; i < threads; i++)
      if (fibers[i].state == READY || fibers[i].state == POLLING) ready[count++] = i;
    if (count == 0 || (idle > 64 && seen == progress)) {
      int at = 0, in = 0, polling = 0;
      for (int i = 0; i < threads; i++) {
        at += fibers[i].state == AT_BARRIER;
        in += fibers[i].state == IN_WARP;
        polling += fibers[i].state == POLLING;
      }
      snprintf(message, sizeof message,
               "deadlock in block (%u, %u, %u): of %d threads %d wait at a barrier, %d in a warp operation, %d for a copy",
               block.x, block.y, block.z, live, at, in, polling);
      return false;
    }
    idle = seen == progress ? idle + 1 : 0;
    seen = progress;
    for (int n = count; n > 0; n--) {
      int k = dice() % n;
      int i = ready[k];
      ready[k] = ready[n - 1];
      if (fibers[i].state != READY && fibers[i].state != POLLING) continue;
      if (fibers[i].state == READY) progress++;
      self = &fibers[i];
      self->state = READY;
      swapcontext(&scheduler, &self->context);
    }
  }
  return true;
}
// Returns null, or what went wrong.
inline const char* run(void (*kernel)(void**), void** args, const unsigned* launch, uint64_t seed) {
  grid = {launch[0], launch[1], launch[2]};
  blockSize = {launch[3], launch[4], launch[5]};
  if (launch[6] > EMU_SHARED_BYTES) return "more shared memory than a block may have";
  random = seed * 2 + 0x9e3779b97f4a7c15ULL;
  entry = kernel;
  arguments = args;
  message[0] = 0;
  if (!stacks) stacks = (char*)malloc(STACK * MAX_THREADS);
  uint64_t blocks = (uint64_t)grid.x * grid.y * grid.z;
  uint64_t start = blocks ? dice() % blocks : 0;
  for (uint64_t n = 0; n < blocks; n++) { // from a random one on, forwards or backwards
    uint64_t i = seed & 1 ? (start + n) % blocks : (start + blocks - n) % blocks;
    block = {(unsigned)(i % grid.x), (unsigned)(i / grid.x % grid.y), (unsigned)(i / grid.x / grid.y)};
    if (!runBlock()) return message;
  }
  return nullptr;
}
template <size_t... I> struct Indices {};
template <size_t N, size_t... I> struct MakeIndices : MakeIndices<N - 1, N - 1, I...> {};
template <size_t... I> struct MakeIndices<0, I...> { typedef Indices<I...> type; };
template <typename T> struct Bare { typedef T type; };
template <typename T> struct Bare<const T> { typedef T type; };
template <typename... A, size_t... I> inline void call(void (*f)(A...), void** p, Indices<I...>) {
  f(*(typename Bare<A>::type*)p[I]...);
}
template <typename... A> inline void call(void (*f)(A...), void** p) { call(f, p, typename MakeIndices<sizeof...(A)>::type()); }
} // namespace emu

#define threadIdx (emu::self->thread)
#define blockIdx (emu::block)
#define blockDim (emu::blockSize)
#define gridDim (emu::grid)
#define warpSize 32

inline void __syncthreads() { emu::barrier(0, 0); }
inline void __syncwarp(unsigned mask = 0xffffffffu) { emu::exchange(mask, nullptr, 0); }
inline void __threadfence() {}
inline void __threadfence_block() {}
template <typename T> inline T emu_shuffle(unsigned mask, T value, int from) {
  auto all = emu::exchange(mask, &value, sizeof value);
  T result;
  memcpy(&result, all[from], sizeof result);
  return result;
}
template <typename T> inline T __shfl_sync(unsigned mask, T v, int lane, int width = 32) {
  int l = emu::self->lane;
  return emu_shuffle(mask, v, (l & ~(width - 1)) | (lane & (width - 1)));
}
template <typename T> inline T __shfl_xor_sync(unsigned mask, T v, int with, int width = 32) {
  int l = emu::self->lane, other = l ^ with;
  return emu_shuffle(mask, v, (other & ~(width - 1)) > (l & ~(width - 1)) ? l : other);
}
template <typename T> inline T __shfl_down_sync(unsigned mask, T v, unsigned by, int width = 32) {
  int l = emu::self->lane;
  return emu_shuffle(mask, v, (l & (width - 1)) + by < (unsigned)width ? l + by : l);
}
template <typename T> inline T __shfl_up_sync(unsigned mask, T v, unsigned by, int width = 32) {
  int l = emu::self->lane;
  return emu_shuffle(mask, v, (unsigned)(l & (width - 1)) >= by ? l - by : l);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  auto all = emu::exchange(mask, &predicate, sizeof predicate);
  unsigned result = 0;
  for (int i = 0; i < 32; i++) {
    int p;
    memcpy(&p, all[i], sizeof p);
    if ((mask >> i & 1) && p) result |= 1u << i;
  }
  return result;
}
inline int __any_sync(unsigned mask, int p) { return __ballot_sync(mask, p) != 0; }
inline int __all_sync(unsigned mask, int p) { return __ballot_sync(mask, p) == mask; }

template <typename T, typename U> inline T atomicAdd(T* p, U v) { T old = *p; *p = old + (T)v; return old; }
template <typename T, typename U> inline T atomicMax(T* p, U v) { T old = *p; if ((T)v > old) *p = (T)v; return old; }
template <typename T, typename U> inline T atomicMin(T* p, U v) { T old = *p; if ((T)v < old) *p = (T)v; return old; }
template <typename T, typename U> inline T atomicOr(T* p, U v) { T old = *p; *p = old | (T)v; return old; }
template <typename T, typename U> inline T atomicExch(T* p, U v) { T old = *p; *p = (T)v; return old; }
template <typename T, typename U, typename V> inline T atomicCAS(T* p, U c, V v) { T old = *p; if (old == (T)c) *p = (T)v; return old; }

inline float __uint_as_float(unsigned x) { float y; memcpy(&y, &x, 4); return y; }
inline unsigned __float_as_uint(float x) { unsigned y; memcpy(&y, &x, 4); return y; }
inline float __int_as_float(int x) { float y; memcpy(&y, &x, 4); return y; }
inline int __float_as_int(float x) { int y; memcpy(&y, &x, 4); return y; }
inline double __longlong_as_double(long long x) { double y; memcpy(&y, &x, 8); return y; }
inline long long __double_as_longlong(double x) { long long y; memcpy(&y, &x, 8); return y; }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
template <typename T> inline T __ldg(const T* p) { return *p; }
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline size_t __cvta_generic_to_shared(const void* p) { return (const unsigned char*)p - mlsys_shared; }

// One launcher per kernel, under a name of its own.
#define EMU_KERNEL_AS(ALIAS, NAME)                                                                             \
  extern "C" __attribute__((visibility("default"))) const char* emu_launch_##ALIAS(                           \
      void** args, const unsigned* launch, uint64_t seed) {                                                    \
    return emu::run([](void** p) { emu::call(NAME, p); }, args, launch, seed);                                 \
  }
#define EMU_KERNEL(NAME) EMU_KERNEL_AS(NAME, NAME)
#endif
