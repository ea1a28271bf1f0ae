// A member of data-parallel training on the work of BENCH_TASK: our peer of ddp.py. As a process of its own (RANK,
// WORLD_SIZE, MASTER_ADDR …, or under mpirun), or with BENCH_THREADS as so many worker threads of this one.
// Prints { samplesPerSecond } of all members together.
const { Generator, distributed, nn, optim, setDevice, setNumThreads, tidy } = await import(
  new URL("../../dist/index.js", import.meta.url).href
);

const task = JSON.parse(process.env.BENCH_TASK);
const options = {
  task,
  budget: Number(process.env.BENCH_BUDGET),
  device: process.env.BENCH_DEVICE ?? "wasm",
};

/** Runs as source text on threads: all that it needs comes in. */
async function train(group, { task, budget, device }, library) {
  const { Generator, distributed, nn, optim, setDevice, setNumThreads, tidy, toStatic } =
    library ?? (await import("mlsys"));
  setNumThreads(1);
  setDevice(device);
  const generator = new Generator(1);
  const models = {
    mlp: () => {
      const parts = task.layers
        .slice(1)
        .flatMap((outputs, i) => [new nn.Dense(task.layers[i], outputs, { generator }), new nn.ReLU()]);
      return new nn.Sequential(...parts.slice(0, -1));
    },
    cnn: () =>
      new nn.Sequential(
        new nn.Conv2d(1, task.channels[0], 3, { padding: 1, generator }),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Conv2d(task.channels[0], task.channels[1], 3, { padding: 1, generator }),
        new nn.ReLU(),
        new nn.MaxPool2d(2),
        new nn.Flatten(),
        new nn.Dense(task.channels[1] * 49, 10, { generator }),
      ),
    gpt: () => new nn.CausalLM({ ...task, dropout: 0, generator }),
  };
  const draw = new Generator(2 + (group?.rank ?? 0));
  const { batch } = task;
  const shapes = { mlp: [batch, task.layers?.[0]], cnn: [batch, 1, 28, 28] };
  const x =
    task.kind === "gpt"
      ? draw.randint([batch, task.context], 0, task.vocabulary)
      : draw.normal(shapes[task.kind], 0, 1);
  const y =
    task.kind === "gpt"
      ? draw.randint([batch * task.context], 0, task.vocabulary)
      : draw.randint([batch], 0, 10);
  const own = models[task.kind]();
  // as PyTorch's rows: one process trains without the wrapper
  const model = group.size > 1 ? new distributed.DistributedDataParallel(own, { group }) : own;
  const optimizer = new optim.Adam(model, { lr: 1e-3 });
  const step = toStatic((x, y) => {
    optimizer.zeroGrad();
    const out = model.forward(x);
    const loss = nn.crossEntropy(task.kind === "gpt" ? out.reshape([-1, task.vocabulary]) : out, y);
    loss.backward();
    optimizer.step();
    return loss.detach();
  });
  const once = () => {
    const loss = step(x, y);
    const value = loss.item();
    loss.dispose();
    return value;
  };
  const first = once();
  for (let i = 0; i < 9; i++) tidy(once);
  // as many steps on all, by what rank 0 finds fits
  const begun = performance.now();
  for (let i = 0; i < 5; i++) tidy(once);
  const steps = await group.broadcastObject(
    Math.max(10, Math.ceil(budget / ((performance.now() - begun) / 5))),
  );
  await group.barrier();
  const start = performance.now();
  let last = 0;
  for (let i = 0; i < steps; i++) last = tidy(once);
  await group.barrier();
  const seconds = (performance.now() - start) / 1000;
  if (!(last < first)) throw new Error(`the loss went from ${first} to ${last}`);
  return (steps * batch * group.size) / seconds;
}

const library = { Generator, distributed, nn, optim, setDevice, setNumThreads, tidy };
library.toStatic = (await import(new URL("../../dist/index.js", import.meta.url).href)).toStatic;
if (process.env.BENCH_THREADS) {
  const rates = await distributed.launch(Number(process.env.BENCH_THREADS), train, { args: [options] });
  console.log(JSON.stringify({ samplesPerSecond: rates[0] }));
} else {
  const group = await distributed.init();
  const rate = await train(group, options, library);
  if (group.rank === 0) console.log(JSON.stringify({ samplesPerSecond: rate }));
  await group.close();
}
