// What is measured on devices: as on a CPU (compute/tasks.mjs), in sizes that a software adapter gets through.
import { convFlops, flops, matmulFlops, samples, time } from "../compute/tasks.mjs";

const square = (n) => ({ a: [n, n], b: [n, n] });
const CONV = { n: 8, channels: 32, size: 28, groups: 1 };
const ATTENTION = { batch: 2, heads: 4, tokens: 128, size: 64 };

/** One row of the table each: `amount` is what one call does, in the row's unit. */
export const ROWS = [
  ...[256, 512, 1024].map((n) => ({ row: `sgemm ${n}`, ...flops("matmul", square(n), 2 * n ** 3) })),
  ...[
    ["matmul, 32 of 64", { a: [32, 64, 64], b: [32, 64, 64] }],
    ["matmul 8 × 1024 × 1024", { a: [8, 1024], b: [1024, 1024] }],
  ].map(([row, args]) => ({ row, ...flops("matmul", args, matmulFlops(args)) })),
  { row: "conv2d 3 × 3", ...flops("conv", CONV, convFlops(CONV)) },
  { row: "softmax 512 × 1024", ...time("softmax", { shape: [512, 1024] }) },
  { row: "layernorm 512 × 1024", ...time("layernorm", { shape: [512, 1024] }) },
  { row: "elementwise chain 1M", ...time("chain", { count: 1 << 20 }) },
  { row: "attention, 128 tokens", ...time("attention", ATTENTION) },
  { row: "mlp step, batch 32", ...samples("mlp", { layers: [784, 128, 64, 10], batch: 32 }) },
  { row: "cnn step", ...samples("cnn", { channels: [8, 16], batch: 16 }) },
];
