// TensorFlow.js on its plain CPU or WebAssembly backend (BENCH_MODE), from the folder of peers.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { measureAll, numbers } from "./tasks.mjs";

const require = createRequire(join(process.env.BENCH_PEERS, "package.json"));
const tf = require("@tensorflow/tfjs");
const backend = process.env.BENCH_MODE;
if (backend === "wasm") {
  const wasm = require("@tensorflow/tfjs-backend-wasm");
  wasm.setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json"))}/wasm-out/`);
}
await tf.setBackend(backend);
await tf.ready();

const draw = (seed, ...shape) =>
  tf.tensor(
    numbers(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
    shape,
  );
const calls =
  (f, ...args) =>
  () => {
    const y = tf.tidy(() => f(...args));
    y.dataSync();
    y.dispose();
  };

await measureAll({
  sgemm: (n) => calls((a, b) => tf.matMul(a, b), draw(1, n, n), draw(2, n, n)),
  chain: (n) => calls((x) => tf.neg(tf.square(tf.sub(tf.relu(tf.add(tf.mul(x, 2), 1)), 0.5))), draw(3, n)),
  softmax: (n, m) => calls((x) => tf.softmax(x), draw(4, n, m)),
  conv: ({ n, channels, size }) =>
    calls(
      (x, w) => tf.conv2d(x, w, 1, "same"),
      draw(5, n, size, size, channels),
      draw(6, 3, 3, channels, channels),
    ),
  mlp: (layers, batch) => {
    const weights = layers
      .slice(1)
      .map((size, i) => tf.variable(tf.mul(draw(10 + i, layers[i], size), Math.sqrt(2 / layers[i]))));
    const biases = layers.slice(1).map((size) => tf.variable(tf.zeros([size])));
    const optimizer = tf.train.adam(1e-3);
    const x = draw(7, batch, layers[0]);
    const y = tf.oneHot(
      tf.tensor1d(
        Array.from({ length: batch }, (_, i) => i % 10),
        "int32",
      ),
      10,
    );
    const loss = () =>
      tf.tidy(() => {
        let h = x;
        weights.forEach((w, i) => {
          h = tf.add(tf.matMul(h, w), biases[i]);
          if (i < weights.length - 1) h = tf.relu(h);
        });
        return tf.losses.softmaxCrossEntropy(y, h);
      });
    return () => {
      const value = optimizer.minimize(loss, true);
      value.dataSync();
      value.dispose();
    };
  },
});
process.exit(0);
