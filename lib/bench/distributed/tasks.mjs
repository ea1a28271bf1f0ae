// What is trained, by ours and by PyTorch alike. Each process has a batch of its own: with twice the processes there is twice
// the work, and the ideal is twice the samples in the same time.
export const TASKS = {
  mlp: { kind: "mlp", layers: [784, 512, 512, 10], batch: 128 },
  cnn: { kind: "cnn", channels: [16, 32], batch: 32 },
  gpt: { kind: "gpt", vocabulary: 128, context: 64, size: 128, depth: 2, heads: 4, batch: 8 },
};

/** Milliseconds that are measured, after some steps that warm up. */
export const budget = (quick) => (quick ? 1000 : 4000);
