// expect: correct
// why: tries numbers of blocks from above
function occupancy(gpu: Gpu, launch: { threads: number; registersPerThread: number; sharedBytes: number }): { blocks: number; share: number } {
  const warps = Math.floor((launch.threads + 31) / 32);
  const up = (x: number, to: number) => x + ((to - (x % to)) % to);
  let blocks = gpu.blocks;
  const fits = (n: number) =>
    n * warps * 32 <= gpu.threads &&
    n * warps * up(launch.registersPerThread * 32, 256) <= gpu.registers &&
    n * up(launch.sharedBytes, 1024) <= gpu.sharedBytes;
  while (blocks > 0 && !fits(blocks)) blocks--;
  return { blocks, share: (blocks * warps) / (gpu.threads / 32) };
}

function attainable(gpu: Gpu, m: number, n: number): number {
  return Math.min((gpu.gbytes * m * n) / (2 * (m + n)), gpu.gflops);
}

function misprints(rows: { ms: number; gflops: number }[], { m, n, k }: { m: number; n: number; k: number }): number[] {
  const wrong: number[] = [];
  for (let i = 0; i < rows.length; i++) {
    const printed = rows[i].gflops * 1e9 * (rows[i].ms / 1e3);
    const real = 2 * m * n * k;
    if (printed < 0.98 * real || printed > 1.02 * real) wrong.push(i);
  }
  return wrong;
}
