/** Modules and losses against PyTorch's (test/expected/modules.py): results and all gradients, by `grad`, by the tape, and captured. */
import { describe, expect, it } from "vitest";
import { expectClose, expectedFile, read, type Values } from "../../test/support/expected.js";
import { grad, nn, type Tensor, toStatic, tree, Variable, valueAndGrad, zeros } from "../index.js";

type Given = Values & { readonly integer: boolean };

interface ModuleCase {
  readonly name: string;
  readonly inputs: readonly Given[];
  readonly outputs: readonly Values[];
  readonly weights: readonly Values[];
  readonly inputGradients: readonly (Values | null)[];
  readonly parameters: Record<string, Values>;
  readonly gradients: Record<string, Values>;
}

interface RecurrentCase extends ModuleCase {
  readonly kind: "RNN" | "GRU" | "LSTM";
  readonly lengths: number[] | null;
  readonly options: {
    readonly inputs: number;
    readonly size: number;
    readonly layers: number;
    readonly bidirectional: boolean;
    readonly bias: boolean;
    readonly activation: "tanh" | "relu";
  };
}

interface LossCase {
  readonly name: string;
  readonly options: unknown;
  readonly prediction: Values;
  readonly rest: readonly Given[];
  readonly value: Values;
  readonly c: Values;
  readonly gradient: Values;
}

const expected = expectedFile<{
  layers: ModuleCase[];
  recurrent: RecurrentCase[];
  attention: ModuleCase[];
  transformer: ModuleCase[];
  losses: LossCase[];
  positions: Values;
}>("modules.json");

const given = (x: Given): Tensor => read(x, x.integer ? "int32" : "float64");

type Run<M> = (module: M, inputs: readonly Tensor[]) => readonly Tensor[];

/** Results, and the gradients of their weighted sum, three ways. */
function check<M extends nn.Module>(module: M, c: ModuleCase, run: Run<M>): void {
  module.loadStateDict(new Map(Object.entries(c.parameters).map(([name, value]) => [name, read(value)])));
  const inputs = c.inputs.map(given);
  const weights = c.weights.map((w) => read(w));
  run(module, inputs).forEach((y, i) => {
    expectClose(y, c.outputs[i], 1e-11, `output ${i}`);
  });
  const loss = (m: M, ...xs: Tensor[]): Tensor =>
    run(m, xs)
      .map((y, i) => y.mul(weights[i]).sum())
      .reduce((a, b) => a.add(b));

  const floats = inputs.map((_, i) => i).filter((i) => !c.inputs[i].integer);
  const gradients = (m: M, ...xs: Tensor[]): [M, Tensor[]] =>
    grad(([mm, some]: [M, Tensor[]]) => loss(mm, ...xs.map((x, i) => some[floats.indexOf(i)] ?? x)))([
      m,
      floats.map((i) => xs[i]),
    ]);
  const compare = ([ofModule, ofInputs]: [M, Tensor[]], how: string): void => {
    const { leaves, def } = tree.flatten(ofModule);
    const names = tree.pathsOf(def);
    for (const [name, value] of Object.entries(c.gradients))
      expectClose(leaves[names.indexOf(name)], value, 1e-11, `${how}: ${name}`);
    floats.forEach((i, k) => {
      expectClose(ofInputs[k], c.inputGradients[i] as Values, 1e-11, `${how}: input ${i}`);
    });
  };
  compare(gradients(module, ...inputs), "grad");
  compare(toStatic((...xs: Tensor[]) => gradients(module, ...xs))(...inputs), "captured");

  const variables = inputs.map((x, i) => (c.inputs[i].integer ? x : new Variable(x)));
  loss(module, ...variables).backward();
  const byName = new Map(module.namedParameters());
  for (const [name, value] of Object.entries(c.gradients))
    expectClose(byName.get(name)?.grad ?? null, value, 1e-11, `tape: ${name}`);
  for (const i of floats) expectClose((variables[i] as Variable).grad, c.inputGradients[i] as Values, 1e-11);
}

const double = { dtype: "float64" } as const;
const LAYERS: Record<string, () => nn.Module> = {
  Conv1d: () => new nn.Conv1d(4, 6, 3, { ...double, stride: 2, padding: 2, dilation: 2, groups: 2 }),
  ConvTranspose1d: () =>
    new nn.ConvTranspose1d(4, 6, 3, { ...double, stride: 2, padding: 1, outputPadding: 1, groups: 2 }),
  ConvTranspose2d: () =>
    new nn.ConvTranspose2d(2, 3, [3, 2], { ...double, stride: [2, 1], padding: [1, 0], dilation: [1, 2] }),
  MaxPool1d: () => new nn.MaxPool1d(3, { stride: 2, padding: 1 }),
  AvgPool1d: () => new nn.AvgPool1d(3, { stride: 2, padding: 1 }),
  AdaptiveAvgPool2d: () => new nn.AdaptiveAvgPool2d([2, 3]),
  AdaptiveMaxPool2d: () => new nn.AdaptiveMaxPool2d([2, 3]),
  GroupNorm: () => new nn.GroupNorm(2, 6, double),
  "GroupNorm of vectors": () => new nn.GroupNorm(3, 6, double),
  InstanceNorm: () => new nn.InstanceNorm(3, double),
  RMSNorm: () => new nn.RMSNorm([2, 3], { ...double, epsilon: 1e-3 }),
  Embedding: () => new nn.Embedding(5, 3, double),
  Bilinear: () => new nn.Bilinear(3, 4, 5, double),
  PReLU: () => new nn.PReLU(3, double),
  "PReLU of one": () => new nn.PReLU(1, double),
  ReLU6: () => new nn.ReLU6(),
  LeakyReLU: () => new nn.LeakyReLU(0.1),
  ELU: () => new nn.ELU(),
  SELU: () => new nn.SELU(),
  GELU: () => new nn.GELU(),
  "GELU by tanh": () => new nn.GELU(true),
  SiLU: () => new nn.SiLU(),
  Mish: () => new nn.Mish(),
  Softplus: () => new nn.Softplus(),
  Softsign: () => new nn.Softsign(),
  HardSigmoid: () => new nn.HardSigmoid(),
  HardSwish: () => new nn.HardSwish(),
  Softmax: () => new nn.Softmax(0),
  LogSoftmax: () => new nn.LogSoftmax(),
};

const once: Run<nn.Module> = (m, xs) => [(m.forward as (...x: Tensor[]) => Tensor)(...xs)];

describe("layers", () => {
  it("are all in the file", () => {
    expect(expected.layers.map(({ name }) => name)).toEqual(Object.keys(LAYERS));
  });
  it.each(expected.layers)("$name", (c) => check(LAYERS[c.name](), c, once));
});

describe("recurrent layers", () => {
  it.each(expected.recurrent)("$name", (c) => {
    const { inputs, size, ...options } = c.options;
    const wanted = { ...double, ...options };
    const lengths = c.lengths ? read({ shape: [c.lengths.length], values: c.lengths }, "int32") : undefined;
    if (c.kind === "LSTM") {
      const run: Run<nn.LSTM> = (m, [x, ...flat]) => {
        const pairs = flat.flatMap((h, i) => (i % 2 === 0 ? [[h, flat[i + 1]] as const] : []));
        const { output, state } = m.run(x, { lengths, state: pairs.length > 0 ? pairs : undefined });
        return [output, ...state.flat()];
      };
      check(new nn.LSTM(inputs, size, wanted), c, run);
    } else {
      const run: Run<nn.RNN | nn.GRU> = (m, [x, ...state]) => {
        const found = m.run(x, { lengths, state: state.length > 0 ? state : undefined });
        return [found.output, ...found.state];
      };
      check(c.kind === "RNN" ? new nn.RNN(inputs, size, wanted) : new nn.GRU(inputs, size, wanted), c, run);
    }
  });

  it("walk as their cells do, step by step", () => {
    const lstm = new nn.LSTM(3, 4, double);
    const cell = lstm.cells[0][0] as nn.LSTMCell;
    const x = read({ shape: [2, 3, 3], values: Array.from({ length: 18 }, (_, i) => Math.sin(i)) });
    let state: nn.LSTMState | undefined;
    for (let t = 0; t < 3; t++) state = cell.forward(x.slice(":", t), state);
    const { output, state: last } = lstm.run(x);
    expect(output.slice(":", 2).toArray()).toEqual(state?.[0].toArray());
    expect(last[0][1].toArray()).toEqual(state?.[1].toArray());
  });

  it("say what does not fit", () => {
    expect(() => new nn.GRU(3, 0)).toThrow(/GRU: size is a whole number from 1, got 0/);
    expect(() => new nn.LSTM(3, 4, { dropout: 0.5 })).toThrow(/LSTM: dropout acts between layers/);
    expect(() => new nn.RNN(3, 4, { layers: 2, dropout: 1 })).toThrow(/Dropout: the rate/);
    const rnn = new nn.RNN(3, 4, { bidirectional: true });
    expect(() => rnn.forward(zeros([2, 5]))).toThrow(/RNN: sequences \(n, t, 3\) wanted, got \(2, 5\)/);
    expect(() => rnn.run(zeros([2, 5, 3]), { state: [zeros([2, 4])] })).toThrow(
      /a state for each of the 2 cells wanted, got 1/,
    );
    expect(() => rnn.run(zeros([2, 5, 3]), { lengths: [1, 2, 3] })).toThrow(
      /lengths \(2,\) wanted, got \(3,\)/,
    );
    expect(() => new nn.GRUCell(3, 4).forward(zeros([2, 5]))).toThrow(
      /GRUCell: \(…, 3\) wanted, got \(2, 5\)/,
    );
  });
});

const CAUSAL = new Set(["causal"]);

describe("multi-head attention", () => {
  const heads: Record<string, number> = { cross: 3 };
  it.each(expected.attention)("$name", (c) => {
    const [, k, v] = c.inputs.map(({ shape }) => shape[2]);
    const layer = new nn.MultiHeadAttention(6, heads[c.name] ?? 2, { ...double, keySize: k, valueSize: v });
    const seen = read({ shape: [2, 1, 1, 4], values: [1, 1, 1, 0, 1, 1, 0, 0] }).greater(0);
    const options = { causal: CAUSAL.has(c.name), mask: c.name === "padded" ? seen : undefined };
    check(layer, c, (m, [q, key, value]) => {
      const { output, weights } = m.attend(q, key, value, options);
      return [output, weights];
    });
  });

  it("says what does not fit", () => {
    expect(() => new nn.MultiHeadAttention(6, 4)).toThrow(/6 features cannot be divided into 4 heads/);
    expect(() => new nn.MultiHeadAttention(4, 2).forward(zeros([2, 4]))).toThrow(
      /query \(n, t, features\) wanted, got \(2, 4\)/,
    );
  });
});

describe("Transformer blocks", () => {
  const common = { ...double, hidden: 10, dropout: 0 };
  const first = { ...common, normFirst: true, activation: "gelu" } as const;
  const BLOCKS: Record<string, () => nn.Module> = {
    "encoder layer": () => new nn.TransformerEncoderLayer(6, 2, common),
    "encoder layer, norm first, gelu": () => new nn.TransformerEncoderLayer(6, 2, first),
    "encoder layer, causal": () => new nn.TransformerEncoderLayer(6, 2, common),
    "decoder layer": () => new nn.TransformerDecoderLayer(6, 2, common),
    "decoder layer, norm first, gelu": () => new nn.TransformerDecoderLayer(6, 2, first),
    encoder: () => new nn.TransformerEncoder(2, 6, 2, first),
    decoder: () => new nn.TransformerDecoder(2, 6, 2, first),
    transformer: () => new nn.Transformer(2, 6, 2, common),
  };

  it("are all in the file", () => {
    expect(expected.transformer.map(({ name }) => name)).toEqual(Object.keys(BLOCKS));
  });

  it.each(expected.transformer)("$name", (c) => {
    const causal = c.name === "encoder layer, causal" ? [{ causal: true }] : [];
    check(BLOCKS[c.name](), c, (m, xs) => [(m.forward as (...x: unknown[]) => Tensor)(...xs, ...causal)]);
  });

  it("know positions by sines and cosines, or by learned vectors", () => {
    const { shape } = expected.positions;
    expectClose(
      new nn.SinusoidalPositions(shape[1]).forward(zeros([2, ...shape], double)).at(1),
      expected.positions,
    );
    const learned = new nn.LearnedPositions(5, 2);
    expect(
      learned
        .forward(zeros([3, 4, 2]))
        .at(2)
        .toArray(),
    ).toEqual(learned.weight.slice([0, 4]).toArray());
    expect(() => learned.forward(zeros([3, 6, 2]))).toThrow(/there are 5 positions, the sequence has 6/);
    expect(() => new nn.SinusoidalPositions(4).forward(zeros([3]))).toThrow(/\(…, t, 4\) wanted, got \(3,\)/);
  });
});

describe("losses", () => {
  it.each(expected.losses)("$name $options", ({ name, options, prediction, rest, value, c, gradient }) => {
    const loss = nn[name as keyof typeof nn] as (p: Tensor, ...rest: unknown[]) => Tensor;
    const [, g] = valueAndGrad((p: Tensor) =>
      loss(p, ...rest.map(given), options)
        .mul(read(c))
        .sum(),
    )(read(prediction));
    expectClose(loss(read(prediction), ...rest.map(given), options), value);
    expectClose(g, gradient);
  });
});
