import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { capture } from "../../graph/capture.js";
import { cond, whileLoop } from "../../graph/control/index.js";
import { randomProgram } from "../../graph/random-program.js";
import { grad, Tensor, tensor } from "../../index.js";
import { evaluate, type FValue, freeVariables, fromGraph, functionsOf, gradient, J } from "./index.js";

const f64 = (values: number | number[]): Tensor => tensor(values, { dtype: "float64" });
const numbers = (value: FValue): number[] =>
  value instanceof Tensor
    ? Array.from(value.toTypedArray())
    : (value as FValue[]).flatMap((entry) => numbers(entry));

function expectClose(a: readonly number[], b: readonly number[], tolerance = 1e-9): void {
  expect(a).toHaveLength(b.length);
  a.forEach((x, i) => {
    if (Math.abs(x - b[i]) > tolerance * Math.max(1, Math.abs(x))) expect(b[i]).toBe(x);
  });
}

describe("functions from graphs", () => {
  it("compute the same as random programs", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const { graph, args, f } = randomProgram(seed);
        const eager = f(args[0], args[1]).flatMap((y) => Array.from(y.toTypedArray()));
        expectClose(numbers(evaluate(fromGraph(graph), args)), eager);
      }),
      { numRuns: 12 },
    );
  });

  it("branches read what is around them, loops call themselves", () => {
    const graph = capture(
      (x: Tensor) =>
        whileLoop(
          (x: Tensor) => x.less(1000),
          (x: Tensor) => [
            cond(
              x.greater(10),
              () => x.mul(x),
              () => x.mul(2),
            ),
          ],
          [x] as [Tensor],
        )[0],
      f64(3),
    );
    const f = fromGraph(graph);
    const all = functionsOf(f);
    expect(all.map(({ name }) => name)).toEqual(["f", "loop", "body", "exit", "then", "else"]);
    expect(all.map((g) => freeVariables(g).length)).toEqual([0, 0, 1, 1, 1, 1]);
    expect(numbers(evaluate(f, [f64(3)]))).toEqual(Array.from(graph.results.length ? [144 * 144] : []));
    expect(() => evaluate(f, [])).toThrow("function f: 1 argument(s) expected, 0 given");
  });

  it("a loop of many iterations needs no stack", () => {
    const graph = capture(
      (x: Tensor) =>
        whileLoop(
          (k: Tensor) => k.less(20000),
          (k: Tensor) => [k.add(1)],
          [x] as [Tensor],
        )[0],
      f64(0),
    );
    expect(numbers(evaluate(fromGraph(graph), [f64(0)]))).toEqual([20000]);
  });
});

describe("reverse mode by closures", () => {
  it("agrees with the tape on random programs", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const { args, f } = randomProgram(seed);
        const loss = (x: Tensor, y: Tensor): Tensor => f(x, y).reduce((sum, z) => sum.add(z.sum()), f64(0));
        const graph = capture(loss, args[0], args[1]);
        const tape = grad(loss, { argnums: [0, 1] as const })(args[0], args[1]);
        expectClose(numbers(evaluate(gradient(fromGraph(graph)), args)), numbers(tape), 1e-7);
      }),
      { numRuns: 10, examples: [[10747], [666303]] },
    );
  });

  it("applies to its own results: second and third derivatives", () => {
    const f = fromGraph(capture((x: Tensor) => x.sin().mul(x.square()), f64(0.7)));
    const third = gradient(gradient(gradient(f)));
    const wanted = grad(grad(grad((x: Tensor) => x.sin().mul(x.square()))))(f64(0.7));
    expectClose(numbers(evaluate(third, [f64(0.7)])), numbers(wanted));
  });

  it("second derivatives of random programs agree with the tape's", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const { args, f } = randomProgram(seed);
        const loss = (x: Tensor, y: Tensor): Tensor => f(x, y)[0].sum().tanh();
        const graph = capture(loss, args[0], args[1]);
        const once = gradient(fromGraph(graph), [0]);
        const twice = numbers(evaluate(gradient(once, [0]), args));
        const hand = grad((x: Tensor) => grad((z: Tensor) => loss(z, args[1]))(x).sum())(args[0]);
        expectClose(twice, numbers(hand), 1e-6);
      }),
      { numRuns: 3, examples: [[757528]] }, // a scan within what another scan's rule reads
    );
  });

  it("the book's ReLU: fprop returns the result and a bprop that reads it", () => {
    const k = J(fromGraph(capture((x: Tensor) => x.relu(), f64([-1, 2]))));
    const [result] = evaluate(k, [f64([-1, 2])]) as FValue[];
    expect(numbers(result)).toEqual([0, 2]);
    const [, bprop] = functionsOf(k).filter(({ name }) => name === "◀relu" || name === "▶relu");
    expect(bprop.name).toBe("◀relu");
    expect(freeVariables(bprop).length).toBe(2);
  });

  it("what only a branch reads of a loop's body is a free variable of the body", () => {
    const f = (y: Tensor): Tensor =>
      whileLoop(
        (k: Tensor) => k.less(3),
        (k: Tensor, s: Tensor) => {
          const t = s.mul(1.1);
          return [
            k.add(1),
            cond(
              y.greater(100),
              () => y,
              () => t.sin(),
            ),
          ];
        },
        [tensor(0, { dtype: "int32" }), y] as [Tensor, Tensor],
      )[1];
    const graph = fromGraph(capture(f, f64(2)));
    expect(freeVariables(functionsOf(graph)[2]).map((node) => node.owner.name)).toEqual([
      "loop",
      "f",
      "loop",
    ]);
    expectClose(numbers(evaluate(gradient(graph), [f64(2)])), numbers(grad(f)(f64(2))));
  });

  it("differentiates loops and branches by the path that was taken", () => {
    const f = (x: Tensor): Tensor =>
      whileLoop(
        (x: Tensor) => x.less(100),
        (x: Tensor) => [
          cond(
            x.greater(10),
            () => x.mul(x),
            () => x.mul(2),
          ),
        ],
        [x] as [Tensor],
      )[0];
    const g = gradient(fromGraph(capture(f, f64(3))));
    expectClose(numbers(evaluate(g, [f64(3)])), [2 * 12 * 4]);
    expectClose(numbers(evaluate(gradient(g), [f64(3)])), [2 * 16]);
    expectClose(numbers(evaluate(g, [f64(200)])), [1]);
  });
});
