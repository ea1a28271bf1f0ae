/** Models that the library makes, of the kinds that are deployed, with arguments; small and random. */
import {
  attention,
  concat,
  cond,
  conv2d,
  einsum,
  Generator,
  grad,
  linalg,
  maxPool2d,
  nn,
  resize,
  scan,
  switchCase,
  type Tensor,
  tensor,
  topk,
  whileLoop,
} from "../../src/index.js";

const { Sequential, Conv2d, BatchNorm, ReLU, Dense } = nn;

const normal = (convolutions: number, channels: number, stride = 1) =>
  new Sequential(
    new Conv2d(convolutions, channels, 3, { padding: 1, stride, bias: false }),
    new BatchNorm(channels),
    new ReLU(),
  );

class ResNet extends nn.Module {
  stem = normal(3, 8, 2);
  first = normal(8, 8);
  second = normal(8, 8);
  head = new Dense(8, 5);
  forward(x: Tensor): Tensor {
    const a = maxPool2d(this.stem.forward(x) as Tensor, 3, { stride: 2, padding: 1 });
    const b = (this.second.forward(this.first.forward(a)) as Tensor).add(a).relu();
    return this.head.forward(b.mean([2, 3]));
  }
}

class Inverted extends nn.Module {
  body: nn.Sequential;
  constructor(
    readonly from: number,
    readonly to: number,
    readonly stride: number,
  ) {
    super();
    const wide = from * 4;
    this.body = new Sequential(
      new Conv2d(from, wide, 1, { bias: false }),
      new BatchNorm(wide),
      new nn.ReLU6(),
      new Conv2d(wide, wide, 3, { padding: 1, stride, groups: wide, bias: false }),
      new BatchNorm(wide),
      new nn.ReLU6(),
      new Conv2d(wide, to, 1, { bias: false }),
      new BatchNorm(to),
    );
  }
  forward(x: Tensor): Tensor {
    const y = this.body.forward(x) as Tensor;
    return this.stride === 1 && this.from === this.to ? y.add(x) : y;
  }
}

/** Blocks like MobileNetV2's, at a size of `width` channels. */
export class MobileNet extends nn.Module {
  stem: nn.Sequential;
  blocks: Inverted[];
  head: nn.Dense;
  constructor(width = 8, depth = 3, classes = 5) {
    super();
    this.stem = new Sequential(
      new Conv2d(3, width, 3, { padding: 1, stride: 2, bias: false }),
      new BatchNorm(width),
      new nn.ReLU6(),
    );
    this.blocks = Array.from({ length: depth }, (_, i) => new Inverted(width, width, i === 1 ? 2 : 1));
    this.head = new Dense(width, classes);
  }
  forward(x: Tensor): Tensor {
    let y = this.stem.forward(x) as Tensor;
    for (const block of this.blocks) y = block.forward(y);
    return this.head.forward(y.mean([2, 3]));
  }
}

class UNet extends nn.Module {
  down = normal(1, 4);
  deep = normal(4, 8);
  up = new nn.ConvTranspose2d(8, 4, 2, { stride: 2 });
  out = new Conv2d(8, 2, 1);
  forward(x: Tensor): Tensor {
    const a = this.down.forward(x) as Tensor;
    const b = this.deep.forward(maxPool2d(a, 2)) as Tensor;
    return this.out.forward(concat([this.up.forward(b), a], 1));
  }
}

/** Running statistics and factors away from 0 and 1, as after training. */
export function shaken<M extends nn.Module>(model: M, seed = 3): M {
  const draw = new Generator(seed);
  for (const [, module] of model.namedModules()) {
    if (!(module instanceof BatchNorm)) continue;
    for (const [name, variable] of module.namedVariables()) {
      const high = /[vV]ariance|weight/.test(name);
      variable.assign(draw.uniform(variable.shape).add(high ? 0.5 : -0.5));
    }
  }
  return model.eval();
}

export interface ModelCase {
  readonly f: (...args: Tensor[]) => unknown;
  readonly args: readonly Tensor[];
  /** Types with sizes that stay open. */
  readonly types?: readonly string[];
}

const of =
  (model: nn.Module): ModelCase["f"] =>
  (...args) =>
    (model.forward as (...inputs: Tensor[]) => unknown).apply(model, args);

export function modelCases(): Record<string, ModelCase> {
  const draw = new Generator(11);
  const x = (...shape: number[]): Tensor => draw.normal(shape);
  const ids = tensor([[1, 5, 2, 6], [0, 3, 3, 1]], { dtype: "int32" }); // biome-ignore format: two rows
  const embedding = new nn.Embedding(7, 8);
  const places = new nn.LearnedPositions(8, 8);
  const encoder = new nn.TransformerEncoder(2, 8, 2).eval();
  const head = new Dense(8, 7);
  const lstm = new nn.LSTM(3, 4);
  const gru = new nn.GRU(3, 4);
  const rnn = new nn.RNN(3, 4);
  const w = x(4, 3, 3, 3);
  const m = x(3, 3);
  return {
    mlp: {
      f: of(new Sequential(new Dense(4, 8), new nn.Tanh(), new Dense(8, 3), new nn.Softmax())),
      args: [x(2, 4)],
    },
    "mlp, any batch": {
      f: of(new Sequential(new Dense(4, 8), new nn.GELU(), new Dense(8, 3))),
      args: [x(3, 4)],
      types: ["float32(n, 4)"],
    },
    cnn: {
      f: of(shaken(new Sequential(normal(1, 4), new nn.MaxPool2d(2), new nn.Flatten(), new Dense(64, 3)))),
      args: [x(2, 1, 8, 8)],
    },
    "average pools": {
      f: of(new Sequential(new nn.AvgPool2d(3, { stride: 2, padding: 1 }), new nn.AdaptiveAvgPool2d(2))),
      args: [x(1, 2, 9, 9)],
    },
    resnet: { f: of(shaken(new ResNet())), args: [x(1, 3, 32, 32)] },
    mobilenet: { f: of(shaken(new MobileNet())), args: [x(1, 3, 16, 16)] },
    unet: { f: of(shaken(new UNet())), args: [x(1, 1, 8, 8)] },
    bert: { f: (t) => head.forward(encoder.forward(places.forward(embedding.forward(t)))), args: [ids] },
    gpt: {
      f: (t) => {
        const h = places.forward(embedding.forward(t));
        return head.forward(attention(h, h, h, { causal: true }).add(h));
      },
      args: [ids],
    },
    attention: { f: (q, k, v) => attention(q, k, v), args: [x(1, 2, 3, 4), x(1, 2, 5, 4), x(1, 2, 5, 4)] },
    lstm: { f: (v) => lstm.forward(v), args: [x(2, 5, 3)] },
    gru: { f: (v) => gru.forward(v), args: [x(2, 5, 3)] },
    rnn: { f: (v) => rnn.forward(v), args: [x(2, 5, 3)] },
    norms: {
      f: of(
        new Sequential(
          new nn.GroupNorm(2, 4),
          new nn.InstanceNorm(4),
          new nn.Flatten(),
          new nn.LayerNorm(36),
          new nn.RMSNorm(36),
        ),
      ),
      args: [x(2, 4, 3, 3)],
    },
    activations: {
      f: (v) => [
        v.gelu(),
        v.silu(),
        v.mish(),
        v.elu(),
        v.selu(),
        v.softplus(),
        v.hardSwish(),
        v.logSigmoid(),
        v.leakyRelu(0.2),
        v.relu6(),
      ],
      args: [x(3, 4)],
    },
    einsum: { f: (a, b) => einsum("bhqd,bhkd->bhqk", a, b), args: [x(2, 2, 3, 4), x(2, 2, 5, 4)] },
    resize: { f: (v) => [resize(v, [9, 7]), resize(v, [8, 8], { mode: "nearest" })], args: [x(1, 2, 4, 4)] },
    "grouped convolutions": {
      f: (v) => conv2d(v, w.slice([0, 3], [0, 1]), { groups: 3, stride: 2 }).relu(),
      args: [x(1, 3, 9, 9)],
    },
    while: {
      f: (v) =>
        whileLoop(
          (a: Tensor) => a.abs().sum().less(100),
          (a: Tensor) => [a.mul(2)],
          [v],
        ),
      args: [x(2, 3)],
    },
    "nested while": {
      f: (v) =>
        whileLoop(
          (a: Tensor) => a.abs().sum().less(100),
          (a: Tensor) => [
            ...whileLoop(
              (b: Tensor) => b.abs().max().less(3),
              (b: Tensor) => [b.mul(1.5)],
              [a.mul(1.1)],
            ),
          ],
          [v],
        ),
      args: [x(2, 3)],
    },
    scan: {
      f: (v) => scan((s: Tensor, e: Tensor) => [s.mul(0.5).add(e), s.matmul(m)], tensor([1, 2, 3]), v),
      args: [x(4, 3)],
    },
    "scan backwards": {
      f: (v) => scan((s: Tensor, e: Tensor) => [s.add(e), s.mul(e)], tensor([0, 0, 0]), v, { reverse: true }),
      args: [x(4, 3)],
    },
    cond: {
      f: (v) =>
        cond(
          v.sum().greater(0),
          (a: Tensor) => a.matmul(m),
          (a: Tensor) => a.neg(),
          v,
        ),
      args: [x(2, 3)],
    },
    switch: {
      f: (i, v) =>
        switchCase(i, [(a: Tensor) => a.neg(), (a: Tensor) => a.mul(2), (a: Tensor) => a.exp()], v),
      args: [tensor(1, { dtype: "int32" }), x(3)],
    },
    topk: { f: (v) => topk(v, 3), args: [x(2, 6)] },
    "gradient of a loss": { f: grad((v: Tensor) => v.matmul(m).tanh().square().sum()), args: [x(2, 3)] },
    "gradient of a convolution": {
      f: grad((v: Tensor) => maxPool2d(conv2d(v, w), 2).sum()),
      args: [x(1, 3, 8, 8)],
    },
    "norms of matrices": { f: (v) => linalg.norm(v), args: [x(3, 4)] },
    "any sequence": {
      f: (v) => {
        const s = v.matmul(v.swapAxes(1, 2)).softmax(2).matmul(v);
        return [s.mean(1), s.reshape([s.shape[0] * s.shape[1], 4])];
      },
      args: [x(2, 5, 4)],
      types: ["float32(batch, time, 4)"],
    },
    "whole numbers": {
      f: (a, b) => [a.floorDivide(b), a.remainder(b), a.bitwiseAnd(b), a.greater(b).logicalAnd(b.greater(0))],
      args: [tensor([7, -7, 9], { dtype: "int32" }), tensor([2, 2, -4], { dtype: "int32" })],
    },
  };
}
