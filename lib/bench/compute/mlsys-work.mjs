// This library's tasks, for any device and mode.
import {
  attention,
  conv2d,
  graph,
  layerNorm,
  manualSeed,
  nn,
  optim,
  softmax,
  tensor,
  tidy,
  toStatic,
  valueAndGrad,
} from "../../dist/index.js";
import { numbers, sizeOf } from "./tasks.mjs";

const draw = (seed, ...shape) => tensor(numbers(sizeOf(shape), seed), { shape });

class Classifier extends nn.Module {
  constructor({ features, size, heads, depth }) {
    super();
    this.embed = new nn.Dense(features, size);
    this.encoder = new nn.TransformerEncoder(depth, size, heads, { dropout: 0 });
    this.head = new nn.Dense(size, 10);
  }
  forward(x) {
    return this.head.forward(this.encoder.forward(this.embed.forward(x)).mean(1));
  }
}

/**
 * By task: from its arguments to a function that does it once.
 * @param asGraph captured and compiled first, or op by op
 * @param ready called with each function before it is measured
 * @param read what makes sure that a result is there
 */
export function mlsysWork({ asGraph, ready = (run) => run, read = () => {} }) {
  /** One call of `f`. */
  function calls(f, ...args) {
    if (!asGraph) return ready(() => tidy(() => void read(f(...args))));
    const executable = graph.compile(graph.capture(f, ...args));
    return ready(() => {
      const [y] = executable.run(args);
      read(y);
      y.dispose();
    });
  }

  function training(model, x, classes) {
    const optimizer = new optim.Adam(model, { lr: 1e-3 });
    const step = (x, y) => {
      const [loss, gradients] = valueAndGrad((m) => nn.crossEntropy(m.forward(x), y))(model);
      optimizer.step(gradients);
      return loss;
    };
    const run = asGraph ? toStatic(step) : step;
    const y = tensor(
      Array.from({ length: x.shape[0] }, (_, i) => i % classes),
      { dtype: "int32" },
    );
    return ready(() => tidy(() => run(x, y).item()));
  }

  manualSeed(1);
  return {
    matmul: ({ a, b }) => calls((x, y) => x.matmul(y), draw(1, ...a), draw(2, ...b)),
    chain: ({ count }) => calls((x) => x.mul(2).add(1).relu().sub(0.5).square().neg(), draw(3, count)),
    softmax: ({ shape }) => calls((x) => softmax(x, -1), draw(4, ...shape)),
    layernorm: ({ shape }) =>
      calls(
        (x, weight, bias) => layerNorm(x, -1, { weight, bias }),
        ...[draw(4, ...shape), draw(5, shape[1]), draw(6, shape[1])],
      ),
    conv: ({ n, channels, size, groups }) =>
      calls(
        (x, w) => conv2d(x, w, { padding: 1, groups }),
        draw(5, n, channels, size, size),
        draw(6, channels, channels / groups, 3, 3),
      ),
    attention: ({ batch, heads, tokens, size }) =>
      calls(
        (q, k, v) => attention(q, k, v),
        ...[1, 2, 3].map((seed) => draw(seed, batch, heads, tokens, size)),
      ),
    mlp: ({ layers, batch }) => {
      const parts = layers.slice(1).flatMap((size, i) => [new nn.Dense(layers[i], size), new nn.ReLU()]);
      return training(new nn.Sequential(...parts.slice(0, -1)), draw(7, batch, layers[0]), 10);
    },
    cnn: ({ channels: [c1, c2], batch }) => {
      const model = new nn.Sequential(
        new nn.Conv2d(1, c1, 3, { padding: 1 }),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Conv2d(c1, c2, 3, { padding: 1 }),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Flatten(),
        new nn.Dense(c2 * 49, 10),
      );
      return training(model, draw(7, batch, 1, 28, 28), 10);
    },
    transformer: (sizes) =>
      training(new Classifier(sizes), draw(7, sizes.batch, sizes.tokens, sizes.features), 10),
  };
}
