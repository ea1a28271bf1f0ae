/** The same training under each communication hook, for ranks on threads: travels as text, uses the built library. */
import { library } from "./built-library.js";

const mlsys = library; // what travels to ranks finds a constant, not an import

type ProcessGroup = import("../../src/distributed/group/process-group.js").ProcessGroup;
type CompressionHook = import("../../src/distributed/compression/hook.js").CompressionHook;
type Tensor = import("../../src/core/tensor.js").Tensor;

export type HookName =
  | "none"
  | "float16"
  | "bfloat16"
  | "1-6-9"
  | "1-5-2"
  | "topK"
  | "powerSGD"
  | "powerSGD cold"
  | "oneBit";

export interface CompressionRun {
  readonly hook: HookName;
  readonly steps: number;
  readonly mode: "backward" | "static";
  /** 784 bytes an image, and its digit. */
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

export interface CompressedTraining {
  /** Mean loss over all images, before and after. */
  readonly before: number;
  readonly after: number;
  /** As the hook counts, and as the group saw it. */
  readonly raw: number;
  readonly sent: number;
  readonly given: number;
  readonly error: number;
  readonly weights: number[];
}

/** Digits by a network of one hidden layer. */
export function trainCompressed(group: ProcessGroup, run: CompressionRun): CompressedTraining {
  const { nn, optim, tensor, distributed, Generator, toStatic, tidy } = mlsys;
  const hooks: Record<HookName, () => CompressionHook | null> = {
    none: () => null,
    float16: () => distributed.castHook("float16"),
    bfloat16: () => distributed.castHook("bfloat16"),
    "1-6-9": () => distributed.formatHook("1-6-9"),
    "1-5-2": () => distributed.formatHook("1-5-2"),
    topK: () => distributed.topKHook({ ratio: 0.02 }),
    powerSGD: () => distributed.powerSGDHook({ rank: 2 }),
    "powerSGD cold": () => distributed.powerSGDHook({ rank: 2, warmStart: false }),
    oneBit: () => distributed.oneBitHook(),
  };
  const hook = hooks[run.hook]();
  let given = 0;
  const counting = (inner: ProcessGroup): ProcessGroup =>
    new Proxy(inner, {
      get: (target, key) => {
        const value = Reflect.get(target, key) as unknown;
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          const [x] = args as Tensor[];
          if (key === "allReduce" || key === "allGather")
            given += x.size * { uint8: 1, float16: 2, bfloat16: 2, float32: 4 }[x.dtype as "uint8"];
          return (value as (...all: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  const generator = new Generator(3);
  const model = new nn.Sequential(
    new nn.Dense(784, 32, { generator }),
    new nn.ReLU(),
    new nn.Dense(32, 10, { generator }),
  );
  const count = run.labels.length;
  const x = tensor(
    Float32Array.from(run.images, (v) => v / 255),
    { shape: [count, 784], dtype: "float32" },
  );
  const y = tensor(Int32Array.from(run.labels), { shape: [count], dtype: "int32" });
  const ddp = new distributed.DistributedDataParallel(model, {
    group,
    bucketBytes: 20_000,
    firstBucketBytes: 2_000,
    ...(hook ? { hook: (bucket, ranks) => hook(bucket, counting(ranks)) } : {}),
  });
  const optimizer = new optim.SGD(ddp, { lr: 0.05, momentum: 0.9 });
  const loss = (images: Tensor, labels: Tensor): Tensor => nn.crossEntropy(ddp.forward(images), labels);
  const plain = (images: Tensor, labels: Tensor): Tensor => {
    optimizer.zeroGrad();
    const value = loss(images, labels);
    value.backward();
    optimizer.step();
    return value.detach();
  };
  const step = run.mode === "static" ? toStatic(plain) : plain;
  const whole = (): number => tidy(() => nn.crossEntropy(model.forward(x), y).item());
  const before = whole();
  const rows = 32;
  const batches = Math.floor(count / (rows * group.size));
  for (let k = 0; k < run.steps; k++) {
    const from = ((k % batches) * group.size + group.rank) * rows;
    tidy(() => void step(x.slice([from, from + rows]), y.slice([from, from + rows])));
  }
  const { raw, sent, error } = hook?.statistics ?? { raw: 0, sent: 0, error: 0 };
  const weights = [...model.stateDict()].flatMap(([, value]) => [
    value.sum().item(),
    value.square().sum().item(),
  ]);
  return { before, after: whole(), raw, sent, given, error, weights };
}
