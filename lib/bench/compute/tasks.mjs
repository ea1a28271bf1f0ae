// What is measured, the same for every library, and how: median time of one call after a warm-up.
const GEMM = [64, 256, 1024, 2048];
const square = (n) => ({ a: [n, n], b: [n, n] });
export const matmulFlops = ({ a, b }) => 2 * a.reduce((x, y) => x * y, 1) * b.at(-1);
/** Images (n, channels, size, size), 3 × 3 filters, padding 1. */
const CONV = { n: 8, channels: 32, size: 28, groups: 1 };
const DEPTHWISE = { n: 8, channels: 64, size: 56, groups: 64 };
export const convFlops = ({ n, channels, size, groups }) =>
  (2 * n * channels * channels * 9 * size * size) / groups;
const ATTENTION = { batch: 4, heads: 8, tokens: 256, size: 64 };
const MLP = [784, 128, 64, 10];
const CNN = { channels: [16, 32], batch: 32 };
/** Two encoder blocks over tokens of 64 features; the mean over tokens is classified. */
const TRANSFORMER = { batch: 16, tokens: 64, features: 64, size: 128, heads: 4, depth: 2 };

export const flops = (task, args, amount) => ({
  task,
  args,
  unit: "GFLOP/s",
  better: "higher",
  amount: amount / 1e9,
});
export const time = (task, args) => ({ task, args, unit: "ms", better: "lower", amount: 1000 });
export const samples = (task, args) => ({
  task,
  args,
  unit: "samples/s",
  better: "higher",
  amount: args.batch,
});

/** One row of the table each: `amount` is what one call does, in the row's unit. */
export const ROWS = [
  ...GEMM.map((n) => ({ row: `sgemm ${n}`, ...flops("matmul", square(n), 2 * n ** 3) })),
  ...[
    ["matmul, 32 of 128", { a: [32, 128, 128], b: [32, 128, 128] }],
    ["matmul 8 × 2048 × 2048", { a: [8, 2048], b: [2048, 2048] }],
  ].map(([row, args]) => ({ row, ...flops("matmul", args, matmulFlops(args)) })),
  { row: "elementwise chain 1M", ...time("chain", { count: 1 << 20 }) },
  { row: "softmax 512 × 1024", ...time("softmax", { shape: [512, 1024] }) },
  { row: "layernorm 512 × 1024", ...time("layernorm", { shape: [512, 1024] }) },
  { row: "conv2d 3 × 3", ...flops("conv", CONV, convFlops(CONV)) },
  { row: "depthwise 3 × 3", ...flops("conv", DEPTHWISE, convFlops(DEPTHWISE)) },
  { row: "attention, 256 tokens", ...time("attention", ATTENTION) },
  ...[32, 128].map((batch) => ({
    row: `mlp step, batch ${batch}`,
    ...samples("mlp", { layers: MLP, batch }),
  })),
  { row: "cnn step", ...samples("cnn", CNN) },
  { row: "transformer step", ...samples("transformer", TRANSFORMER) },
];

const quick = process.env.BENCH_QUICK === "1";
const BUDGET_MS = quick ? 150 : 600;

/** Median seconds of a call; `run` may return a promise. */
export async function seconds(run) {
  const began = performance.now();
  for (let i = 0; i < 2 || performance.now() - began < BUDGET_MS / 3; i++) await run();
  const taken = [];
  const until = performance.now() + BUDGET_MS;
  while (taken.length < 3 || (performance.now() < until && taken.length < 5000)) {
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

export const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);

/**
 * Runs the rows of BENCH_ROWS (a pattern) or all, and prints each for the parent process. A task that fails is reported with
 * its reason and does not end the others; one that a library does not have is left out.
 * @param work by task: from its arguments to a function that does it once
 */
export async function measureAll(work) {
  const wanted = new RegExp(process.env.BENCH_ROWS ?? "");
  for (const { row, task, args, amount, unit } of ROWS) {
    if (!wanted.test(row)) continue;
    let line;
    try {
      const run = await work[task]?.(args);
      if (!run) continue;
      const s = await seconds(run);
      line = { row, value: unit === "ms" ? amount * s : amount / s };
    } catch (error) {
      line = { row, error: String(error?.message ?? error).slice(0, 300) };
    }
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
}
