// This library. BENCH_MODE: "eager" or "graph" on WebAssembly kernels; "c" or "c graph": on kernels made by the C compiler.
import {
  attention,
  compiler,
  conv2d,
  graph,
  layerNorm,
  manualSeed,
  nn,
  optim,
  setDevice,
  softmax,
  tensor,
  tidy,
  toStatic,
  valueAndGrad,
} from "../../dist/index.js";
import { measureAll, numbers, sizeOf } from "./tasks.mjs";

const asGraph = process.env.BENCH_MODE.endsWith("graph");
const asC = process.env.BENCH_MODE.startsWith("c");
if (asC) setDevice("native");
const draw = (seed, ...shape) => tensor(numbers(sizeOf(shape), seed), { shape });

/** The work, once the kernels that it needs are compiled. */
async function compiled(run) {
  for (let before = -1; asC && compiler.nativeKernels().count > before; ) {
    before = compiler.nativeKernels().count;
    run();
    await compiler.nativeKernels().ready;
  }
  return run;
}

/** One call of `f`; its result is read, so that the work is done. */
function calls(f, ...args) {
  if (!asGraph) return compiled(() => tidy(() => void f(...args)));
  const executable = graph.compile(graph.capture(f, ...args));
  return compiled(() => executable.run(args)[0].dispose());
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
  return compiled(() => tidy(() => run(x, y).item()));
}

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

manualSeed(1);
await measureAll({
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
});
process.exit(0);
