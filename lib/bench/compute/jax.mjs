// @jax-js/jax on its WebAssembly device, jitted, from the folder of peers. Arrays are consumed by use: `.ref` keeps one.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { measureAll, numbers } from "./tasks.mjs";

globalThis.navigator ??= { hardwareConcurrency: 2 }; // Node 20 has none, and the library asks
const require = createRequire(join(process.env.BENCH_PEERS, "package.json"));
const entry = require.resolve("@jax-js/jax").replace(/index\.cjs$/, "index.js");
const jax = await import(pathToFileURL(entry).href);
const { numpy: np, nn, jit, valueAndGrad } = jax;
await jax.init("wasm");
jax.defaultDevice("wasm");

const draw = (seed, ...shape) =>
  np
    .array(
      numbers(
        shape.reduce((a, b) => a * b, 1),
        seed,
      ),
    )
    .reshape(shape);
const calls = (f, ...args) => {
  const jitted = jit(f);
  return async () => {
    const y = jitted(...args.map((a) => a.ref));
    await y.blockUntilReady();
    y.dispose();
  };
};

await measureAll({
  sgemm: (n) => calls((a, b) => np.matmul(a, b), draw(1, n, n), draw(2, n, n)),
  chain: (n) => calls((x) => np.square(nn.relu(x.mul(2).add(1)).sub(0.5)).neg(), draw(3, n)),
  softmax: (n, m) => calls((x) => nn.softmax(x, -1), draw(4, n, m)),
  conv: ({ n, channels, size }) =>
    calls(
      (x, w) =>
        jax.lax.convGeneralDilated(
          x,
          w,
          [1, 1],
          [
            [1, 1],
            [1, 1],
          ],
        ),
      draw(5, n, channels, size, size),
      draw(6, channels, channels, 3, 3),
    ),
  mlp: (layers, batch) => {
    const count = layers.length - 1;
    const x = draw(7, batch, layers[0]);
    const y = nn.oneHot(np.array(Int32Array.from({ length: batch }, (_, i) => i % 10)), 10);
    const loss = (params, x, y) => {
      let h = x;
      for (let i = 0; i < count; i++) {
        h = np.matmul(h, params[2 * i]).add(params[2 * i + 1]);
        if (i < count - 1) h = nn.relu(h);
      }
      return nn
        .logSoftmax(h, -1)
        .mul(y)
        .sum()
        .mul(-1 / batch);
    };
    const step = jit((params, means, squares, t, x, y) => {
      const [value, grads] = valueAndGrad(loss)(
        params.map((p) => p.ref),
        x,
        y,
      );
      const [next, nextMeans, nextSquares] = [[], [], []];
      const c1 = np
        .exp(t.ref.mul(Math.log(0.9)))
        .neg()
        .add(1);
      const c2 = np
        .exp(t.mul(Math.log(0.999)))
        .neg()
        .add(1);
      params.forEach((p, i) => {
        const m = means[i].mul(0.9).add(grads[i].ref.mul(0.1));
        const v = squares[i].mul(0.999).add(np.square(grads[i]).mul(0.001));
        next.push(
          p.sub(
            m.ref
              .mul(1e-3)
              .div(c1.ref)
              .div(np.sqrt(v.ref.div(c2.ref)).add(1e-8)),
          ),
        );
        nextMeans.push(m);
        nextSquares.push(v);
      });
      c1.dispose();
      c2.dispose();
      return [value, next, nextMeans, nextSquares];
    });
    let params = layers
      .slice(1)
      .flatMap((size, i) => [draw(10 + i, layers[i], size).mul(Math.sqrt(2 / layers[i])), np.zeros([size])]);
    let means = params.map((p) => np.zeros(p.shape));
    let squares = params.map((p) => np.zeros(p.shape));
    let t = 0;
    return async () => {
      let value;
      [value, params, means, squares] = step(params, means, squares, np.array(++t), x.ref, y.ref);
      await value.data();
    };
  },
});
process.exit(0);
