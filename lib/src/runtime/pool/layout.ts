/**
 * Where the pool's control words lie in the first page of the shared memory. Numbers are indices into an Int32Array
 * over that page, unless they say bytes.
 *
 * Two ways to give work to a worker share one mailbox per worker, a ring of records:
 * - JOIN: help with the parallel job in the one job slot, chunk by chunk;
 * - RUN: run one kernel alone, after the events it depends on (streams).
 */
export const L = {
  /** The parallel job. CLAIM holds the generation (high bits) and the next chunk (low bits): taken by compare-exchange. */
  CLAIM: 256,
  CHUNKS: 257,
  /** Items, and items per chunk. */
  ITEMS: 258,
  PER_CHUNK: 259,
  KERNEL: 260,
  ARGC: 261,
  DONE: 262,
  /** Not 0: a kernel trapped. */
  FAILED: 263,
  /** Where its arguments start, as an index of a Float64Array. */
  ARGS: 136,
  CHUNK_BITS: 16,

  /** Block of worker k: at WORKERS + k · WORKER_WORDS. */
  WORKERS: 1024,
  WORKER_WORDS: 32,
  /** Records put into the ring, and records done; both only grow (and wrap). */
  POSTED: 0,
  COMPLETED: 1,
  /** 1 while the worker may touch the job slot or run a kernel. */
  ACTIVE: 2,
  /** 1 once it runs. */
  READY: 3,
  /** Not 0: a kernel of one of its RUN records trapped. */
  TRAPPED: 4,

  /** Words of the control page. */
  WORDS: 16384,
  MAX_WORKERS: 256,
  MAX_ARGS: 20,

  /** A record: KIND, KERNEL, ARGC, FROM, TO, DEPS count, then pairs (worker, number); arguments at byte 96, start and end of the run behind them. */
  RECORD_BYTES: 272,
  RECORDS: 64,
  MAX_DEPS: 8,
  RECORD_ARGS_BYTE: 96,
  RECORD_TIMES_BYTE: 256,
  JOIN: 1,
  RUN: 2,
} as const;

export type PoolLayout = typeof L;
