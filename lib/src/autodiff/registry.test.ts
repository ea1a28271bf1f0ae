/**
 * Every op of the registry under transformations of transformations. (lib/test/registry checks each rule alone, against
 * finite differences; here the rules meet: what one of them returns goes through another.)
 */
import { describe, expect, it } from "vitest";
import { numbers, relativeError } from "../../test/support/finite-differences.js";
import { drawInputs, type OpCase, opCases, randomTensor } from "../../test/support/op-samples.js";
import { grad, jvp, NOT_DIFFERENTIABLE, stack, type Tensor, variable, vmap } from "../index.js";
import { bind } from "../ops/bind.js";

const isFloat64 = (x: Tensor): boolean => x.dtype === "float64";
const floats = (inputs: readonly Tensor[]): Tensor[] => inputs.filter(isFloat64);

const smooth = opCases((op) => op.vjp !== NOT_DIFFERENTIABLE && !op.composite).filter(
  (c) => floats(drawInputs(c)).length > 0,
);

/** A scalar that weighs each element of the op's outputs differently, as a function of its floating-point inputs. */
const weighted =
  (c: OpCase, inputs: readonly Tensor[]) =>
  (...given: Tensor[]): Tensor => {
    let next = 0;
    const outputs = bind(
      c.op,
      inputs.map((x) => (isFloat64(x) ? given[next++] : x)),
      c.attrs,
    );
    return outputs
      .filter(isFloat64)
      .map((y, k) => y.mul(randomTensor(`${c.title}/weights/${k}`, y.shape)).sum())
      .reduce((a, b) => a.add(b));
  };

const every = (xs: readonly Tensor[]): number[] => xs.map((_, i) => i);

/** All gradients of a scalar function. */
const gradients = (f: (...x: Tensor[]) => Tensor, xs: readonly Tensor[]): Tensor[] =>
  grad(f, { argnums: every(xs) })(...xs) as Tensor[];

describe("the tape gives what grad gives", () => {
  it.each(smooth)("$title", (c) => {
    const inputs = drawInputs(c);
    const f = weighted(c, inputs);
    const variables = floats(inputs).map((x) => variable(x));
    f(...variables).backward();
    for (const [k, g] of gradients(f, floats(inputs)).entries()) {
      const got = variables[k].grad;
      expect(got ? numbers(got) : numbers(g).map(() => 0)).toEqual(numbers(g));
    }
  });
});

describe("forward over reverse is reverse over reverse", () => {
  it.each(smooth)("$title", (c) => {
    const inputs = drawInputs(c);
    const f = weighted(c, inputs);
    const xs = floats(inputs);
    const directions = xs.map((x, k) => randomTensor(`${c.title}/direction/${k}`, x.shape));
    const forward = jvp((...z: Tensor[]) => gradients(f, z), xs, directions)[1];
    const along = (...z: Tensor[]) =>
      gradients(f, z)
        .map((g, k) => g.mul(directions[k]).sum())
        .reduce((a, b) => a.add(b));
    for (const [k, h] of gradients(along, xs).entries())
      expect(relativeError(numbers(forward[k]), numbers(h)), `input ${k}`).toBeLessThan(1e-11);
  });
});

describe("gradients of a batch, mapped before and after, are those of its examples", () => {
  const SIZE = 3;
  it.each(smooth)("$title", (c) => {
    const inputs = drawInputs(c);
    const f = weighted(c, inputs); // indices and masks are those of the first example for all
    const examples = Array.from({ length: SIZE }, (_, n) => floats(drawInputs(c, n)));
    const batches = examples[0].map((_, k) => stack(examples.map((example) => example[k])));
    const each = vmap((...z: Tensor[]) => gradients(f, z))(...batches);
    const whole = gradients((...z: Tensor[]) => vmap(f)(...z).sum(), batches);
    for (const [n, example] of examples.entries()) {
      for (const [k, g] of gradients(f, example).entries()) {
        expect(relativeError(numbers(each[k].at(n)), numbers(g)), "vmap of grad").toBeLessThan(1e-11);
        expect(relativeError(numbers(whole[k].at(n)), numbers(g)), "grad of vmap").toBeLessThan(1e-11);
      }
    }
  });
});

describe("mapping twice is looping twice", () => {
  it.each(smooth)("$title", (c) => {
    const inputs = drawInputs(c);
    const f = weighted(c, inputs);
    const rows = [0, 1].map((i) => [0, 1, 2].map((j) => floats(drawInputs(c, 10 * i + j))));
    const nested = rows[0][0].map((_, k) =>
      stack(
        rows.map((row) =>
          stack(
            row.map((example) => example[k]),
            -1,
          ),
        ),
      ),
    );
    const mapped = vmap(vmap(f, { inAxes: -1 }))(...nested);
    const looped = rows.flatMap((row) => row.map((example) => f(...example).item()));
    expect(relativeError(numbers(mapped), looped)).toBeLessThan(1e-11);
  });
});
