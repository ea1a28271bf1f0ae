/** Losses, gradients and Hessian products of a few networks against PyTorch's (test/expected/autodiff.py). */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { numbers, relativeError } from "../../test/support/finite-differences.js";
import {
  avgPool2d,
  checkpoint,
  conv2d,
  grad,
  jvp,
  logSumExp,
  matmul,
  maxPool2d,
  onesLike,
  relu,
  softmax,
  type Tensor,
  tensor,
  valueAndGrad,
  variable,
  vmap,
  where,
} from "../index.js";

interface Values {
  readonly shape: number[];
  readonly values: number[];
}

interface Expected {
  readonly name: string;
  readonly inputs: Values[];
  readonly loss: number;
  readonly gradients: Values[];
  readonly hessianTimesOnes: Values[];
}

const file = new URL("../../test/expected/autodiff.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(file, "utf8")) as { cases: Expected[] };
const read = ({ shape, values }: Values) => tensor(Float64Array.from(values), { shape, dtype: "float64" });

const NETWORKS: Record<string, (...inputs: Tensor[]) => Tensor> = {
  mlp: (x, w1, b1, w2, b2) => {
    const logits = matmul(matmul(x, w1).add(b1).tanh(), w2).add(b2);
    const picked = tensor(
      [
        [0, 0, 1],
        [1, 0, 0],
        [0, 1, 0],
        [0, 1, 0],
      ],
      { dtype: "float64" },
    );
    return logits.logSoftmax().mul(picked).sum().div(-4);
  },
  cnn: (x, k1, k2, w) => {
    const first = maxPool2d(relu(conv2d(x, k1, { padding: 1 })), 2);
    const h = avgPool2d(conv2d(first, k2, { stride: 2, padding: 1 }).silu(), 1);
    return matmul(h.flatten(1), w).square().mean();
  },
  attention: (x, wq, wk, wv, wo) => {
    // one example at a time, mapped, and computed again in backward
    const head = (one: Tensor, q: Tensor, k: Tensor, v: Tensor, o: Tensor) => {
      const scores = softmax(matmul(matmul(one, q), matmul(one, k).transpose()).div(2));
      return matmul(matmul(scores, matmul(one, v)).gelu(), o);
    };
    const y = vmap(checkpoint(head), { inAxes: [0, null, null, null, null] })(x, wq, wk, wv, wo);
    return y.sub(y.mean(-1, true)).square().mean().add(y.softplus().sum().div(10));
  },
  normalized: (x, gain, bias) => {
    const y = x.sub(x.mean(-1, true)).div(x.variance(-1, true).add(1e-5).sqrt()).mul(gain).add(bias);
    return logSumExp(y.elu(), -1).sum().add(y.sigmoid().prod(0).sum());
  },
  recurrent: (start, wh, wx, x) => {
    let h = start;
    for (let step = 0; step < x.shape[0]; step++)
      h = matmul(h, wh)
        .add(matmul(x.at(step), wx))
        .tanh();
    const size = h.abs();
    const smooth = where(size.less(1), h.square().mul(0.5), size.sub(0.5)).mean();
    return smooth.add(h.square().sum().sqrt());
  },
};

describe.each(cases)("$name", ({ name, inputs, loss, gradients, hessianTimesOnes }) => {
  const network = NETWORKS[name];
  const xs = inputs.map(read);
  const argnums = xs.map((_, i) => i);
  const same = (got: readonly (Tensor | null)[], expected: Values[], tolerance: number) => {
    for (const [i, { shape, values }] of expected.entries()) {
      expect(got[i]?.shape).toEqual(shape);
      expect(relativeError(numbers(got[i] as Tensor), values), `input ${i}`).toBeLessThan(tolerance);
    }
  };

  it("loss and gradients", () => {
    const [value, got] = valueAndGrad(network, { argnums })(...xs);
    expect(relativeError([value.item()], [loss])).toBeLessThan(1e-13);
    same(got as Tensor[], gradients, 1e-12);
  });

  it("gradients on the tape", () => {
    const variables = xs.map((x) => variable(x));
    network(...variables).backward();
    same(
      variables.map((v) => v.grad),
      gradients,
      1e-12,
    );
  });

  it("Hessian times ones: reverse over reverse, forward over reverse, reverse over forward", () => {
    const gradient = grad(network, { argnums });
    const total = (...z: Tensor[]) =>
      (gradient(...z) as Tensor[]).map((g) => g.sum()).reduce((a, b) => a.add(b));
    same(grad(total, { argnums })(...xs) as Tensor[], hessianTimesOnes, 1e-11);
    const ones = xs.map(onesLike);
    same(jvp((...z: Tensor[]) => gradient(...z) as Tensor[], xs, ones)[1], hessianTimesOnes, 1e-11);
    const slope = (...z: Tensor[]) => jvp(network, z, ones)[1];
    same(grad(slope, { argnums })(...xs) as Tensor[], hessianTimesOnes, 1e-11);
  });
});
