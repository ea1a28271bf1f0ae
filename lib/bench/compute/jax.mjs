// @jax-js/jax on its WebAssembly device, jitted, from the folder of peers. Arrays are consumed by use: `.ref` keeps one.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { measureAll, numbers, sizeOf } from "./tasks.mjs";

globalThis.navigator ??= { hardwareConcurrency: 2 }; // Node 20 has none, and the library asks
const require = createRequire(join(process.env.BENCH_PEERS, "package.json"));
const entry = require.resolve("@jax-js/jax").replace(/index\.cjs$/, "index.js");
const jax = await import(pathToFileURL(entry).href);
const { numpy: np, nn, jit, valueAndGrad } = jax;
await jax.init("wasm");
jax.defaultDevice("wasm");

const draw = (seed, ...shape) => np.array(numbers(sizeOf(shape), seed)).reshape(shape);
const calls = (f, ...args) => {
  const jitted = jit(f);
  return async () => {
    const y = jitted(...args.map((a) => a.ref));
    await y.blockUntilReady();
    y.dispose();
  };
};
const same = [
  [1, 1],
  [1, 1],
];
const conv = (x, w, groups = 1) =>
  jax.lax.convGeneralDilated(x, w, [1, 1], same, groups === 1 ? {} : { featureGroupCount: groups });
const attend = (q, k, v) => {
  const scale = 1 / Math.sqrt(q.shape.at(-1));
  return np.matmul(nn.softmax(np.matmul(q, np.transpose(k, [0, 1, 3, 2])).mul(scale), -1), v);
};
const norm = (x, w, b) => {
  const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }));
  const variance = np.mean(np.square(centred.ref), -1, { keepdims: true });
  return centred
    .div(np.sqrt(variance.add(1e-5)))
    .mul(w)
    .add(b);
};

/** Adam on a list of parameters. @param forward (params, x) → logits */
function training(forward, initial, x, batch) {
  const y = nn.oneHot(np.array(Int32Array.from({ length: batch }, (_, i) => i % 10)), 10);
  const loss = (params, x, y) =>
    nn
      .logSoftmax(forward(params, x), -1)
      .mul(y)
      .sum()
      .mul(-1 / batch);
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
  let params = initial;
  let means = params.map((p) => np.zeros(p.shape));
  let squares = params.map((p) => np.zeros(p.shape));
  let t = 0;
  return async () => {
    let value;
    [value, params, means, squares] = step(params, means, squares, np.array(++t), x.ref, y.ref);
    await value.data();
  };
}

let seed = 10;
const weight = (inputs, ...shape) => draw(seed++, ...shape).mul(Math.sqrt(2 / inputs));
const dense = (inputs, outputs) => [weight(inputs, inputs, outputs), np.zeros([outputs])];
const linear = (x, w, b) => np.matmul(x, w).add(b);

await measureAll({
  matmul: ({ a, b }) => calls((x, y) => np.matmul(x, y), draw(1, ...a), draw(2, ...b)),
  chain: ({ count }) => calls((x) => np.square(nn.relu(x.mul(2).add(1)).sub(0.5)).neg(), draw(3, count)),
  softmax: ({ shape }) => calls((x) => nn.softmax(x, -1), draw(4, ...shape)),
  layernorm: ({ shape }) => calls(norm, draw(4, ...shape), draw(5, shape[1]), draw(6, shape[1])),
  conv: ({ n, channels, size, groups }) =>
    calls(
      (x, w) => conv(x, w, groups),
      draw(5, n, channels, size, size),
      draw(6, channels, channels / groups, 3, 3),
    ),
  attention: ({ batch, heads, tokens, size }) =>
    calls(attend, ...[1, 2, 3].map((seed) => draw(seed, batch, heads, tokens, size))),
  mlp: ({ layers, batch }) => {
    const forward = (params, x) => {
      let h = x;
      for (let i = 0; i < params.length; i += 2) {
        h = linear(h, params[i], params[i + 1]);
        if (i < params.length - 2) h = nn.relu(h);
      }
      return h;
    };
    const params = layers.slice(1).flatMap((size, i) => dense(layers[i], size));
    return training(forward, params, draw(7, batch, layers[0]), batch);
  },
  cnn: ({ channels: [c1, c2], batch }) => {
    const pool = (x) => {
      const [n, c, h, w] = x.shape;
      return np.max(x.reshape([n, c, h / 2, 2, w / 2, 2]), [3, 5]);
    };
    const block = (x, w, b) => pool(nn.relu(conv(x, w).add(b.reshape([1, b.shape[0], 1, 1]))));
    const forward = ([w1, b1, w2, b2, w3, b3], x) =>
      linear(block(block(x, w1, b1), w2, b2).reshape([batch, c2 * 49]), w3, b3);
    const convolution = (inputs, outputs) => [weight(9 * inputs, outputs, inputs, 3, 3), np.zeros([outputs])];
    const params = [...convolution(1, c1), ...convolution(c1, c2), ...dense(c2 * 49, 10)];
    return training(forward, params, draw(7, batch, 1, 28, 28), batch);
  },
  transformer: ({ batch, tokens, features, size, heads, depth }) => {
    const split = (z) => np.transpose(z.reshape([batch, tokens, heads, size / heads]), [0, 2, 1, 3]);
    const forward = (params, x) => {
      let at = 0;
      const take = (count) => {
        at += count;
        return params.slice(at - count, at);
      };
      let h = linear(x, ...take(2));
      for (let i = 0; i < depth; i++) {
        const q = split(linear(h.ref, ...take(2)));
        const k = split(linear(h.ref, ...take(2)));
        const v = split(linear(h.ref, ...take(2)));
        const joined = np.transpose(attend(q, k, v), [0, 2, 1, 3]).reshape([batch, tokens, size]);
        const y = norm(h.add(linear(joined, ...take(2))), ...take(2));
        const wide = nn.relu(linear(y.ref, ...take(2)));
        h = norm(y.add(linear(wide, ...take(2))), ...take(2));
      }
      return linear(np.mean(h, 1), ...take(2));
    };
    const norms = () => [np.ones([size]), np.zeros([size])];
    const block = () => [
      ...[0, 1, 2, 3].flatMap(() => dense(size, size)),
      ...norms(),
      ...dense(size, 4 * size),
      ...dense(4 * size, size),
      ...norms(),
    ];
    const params = [
      ...dense(features, size),
      ...Array.from({ length: depth }, block).flat(),
      ...dense(size, 10),
    ];
    return training(forward, params, draw(7, batch, tokens, features), batch);
  },
});
process.exit(0);
