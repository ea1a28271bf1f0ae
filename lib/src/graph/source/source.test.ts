import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { capture, grad, ops as registry, type Tensor, tensor, vmap } from "../../index.js";
import { ConversionError, compile, convert, explainConversion } from "../index.js";

const f64 = (...x: number[]): Tensor => tensor(x, { dtype: "float64" });
const nodesOf = (f: (x: Tensor) => unknown): string[] => capture(f, f64(1, 2)).nodes.map(({ op }) => op.name);

/** Functions of a vector, with each construct; the data decides. */
const PROGRAMS: Record<string, (x: Tensor) => Tensor> = {
  "if and else": (x) => {
    let y = x;
    if (y.sum().item() > 0) y = y.mul(2);
    else y = y.sub(1);
    return y;
  },
  "if without else": (x) => {
    let y = x;
    if (x.max().item() > 3) {
      y = y.div(3);
    }
    return y.add(x);
  },
  "else if": (x) => {
    let [y, k] = [x, 0];
    if (x.sum().item() > 4) k = 1;
    else if (x.sum().item() > 0) {
      k = 2;
      y = y.neg();
    } else k = 3;
    return y.mul(k);
  },
  "early return": (x) => {
    if (x.min().item() < -3) return x.abs();
    const y = x.mul(2);
    if (y.sum().item() > 5) {
      return y;
    }
    return y.sub(1);
  },
  "return from nested branches": (x) => {
    if (x.sum().item() > 0) {
      if (x.max().item() > 2) return x.mul(10);
    } else {
      if (x.min().item() < -2) return x.mul(100);
    }
    return x.add(7);
  },
  "ternary and logic": (x) => {
    const big = x.max().item() > 2 && x.min().item() > -1;
    const odd = x.sum().item() > 4 || !big;
    return odd ? x.mul(2) : big ? x.mul(3) : x;
  },
  while: (x) => {
    let y = x;
    while (y.abs().max().item() > 1) y = y.div(2);
    return y;
  },
  "do while": (x) => {
    let y = x.abs().add(0.5);
    do {
      y = y.mul(1.5);
    } while (y.sum().item() < 20);
    return y;
  },
  "for with break and continue": (x) => {
    let y = x;
    for (let i = 0; i < 8; i++) {
      if (i % 3 === 1) continue;
      if (y.sum().item() > 6) break;
      y = y.add(i);
    }
    return y;
  },
  "for that ends with the data": (x) => {
    let [y, n] = [x.abs(), 0];
    for (let i = 1; y.sum().item() < 30 * i; i += 2) {
      y = y.mul(2).add(1);
      n++;
      if (n >= 12) break;
    }
    return y.add(n);
  },
  "for of a list, left early": (x) => {
    let y = x;
    for (const w of [0.5, 2, 3, -1]) {
      y = y.mul(w);
      if (y.max().item() > 4) break;
      y = y.add(1);
    }
    return y;
  },
  "nested loops": (x) => {
    let y = x;
    let rounds = 0;
    while (y.max().item() > 0.5) {
      let inner = 0;
      while (inner < 3 && y.sum().item() > 0) {
        y = y.sub(1);
        inner++;
      }
      rounds += inner;
      if (inner === 0) {
        y = y.sub(10);
      }
    }
    return y.add(rounds);
  },
  "Math, indexing and arithmetic of elements": (x) => {
    const s = x.sum().item();
    const table = [1, 10, 100];
    const i = Math.min(2, Math.max(0, Math.floor(s)));
    return x.mul(table[i]).add(Math.sqrt(Math.abs(s)) - s ** 2 / 4);
  },
  "variables that live in a branch only": (x) => {
    let y = x;
    if (x.sum().item() > 1) {
      const t = y.exp();
      let u = t.add(1);
      u = u.mul(t);
      y = u;
    }
    return y;
  },
  "a helper inside": (x) => {
    const clip = (v: Tensor, limit: number) => (v.max().item() > limit ? v.mul(limit / 10) : v);
    return clip(clip(x, 2), 1);
  },
  "functions inside with flow of their own": (x) => {
    const settle = (v: Tensor): Tensor => {
      let y = v;
      for (let i = 0; i < 5; i++) {
        if (y.max().item() < 1) return y.add(0.5);
        y = y.div(2);
      }
      return y;
    };
    function flip(v: Tensor): Tensor {
      if (v.sum().item() < 0) return v.neg();
      return v;
    }
    return flip(x)
      .mul([1, 2].map((k) => (k > 1 ? k : 3)).length)
      .add(flip(settle(x.mul(0)).add(x)));
  },
  "a state that only one branch reads, in the next round": (x) => {
    let y = x;
    let count = 0;
    for (let i = 0; i < 4; i++) {
      if (y.sum().item() > 2) {
        count = count + 1;
        y = y.sub(count);
      } else {
        y = y.add(2);
      }
    }
    return y;
  },
};

const INPUTS = [f64(1, 2), f64(-5, 1), f64(0.1, 0.2), f64(8, 3), f64(-1, -4), f64(3, -2.5)];

function expectClose(got: Tensor, wanted: Tensor): void {
  expect(got.shape).toEqual(wanted.shape);
  const [g, w] = [got.toTypedArray(), wanted.toTypedArray()];
  w.forEach((value, i) => {
    expect(Number(g[i])).toBeCloseTo(Number(value), 9);
  });
}

describe.each(Object.entries(PROGRAMS))("%s", (_, f) => {
  const converted = convert(f);

  it("means the same on values", () => {
    for (const x of INPUTS) expectClose(converted(x), f(x));
  });

  it("becomes one graph for all data", () => {
    const graph = capture(converted, f64(1, 2));
    for (const x of INPUTS) expectClose(compile(graph).run([x])[0], f(x));
  });

  it("has the gradient of the path taken, in the graph too", () => {
    for (const x of INPUTS) {
      const wanted = grad((v: Tensor) => f(v).sum())(x);
      const graph = capture(
        grad((v: Tensor) => converted(v).sum()),
        x,
      );
      expectClose(compile(graph).run([x])[0], wanted);
    }
  });
});

describe("conversion", () => {
  it("gives graphs the branches that a trace loses", () => {
    expect(nodesOf(convert(PROGRAMS["if and else"]))).toContain("cond");
    expect(nodesOf(convert(PROGRAMS.while))).toContain("while");
  });

  it("leaves loops of the host program to it", () => {
    const f = convert((x: Tensor) => {
      let y = x;
      for (let i = 0; i < 3; i++) y = y.mul(2);
      return y;
    });
    expect(nodesOf(f)).toEqual(["mul", "mul", "mul"]);
  });

  it("maps over a batch: each example goes its own way", () => {
    const f = convert(PROGRAMS.while);
    const rows = tensor(
      [
        [4, 1],
        [0.5, 0.25],
        [-32, 3],
      ],
      { dtype: "float64" },
    );
    expect(vmap(f)(rows).toArray()).toEqual([0, 1, 2].map((i) => PROGRAMS.while(rows.at(i)).toArray()));
  });

  it("does on plain values what JavaScript does", () => {
    const plain = (a: number, b: number, list: number[]): unknown => {
      let out = "";
      let n = 0;
      for (let i = 0; i < list.length; i++) {
        if (list[i] < 0) continue;
        if (list[i] > 90) break;
        n += list[i] % 7;
        out += a > b ? "x" : n === 3 ? "three" : `${i}`;
      }
      do {
        n--;
        if (n === 5) return [out, n, "five"];
      } while (n > 0 && (a !== b || n % 2 === 0));
      for (const v of list) {
        if (v === a) return { found: v, at: list.indexOf(v) };
        switch (v) {
          case 1:
            n *= 2;
            break;
          default:
            n += v ** 2;
        }
      }
      if (n > 100 && !(a === b)) return -n;
      return a < 0 || b < 0 ? [out, n] : Math.hypot(a, b) + n;
    };
    const converted = convert(plain);
    fc.assert(
      fc.property(
        fc.integer({ min: -9, max: 9 }),
        fc.integer({ min: -9, max: 9 }),
        fc.array(fc.integer({ min: -10, max: 99 }), { maxLength: 8 }),
        (a, b, list) => {
          expect(converted(a, b, [...list])).toEqual(plain(a, b, [...list]));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("random programs of branches and loops keep their meaning, eagerly and as graphs", () => {
    const condition = fc
      .tuple(
        fc.constantFrom("x.sum().item()", "y.max().item()", "i"),
        fc.constantFrom("<", ">", ">="),
        fc.integer({ min: -3, max: 6 }),
      )
      .map((parts) => parts.join(" "));
    const assignment = fc.constantFrom(
      "y = y.mul(0.5);",
      "y = y.add(x);",
      "y = y.sub(1);",
      "i += 2;",
      "y = y.add(i);",
      "i--;",
    );
    const { statements } = fc.letrec<{ statements: string; statement: string }>((tie) => ({
      statement: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        assignment,
        fc
          .tuple(condition, tie("statements"), tie("statements"))
          .map(([c, a, b]) => `if (${c}) { ${a} } else { ${b} }`),
        fc.tuple(condition, tie("statements")).map(([c, a]) => `if (${c}) { ${a} return y; }`),
        fc
          .tuple(condition, tie("statements"), fc.nat(3))
          .map(([c, a, n]) => `{ let n${n} = 0; while (${c} && n${n} < 3) { n${n}++; ${a} } }`),
      ),
      statements: fc.array(tie("statement"), { minLength: 1, maxLength: 3 }).map((list) => list.join(" ")),
    }));
    fc.assert(
      fc.property(statements, (text) => {
        const f = new Function(`return (x) => { let y = x; let i = 0; ${text} return y.add(i); }`)() as (
          x: Tensor,
        ) => Tensor;
        const converted = convert(f);
        for (const x of INPUTS.slice(0, 3)) expectClose(converted(x), f(x));
        let graph: ReturnType<typeof capture>;
        try {
          graph = capture(converted, INPUTS[0]);
        } catch (error) {
          // a return out of a loop over data is refused, not misread
          expect(error).toBeInstanceOf(ConversionError);
          expect((error as Error).message).toMatch(/returned|loop changes/);
          return;
        }
        for (const x of INPUTS.slice(0, 3)) expectClose(compile(graph).run([x])[0], f(x));
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it("takes the scope that it is given, and names what is missing", () => {
    const factor = 3;
    const f = (x: Tensor): Tensor => x.mul(factor);
    expect(convert(f, { scope: { factor } })(f64(1)).toArray()).toEqual([3]);
    expect(() => convert(f)).toThrow(
      /f, line 1: a function's text does not tell what "factor" stands for; pass it: convert\(f, \{ scope: \{ factor \} \}\)/,
    );
    let total = 0;
    const count = (x: Tensor): Tensor => {
      total++;
      return x.add(total);
    };
    expect(() => convert(count, { scope: { total } })).toThrow(
      /count, line 2: "total" is changed, but it belongs to the code around/,
    );
  });

  it("takes methods and function expressions", () => {
    const holder = {
      twice(x: Tensor) {
        return x.sum().item() > 0 ? x.mul(2) : x;
      },
    };
    expect(convert(holder.twice)(f64(1)).toArray()).toEqual([2]);
    expect(
      convert(function named(x: Tensor) {
        return x.neg();
      }).name,
    ).toBe("named");
  });

  it("refuses what it cannot do, with the line", () => {
    const refused: [(x: Tensor) => unknown, RegExp][] = [
      [
        (x) => {
          while (x.sum().item() > 0) {
            if (x.max().item() > 3) return x;
            x = x.sub(1);
          }
          return x.neg();
        },
        /loop changes "returned\$value".*return after the loop/,
      ],
      [
        (x) => {
          let y: Tensor | undefined;
          if (x.sum().item() > 0) y = x.mul(2);
          return y ?? x;
        },
        /"y" has a value after one side of this branch only/,
      ],
      [
        (x) => {
          const seen: number[] = [0];
          if (x.sum().item() > 0) {
            seen[0] = 1;
          }
          return seen;
        },
        /line \d+ changes a part of an object/,
      ],
      [
        (x) => {
          if (x.sum().item() > 0) {
            throw new Error("positive");
          }
          return x;
        },
        /line \d+ throws/,
      ],
      [
        (x) => {
          switch (x.sum().item()) {
            case 1:
              return x;
          }
          return x;
        },
        /a jump out of `switch`/,
      ],
      [
        (x) => {
          let y = x;
          switch (x.sum().item()) {
            case 1:
              y = x.neg();
          }
          return y;
        },
        /`switch` cannot decide by a tensor/,
      ],
      [
        (x) => {
          let s = "a";
          while (x.sum().item() > 0) {
            s += "b";
            x = x.sub(1);
          }
          return x.add(s.length);
        },
        /loop changes "s", which is a string/,
      ],
      [
        (x) => {
          let y = x;
          if (x.sum().item() > 0) y = x.sum();
          return y;
        },
        /line \d+, in this branch: .*float64\(2,\).*float64\(\)/,
      ],
    ];
    for (const [f, message] of refused) expect(() => capture(convert(f), f64(1, 2))).toThrow(message);
    expect(() => convert(async (x: Tensor) => x)).toThrow(/asynchronous functions/);
    expect(() =>
      convert(function (this: unknown) {
        return this;
      }),
    ).toThrow(/`this`/);
    expect(() => convert(Math.max)).toThrow(/native code/);
    expect(() => convert(class A {} as never)).toThrow(/no function that can be read/);
    expect(registry().length).toBeGreaterThan(0);
  });

  it("explains itself: tokens, tree, stages", () => {
    const explained = explainConversion(PROGRAMS["for with break and continue"]);
    expect(explained.tokens.slice(0, 3)).toEqual([
      { kind: "punctuation", text: "(" },
      { kind: "identifier", text: "x" },
      { kind: "punctuation", text: ")" },
    ]);
    expect(explained.ast).toMatch(/^ArrowFunction\n {2}Parameter\n {4}Identifier x/);
    expect(explained.stages.map(({ name }) => name)).toEqual([
      "jumps and for",
      "loops",
      "branches",
      "operators",
    ]);
    expect(explained.stages[0].code).not.toMatch(/continue|for \(/);
    expect(explained.stages[1].code).not.toMatch(/while/);
    expect(explained.stages[2].code).not.toMatch(/if \(/);
    expect(explained.code).not.toMatch(/&&|\.item\(\)|i\+\+/);
    const html = String(explained[Symbol.for("Jupyter.display") as never]);
    expect(html).toBeTruthy();
  });
});
