import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { capture, grad, type Tensor, tensor } from "../../index.js";
import {
  apply,
  coefficients,
  dagSize,
  derivative,
  type Expression,
  evaluate,
  format,
  fromGraph,
  number,
  parse,
  simplify,
  symbol,
  treeSize,
} from "./index.js";

const { leaf } = fc.letrec<{ leaf: Expression }>((tie) => ({
  leaf: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(symbol("x"), symbol("y"), number(2), number(0.5), number(1)),
    fc
      .tuple(fc.constantFrom("add", "sub", "mul", "div") as fc.Arbitrary<"add">, tie("leaf"), tie("leaf"))
      .map(([op, a, b]) => apply(op, a, b)),
    fc
      .tuple(
        fc.constantFrom("sin", "tanh", "neg", "square", "cos", "exp") as fc.Arbitrary<"sin">,
        tie("leaf"),
      )
      .map(([op, a]) => apply(op, a)),
  ),
}));
const at = { x: 0.7, y: -1.3 };

/** The same function of tensors. */
const toTensors =
  (e: Expression) =>
  (x: Tensor, y: Tensor): Tensor => {
    if (e.kind === "number") return tensor(e.value, { dtype: "float64" });
    if (e.kind === "symbol") return e.name === "x" ? x : y;
    const of = e.of.map((part) => toTensors(part)(x, y)) as [Tensor, Tensor];
    return (of[0][e.op] as (y?: Tensor) => Tensor).call(of[0], of[1]);
  };
const f64 = (x: number): Tensor => tensor(x, { dtype: "float64" });
const near = (a: number, b: number): boolean =>
  Object.is(a, b) || Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b)) || !Number.isFinite(b);

/** Whether no part of it is infinite or undefined at the point: there, 0·∞ may come out as anything. */
const regular = (e: Expression): boolean =>
  Number.isFinite(evaluate(e, at)) && (!("of" in e) || e.of.every(regular));

describe("symbolic expressions", () => {
  it("print and parse back", () => {
    fc.assert(
      fc.property(leaf, (e) => {
        const back = parse(format(e));
        expect(near(evaluate(back, at), evaluate(e, at)), format(e)).toBe(true); // sums are grouped anew
        expect(format(back)).toBe(format(e));
      }),
    );
    expect(() => parse("2 * (x + ")).toThrow(
      "column 10: a number, a symbol or a function was expected, its end found",
    );
    expect(() => parse("foo(x)")).toThrow(
      "a function (sqrt, exp, log, sin, cos, tanh) was expected, foo found",
    );
    expect(format(parse("a - (b - c) - d/(e*f)"))).toBe("a - (b - c) - d/(e·f)");
  });

  it("derivatives agree with reverse mode, simplified or not", () => {
    fc.assert(
      fc.property(leaf, (e) => {
        fc.pre(regular(e));
        const d = derivative(e, "x");
        const s = simplify(d);
        const f = toTensors(e);
        const wanted = grad((x: Tensor) => f(x, f64(at.y)).add(x.mul(0)))(f64(at.x)).item();
        expect(near(evaluate(d, at), wanted), `${format(d)} is ${evaluate(d, at)}, not ${wanted}`).toBe(true);
        expect(near(evaluate(s, at), wanted), `${format(s)} is ${evaluate(s, at)}, not ${wanted}`).toBe(true);
        expect(treeSize(s)).toBeLessThanOrEqual(treeSize(d));
      }),
      { numRuns: 200 },
    );
  });

  it("the book's l_{n+1} = 4 l_n (1 - l_n): the tree explodes, the graph grows by a few ops a step", () => {
    let l = symbol("x");
    const sizes: number[][] = [];
    for (let n = 1; n <= 5; n++) {
      const d = simplify(derivative(l, "x"));
      sizes.push([
        treeSize(l),
        treeSize(d),
        dagSize(d),
        coefficients(d, "x")?.filter((c) => c !== 0).length ?? 0,
      ]);
      l = apply("mul", apply("mul", number(4), l), apply("sub", number(1), l));
    }
    expect(sizes.map(([tree]) => tree)).toEqual([1, 7, 19, 43, 91]); // 6·2^(n-1) - 5
    expect(sizes.map(([, , , terms]) => terms)).toEqual([1, 2, 4, 8, 16]);
    const trees = sizes.map(([, tree]) => tree);
    for (const [n, tree] of trees.entries()) if (n > 1) expect(tree).toBeGreaterThan(2 * trees[n - 1]);
    const steps = sizes.slice(2).map(([, , dag], i) => dag - sizes[i + 1][2]);
    expect(new Set(steps).size).toBe(1);
  });

  it("l3 and l4 are the book's polynomials", () => {
    const l3 = parse("16*x*(1-x)*(1-2*x)*(1-2*x)");
    let l = symbol("x");
    for (let n = 1; n < 3; n++) l = parse(`4*(${format(l)})*(1-(${format(l)}))`);
    expect(coefficients(l, "x")).toEqual(coefficients(l3, "x"));
    expect(coefficients(parse("x/(x+1)"), "x")).toBeNull();
    expect(coefficients(parse("(x*x+3)/4"), "x")).toEqual([0.75, 0, 0.25]);
  });

  it("comes from graphs of numbers and says why not from others", () => {
    const graph = capture((x: Tensor, y: Tensor) => x.log().add(x.mul(y)).sub(y.sin()), f64(2), f64(5));
    const e = fromGraph(graph);
    expect(format(e)).toBe("log(x) + x·y - sin(y)");
    expect(evaluate(e, { x: 2, y: 5 })).toBeCloseTo(11.652, 3);
    expect(format(simplify(derivative(e, "x")))).toBe("1/x + y");
    expect(format(simplify(derivative(e, "y")))).toBe("x - cos(y)");
    expect(() => fromGraph(capture((x: Tensor) => x.erf(), f64(1)))).toThrow("erf has no symbolic rule");
    expect(() => fromGraph(capture((x: Tensor) => x.sin(), tensor([1])))).toThrow("a tensor with axes");
    expect(() => evaluate(e, { x: 1 })).toThrow("the symbol y has no value");
  });
});
