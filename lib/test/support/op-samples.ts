/** Random inputs for the samples that each op of the registry carries: the same ones at every run. */
import { type DType, isFloat } from "../../src/core/dtype.js";
import { WordStream } from "../../src/core/random.js";
import type { TensorType } from "../../src/core/shape.js";
import { sizeOf } from "../../src/core/shape.js";
import { type OpDef, ops, setDevice, type Tensor, tensor } from "../../src/index.js";
import { bind } from "../../src/ops/bind.js";
import type { OpSample } from "../../src/ops/registry.js";
import { awkwardSamples } from "./awkward-samples.js";

setDevice("cpu"); // the oracle: reference kernels

export interface OpCase {
  readonly title: string;
  readonly op: OpDef;
  readonly sample: OpSample<object>;
  readonly attrs: object;
}

/** Every sample of every op, or of the ops that pass `wanted`; and awkward ones. */
export function opCases(wanted: (op: OpDef) => boolean = () => true): OpCase[] {
  return ops()
    .filter(wanted)
    .flatMap((op) =>
      [...op.samples, ...awkwardSamples(op)].map((sample, i) => ({
        title: `${op.name} #${i}`,
        op,
        sample,
        attrs: sample.attrs ?? {},
      })),
    );
}

/** A number from a text, so that each case draws its own values. */
export function seedOf(text: string): [number, number] {
  let hash = 2166136261;
  for (const letter of text) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619);
  return [hash | 0, text.length];
}

/** Evenly distributed values, in float64. */
export function randomValues(seed: string, count: number, low = -1, high = 1): Float64Array {
  const words = new WordStream(seedOf(seed));
  return Float64Array.from({ length: count }, () => low + ((words.next() + 0.5) / 2 ** 32) * (high - low));
}

export const randomTensor = (seed: string, shape: readonly number[], dtype: DType = "float64"): Tensor =>
  tensor(randomValues(seed, sizeOf(shape)), { dtype, shape });

/** Types of a case's inputs, floating-point ones as `float`. */
export function inputTypes({ sample }: OpCase, float: DType = "float64"): TensorType[] {
  return sample.shapes.map((shape, i) => {
    const dtype = sample.dtypes?.[i] ?? float;
    return { shape, dtype: isFloat(dtype) ? float : dtype };
  });
}

/** Inputs of a case; another `variant` draws other values. */
export function drawInputs(c: OpCase, variant = 0, float: DType = "float64"): Tensor[] {
  return inputTypes(c, float).map(({ shape, dtype }, i) => {
    const given = c.sample.values?.[i];
    if (given) return tensor(Float64Array.from(given), { dtype, shape });
    const [low, high] = c.sample.ranges?.[i] ?? [-2, 2];
    const values = randomValues(`${c.title}/${i}/${variant}`, sizeOf(shape), low, high);
    addToDiagonals(values, shape, c.sample.diagonals?.[i] ?? 0);
    return tensor(isFloat(dtype) ? values : values.map(Math.floor), { dtype, shape });
  });
}

function addToDiagonals(values: Float64Array, shape: readonly number[], amount: number): void {
  const [n, m] = shape.slice(-2);
  if (amount === 0) return;
  for (let at = 0; at < values.length; at++) {
    const inMatrix = at % (n * m);
    if (Math.floor(inMatrix / m) === inMatrix % m) values[at] += amount;
  }
}

export const run = (c: OpCase, inputs: readonly Tensor[]): Tensor[] => bind(c.op, inputs, c.attrs);

/** The inner product of two lists of tensors, over the pairs of floating-point ones. */
export function innerProduct(a: readonly (Tensor | null)[], b: readonly (Tensor | null)[]): number {
  let sum = 0;
  a.forEach((x, i) => {
    const y = b[i];
    if (!x || !y || !isFloat(x.dtype) || !isFloat(y.dtype)) return;
    const [p, q] = [x.toTypedArray(), y.toTypedArray()];
    for (let k = 0; k < p.length; k++) sum += p[k] * q[k];
  });
  return sum;
}
