/** Every op of the registry through the real traces: the rules of an op and the transformations must fit together. */
import { describe, expect, it } from "vitest";
import { numbers, relativeError } from "../../test/support/finite-differences.js";
import {
  grad,
  jvp,
  NOT_DIFFERENTIABLE,
  ops,
  stack,
  type Tensor,
  tensor,
  variable,
  vjp,
  vmap,
} from "../index.js";
import { bind } from "../ops/bind.js";
import type { Attrs, OpDef, OpSample } from "../ops/registry.js";

const STEP = 6e-6;

/** Even, reproducible numbers in [0, 1) without structure that a wrong rule could share. */
function* noise(seed: number): Generator<number> {
  for (let i = 1; ; i++) yield (seed * 0.7548776662466927 + i * 0.5698402909980532) % 1;
}

interface Case {
  readonly op: OpDef;
  readonly sample: OpSample<Attrs>;
  readonly inputs: Tensor[];
  readonly attrs: Attrs;
  /** Which inputs are of floating point. */
  readonly floats: number[];
}

function makeInputs(sample: OpSample<Attrs>, seed: number): Tensor[] {
  return sample.shapes.map((shape, i) => {
    const random = noise(seed * 31 + i + 1);
    const [low, high] = sample.ranges?.[i] ?? [-2, 2];
    const dtype = sample.dtypes?.[i] ?? "float64";
    const whole = dtype !== "float64" && dtype !== "float32";
    const values = Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
      const value = low + (high - low) * (random.next().value as number);
      return whole ? Math.floor(value) : value;
    });
    return tensor(values, { dtype: dtype === "float32" ? "float64" : dtype, shape });
  });
}

const cases: Case[] = ops().flatMap((op) =>
  op.samples.map((sample) => {
    const inputs = makeInputs(sample, 1);
    const floats = inputs.flatMap((x, i) => (x.dtype === "float64" ? [i] : []));
    return { op, sample, inputs, attrs: sample.attrs ?? {}, floats };
  }),
);

const named = cases.map((c, i): [string, Case] => {
  const shapes = c.sample.shapes.map((s) => `(${s.join(",")})`).join(" ");
  return [`${c.op.name} ${shapes} #${i}`, c];
});
const smooth = named.filter(([, { op, floats }]) => op.vjp !== NOT_DIFFERENTIABLE && floats.length > 0);

/** The op as a function of its floating-point inputs. */
const asFunction =
  ({ op, inputs, attrs, floats }: Case) =>
  (...given: Tensor[]): Tensor[] =>
    bind(
      op,
      inputs.map((x, i) => (floats.includes(i) ? given[floats.indexOf(i)] : x)),
      attrs,
    );

/** A scalar that weighs each element of the op's outputs differently. */
const weighted =
  (c: Case) =>
  (...given: Tensor[]): Tensor =>
    asFunction(c)(...given)
      .filter((y) => y.dtype === "float64")
      .map((y, k) => y.mul(weightsFor(y, k)).sum())
      .reduce((a, b) => a.add(b));

function weightsFor(y: Tensor, seed: number): Tensor {
  const random = noise(seed + 7);
  const values = Float64Array.from({ length: y.size }, () => 0.5 + (random.next().value as number));
  return tensor(values, { dtype: "float64", shape: y.shape });
}

/** d f / d x_k by central differences, row-major. */
function numericGradient(f: (...x: Tensor[]) => Tensor, xs: readonly Tensor[], k: number): number[] {
  const values = numbers(xs[k]);
  const at = (i: number, by: number) => {
    const moved = tensor(
      Float64Array.from(values, (v, j) => (i === j ? v + by : v)),
      { dtype: "float64", shape: xs[k].shape },
    );
    return f(...xs.map((x, j) => (j === k ? moved : x))).item();
  };
  return values.map((_, i) => (at(i, STEP) - at(i, -STEP)) / (2 * STEP));
}

const floatInputs = ({ inputs, floats }: Case) => floats.map((i) => inputs[i]);
const allOf = (c: Case) => c.floats.map((_, k) => k);

describe("reverse and forward mode of every op", () => {
  it.each(smooth)("%s", (_, c) => {
    const f = weighted(c);
    const xs = floatInputs(c);
    const gradients = grad(f, { argnums: allOf(c) })(...xs) as Tensor[];
    const directions = xs.map((x, k) => weightsFor(x, k + 3));
    let along = 0;
    for (const [k, g] of gradients.entries()) {
      expect(relativeError(numbers(g), numericGradient(f, xs, k)), `input ${c.floats[k]}`).toBeLessThan(1e-6);
      along += numbers(g.mul(directions[k])).reduce((a, b) => a + b, 0);
    }
    expect(relativeError([jvp(f, xs, directions)[1].item()], [along]), "jvp against vjp").toBeLessThan(1e-9);
  });
});

describe("second derivatives of every op", () => {
  it.each(smooth)("%s", (_, c) => {
    const xs = floatInputs(c);
    const slope = (...given: Tensor[]): Tensor =>
      (grad(weighted(c), { argnums: allOf(c) })(...given) as Tensor[])
        .map((g, k) => g.mul(weightsFor(g, k + 5)).sum())
        .reduce((a, b) => a.add(b));
    const second = grad(slope, { argnums: allOf(c) })(...xs) as Tensor[];
    for (const [k, h] of second.entries())
      expect(relativeError(numbers(h), numericGradient(slope, xs, k)), `input ${c.floats[k]}`).toBeLessThan(
        1e-5,
      );
  });
});

describe("the tape of every op", () => {
  it.each(smooth)("%s", (_, c) => {
    const xs = floatInputs(c);
    const variables = xs.map((x) => variable(x));
    weighted(c)(...variables).backward();
    const gradients = grad(weighted(c), { argnums: allOf(c) })(...xs) as Tensor[];
    for (const [k, v] of variables.entries())
      expect(v.grad ? numbers(v.grad) : numbers(xs[k]).map(() => 0)).toEqual(numbers(gradients[k]));
  });
});

const SIZE = 3;

/** Batches of inputs: which are mapped, and along which axis. */
function mappings(c: Case): (number | null)[][] {
  const last = c.inputs.map((x) => x.ndim);
  const all = c.inputs.map(() => 0);
  return [
    all,
    last,
    ...(c.inputs.length > 1 ? c.inputs.map((_, i) => all.map((__, k) => (k === i ? 0 : null))) : []),
  ];
}

describe("vmap of every op is a loop over the batch", () => {
  it.each(named.filter(([, { inputs }]) => inputs.length > 0))("%s", (_, c) => {
    const examples = Array.from({ length: SIZE }, (__, n) => makeInputs(c.sample, n + 1));
    for (const inAxes of mappings(c)) {
      const batches = c.inputs.map((x, i) => {
        const axis = inAxes[i];
        return axis === null
          ? x
          : stack(
              examples.map((e) => e[i]),
              axis,
            );
      });
      const got = vmap((...xs: Tensor[]) => bind(c.op, xs, c.attrs), { inAxes })(...batches);
      for (let n = 0; n < SIZE; n++) {
        const one = c.inputs.map((x, i) => (inAxes[i] === null ? x : examples[n][i]));
        for (const [o, y] of bind(c.op, one, c.attrs).entries()) {
          expect(got[o].dtype).toBe(y.dtype);
          expect(got[o].shape).toEqual([SIZE, ...y.shape]);
          expect(
            relativeError(numbers(got[o].at(n)), numbers(y)),
            `axes ${inAxes}, example ${n}`,
          ).toBeLessThan(1e-12);
        }
      }
    }
  });
});

describe("vmap of the gradient, and the gradient of vmap, of every op", () => {
  it.each(smooth)("%s", (_, c) => {
    const examples = Array.from({ length: SIZE }, (__, n) =>
      floatInputs({ ...c, inputs: makeInputs(c.sample, n + 1) }),
    );
    const batches = c.floats.map((__, k) => stack(examples.map((e) => e[k])));
    const argnums = allOf(c);
    const each = vmap((...xs: Tensor[]) => grad(weighted(c), { argnums })(...xs) as Tensor[])(...batches);
    const whole = grad((...xs: Tensor[]) => vmap(weighted(c))(...xs).sum(), { argnums })(
      ...batches,
    ) as Tensor[];
    for (let n = 0; n < SIZE; n++) {
      const one = grad(weighted(c), { argnums })(...examples[n]) as Tensor[];
      for (const [k, g] of one.entries()) {
        expect(relativeError(numbers(each[k].at(n)), numbers(g)), "vmap of grad").toBeLessThan(1e-10);
        expect(relativeError(numbers(whole[k].at(n)), numbers(g)), "grad of vmap").toBeLessThan(1e-10);
      }
    }
  });
});

describe("ops without a derivative stop gradients", () => {
  const flat = named.filter(([, { op, floats }]) => op.vjp === NOT_DIFFERENTIABLE && floats.length > 0);
  it.each(flat)("%s", (_, c) => {
    expect(c.op.jvp).toBe(NOT_DIFFERENTIABLE);
    const { value, pull } = vjp((...xs: Tensor[]) => asFunction(c)(...xs), ...floatInputs(c));
    const gradients = pull(value.map((y) => y.mul(0).add(1).cast(y.dtype)));
    for (const g of gradients) expect(numbers(g).every((v) => v === 0)).toBe(true);
  });
});
