/** Index expressions, constraints, text form and rules of loop IR. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { simplifyIndex } from "../schedule/tree.js";
import { type Affine, affine, ceildiv, floordiv, maximum, minimum, mod, rangeOf } from "./affine.js";
import { feasible, implied } from "./constraints.js";
import { conv2d, matmul, softmaxRows, stencil } from "./definitions.js";
import { LoopError } from "./ir.js";
import { parseKernel } from "./parse.js";
import { printKernel } from "./print.js";
import { problemsOf, verifyKernel } from "./verify.js";

const VARIABLES = ["i", "j", "N"] as const;

/** A random expression, and what it is when computed step by step. */
const expression: fc.Arbitrary<{ e: Affine; at: (v: ReadonlyMap<string, number>) => number }> = fc.letrec(
  (tie) => ({
    any: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc
        .constantFrom(...VARIABLES)
        .map((name) => ({ e: affine(name), at: (v: ReadonlyMap<string, number>) => v.get(name)! })),
      fc.integer({ min: -9, max: 9 }).map((c) => ({ e: affine(c), at: () => c })),
      fc
        .tuple(tie("any"), tie("any"), fc.integer({ min: 0, max: 6 }), fc.integer({ min: 1, max: 8 }))
        .map(([x, y, kind, c]) => {
          const [a, b] = [x, y] as { e: Affine; at: (v: ReadonlyMap<string, number>) => number }[];
          type V = ReadonlyMap<string, number>;
          if (kind === 0) return { e: a.e.plus(b.e), at: (v: V) => a.at(v) + b.at(v) };
          if (kind === 1) return { e: a.e.minus(b.e), at: (v: V) => a.at(v) - b.at(v) };
          if (kind === 2) return { e: a.e.times(c), at: (v: V) => a.at(v) * c };
          if (kind === 3) return { e: floordiv(a.e, c), at: (v: V) => Math.floor(a.at(v) / c) };
          if (kind === 4) return { e: mod(a.e, c), at: (v: V) => a.at(v) - c * Math.floor(a.at(v) / c) };
          if (kind === 5) return { e: minimum(a.e, b.e), at: (v: V) => Math.min(a.at(v), b.at(v)) };
          return { e: maximum(a.e, b.e), at: (v: V) => Math.max(a.at(v), b.at(v)) };
        }),
    ),
  }),
).any as fc.Arbitrary<{ e: Affine; at: (v: ReadonlyMap<string, number>) => number }>;

const point = fc.tuple(
  fc.integer({ min: 0, max: 7 }),
  fc.integer({ min: -3, max: 5 }),
  fc.integer({ min: 0, max: 40 }),
);
const valuesOf = (p: readonly number[]) =>
  new Map(VARIABLES.map((name, i): [string, number] => [name, p[i]]));
const RANGES = new Map<string, readonly [number, number]>([
  ["i", [0, 7]],
  ["j", [-3, 5]],
  ["N", [0, 40]],
]);

describe("index expressions", () => {
  it("mean the same however they are put together and simplified", () => {
    fc.assert(
      fc.property(expression, point, ({ e, at }, p) => {
        const values = valuesOf(p);
        expect(e.evaluate(values)).toBe(at(values));
        expect(simplifyIndex(e, RANGES).evaluate(values)).toBe(at(values));
        const [low, high] = rangeOf(e, RANGES);
        expect(at(values)).toBeGreaterThanOrEqual(low);
        expect(at(values)).toBeLessThanOrEqual(high);
      }),
      { numRuns: 500 },
    );
  });

  it("substitute all variables at once", () => {
    const e = affine("i").times(2).plus("j").plus(floordiv("i", 3));
    const swapped = e.substitute(
      new Map([
        ["i", affine("j")],
        ["j", affine("i")],
      ]),
    );
    expect(String(swapped)).toBe("floordiv(j, 3) + i + 2*j");
  });

  it("simplify what divides", () => {
    expect(String(floordiv(affine("i").times(8).plus("j"), 4, RANGES))).toBe("floordiv(j, 4) + 2*i");
    expect(String(mod(affine("i").times(8).plus(3), 4))).toBe("3");
    expect(String(floordiv("i", 4).times(4).plus(mod("i", 4)))).toBe("i");
    expect(String(ceildiv(affine("N").times(16), 16))).toBe("N");
    expect(() => floordiv("i", 0)).toThrow("a divisor is a whole number from 1, not 0");
  });
});

describe("constraints", () => {
  it("deny no point that there is, and prove nothing false", () => {
    const box = (v: string, [low, high]: readonly [number, number]) => [
      affine(v).minus(low),
      affine(high).minus(v),
    ];
    const inBox = [...box("i", [0, 4]), ...box("j", [-3, 3]), ...box("N", [0, 6])];
    fc.assert(
      fc.property(fc.array(expression, { minLength: 1, maxLength: 3 }), (list) => {
        const points: Map<string, number>[] = [];
        for (let i = 0; i <= 4; i++)
          for (let j = -3; j <= 3; j++) for (let n = 0; n <= 6; n++) points.push(valuesOf([i, j, n]));
        const meets = points.some((v) => list.every(({ at }) => at(v) >= 0));
        if (meets) expect(feasible([...inBox, ...list.map(({ e }) => e)])).toBe(true);
        const [first, ...others] = list;
        if (implied(first.e, [...inBox, ...others.map(({ e }) => e)]))
          for (const v of points)
            if (others.every(({ at }) => at(v) >= 0)) expect(first.at(v)).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 300 },
    );
  });

  it("know whole numbers from fractions", () => {
    expect(feasible([], [affine("i").times(2).minus(affine("j").times(4)).minus(1)])).toBe(false);
    expect(feasible([affine("i").times(4).minus(1), affine(3).minus(affine("i").times(4))])).toBe(false);
  });
});

describe("the text form", () => {
  it("of a matrix product", () => {
    expect(printKernel(matmul("M", 8, "K", { dtype: "int8", transposeB: true }))).toBe(
      [
        "kernel matmul(M, K; A: int8[M, K], B: int8[8, K], out C: int32[M, 8]) {",
        "  for i_0 in 0..M {",
        "    for j_0 in 0..8 {",
        "      C[i_0, j_0] = 0i32",
        "    }",
        "  }",
        "  for i in 0..M {",
        "    for j in 0..8 {",
        "      for k in 0..K {",
        "        C[i, j] += int32(A[i, k]) * int32(B[j, k])",
        "      }",
        "    }",
        "  }",
        "}",
        "",
      ].join("\n"),
    );
  });

  it("is read back, special numbers included", () => {
    const text = `kernel all(N; X: float32[N] strides [2], Y: bool[N], out Z: float64[]) {
  for i in max(0, N - 4)..min(2*N, N) {
    let x = select(Y[i], X[i], -inf_f32)
    register r: float32[1]
    r[0] = when(-1 < i - 1 and i < N, (x + nan_f32) * -0f32, 1.5e-7f32)
    if mod(i, 3) < 2 and 0 < floordiv(i, 2) {
      Z[] maximum= float64(index(i + 1)) / 3f64
      Z[] *= float64(maximum(r[0], bad(r[0])))
    }
  }
}
`.replace("bad(", "exp(");
    expect(printKernel(parseKernel(text))).toBe(text);
  });

  it.each([
    [
      "kernel f(A: float32[4]) { for i in 0..4 { B[i] = 0f32 } }",
      'no buffer is named "B" here, "B" was found',
      1,
    ],
    ["kernel f(A: float33[4]) { }", '"float33" is no element type', 1],
    ["kernel f(out A: float32[4]) {\n  A[0] = 0\n}", "needs a type, such as 0f32", 2],
    ["kernel f(out A: float32[4]) {\n  A[0] = x\n}", 'no value is named "x" here', 2],
    ["kernel f(out A: float32[4]) {\n  A[0] == 0f32\n}", 'a name was expected, "=" was found', 2],
    ["kernel f(out A: float32[4]) {\n  A[0] = sin(0f32)\n}", 'no operator "sin" of 1 operand', 2],
    ["kernel f(out A: float32[4]) {\n  for i 0..4 { }\n}", '"in" was expected, "0" was found', 2],
    ["kernel f(out A: float32[floordiv(4, 0)]) {}", "floordiv takes an expression and a number from 1", 1],
    [
      "kernel f(out A: float32[4]) { let x = 1f32 + 1i32 }",
      "add of float32 and int32: operands have one type",
      1,
    ],
    ["kernel f(out A: float32[4]) { @ }", "loop IR has no such sign here", 1],
    ["kernel f(", "a name was expected", 1],
    [`kernel f(out A: float32[4]) { A[0] = ${"(".repeat(500)}1f32`, "nested too deeply", 1],
  ])("refuses %s", (text, message, line) => {
    expect(() => parseKernel(text)).toThrow(LoopError);
    expect(() => parseKernel(text)).toThrow(message);
    expect(() => parseKernel(text)).toThrow(`line ${line}`);
  });

  it("refuses damaged texts with an error of its own, and nothing else", () => {
    const texts = [
      softmaxRows("M", 4),
      conv2d({ n: 1, channels: 2, filters: 2, height: 4, width: 4, kernel: 3, padding: 1 }),
    ].map(printKernel);
    fc.assert(
      fc.property(
        fc.constantFrom(...texts),
        fc.nat(),
        fc.nat(12),
        fc.string({ maxLength: 4 }),
        (text, at, cut, put) => {
          const from = at % text.length;
          try {
            parseKernel(text.slice(0, from) + put + text.slice(from + cut));
          } catch (error) {
            expect(error).toBeInstanceOf(LoopError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("the rules", () => {
  it.each([
    ["out A: float32[4]", "for i in 0..5 { A[i] = 0f32 }", 'index 0 of "A", i, may reach its size 4'],
    ["out A: float32[4]", "for i in 0..4 { A[i - 1] = 0f32 }", "may be negative"],
    ["A: float32[4]", "A[0] = 0f32", '"A" is an input'],
    ["out A: float32[4]", "A[0] = 0f64", 'a float64 value for the float32 buffer "A"'],
    ["out A: float32[4]", "A[0, 0] = 0f32", '"A" has 1 axes, not 2'],
    ["out A: int8[4]", "A[0] = int8(1i32)\nA[0] += A[1]", "int8 values are not accumulated"],
    ["out A: float32[4], B: int8[4]", "A[0] = float32(B[0] + B[1])", "add does not take int8; cast it first"],
    [
      "out A: float32[4]",
      "for i in 0..2 { for i in 0..2 { A[i] = 0f32 } }",
      'the variable "i" is used twice',
    ],
    ["out A: float32[4]", "A[j] = 0f32", 'no variable "j" here'],
    ["out A: float32[4]", "for i in 0..4 { shared T: float32[4] }", "shared memory is declared at the top"],
    ["N; out A: float32[N]", "register r: float32[N]", "has no constant shape"],
    ["out A: float32[4]", "for i in 0..4 { local A: float32[4] }", 'two buffers are named "A"'],
    ["out A: float32[4]", "A[0] = select(1f32, 1f32, 2f32)", "the condition is float32, not bool"],
  ])("%s: %s", (params, body, message) => {
    const kernel = parseKernel(`kernel f(${params}) {\n${body}\n}`);
    expect(problemsOf(kernel).join("\n")).toContain(message);
    expect(() => verifyKernel(kernel)).toThrow(LoopError);
  });

  it("use conditions, sizes and the bounds of loops", () => {
    const good = parseKernel(`kernel f(M, N; A: float32[M, N], out B: float32[M]) {
  for io in 0..floordiv(M + 31, 32) {
    for ii in 0..min(32, M - 32*io) {
      for j in 0..N {
        if 1 < j {
          B[32*io + ii] += A[32*io + ii, j - 2]
        }
      }
    }
  }
}`);
    expect(problemsOf(good)).toEqual([]);
    expect(problemsOf(stencil("T", "N"))).toEqual([]);
  });
});
