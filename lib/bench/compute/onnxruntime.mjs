// onnxruntime-node (CPU), from the folder of peers, on models that compute/python.py wrote there. It does not train.
import { createRequire } from "node:module";
import { join } from "node:path";
import { CHAIN, CONV, measureAll, numbers, SOFTMAX } from "./tasks.mjs";

const require = createRequire(join(process.env.BENCH_PEERS, "package.json"));
const ort = require("onnxruntime-node");

const draw = (seed, ...shape) =>
  new ort.Tensor(
    "float32",
    numbers(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
    shape,
  );
async function calls(model, inputs) {
  const session = await ort.InferenceSession.create(join(process.env.BENCH_PEERS, `${model}.onnx`), {
    intraOpNumThreads: 2,
  });
  return () => session.run(inputs);
}

await measureAll({
  sgemm: (n) => calls(`sgemm-${n}`, { a: draw(1, n, n), b: draw(2, n, n) }),
  chain: () => calls("chain", { x: draw(3, CHAIN) }),
  softmax: () => calls("softmax", { x: draw(4, ...SOFTMAX) }),
  conv: () =>
    calls("conv", {
      x: draw(5, CONV.n, CONV.channels, CONV.size, CONV.size),
      w: draw(6, CONV.channels, CONV.channels, 3, 3),
    }),
});
process.exit(0);
