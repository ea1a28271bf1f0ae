// This library. BENCH_MODE: "eager" or "graph" (WebAssembly), or "c": eager, on kernels made by the C compiler.
import {
  compiler,
  conv2d,
  graph,
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
import { measureAll, numbers } from "./tasks.mjs";

const asGraph = process.env.BENCH_MODE === "graph";
const asC = process.env.BENCH_MODE === "c";
if (asC) setDevice("native");
const { capture, compile } = graph;
const draw = (seed, ...shape) =>
  tensor(
    numbers(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
    { shape },
  );

/** The work, once the kernels that it needs are compiled. */
async function compiled(run) {
  if (asC) {
    run();
    await compiler.nativeKernels().ready;
  }
  return run;
}

/** One call of `f`; its result is read, so that the work is done. */
function calls(f, ...args) {
  if (!asGraph) return compiled(() => tidy(() => void f(...args)));
  const executable = compile(capture(f, ...args));
  return () => executable.run(args)[0].dispose();
}

await measureAll({
  sgemm: (n) => calls((a, b) => a.matmul(b), draw(1, n, n), draw(2, n, n)),
  chain: (n) => calls((x) => x.mul(2).add(1).relu().sub(0.5).square().neg(), draw(3, n)),
  softmax: (n, m) => calls((x) => softmax(x, -1), draw(4, n, m)),
  conv: ({ n, channels, size }) =>
    calls(
      (x, w) => conv2d(x, w, { padding: 1 }),
      draw(5, n, channels, size, size),
      draw(6, channels, channels, 3, 3),
    ),
  mlp: (layers, batch) => {
    manualSeed(1);
    const model = new nn.Sequential(
      ...layers
        .slice(1)
        .flatMap((size, i) => [
          new nn.Dense(layers[i], size),
          ...(i < layers.length - 2 ? [new nn.ReLU()] : []),
        ]),
    );
    const optimizer = new optim.Adam(model, { lr: 1e-3 });
    const step = (x, y) => {
      const [loss, gradients] = valueAndGrad((m) => nn.crossEntropy(m.forward(x), y))(model);
      optimizer.step(gradients);
      return loss;
    };
    const run = asGraph ? toStatic(step) : step;
    const x = draw(7, batch, layers[0]);
    const y = tensor(
      Array.from({ length: batch }, (_, i) => i % 10),
      { dtype: "int32" },
    );
    return compiled(() => tidy(() => run(x, y).item()));
  },
});
process.exit(0);
