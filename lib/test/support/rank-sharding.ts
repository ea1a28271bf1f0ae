/** Partitioned training steps, for ranks on threads: the functions travel as text and use the built library. */
import { library, type Tensor } from "./built-library.js";

const mlsys = library; // what travels to ranks finds a constant, not an import

export type ShardedKind = "mlp" | "cnn" | "gpt";

function filled(shape: readonly number[], seed: number): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return mlsys.tensor(
    Float64Array.from({ length: size }, (_, i) => Math.sin((i + 1) * 12.9898 * seed)),
    { shape: [...shape], dtype: "float32" },
  );
}

function integers(size: number, below: number, shape: readonly number[]): Tensor {
  return mlsys.tensor(
    Int32Array.from({ length: size }, (_, i) => (i * 7 + 3) % below),
    { shape: [...shape], dtype: "int32" },
  );
}

/** A loss, its arguments, and which of them lie how. */
function problem(kind: ShardedKind) {
  const { nn, Generator } = mlsys;
  const generator = new Generator(7);
  if (kind === "mlp") {
    const net = new nn.Sequential(
      new nn.Dense(12, 16, { generator }),
      new nn.Tanh(),
      new nn.Dense(16, 8, { generator }),
    );
    const args = [net, filled([16, 12], 1), integers(16, 8, [16])] as const;
    return { net, args, cuts: { "layers.0.weight": [null, "model"] } as Record<string, (string | null)[]> };
  }
  if (kind === "cnn") {
    const net = new nn.Sequential(
      new nn.Conv2d(1, 4, 3, { padding: 1, generator }),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.Dense(64, 8, { generator }),
    );
    const args = [net, filled([8, 1, 8, 8], 2), integers(8, 8, [8])] as const;
    return { net, args, cuts: { "layers.0.weight": ["model"] } as Record<string, (string | null)[]> };
  }
  const net = new nn.CausalLM({
    vocabulary: 16,
    context: 8,
    size: 16,
    depth: 1,
    heads: 4,
    dropout: 0,
    generator,
  });
  const args = [net, integers(32, 16, [4, 8]), integers(32, 16, [4, 8])] as const;
  return {
    net,
    args,
    cuts: {
      "joined.weight": [null, "model"],
      "wide.weight": [null, "model"],
      "narrow.weight": ["model"],
      "tokens.weight": ["model"],
    } as Record<string, (string | null)[]>,
  };
}

/** Loss and gradients of one step on this rank, and those of one device: row-major values of each leaf. */
export function shardedStep(
  group: import("../../src/index.js").distributed.ProcessGroup,
  kind: ShardedKind,
  shape: Record<string, number>,
): { got: number[][]; wanted: number[][]; collectives: number } {
  const { distributed, nn, valueAndGrad, tree } = mlsys;
  const { args, cuts } = problem(kind);
  const loss = (net: { forward(x: Tensor): Tensor }, x: Tensor, y: Tensor): Tensor => {
    const out = net.forward(x);
    return nn.crossEntropy(out.reshape([-1, out.shape[out.ndim - 1]]), y.reshape([-1]));
  };
  const step = valueAndGrad(loss as never) as (...args: unknown[]) => unknown;
  const data = "data" in shape;
  const model = "model" in shape;
  const program = distributed.partitioned(
    {
      mesh: distributed.logicalMesh(shape),
      inputs: ({ name, shape: size }) => {
        const cut = Object.keys(cuts).find((end) => name?.endsWith(end));
        if (cut) return model ? cuts[cut] : undefined;
        return data && size.length > 0 && !name?.includes(".") ? ["data"] : undefined;
      },
    },
    step,
    ...args,
  );
  const values = (all: unknown) => tree.flatten(all).leaves.map((x) => Array.from(x.toTypedArray(), Number));
  const collectives = program
    .device(group.rank)
    .nodes.filter(({ attrs }) => "axes" in attrs && "size" in attrs);
  return {
    collectives: collectives.length,
    got: values(program.onRank(group)(...args)),
    wanted: values(step(...args)),
  };
}
