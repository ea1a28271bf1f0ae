/**
 * Batching rules of every op, on every sample, against a loop over the batch: each choice of inputs that carry a
 * batch, with the batch at the first, the last and a middle axis.
 */
import { describe, expect, it } from "vitest";
import { stack, type Tensor } from "../../src/index.js";
import { relativeError } from "../support/finite-differences.js";
import { drawInputs, opCases, run } from "../support/op-samples.js";

const SIZE = 3;

/** Every non-empty choice among `count` inputs; for many inputs, each alone and all together. */
function choices(count: number): boolean[][] {
  if (count > 4) {
    const alone = Array.from({ length: count }, (_, i) => Array.from({ length: count }, (_v, k) => k === i));
    return [...alone, new Array<boolean>(count).fill(true)];
  }
  return Array.from({ length: 2 ** count - 1 }, (_, bits) =>
    Array.from({ length: count }, (_v, i) => ((bits + 1) & (1 << i)) !== 0),
  );
}

/** Where the batch may stand in an input of `rank` axes. */
function places(rank: number): { name: string; axis: number }[] {
  const found = [
    { name: "first", axis: 0 },
    { name: "last", axis: rank },
    { name: "middle", axis: Math.floor((rank + 1) / 2) },
  ];
  return found.filter(({ axis }, i) => found.findIndex((other) => other.axis === axis) === i);
}

const numbersOf = (x: Tensor): number[] => Array.from(x.toTypedArray());

describe("batching rules", () => {
  it.each(opCases((op) => !op.composite))("$title is what a loop over the batch gives", (c) => {
    const variants = Array.from({ length: SIZE }, (_, k) => drawInputs(c, k));
    const rank = Math.max(...c.sample.shapes.map((shape) => shape.length));
    for (const batched of choices(c.sample.shapes.length)) {
      const looped = variants.map((inputs) =>
        run(
          c,
          inputs.map((x, i) => (batched[i] ? x : variants[0][i])),
        ),
      );
      for (const { name, axis } of places(rank)) {
        const axes = batched.map((yes, i) => (yes ? Math.min(axis, c.sample.shapes[i].length) : null));
        const inputs = batched.map((yes, i) =>
          yes
            ? stack(
                variants.map((inputs) => inputs[i]),
                axes[i] as number,
              )
            : variants[0][i],
        );
        const result = c.op.batch(inputs, axes, c.attrs, SIZE);
        expect(result.outputs).toHaveLength(looped[0].length);
        result.outputs.forEach((y, o) => {
          const where = `output ${o}, batch ${name} in inputs [${axes}]`;
          const at = result.axes[o];
          for (let k = 0; k < SIZE; k++) {
            const wanted = looped[k][o];
            const got = at === null ? y : example(y, at, k);
            expect(got.type, where).toBe(wanted.type);
            expect(relativeError(numbersOf(got), numbersOf(wanted)), where).toBeLessThan(1e-12);
          }
        });
      }
    }
  });
});

/** Example `k` of a result that carries its batch at `axis`. */
function example(y: Tensor, axis: number, k: number): Tensor {
  const order = [axis, ...y.shape.map((_, i) => i).filter((i) => i !== axis)];
  return y.transpose(order).at(k);
}
