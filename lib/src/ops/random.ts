/** Random tensors: pure functions of a key (int32[2]), and a generator that hands out keys. */

import { DEFAULT_FLOAT, type DType } from "../core/dtype.js";
import { ValueError } from "../core/errors.js";
import { philox4x32, randomWords } from "../core/random.js";
import { checkShape, type Shape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import type { HostArray } from "../runtime/host-array.js";
import { apply } from "./bind.js";
import { tensor } from "./convert.js";
import { handOut, type KeyWords } from "./key-log.js";
import "./read.js";
import { defineOp, NOT_DIFFERENTIABLE, type OpDef } from "./registry.js";
import { loopedBatch } from "./rules.js";

interface RandomAttrs {
  readonly shape: Shape;
  readonly dtype: DType;
}

const keyOf = (key: HostArray): [number, number] => [
  key.data[key.offset],
  key.data[key.offset + key.strides[0]],
];

function defineRandom(
  name: string,
  fill: (words: Uint32Array, out: HostArray["data"]) => void,
  wordsPer: number,
): OpDef<RandomAttrs> {
  const def: OpDef<RandomAttrs> = defineOp<RandomAttrs>({
    name,
    kind: "random",
    type: ([key], { shape, dtype }) => {
      if (key.dtype !== "int32" || key.shape.length !== 1 || key.shape[0] !== 2) {
        throw new ValueError(
          `${name}: a key is int32(2,), got ${key.dtype}(${key.shape}); make one with random.key(seed)`,
        );
      }
      return [{ shape, dtype }];
    },
    reference: ([key], [out]) => {
      fill(randomWords(keyOf(key), Math.ceil(out.data.length * wordsPer)), out.data);
    },
    vjp: NOT_DIFFERENTIABLE,
    jvp: NOT_DIFFERENTIABLE,
    batch: loopedBatch(() => def),
    samples: [
      { shapes: [[2]], dtypes: ["int32"], ranges: [[0, 1000]], attrs: { shape: [3, 5], dtype: "float32" } },
    ],
  });
  return def;
}

/** The upper 24 bits as a number in [0, 1): exact in float32. */
const unit = (word: number): number => (word >>> 8) / 2 ** 24;

const uniformOp = defineRandom(
  "randomUniform",
  (words, out) => {
    for (let i = 0; i < out.length; i++) out[i] = unit(words[i]);
  },
  1,
);

const normalOp = defineRandom(
  "randomNormal",
  (words, out) => {
    // Box–Muller: two words give two numbers
    for (let i = 0; i < out.length; i += 2) {
      const radius = Math.sqrt(-2 * Math.log(1 - unit(words[i])));
      const angle = 2 * Math.PI * unit(words[i + 1] ?? 0);
      out[i] = radius * Math.cos(angle);
      if (i + 1 < out.length) out[i + 1] = radius * Math.sin(angle);
    }
  },
  2,
);

const bitsOp = defineRandom(
  "randomBits",
  (words, out) => {
    for (let i = 0; i < out.length; i++) out[i] = words[i] | 0;
  },
  1,
);

/**
 * The key of a seed (an integer).
 * @example random.key(7).type // "int32(2,)"
 */
export function key(seed: number): Tensor {
  if (!Number.isSafeInteger(seed)) throw new ValueError(`random.key: a seed is a whole number, got ${seed}`);
  return tensor([seed | 0, Math.floor(seed / 2 ** 32) | 0], { dtype: "int32" });
}

/**
 * `count` independent keys from one.
 * @example random.split(random.key(7), 3).length // 3
 */
export function split(from: Tensor, count = 2): Tensor[] {
  const bits = apply<RandomAttrs>(bitsOp, [from], { shape: [count, 2], dtype: "int32" });
  return Array.from({ length: count }, (_, i) => bits.at(i));
}

export interface RandomOptions {
  readonly dtype?: DType;
}

/**
 * Evenly distributed in [low, high).
 * @example random.uniform(random.key(7), [2, 3]).shape // [2, 3]
 */
export function uniform(
  from: Tensor,
  shape: Shape,
  low = 0,
  high = 1,
  { dtype = DEFAULT_FLOAT }: RandomOptions = {},
): Tensor {
  const u = apply<RandomAttrs>(uniformOp, [from], { shape: checkShape(shape, "uniform"), dtype });
  return low === 0 && high === 1 ? u : u.mul(high - low).add(low);
}

/**
 * Normally distributed.
 * @example random.normal(random.key(7), [1000]).mean().abs().item() < 0.2 // true
 */
export function normal(
  from: Tensor,
  shape: Shape,
  mean = 0,
  deviation = 1,
  { dtype = DEFAULT_FLOAT }: RandomOptions = {},
): Tensor {
  const z = apply<RandomAttrs>(normalOp, [from], { shape: checkShape(shape, "normal"), dtype });
  return mean === 0 && deviation === 1 ? z : z.mul(deviation).add(mean);
}

/**
 * Integers (int32) from low to high − 1.
 * @example random.randint(random.key(7), [100], 0, 6).max().item() < 6 // true
 */
export function randint(from: Tensor, shape: Shape, low: number, high: number): Tensor {
  if (!(high > low)) throw new ValueError(`randint: the range [${low}, ${high}) is empty`);
  const u = apply<RandomAttrs>(uniformOp, [from], { shape: checkShape(shape, "randint"), dtype: "float64" });
  return u
    .mul(high - low)
    .floor()
    .add(low)
    .cast("int32");
}

/**
 * True with the given probability.
 * @example random.bernoulli(random.key(7), [3], 1) // [true, true, true]
 */
export function bernoulli(from: Tensor, shape: Shape, probability = 0.5): Tensor {
  return uniform(from, shape).less(probability);
}

/** Hands out a fresh key at each call: convenient where code runs eagerly; pass keys where it is captured or mapped. */
export class Generator {
  private readonly seed: readonly [number, number];
  private drawn = 0;

  constructor(seed: number) {
    this.seed = key(seed).toArray() as [number, number];
  }

  /** The next key. */
  key(): Tensor {
    return tensor([...handOut(() => this.nextWords())], { dtype: "int32" });
  }

  private nextWords(): KeyWords {
    const words = new Uint32Array(4);
    philox4x32(this.seed, [this.drawn++, 0, 0, 1], words); // the last counter word keeps these apart from the streams' own blocks
    return [words[0] | 0, words[1] | 0];
  }

  uniform(shape: Shape, low = 0, high = 1, options: RandomOptions = {}): Tensor {
    return uniform(this.key(), shape, low, high, options);
  }

  normal(shape: Shape, mean = 0, deviation = 1, options: RandomOptions = {}): Tensor {
    return normal(this.key(), shape, mean, deviation, options);
  }

  randint(shape: Shape, low: number, high: number): Tensor {
    return randint(this.key(), shape, low, high);
  }

  /** 0 … n − 1 in random order (int32). */
  permutation(n: number): Tensor {
    return tensor(shuffledIndices(n, this.key().toArray() as [number, number]), { dtype: "int32" });
  }
}

/**
 * 0 … n − 1 in the order that `from` determines (Fisher–Yates).
 * @example random.shuffledIndices(3, [1, 2]).length // 3
 */
export function shuffledIndices(n: number, from: readonly [number, number]): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  const words = randomWords(from, n);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor((words[i] / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

let shared = new Generator(0);

/**
 * The generator that initializers and dropout use when they are given none.
 * @example random.defaultGenerator().uniform([2]).shape // [2]
 */
export function defaultGenerator(): Generator {
  return shared;
}

/**
 * Restarts the default generator from a seed.
 * @example
 * manualSeed(7);
 * const x = random.defaultGenerator().uniform([2]);
 * manualSeed(7);
 * random.defaultGenerator().uniform([2]).equal(x).all() // true
 */
export function manualSeed(seed: number): void {
  shared = new Generator(seed);
}
