import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isFloat } from "../../core/dtype.js";
import { randomWords } from "../../core/random.js";
import { sizeOf } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { capture } from "../../graph/capture.js";
import { getDevice, setDevice, tensor } from "../../index.js";
import { constantOf } from "../data.js";
import { vjpGraph } from "../derive.js";
import type { Graph } from "../graph.js";
import { interpret } from "../interpret.js";
import { LAYOUT } from "../passes/layout.js";
import { FAST_MATH } from "../passes/pass.js";
import { SIMPLIFY } from "../passes/simplify.js";
import { STRENGTH } from "../passes/strength.js";
import { verify } from "../verify.js";
import { instanceOf } from "./instance.js";
import { formatPattern, parsePattern } from "./pattern.js";
import { type Rule, rewrite, rules } from "./rewrite.js";

const ALL: readonly Rule[] = [...SIMPLIFY, ...STRENGTH, ...LAYOUT];

const source = (seed: number): (() => number) => {
  const words = randomWords([seed, 99], 512);
  let next = 0;
  return () => words[next++ % words.length] / 2 ** 32;
};

/** Arguments in (0.2, 1.8), of either sign, or full of special values. */
function argumentsOf(graph: Graph, random: () => number, kind: "positive" | "regular" | "special"): Tensor[] {
  const special = [
    0,
    -0,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    1,
    -1,
    1e-320,
    1e300,
  ];
  const element = (): number => {
    if (kind === "special") return special[Math.floor(random() * special.length)];
    const size = 0.2 + 1.6 * random();
    return kind === "regular" && random() < 0.5 ? -size : size;
  };
  return graph.params.map((param) =>
    constantOf(
      Array.from({ length: sizeOf(param.shape) }, () =>
        isFloat(param.dtype) ? element() : Number(random() < 0.5),
      ),
      param,
    ),
  );
}

function agree(a: Tensor, b: Tensor, exactZeros: boolean, tolerance: number): void {
  expect(b.type).toBe(a.type);
  const [x, y] = [a.toTypedArray(), b.toTypedArray()];
  x.forEach((value, i) => {
    if (Object.is(value, y[i]) || (!exactZeros && value === y[i])) return;
    const error = Math.abs(value - y[i]);
    expect(error <= tolerance * Math.max(Math.abs(value), 1), `${value} became ${y[i]}`).toBe(true);
    if (exactZeros && value === 0) expect.fail(`${value} became ${y[i]}`);
  });
}

describe("every rule", () => {
  const device = getDevice();
  beforeAll(() => setDevice("cpu")); // reference kernels: bits are compared
  afterAll(() => setDevice(device));

  it.each(ALL.map((rule, i) => [`${i} ${rule.name}`, rule, i] as const))("%s", (_name, rule, index) => {
    const fastMath = rule.needs ?? [];
    let fired = 0;
    for (let seed = 0; seed < 1000 && fired < 10; seed++) {
      const random = source(seed * 211 + index);
      const graph = instanceOf(rule.pattern, random);
      if (!graph) continue;
      let applied = 0;
      const after = verify(rewrite(graph, [rule], { fastMath, onRule: () => applied++ }));
      if (applied === 0) continue;
      fired++;
      const float32 = graph.values().some(({ dtype }) => dtype === "float32");
      const tolerance = float32 ? 2e-5 : 1e-11;
      // without licences nothing changes, whatever the values
      const kinds = fastMath.length === 0 ? (["regular", "special"] as const) : (["positive"] as const);
      for (const kind of kinds) {
        const args = argumentsOf(graph, random, kind);
        agree(interpret(graph, args)[0], interpret(after, args)[0], fastMath.length === 0, tolerance);
      }
      if (!isFloat(graph.results[0].dtype)) continue;
      const args = argumentsOf(graph, random, fastMath.length === 0 ? "regular" : "positive");
      const [gradient] = argumentsOf(graph.with({ params: graph.results }), random, "regular");
      const [was, is] = [graph, after].map((g) => interpret(vjpGraph(g), [...args, gradient]));
      was.forEach((g, i) => {
        agree(g, is[i], false, 20 * tolerance);
      });
    }
    expect(fired, "instances on which the rule fired").toBeGreaterThanOrEqual(5);
  });

  it("that is for integers keeps them, when they wrap around too", () => {
    const fired = new Set<string>();
    const wrong = new Set<string>();
    for (const [index, rule] of ALL.entries()) {
      for (let seed = 0; seed < 60; seed++) {
        const random = source(seed * 31 + index);
        const graph = instanceOf(rule.pattern, random, ["int32", "uint8", "int8"]);
        if (!graph || graph.values().some(({ dtype }) => isFloat(dtype))) continue;
        const after = rewrite(graph, [rule], { onRule: () => fired.add(rule.name) });
        if (after === graph) continue;
        const args = graph.params.map((param) =>
          constantOf(
            Array.from({ length: sizeOf(param.shape) }, () => {
              if (param.dtype === "bool") return Number(random() < 0.5);
              const edge = [-128, 127, 255, -(2 ** 31), 2 ** 31 - 1, 0, 1, -1][Math.floor(random() * 8)];
              return random() < 0.5 ? edge : Math.floor(random() * 256);
            }),
            param,
          ),
        );
        const [was, is] = [graph, after].map((g) => Array.from(interpret(g, args)[0].toTypedArray()));
        if (is.some((y, i) => y !== was[i])) wrong.add(`${rule.name} on ${graph}`);
      }
    }
    expect([...wrong]).toEqual([]);
    expect(fired.size).toBeGreaterThan(20);
  });

  it("says why, and has a name of its own in its list", () => {
    for (const { why } of ALL) expect(why.length).toBeGreaterThan(5);
    for (const list of [SIMPLIFY, STRENGTH, LAYOUT]) {
      const names = list.map(({ name, needs }) => `${name} ${needs}`);
      expect(new Set(names).size).toBe(names.length);
    }
  });

  it("that needs a licence does nothing without it", () => {
    for (const rule of ALL.filter(({ needs }) => needs)) {
      for (let seed = 0; seed < 30; seed++) {
        const graph = instanceOf(rule.pattern, source(seed));
        if (graph && graph.values().every(({ dtype }) => isFloat(dtype)))
          expect(rewrite(graph, [rule])).toBe(graph);
      }
    }
  });
});

describe("rewriting", () => {
  const x = tensor([1, -2]);
  const names = (f: (x: Tensor) => unknown, list: readonly Rule[], fastMath = FAST_MATH): string[] => {
    const graph = rewrite(capture(f, x), list, { fastMath });
    const live = new Set(graph.results);
    return [...graph.nodes]
      .reverse()
      .filter((node) => {
        if (!node.outputs.some((y) => live.has(y))) return false;
        for (const input of node.inputs) live.add(input);
        return true;
      })
      .reverse()
      .map(({ op }) => op.name);
  };

  it("keeps x·0 unless NaN, infinities and signs of zeros may be forgotten", () => {
    expect(names((x) => x.mul(0), SIMPLIFY, [])).toEqual(["mul"]);
    expect(names((x) => x.mul(0), SIMPLIFY, ["nnan", "nsz"])).toEqual(["mul"]);
    expect(names((x) => x.mul(0), SIMPLIFY)).toEqual(["broadcastTo"]);
    const whole = capture((k: Tensor) => k.mul(0), tensor([1, 2], { dtype: "int32" }));
    expect(rewrite(whole, SIMPLIFY).results[0]).not.toBe(whole.results[0]);
  });

  it("goes on with what it made", () => {
    expect(names((x) => x.neg().neg().mul(1).neg().abs(), SIMPLIFY, [])).toEqual(["abs"]);
    expect(names((x) => x.pow(2).div(4), STRENGTH, [])).toEqual(["square", "mul"]);
    expect(names((x) => x.add(1).add(2).add(3), SIMPLIFY, ["reassoc"])).toEqual(["add"]);
    expect(names((x) => x.div(3), STRENGTH, [])).toEqual(["div"]);
  });

  it("cancels a pair of TransData with ops between", () => {
    const images = tensor(new Array(2 * 16 * 3 * 3).fill(0).map((_, i) => Math.sin(i))).reshape([
      2, 16, 3, 3,
    ]);
    const to8c = (x: Tensor): Tensor => x.reshape([2, 2, 8, 3, 3]).transpose([0, 1, 3, 4, 2]);
    const back = (x: Tensor): Tensor => x.transpose([0, 1, 4, 2, 3]).reshape([2, 16, 3, 3]);
    const f = (x: Tensor): Tensor => back(to8c(back(to8c(x).relu().mul(2))).sin());
    const before = capture(f, images);
    const after = rewrite(before, LAYOUT);
    const result = (g: Graph) => interpret(g, [images])[0].toArray();
    expect(result(after)).toEqual(result(before));
    const path: string[] = [];
    for (let node = after.producer(after.results[0]); node; node = after.producer(node.inputs[0]))
      path.push(node.op.name);
    expect(path.reverse()).toEqual(["relu", "mul", "sin"]);
  });

  it("reaches into regions", () => {
    const inner = capture((x: Tensor) => x.neg().neg(), x);
    const outer = capture((x: Tensor) => x.add(1), x);
    expect(rewrite(inner, SIMPLIFY).results[0]).toBe(inner.params[0]);
    expect(rewrite(outer, SIMPLIFY)).toBe(outer);
  });

  it("finds rules that undo each other", () => {
    const loop = rules([
      { match: "sub(x, neg(y))", to: "add(x, y)", why: "one way" },
      { match: "add(x, y)", to: "sub(x, neg(y))", why: "and back" },
    ]);
    expect(() =>
      rewrite(
        capture((x: Tensor) => x.add(x), x),
        loop,
      ),
    ).toThrow(/rules undo each other: .*add\(x, y\) → sub\(x, neg\(y\)\)/);
  });
});

describe("patterns", () => {
  it("print as they are written", () => {
    for (const { match } of ALL) expect(formatPattern(parsePattern(match))).toBe(match);
  });

  it("say what is wrong", () => {
    expect(() => parsePattern("mul(x, 1")).toThrow('pattern "mul(x, 1": ")" was expected, its end found');
    expect(() =>
      rewrite(
        capture((x: Tensor) => x.neg(), tensor([1])),
        rules([{ match: "mull(x)", to: "x", why: "" }]),
      ),
    ).toThrow(/unknown op "mull"/);
    expect(() => parsePattern("x:complex")).toThrow(/no class "complex"; there are const/);
    expect(() => parsePattern("x + y")).toThrow(/"\+" starts nothing known/);
    expect(() => parsePattern("x y")).toThrow(/the end was expected, y found/);
    expect(() => rules([{ match: "x", to: "x", why: "" }])).toThrow(/a pattern begins with an op/);
    expect(() => rules([{ match: "neg(x)", to: "y", why: "" }])).toThrow(/y is not matched/);
  });
});
