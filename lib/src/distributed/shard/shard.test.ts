import { describe, expect, it } from "vitest";
import { numbers, relativeError } from "../../../test/support/finite-differences.js";
import { leaves } from "../../core/tree.js";
import {
  distributed,
  eye,
  grad,
  linalg,
  nn,
  random,
  type Tensor,
  tensor,
  valueAndGrad,
  vmap,
} from "../../index.js";
import type { GraphNode } from "../../ir/graph.js";
import { displaySymbol } from "../../viz/bundle.js";

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

describe("annotations", () => {
  const mesh = logicalMesh({ data: 2, model: 2 });

  it("compute nothing, and pass through grad, vmap and capture", () => {
    const x = filled([4, 6]);
    expect(numbers(shard(x, ["data"]))).toEqual(numbers(x));
    const f = (v: Tensor) => shard(v, ["data"]).square().sum();
    expect(numbers(grad(f)(x))).toEqual(numbers(x.mul(2)));
    const rows = vmap((row: Tensor) => shard(row, ["model"]).mul(2))(x);
    expect(numbers(rows)).toEqual(numbers(x.mul(2)));
    const program = partitioned(
      { mesh },
      vmap((row: Tensor) => shard(row, ["model"]).mul(2)),
      x,
    );
    expect(program.device(0).results[0].shape).toEqual([4, 3]); // the batch is left open
    expect(program.explain()).toContain("float32(4, 6) [·, model]");
  });

  it("a gradient lies as its value does", () => {
    const f = (v: Tensor) => shard(v, ["data", "model"]).square().sum();
    const program = partitioned({ mesh }, grad(f), filled([4, 6]));
    expect(program.device(0).results[0].shape).toEqual([2, 3]);
    alike(program.run(filled([4, 6])), grad(f)(filled([4, 6])));
  });

  it("sums may stay open through what is linear: two products, one allReduce", () => {
    const f = (x: Tensor, w: Tensor, v: Tensor) => {
      const terms = { partial: ["model"] };
      return shard(shard(x.matmul(w), [], terms).add(shard(x.matmul(v), [], terms)), []).relu();
    };
    const args = [filled([4, 8]), filled([8, 6], 2), filled([8, 6], 3)] as const;
    const cut = [null, "model"];
    const program = partitioned({ mesh, inputs: [cut, ["model"], ["model"]] }, f, ...args);
    expect(collectives(program.device(0).nodes)).toEqual(["allReduce"]);
    alike(program.run(...args), f(...args));
  });

  it("ZeRO: a gradient that is to lie in parts is scattered, not summed on all", () => {
    const f = grad((w: Tensor, x: Tensor) => x.matmul(w).square().sum());
    const args = [filled([6, 4]), filled([256, 6], 2)] as const;
    const options = { mesh: logicalMesh({ data: 2 }), cluster: { alpha: 0 } };
    const program = partitioned({ ...options, inputs: [[], ["data"]], outputs: [["data"]] }, f, ...args);
    expect(collectives(program.device(0).nodes)).toEqual(["reduceScatter"]);
    alike(program.run(...args), f(...args));
  });

  it("an op without a rule is computed whole, and the plan says so", () => {
    const f = (x: Tensor) => linalg.inv(x.mul(2)).add(1);
    const x = filled([4, 4]).add(eye(4).mul(3));
    const program = partitioned({ mesh, inputs: [["data"]] }, f, x);
    alike(program.run(x), f(x));
    expect(program.explain()).toContain("note: inv has no sharding rule");
  });

  it("random numbers are the same as on one device", () => {
    const f = (x: Tensor) => x.add(random.normal(random.key(5), [4, 6]));
    const program = partitioned({ mesh, inputs: [["data", "model"]] }, f, filled([4, 6]));
    expect(numbers(program.run(filled([4, 6])))).toEqual(numbers(f(filled([4, 6]))));
  });

  it.each([
    ["an axis that the mesh has not", ["pipe"], /no axis "pipe"/],
    ["an axis twice", ["data", "data"], /"data" is used twice/],
    [
      "a dimension that does not divide",
      [null, null, "data"],
      /axis 2 of \(4, 6, 3\) does not divide into 2/,
    ],
    ["too many entries", [null, null, null, "data"], /4 entries for the 3 axes/],
  ])("%s is refused", (_, spec, message) => {
    expect(() => partitioned({ mesh, inputs: [spec] }, (x: Tensor) => x.neg(), filled([4, 6, 3]))).toThrow(
      message,
    );
  });

  it("parts that contradict each other, or that the mesh has no axes for, are refused", () => {
    const product = (parts: number[][]) => (a: Tensor, b: Tensor) =>
      shardOp((x: Tensor, w: Tensor) => x.matmul(w), parts)(a, b);
    const args = [filled([4, 8]), filled([8, 4])] as const;
    expect(() =>
      partitioned(
        { mesh },
        product([
          [1, 2],
          [4, 1],
        ]),
        ...args,
      ),
    ).toThrow(/into 4 parts, .* into 2/);
    expect(() =>
      partitioned(
        { mesh },
        product([
          [4, 4],
          [4, 1],
        ]),
        ...args,
      ),
    ).toThrow(/no axes left/);
    expect(() => partitioned({ mesh }, product([[1], [1, 1]]), ...args)).toThrow(/1 entries for the 2 axes/);
  });
});

describe("plans for readers", () => {
  it("say how values lie, what moves and what it costs", async () => {
    const args = [filled([8, 6]), filled([6, 4], 2)] as const;
    const f = (x: Tensor, w: Tensor) => shard(x.matmul(w), []);
    const program = partitioned({ mesh: logicalMesh({ d: 4 }), inputs: [["d"]] }, f, ...args);
    expect(program.explain()).toBe(`mesh d=4
%0 x: float32(8, 6) [d, ·]
%1 w: float32(6, 4) [·, ·]
%2 = matmul(%0, %1): float32(8, 4) [d, ·]
%3 = shard(%2): float32(8, 4) [·, ·]
    ← %3: allGather(d) of axis 0   (10 µs)
return %3
compute 0.091 ns, communication 10 µs, memory 176 B a device`);
    const bundle = await program[displaySymbol]();
    expect(bundle["text/html"]).toContain("<svg");
    expect(bundle["text/html"]).toContain("[d, ·]");
    expect(program.traced([...args]).traffic).toEqual([{ kind: "allGather", axes: ["d"], bytes: 32 }]);
  });

  it("other groups and other arguments are refused", () => {
    const program = partitioned({ mesh: logicalMesh({ d: 4 }) }, (x: Tensor) => x.neg(), filled([8]));
    expect(() => program.onRank({ size: 2 } as never)).toThrow(/the group has 2 members/);
    expect(() => program.device(4)).toThrow(/4 is not one of the 4/);
  });
});
