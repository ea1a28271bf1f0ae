// onnxruntime-node (CPU), from the folder of peers, on models that compute/python.py wrote there. It does not train.
import { createRequire } from "node:module";
import { join } from "node:path";
import { measureAll, numbers, ROWS, sizeOf } from "./tasks.mjs";

const require = createRequire(join(process.env.BENCH_PEERS, "package.json"));
const ort = require("onnxruntime-node");

const draw = (seed, ...shape) => new ort.Tensor("float32", numbers(sizeOf(shape), seed), shape);
/** Models are numbered as their rows. */
async function calls(task, args, inputs) {
  const row = ROWS.findIndex((r) => r.task === task && JSON.stringify(r.args) === JSON.stringify(args));
  const session = await ort.InferenceSession.create(join(process.env.BENCH_PEERS, `row-${row}.onnx`), {
    intraOpNumThreads: Number(process.env.BENCH_THREADS),
  });
  return () => session.run(inputs);
}

await measureAll({
  matmul: (args) => calls("matmul", args, { a: draw(1, ...args.a), b: draw(2, ...args.b) }),
  chain: (args) => calls("chain", args, { x: draw(3, args.count) }),
  softmax: (args) => calls("softmax", args, { x: draw(4, ...args.shape) }),
  layernorm: (args) =>
    calls("layernorm", args, {
      x: draw(4, ...args.shape),
      w: draw(5, args.shape[1]),
      b: draw(6, args.shape[1]),
    }),
  conv: (args) => {
    const { n, channels, size, groups } = args;
    return calls("conv", args, {
      x: draw(5, n, channels, size, size),
      w: draw(6, channels, channels / groups, 3, 3),
    });
  },
  attention: (args) => {
    const { batch, heads, tokens, size } = args;
    const [q, v] = [draw(1, batch, heads, tokens, size), draw(3, batch, heads, tokens, size)];
    return calls("attention", args, { q, k: draw(2, batch, heads, size, tokens), v });
  },
});
process.exit(0);
