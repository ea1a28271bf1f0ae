// TensorFlow.js's tasks, on whichever backend it has.
import { numbers, sizeOf } from "./tasks.mjs";

/**
 * By task: from its arguments to a function that does it once.
 * @param finish reads a result and disposes of it; may return a promise
 */
export function tfjsWork(tf, finish) {
  const draw = (seed, ...shape) => tf.tensor(numbers(sizeOf(shape), seed), shape);
  const calls =
    (f, ...args) =>
    () => {
      const y = tf.tidy(() => f(...args));
      return finish(y);
    };

  let seed = 10;
  /** A weight for so many inputs. */
  const weight = (inputs, ...shape) => tf.variable(tf.mul(draw(seed++, ...shape), Math.sqrt(2 / inputs)));
  const dense = (inputs, outputs) => {
    const [w, b] = [weight(inputs, inputs, outputs), tf.variable(tf.zeros([outputs]))];
    return (x) => tf.add(tf.matMul(x, w), b);
  };
  const norm = (size) => {
    const [w, b] = [tf.variable(tf.ones([size])), tf.variable(tf.zeros([size]))];
    return (x) => {
      const { mean, variance } = tf.moments(x, -1, true);
      return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5))), w), b);
    };
  };
  const attend = (q, k, v) =>
    tf.matMul(tf.softmax(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(q.shape.at(-1)))), v);

  function training(forward, batch) {
    const optimizer = tf.train.adam(1e-3);
    const labels = tf.tensor1d(
      Array.from({ length: batch }, (_, i) => i % 10),
      "int32",
    );
    const y = tf.oneHot(labels, 10);
    const loss = () => tf.tidy(() => tf.losses.softmaxCrossEntropy(y, forward()));
    return () => {
      return finish(optimizer.minimize(loss, true));
    };
  }

  return {
    matmul: ({ a, b }) => calls((x, y) => tf.matMul(x, y), draw(1, ...a), draw(2, ...b)),
    chain: ({ count }) =>
      calls((x) => tf.neg(tf.square(tf.sub(tf.relu(tf.add(tf.mul(x, 2), 1)), 0.5))), draw(3, count)),
    softmax: ({ shape }) => calls((x) => tf.softmax(x), draw(4, ...shape)),
    layernorm: ({ shape }) => calls(norm(shape[1]), draw(4, ...shape)),
    conv: ({ n, channels, size, groups }) => {
      const x = draw(5, n, size, size, channels);
      return groups === 1
        ? calls((x, w) => tf.conv2d(x, w, 1, "same"), x, draw(6, 3, 3, channels, channels))
        : calls((x, w) => tf.depthwiseConv2d(x, w, 1, "same"), x, draw(6, 3, 3, channels, 1));
    },
    attention: ({ batch, heads, tokens, size }) =>
      calls(attend, ...[1, 2, 3].map((seed) => draw(seed, batch, heads, tokens, size))),
    mlp: ({ layers, batch }) => {
      const parts = layers.slice(1).map((size, i) => dense(layers[i], size));
      const x = draw(7, batch, layers[0]);
      return training(
        () => parts.reduce((h, part, i) => (i < parts.length - 1 ? tf.relu(part(h)) : part(h)), x),
        batch,
      );
    },
    cnn: ({ channels: [c1, c2], batch }) => {
      const [w1, w2] = [weight(9, 3, 3, 1, c1), weight(9 * c1, 3, 3, c1, c2)];
      const [b1, b2] = [c1, c2].map((c) => tf.variable(tf.zeros([c])));
      const head = dense(c2 * 49, 10);
      const x = draw(7, batch, 28, 28, 1);
      const block = (h, w, b) => tf.maxPool(tf.relu(tf.add(tf.conv2d(h, w, 1, "same"), b)), 2, 2, "valid");
      return training(() => head(tf.reshape(block(block(x, w1, b1), w2, b2), [batch, -1])), batch);
    },
    transformer: ({ batch, tokens, features, size, heads, depth }) => {
      const embed = dense(features, size);
      const blocks = Array.from({ length: depth }, () => ({
        ...{ q: dense(size, size), k: dense(size, size), v: dense(size, size), out: dense(size, size) },
        ...{
          wide: dense(size, 4 * size),
          narrow: dense(4 * size, size),
          first: norm(size),
          second: norm(size),
        },
      }));
      const head = dense(size, 10);
      const x = draw(7, batch * tokens, features);
      const split = (z) => tf.transpose(tf.reshape(z, [batch, tokens, heads, size / heads]), [0, 2, 1, 3]);
      const block = (h, p) => {
        const mixed = attend(split(p.q(h)), split(p.k(h)), split(p.v(h)));
        const joined = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [batch * tokens, size]);
        const y = p.first(tf.add(h, p.out(joined)));
        return p.second(tf.add(y, p.narrow(tf.relu(p.wide(y)))));
      };
      return training(
        () => head(tf.mean(tf.reshape(blocks.reduce(block, embed(x)), [batch, tokens, size]), 1)),
        batch,
      );
    },
  };
}
