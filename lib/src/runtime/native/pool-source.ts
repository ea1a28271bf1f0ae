/**
 * The native thread pool, in C: threads that live as long as the process and wait for jobs, spinning for a while, then
 * asleep. As in the WebAssembly pool, chunks are taken from a word that holds the job's number and the next chunk, so that
 * a thread that wakes late takes nothing of a later job by mistake.
 */
export const POOL_SOURCE = `#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <stdatomic.h>
#include <pthread.h>
#include <sched.h>

typedef void (*phase_fn)(uint8_t *base, const int32_t *args, int64_t from, int64_t to, uint8_t *scratch);

#define MAX_WORKERS 256
#define SPIN 6000

static struct {
  phase_fn fn;
  uint8_t *base;
  const int32_t *args;
  int64_t items, chunk, scratch;
} job;
static _Atomic uint64_t claim;       /* job number << 32 | next chunk */
static _Atomic uint32_t chunks, done;
static _Atomic uint32_t posted;      /* jobs so far */
static _Atomic int sleeping;
static int workers;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static _Thread_local uint8_t *memory;
static _Thread_local int64_t capacity;

static inline void pause_(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static uint8_t *scratch_of(int64_t bytes) {
  if (bytes > capacity) {
    free(memory);
    capacity = (bytes + 65535) & ~(int64_t)65535;
    memory = aligned_alloc(64, capacity);
    if (!memory) abort();
  }
  return memory;
}

static void work(void) {
  for (;;) {
    uint64_t c = atomic_load(&claim);
    uint32_t k = (uint32_t)c;
    if (k >= atomic_load(&chunks)) return;
    phase_fn fn = job.fn;
    uint8_t *base = job.base;
    const int32_t *args = job.args;
    int64_t items = job.items, chunk = job.chunk, scratch = job.scratch;
    if (!atomic_compare_exchange_strong(&claim, &c, c + 1)) continue;
    int64_t from = (int64_t)k * chunk, to = from + chunk < items ? from + chunk : items;
    fn(base, args, from, to, scratch_of(scratch));
    atomic_fetch_add(&done, 1);
  }
}

static void *worker(void *unused) {
  uint32_t seen = 0;
  for (;;) {
    for (int i = 0; i < SPIN && atomic_load(&posted) == seen; i++) pause_();
    if (atomic_load(&posted) == seen) {
      pthread_mutex_lock(&lock);
      atomic_fetch_add(&sleeping, 1);
      while (atomic_load(&posted) == seen) pthread_cond_wait(&wake, &lock);
      atomic_fetch_sub(&sleeping, 1);
      pthread_mutex_unlock(&lock);
    }
    seen = atomic_load(&posted);
    work();
  }
  return unused;
}

void mls_launch(phase_fn fn, uint8_t *base, const int32_t *args, int64_t items, int64_t grain, int64_t scratch, int threads) {
  if (items <= 0) return;
  /* Another JavaScript thread may have the pool: then this one works alone. */
  if (threads <= 1 || items < 2 * grain || pthread_mutex_trylock(&busy)) {
    fn(base, args, 0, items, scratch_of(scratch));
    return;
  }
  if (threads > MAX_WORKERS) threads = MAX_WORKERS;
  while (workers < threads - 1) {
    pthread_t t;
    pthread_attr_t a;
    pthread_attr_init(&a);
    pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&t, &a, worker, 0)) break;
    pthread_attr_destroy(&a);
    workers++;
  }
  int64_t most = items / grain, parts = threads * 8 < most ? threads * 8 : most;
  int64_t chunk = (items + parts - 1) / parts;
  uint64_t number = (atomic_load(&claim) >> 32) + 1;
  atomic_store(&chunks, 0);
  atomic_store(&claim, number << 32);
  job.fn = fn;
  job.base = base;
  job.args = args;
  job.items = items;
  job.chunk = chunk;
  job.scratch = scratch;
  atomic_store(&done, 0);
  uint32_t n = (uint32_t)((items + chunk - 1) / chunk);
  atomic_store(&claim, (number + 1) << 32);
  atomic_store(&chunks, n);
  atomic_fetch_add(&posted, 1);
  if (atomic_load(&sleeping)) {
    pthread_mutex_lock(&lock);
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
  }
  work();
  for (int i = 0; atomic_load(&done) < n; i++) {
    pause_();
    if (i > 20000) sched_yield();
  }
  atomic_store(&chunks, 0);
  pthread_mutex_unlock(&busy);
}
`;
