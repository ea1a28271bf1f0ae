// Deep Compression and its parts on MNIST, by LeNet-300-100 (Han, Mao & Dally 2016): bytes and accuracy of each stage.

export async function compressionRows(mlsys, quick) {
  const { data, deploy, fit, manualSeed, nn, optim, train } = mlsys;
  const { prune } = deploy;
  const [most, test] = quick ? [2000, 1000] : [12_000, 4000];
  const load = async (split, count) => {
    const { images, labels } = await data.mnist(split);
    const x = images.slice([0, count]).reshape([count, 784]).cast("float32").div(255);
    return { x, y: labels.slice([0, count]).cast("int32") };
  };
  const [learn, judge] = [await load("train", most), await load("test", test)];
  const rows = data.batches(learn, { size: 64, shuffle: true });
  const exam = data.batches(judge, { size: 500 });
  const right = (model) => train.evaluate(model, exam, { right: train.accuracy }).right;
  const learned = (model, lr, epochs, callbacks = [], from = rows) =>
    fit(model, from, {
      loss: nn.crossEntropy,
      optimizer: new optim.Adam(model, { lr }),
      epochs,
      callbacks,
      progress: false,
      static: true,
    });
  const lenet = () => {
    manualSeed(1);
    return new nn.Sequential(
      new nn.Dense(784, 300),
      new nn.ReLU(),
      new nn.Dense(300, 100),
      new nn.ReLU(),
      new nn.Dense(100, 10),
    );
  };
  const epochs = quick ? 1 : 6;
  const out = [];
  const row = (name, bytes, accuracy) =>
    out.push({
      name: `LeNet-300-100: ${name}`,
      unit: "bytes",
      better: "lower",
      ours: { bytes, "accuracy %": Number((100 * accuracy).toFixed(2)) },
      peers: {},
    });
  const bytesOf = (model) => deploy.encodeCompressed(model.stateDict()).bytes.length;

  const model = lenet();
  await learned(model, 1e-3, epochs);
  const whole = model.stateDict();
  const plain = await deploy.compressedSizes(model, { evaluate: () => right(model) });
  for (const { format, bytes, score } of plain.rows.slice(0, 4)) row(format, bytes, score);

  const weights = prune.weights(model);
  prune.toSparsity(weights, 0.92);
  row("92 % pruned at once", bytesOf(model), right(model));
  await learned(model, 5e-4, epochs);
  prune.apply(model);
  row("the same, trained on", bytesOf(model), right(model));
  prune.removeAll(model);

  model.loadStateDict(whole);
  const steps = epochs * Math.ceil(most / 64);
  const schedule = prune.polynomialSparsity({ final: 0.92, end: Math.floor(0.7 * steps) });
  await learned(model, 5e-4, epochs, [
    prune.gradually(weights, { schedule, every: Math.max(1, Math.floor(steps / 40)) }),
  ]);
  prune.apply(model);
  row("92 % pruned gradually", bytesOf(model), right(model));
  const pruned = model.stateDict();
  for (const bits of [5, 3]) {
    model.loadStateDict(pruned);
    deploy.shareWeights(model, { bits }).finish();
    row(`and ${2 ** bits} shared values`, bytesOf(model), right(model));
    model.loadStateDict(pruned);
    const shared = deploy.shareWeights(model, { bits });
    await learned(model, 2e-4, Math.max(1, epochs / 3));
    shared.finish();
    row(`and ${2 ** bits} shared values, trained on (Deep Compression)`, bytesOf(model), right(model));
  }
  const smaller = lenet();
  smaller.loadStateDict(whole);
  prune.shrink(smaller, [judge.x.slice([0, 1])], { amount: 0.7 });
  await learned(smaller, 5e-4, epochs);
  row("70 % of the units taken out, trained on", bytesOf(smaller), right(smaller));

  // What a teacher is good for: 500 labels, and digits enough that nobody has labelled.
  const student = () => {
    manualSeed(2);
    return new nn.Sequential(new nn.Dense(784, 32), new nn.ReLU(), new nn.Dense(32, 10));
  };
  const teacher = lenet();
  teacher.loadStateDict(whole);
  const few = data.batches(
    { x: learn.x.slice([0, 500]), y: learn.y.slice([0, 500]) },
    { size: 50, shuffle: true },
  );
  const alone = student();
  await learned(alone, 1e-3, quick ? 10 : 40, [], few);
  row("a student of 32 units, by 500 labels", bytesOf(alone), right(alone));
  const taught = student();
  await deploy.distill(taught, teacher, rows, {
    ...{
      optimizer: (trained) => new optim.Adam(trained, { lr: 1e-3 }),
      epochs: quick ? 10 : epochs,
      labelWeight: 0,
      temperature: 2,
    },
    ...{ progress: false, static: true },
  });
  row("a student of 32 units, by the first one's answers alone", bytesOf(taught), right(taught));
  return out;
}
