// Conv + BN folded, the book's experiment (chapter 8): a toy network and one built as MobileNetV2 is, as they are and converted.
// ONNX Runtime runs both as they are written, with its own optimizations off and on. Then sparse products beside dense ones, and
// bytes and accuracy of compressed models. Run by `npm run bench -- deploy`.
import { compressionRows } from "./deploy/compression.mjs";
import { sparseRows } from "./deploy/sparse.mjs";
import { onnxruntime } from "./peers/onnxruntime.mjs";

/** Stages of MobileNetV2: growth, channels, blocks, stride (Sandler et al. 2018, table 2). */
const STAGES = [
  ...[[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2]],
  ...[[6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]],
]; // biome-ignore format: a table

function networks({ nn, Generator }) {
  const draw = new Generator(1);
  const { Sequential, Conv2d, BatchNorm, ReLU, ReLU6, Dense, Module } = nn;
  const layer = (from, to, size, options, after) => [
    new Conv2d(from, to, size, { padding: (size - 1) / 2, bias: false, ...options }),
    new BatchNorm(to),
    ...(after ? [after] : []),
  ];
  class Block extends Module {
    constructor(from, to, stride, growth) {
      super();
      const wide = from * growth;
      this.body = new Sequential(
        ...(growth > 1 ? layer(from, wide, 1, {}, new ReLU6()) : []),
        ...layer(wide, wide, 3, { stride, groups: wide }, new ReLU6()),
        ...layer(wide, to, 1, {}, null),
      );
      this.skip = stride === 1 && from === to;
    }
    forward(x) {
      const y = this.body.forward(x);
      return this.skip ? y.add(x) : y;
    }
  }
  class MobileNetV2 extends Module {
    constructor() {
      super();
      const blocks = [];
      let from = 32;
      for (const [growth, to, count, stride] of STAGES)
        for (let i = 0; i < count; i++) {
          blocks.push(new Block(from, to, i === 0 ? stride : 1, growth));
          from = to;
        }
      this.features = new Sequential(
        ...layer(3, 32, 3, { stride: 2 }, new ReLU6()),
        ...blocks,
        ...layer(320, 1280, 1, {}, new ReLU6()),
      );
      this.head = new Dense(1280, 1000);
    }
    forward(x) {
      return this.head.forward(this.features.forward(x).mean([2, 3]));
    }
  }
  const trained = (model) => {
    for (const [, module] of model.namedModules())
      if (module instanceof BatchNorm)
        for (const [name, variable] of module.namedVariables())
          variable.assign(draw.uniform(variable.shape).add(/ariance|weight/.test(name) ? 0.5 : -0.5));
    return model.eval();
  };
  return [
    [
      "toy conv + bn",
      trained(new Sequential(...layer(3, 8, 3, {}, new ReLU()))),
      draw.normal([1, 3, 16, 16]),
      [3000, 300],
    ],
    ["mobilenet-v2 224", trained(new MobileNetV2()), draw.normal([1, 3, 224, 224]), [50, 5]],
  ];
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** Median milliseconds of each function, in turn. */
async function times(functions, runs) {
  const found = functions.map(() => []);
  for (let i = -3; i < runs; i++)
    for (const [k, f] of functions.entries()) {
      const start = performance.now();
      await f();
      if (i >= 0) found[k].push(performance.now() - start);
    }
  return found.map(median);
}

export async function run({ quick }) {
  const mlsys = await import("../dist/index.js");
  const { deploy, graph, tidy } = mlsys;
  const rows = [];
  const missing = {};
  const { ort, missing: reason } = onnxruntime();
  if (reason) missing.onnxruntime = reason;
  for (const [name, model, x, counts] of networks(mlsys)) {
    const runs = counts[quick ? 1 : 0];
    const plain = graph.freeze(mlsys.capture((v) => model.forward(v), x));
    const { graph: folded } = deploy.convert(model, [x], { runs: 0 });
    for (const [form, one] of [
      ["as it is", plain],
      ["folded", folded],
    ]) {
      rows.push({ name: `${name}, ${form}`, unit: "ms", better: "lower", one, x, runs, ours: {}, peers: {} });
    }
  }
  for (let i = 0; i < rows.length; i += 2) {
    const pair = [rows[i], rows[i + 1]];
    const { runs, x } = pair[0];
    // both forms of one engine in turn, so that what interrupts the machine meets both alike
    for (const [key, level] of [
      ["kernel per op", "O0"],
      ["fused", "O3"],
    ]) {
      const compiled = pair.map(({ one }) => graph.compile(one, { level }));
      const found = await times(
        compiled.map((program) => () => tidy(() => void program.run([x]))),
        runs,
      );
      for (const [k, row] of pair.entries()) row.ours[key] = Number(found[k].toPrecision(4));
    }
    if (!ort) continue;
    for (const [key, graphOptimizationLevel] of [
      ["onnxruntime plain", "disabled"],
      ["onnxruntime", "all"],
    ]) {
      const sessions = [];
      for (const { one } of pair)
        sessions.push(
          await ort.InferenceSession.create(deploy.writeOnnx(one), {
            graphOptimizationLevel,
            logSeverityLevel: 4,
            intraOpNumThreads: 2,
          }),
        );
      const feeds = sessions.map((s) => ({
        [s.inputNames[0]]: new ort.Tensor("float32", Float32Array.from(x.toTypedArray()), x.shape),
      }));
      const found = await times(
        sessions.map((s, k) => () => s.run(feeds[k])),
        runs,
      );
      for (const [k, row] of pair.entries()) row.peers[key] = Number(found[k].toPrecision(4));
      for (const s of sessions) await s.release();
    }
  }
  const saved = (a, b) => `${(100 * (1 - b / a)).toFixed(1)} %`;
  const notes = [
    "The book's figures (MindSpore Lite, a phone): 0.035 → 0.031 ms is 11.4 % saved (its text says 8.5 %), 15.415 → 13.606 ms is 11.7 %.",
    ...rows.flatMap((row, i) => {
      if (i % 2 === 1) return [];
      const after = rows[i + 1];
      const parts = [...Object.entries(row.ours), ...Object.entries(row.peers)];
      return [
        `${row.name.split(",")[0]}, saved by folding: ${parts.map(([key, before]) => `${key} ${saved(before, after.ours[key] ?? after.peers[key])}`).join(", ")}.`,
      ];
    }),
  ];
  const sparse = await sparseRows(mlsys, quick);
  notes.push(...sparse.notes);
  return {
    rows: [
      ...rows.map(({ name, unit, better, ours, peers }) => ({ name, unit, better, ours, peers })),
      ...sparse.rows,
      ...(await compressionRows(mlsys, quick)),
    ],
    missing,
    notes,
  };
}
