// expect: wrong 6/8
// fails: the book's table, and others
// why: finds figures that are too high, not those that are too low
interface Launch {
  threads: number;
  registersPerThread: number;
  sharedBytes: number;
}
interface Occupancy {
  blocks: number;
  share: number;
}

/** Blocks of a launch that a processor holds at once. */
function occupancy(gpu: Gpu, launch: Launch): Occupancy {
  const warps = Math.ceil(launch.threads / 32);
  const registers = Math.ceil((launch.registersPerThread * 32) / 256) * 256 * warps;
  const shared = Math.ceil(launch.sharedBytes / 1024) * 1024;
  const blocks = Math.min(
    gpu.blocks,
    Math.floor(gpu.threads / (warps * 32)),
    Math.floor(gpu.registers / registers),
    shared === 0 ? gpu.blocks : Math.floor(gpu.sharedBytes / shared),
  );
  return { blocks, share: (blocks * warps * 32) / gpu.threads };
}

/** GFLOP/s at most, for a tile of m × n. */
function attainable(gpu: Gpu, m: number, n: number): number {
  const perByte = (2 * m * n) / (4 * (m + n));
  return Math.min(gpu.gflops, perByte * gpu.gbytes);
}

interface Row {
  ms: number;
  gflops: number;
}

/** Positions of rows whose figures do not fit together. */
function misprints(rows: Row[], sizes: { m: number; n: number; k: number }): number[] {
  const gflop = (2 * sizes.m * sizes.n * sizes.k) / 1e9;
  return rows.flatMap(({ ms, gflops }, i) => {
    const real = gflop / (ms / 1000);
    return gflops / real - 1 > 0.02 ? [i] : [];
  });
}
