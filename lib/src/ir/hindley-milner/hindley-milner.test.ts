import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { displaySymbol } from "../../core/display.js";
import { infer, typeOf } from "./infer.js";
import { type Expression, format, parse, SyntaxProblem } from "./syntax.js";
import {
  arrow,
  formatType,
  INT,
  substitute,
  type Type,
  TypeProblem,
  tuple,
  unify,
  variable,
} from "./types.js";

/** Types as OCaml 5 prints them, with its 'a as a. */
const KNOWN: readonly (readonly [string, string])[] = [
  ["42", "int"],
  ["fn x => x", "∀a. a -> a"],
  ["fn f g x => f x (g x)", "∀a b c. (a -> b -> c) -> (a -> b) -> a -> c"],
  ["fn x y => x", "∀a b. a -> b -> a"],
  ["fn f g x => f (g x)", "∀a b c. (a -> b) -> (c -> a) -> c -> b"],
  ["fn f x => f (f x)", "∀a. (a -> a) -> a -> a"],
  ["fn x => (x, x)", "∀a. a -> a * a"],
  ["fn p => (snd p, fst p)", "∀a b. a * b -> b * a"],
  ["let id = fn x => x in (id 1, id true)", "int * bool"],
  ["let id x = x in id id", "∀a. a -> a"],
  ["let rec fact n = if n < 1 then 1 else n * fact (n - 1) in fact", "int -> int"],
  ["let rec f x = f x in f", "∀a b. a -> b"],
  ["fn x => let y = x in (y, y)", "∀a. a -> a * a"],
  ["fn b x => if b then x else x + 1", "bool -> int -> int"],
  ["let twice f x = f (f x) in twice twice (fn x => x + 1) 0", "int"],
  ["let compose f g x = f (g x) in compose not (fn n => n = 0)", "int -> bool"],
  ["fn f => let g = f in (g 1, g 2)", "∀a. (int -> a) -> a * a"],
  ["(+) 1", "int -> int"],
];

describe("Algorithm W", () => {
  it.each(KNOWN)("%s", (text, type) => {
    expect(typeOf(text)).toBe(type);
  });

  it.each([
    ["fn x => x x", /line 1, column 9, in x x: (\w+) and \1 -> \w+ do not unify: .* no finite type does/],
    ["fn id => (id 1, id true)", /in id true: .* int is not bool|in id true: .*bool is not int/],
    ["if 1 then 2 else 3", /column 4, in 1: int and bool do not unify: int is not bool/],
    ["1 + true", /int is not bool/],
    ["fn x => y", /line 1, column 9, in y: y is not defined/],
    ["let f x = x + 1 in\n f (1, 2)", /line 2, column 2, in f \(1, 2\): .*int is not int \* int/],
    ["fst 1", /is not int/],
    ["fst (1, 2, 3)", /int \* int \* int/],
  ])("%s has no type", (text, message) => {
    expect(() => infer(text)).toThrow(TypeProblem);
    expect(() => infer(text)).toThrow(message);
  });

  it("writes each step down", () => {
    const found = infer("let id = fn x => x in id 1");
    expect(String(found)).toBe(`    var   x : t0
  abs   fn x => x : t0 -> t0
    var   id : t1 -> t1
    lit   1 : int
  unify t1 -> t1 ~ int -> t2 : t1 := int, t2 := int
  app   id 1 : int
let   let id = fn x => x in id 1 : int, where id : ∀t0. t0 -> t0
int`);
    const bundle = found[displaySymbol]();
    expect(bundle["text/html"]).toContain("<td>unify</td>");
    expect(bundle["text/html"]).toContain("int -&#62; t2");
  });
});

describe("unification", () => {
  const types: fc.Arbitrary<Type> = fc.letrec<{ type: Type }>((tie) => ({
    type: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(variable("a"), variable("b"), variable("c"), INT),
      fc.tuple(tie("type"), tie("type")).map(([a, b]) => arrow(a, b)),
      fc.tuple(tie("type"), tie("type")).map((pair) => tuple(pair)),
    ),
  })).type;

  it("makes both sides equal, and applying it twice changes nothing", () => {
    fc.assert(
      fc.property(types, types, (a, b) => {
        let s: ReturnType<typeof unify>;
        try {
          s = unify(a, b);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeProblem);
          return;
        }
        const [x, y] = [substitute(s, a), substitute(s, b)];
        expect(formatType(x)).toBe(formatType(y));
        expect(formatType(substitute(s, x))).toBe(formatType(x));
      }),
      { numRuns: 500 },
    );
  });

  it("finds the most general one: it takes an instance of a type back to it", () => {
    fc.assert(
      fc.property(types, types, types, (a, x, y) => {
        const rename = new Map(["a", "b", "c"].map((n) => [n, variable(`${n}2`)] as const));
        const instance = substitute(
          new Map([
            ["a2", x],
            ["b2", y],
          ] as const),
          substitute(rename, a),
        );
        const fresh = substitute(new Map(["a", "b", "c"].map((n) => [n, variable(`${n}3`)] as const)), a);
        expect(() => unify(fresh, instance)).not.toThrow();
      }),
    );
  });
});

/** Values of the core language, for the test of soundness. */
type V = number | boolean | V[] | ((x: V) => V);

class Wrong extends Error {}
class OutOfFuel extends Error {}

function run(e: Expression, env: ReadonlyMap<string, V>, fuel: { left: number }): V {
  if (fuel.left-- <= 0) throw new OutOfFuel();
  const go = (part: Expression, inner = env): V => run(part, inner, fuel);
  const number = (v: V): number => (typeof v === "number" ? v : wrong());
  const wrong = (): never => {
    throw new Wrong(format(e));
  };
  switch (e.kind) {
    case "literal":
      return e.value;
    case "variable": {
      const found = env.get(e.name);
      if (found !== undefined) return found;
      const op: Record<string, (a: number, b: number) => V> = {
        "(+)": (a, b) => a + b,
        "(*)": (a, b) => a * b,
        "(<)": (a, b) => a < b,
      };
      if (op[e.name]) return (a) => (b) => op[e.name](number(a), number(b));
      if (e.name === "fst") return (p) => (Array.isArray(p) && p.length === 2 ? p[0] : wrong());
      return wrong();
    }
    case "lambda":
      return (x) => go(e.body, new Map([...env, [e.parameter, x]]));
    case "apply": {
      const f = go(e.f);
      return typeof f === "function" ? f(go(e.argument)) : wrong();
    }
    case "let":
      return go(e.body, new Map([...env, [e.name, go(e.value)]]));
    case "if": {
      const test = go(e.test);
      return typeof test === "boolean" ? go(test ? e.consequent : e.alternate) : wrong();
    }
    case "tuple":
      return e.entries.map((entry) => go(entry));
    case "fix": {
      const self: V = (x) => {
        const f = go(e.body, new Map([...env, [e.name, self]]));
        return typeof f === "function" ? f(x) : wrong();
      };
      return self;
    }
  }
}

const terms: fc.Arbitrary<Expression> = fc.letrec<{ e: Expression }>((tie) => {
  const at = fc.constant(0);
  const name = fc.constantFrom("x", "y", "f");
  const variables = fc.constantFrom("x", "y", "f", "(+)", "(<)", "fst");
  return {
    e: fc.oneof(
      { maxDepth: 5, depthSize: "medium" },
      fc.record({ kind: fc.constant("variable" as const), name: variables, at }),
      fc.record({ kind: fc.constant("literal" as const), value: fc.constantFrom(0, 1, true), at }),
      fc.record({ kind: fc.constant("lambda" as const), parameter: name, body: tie("e"), at }),
      fc.record({ kind: fc.constant("apply" as const), f: tie("e"), argument: tie("e"), at }),
      fc.record({ kind: fc.constant("let" as const), name, value: tie("e"), body: tie("e"), at }),
      fc.record({
        kind: fc.constant("if" as const),
        test: tie("e"),
        consequent: tie("e"),
        alternate: tie("e"),
        at,
      }),
      fc.record({ kind: fc.constant("tuple" as const), entries: fc.tuple(tie("e"), tie("e")), at }),
    ),
  };
}).e;

describe("soundness", () => {
  it("programs with a type don't go wrong", () => {
    let typed = 0;
    fc.assert(
      fc.property(terms, (body) => {
        let type: string;
        const term: Expression = ["x", "y", "f"].reduce<Expression>(
          (inner, name) => ({
            kind: "let",
            name,
            value: { kind: "literal", value: 1, at: 0 },
            body: inner,
            at: 0,
          }),
          body,
        );
        try {
          type = typeOf(term);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeProblem);
          return;
        }
        typed++;
        try {
          const value = run(term, new Map(), { left: 2000 });
          if (type === "int") expect(typeof value).toBe("number");
          if (type === "bool") expect(typeof value).toBe("boolean");
          if (type.includes(" -> ") && !type.includes("*")) expect(typeof value).toBe("function");
        } catch (error) {
          if (!(error instanceof OutOfFuel)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
    expect(typed).toBeGreaterThan(100);
  });
});

describe("the text", () => {
  it("prints and parses back", () => {
    fc.assert(
      fc.property(terms, (term) => {
        const text = format(term);
        expect(format(parse(text))).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it("refuses damaged text with a place", () => {
    expect(() => parse("fn x =>")).toThrow("column 8: an expression was expected, the end found");
    expect(() => parse("let 1 = 2 in 3")).toThrow("column 5: a name was expected, 1 found");
    expect(() => parse("x $ y")).toThrow('column 3: "$" starts nothing known');
    expect(() => parse("fn => 1")).toThrow(/a parameter was expected/);
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), (text) => {
        try {
          parse(text);
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxProblem);
        }
      }),
      { numRuns: 500 },
    );
  });
});
