import { describe, expect, it } from "vitest";
import { numbers, relativeError } from "../../../test/support/finite-differences.js";
import { leaves } from "../../core/tree.js";
import { distributed, nn, type Tensor, tensor, valueAndGrad } from "../../index.js";
import type { GraphNode } from "../../ir/graph.js";

const { logicalMesh, partitioned, shard, shardOp } = distributed;

/** Values that repeat after a while, the same at every run. */
export const filled = (shape: number[], seed = 1): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float32Array.from({ length: size }, (_, i) => Math.sin((i + 1) * 12.9898 * seed)),
    { shape },
  );
};

const collectives = (nodes: readonly GraphNode[]): string[] =>
  nodes.map(({ op }) => op.name).filter((name) => /^all|Scatter$/.test(name) && name !== "all");

const alike = (got: unknown, wanted: unknown, tolerance = 2e-5): void => {
  const [a, b] = [leaves(got), leaves(wanted)];
  expect(a.length).toBe(b.length);
  a.forEach((x, i) => {
    expect(x.shape).toEqual(b[i].shape);
    expect(relativeError(numbers(x), numbers(b[i])), `leaf ${i}`).toBeLessThan(tolerance);
  });
};

describe("the book's example", () => {
  it("matmul1 by rows, matmul2 by columns on 4 devices: Y is gathered between", () => {
    const f = (x: Tensor, w: Tensor, v: Tensor) => {
      const y = shardOp(
        (a: Tensor, b: Tensor) => a.matmul(b),
        [
          [4, 1],
          [1, 1],
        ],
      )(x, w);
      return shardOp(
        (a: Tensor, b: Tensor) => a.matmul(b),
        [
          [1, 1],
          [1, 4],
        ],
      )(y, v);
    };
    const args = [filled([8, 6]), filled([6, 4], 2), filled([4, 12], 3)] as const;
    const program = partitioned({ mesh: logicalMesh(4) }, f, ...args);
    expect(collectives(program.device(0).nodes)).toEqual(["allGather"]);
    const gather = program.device(2).nodes.find(({ op }) => op.name === "allGather") as GraphNode;
    expect(gather.inputs[0].shape).toEqual([2, 4]);
    expect(gather.outputs[0].shape).toEqual([8, 4]);
    expect(program.device(2).results[0].shape).toEqual([8, 3]);
    alike(program.run(...args), f(...args));
  });
});

describe("training steps, forward and gradient", () => {
  const mlp = () => {
    const x = filled([64, 6]);
    const w = filled([6, 12], 2);
    const b = filled([12], 3);
    const v = filled([12, 4], 4);
    return [x, w, b, v] as const;
  };
  const loss = (x: Tensor, w: Tensor, b: Tensor, v: Tensor) =>
    x.matmul(w).add(b).relu().matmul(v).square().mean();

  it("data parallel: gradients are summed once each", () => {
    const args = mlp();
    const f = valueAndGrad(loss, { argnums: [1, 2, 3] });
    for (const size of [2, 4]) {
      const program = partitioned(
        { mesh: logicalMesh({ data: size }), inputs: [["data"]], cluster: { alpha: 0 } },
        f,
        ...args,
      );
      alike(program.run(...args), f(...args));
      expect(collectives(program.device(0).nodes)).toEqual(new Array(4).fill("allReduce"));
    }
  });

  it("Megatron's tensor parallel: one sum behind the second product", () => {
    const args = mlp();
    const program = partitioned(
      { mesh: logicalMesh({ model: 4 }), inputs: [undefined, [null, "model"]] },
      (x: Tensor, w: Tensor, b: Tensor, v: Tensor) => x.matmul(w).add(b).relu().matmul(v),
      ...args,
    );
    expect(collectives(program.device(1).nodes)).toEqual(["allReduce"]);
    expect(program.device(0).params.map(({ shape }) => shape)).toEqual([[64, 6], [6, 3], [3], [3, 4]]);
    const f = valueAndGrad(loss, { argnums: [1, 2, 3] });
    const step = partitioned(
      { mesh: logicalMesh({ model: 4 }), inputs: [undefined, [null, "model"]] },
      f,
      ...args,
    );
    alike(step.run(...args), f(...args));
  });

  const cnn = () =>
    new nn.Sequential(
      new nn.Conv2d(1, 4, 3, { padding: 1 }),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.Dense(4 * 4 * 4, 8),
    );
  const cnnLoss = (net: nn.Sequential, x: Tensor, y: Tensor) => nn.crossEntropy(net.forward(x), y);

  it.each([
    ["data", { data: 4 }, undefined],
    ["data and channels", { data: 2, model: 2 }, "channels"],
  ] as const)("CNN: %s", (_, shape, channels) => {
    const net = cnn();
    const args = [net, filled([8, 1, 8, 8]), tensor([0, 1, 2, 3, 4, 5, 6, 7], { dtype: "int32" })] as const;
    const f = valueAndGrad(cnnLoss);
    const program = partitioned(
      {
        mesh: logicalMesh(shape),
        inputs: ({ name }) =>
          name === "x" || name?.startsWith("arg1") || name === "arg2"
            ? ["data"]
            : channels && name?.endsWith("layers.0.weight")
              ? ["model"]
              : undefined,
      },
      f,
      ...args,
    );
    alike(program.run(...args), f(...args));
    expect(collectives(program.device(0).nodes).length).toBeGreaterThan(0);
  });

  const gpt = () => new nn.CausalLM({ vocabulary: 16, context: 8, size: 16, depth: 2, heads: 4, dropout: 0 });
  const gptLoss = (lm: nn.CausalLM, x: Tensor, y: Tensor) =>
    nn.crossEntropy(lm.forward(x).reshape([-1, 16]), y.reshape([-1]));
  const tokens = (shift: number) =>
    tensor(
      Int32Array.from({ length: 32 }, (_, i) => (i * 7 + shift) % 16),
      { shape: [4, 8], dtype: "int32" },
    );
  /** Megatron's cuts: columns, then rows; the vocabulary of the embedding. */
  const megatron = (name: string | null) => {
    if (name?.endsWith("wide.weight") || name?.endsWith("joined.weight")) return [null, "model"];
    if (name?.endsWith("narrow.weight")) return ["model", null];
    if (name?.endsWith("tokens.weight")) return ["model"];
    return undefined;
  };

  it.each([
    ["data 2", { data: 2 }],
    ["model 4", { model: 4 }],
    ["data 2 × model 2", { data: 2, model: 2 }],
  ] as const)("small GPT: %s", (_, shape) => {
    const lm = gpt();
    const args = [lm, tokens(0), tokens(3)] as const;
    const f = valueAndGrad(gptLoss);
    const mesh = logicalMesh(shape);
    const program = partitioned(
      {
        mesh,
        inputs: ({ name, dtype }) =>
          dtype === "int32"
            ? mesh.axes.includes("data")
              ? ["data"]
              : undefined
            : mesh.axes.includes("model")
              ? megatron(name)
              : undefined,
      },
      f,
      ...args,
    );
    alike(program.run(...args), f(...args), 1e-4);
  });
});
