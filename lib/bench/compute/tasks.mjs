// What is measured, the same for every library, and how: median time of one call after a warm-up.
export const SGEMM = [64, 256, 1024];
export const CHAIN = 1 << 20;
export const SOFTMAX = [512, 1024];
/** Images (n, c, size, size), 3 × 3 filters to as many channels, padding 1. */
export const CONV = { n: 8, channels: 32, size: 28 };
export const MLP = { layers: [784, 128, 64, 10], batches: [32, 128] };

export const flopsOf = {
  sgemm: (n) => 2 * n ** 3,
  conv: ({ n, channels, size }) => 2 * n * channels * channels * 9 * size * size,
};

const quick = process.env.BENCH_QUICK === "1";
const BUDGET_MS = quick ? 150 : 700;

/** Median seconds of a call; `run` may return a promise. */
export async function seconds(run) {
  const warmUntil = performance.now() + BUDGET_MS / 3;
  for (let i = 0; i < 3 || performance.now() < warmUntil; i++) await run();
  const taken = [];
  const until = performance.now() + BUDGET_MS;
  while (taken.length < 5 || (performance.now() < until && taken.length < 5000)) {
    const start = performance.now();
    await run();
    taken.push((performance.now() - start) / 1000);
  }
  taken.sort((a, b) => a - b);
  return taken[taken.length >> 1];
}

/** Numbers that are the same in every library. */
export function numbers(count, seed) {
  const out = new Float32Array(count);
  let state = seed >>> 0;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    out[i] = state / 2 ** 31 - 1;
  }
  return out;
}

/** Prints one measured row for the parent process. */
export function report(row, value) {
  process.stdout.write(`${JSON.stringify({ row, value })}\n`);
}

/** Runs the measurements of a library; one that fails is reported with its reason and does not end the others. */
export async function measureAll(work) {
  const row = async (name, convert, make) => {
    try {
      const run = await make();
      if (run) report(name, convert(await seconds(run)));
    } catch (error) {
      process.stdout.write(
        `${JSON.stringify({ row: name, error: String(error?.message ?? error).slice(0, 300) })}\n`,
      );
    }
  };
  for (const n of SGEMM)
    await row(
      `sgemm ${n}`,
      (s) => flopsOf.sgemm(n) / s / 1e9,
      () => work.sgemm?.(n),
    );
  await row(
    "elementwise chain 1M",
    (s) => s * 1000,
    () => work.chain?.(CHAIN),
  );
  await row(
    "softmax 512 × 1024",
    (s) => s * 1000,
    () => work.softmax?.(...SOFTMAX),
  );
  await row(
    "conv2d 3 × 3",
    (s) => flopsOf.conv(CONV) / s / 1e9,
    () => work.conv?.(CONV),
  );
  for (const batch of MLP.batches)
    await row(
      `mlp step, batch ${batch}`,
      (s) => batch / s,
      () => work.mlp?.(MLP.layers, batch),
    );
}
