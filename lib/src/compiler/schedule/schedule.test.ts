/** Primitives one by one: what they make, what they refuse and why; dependences against enumeration. */
import { describe, expect, it } from "vitest";
import { typescriptFunction } from "../codegen/typescript/source.js";
import { op } from "../loop/compute.js";
import { conv2d, elementwise, layerNormRows, matmul, softmaxRows, stencil } from "../loop/definitions.js";
import { LoopError, type LoopKernel } from "../loop/ir.js";
import { parseKernel } from "../loop/parse.js";
import { problemsOf } from "../loop/verify.js";
import { dependences } from "./dependence.js";
import { Schedule, scheduled } from "./schedule.js";

/** Lines of the kernel's text, without those around. */
const linesOf = (s: Schedule): string[] =>
  s
    .toString()
    .split("\n")
    .slice(1, -2)
    .map((line) => line.trim())
    .filter((line) => line !== "}");

const refused = (f: () => unknown, message: string): void => {
  expect(f).toThrow(LoopError);
  expect(f).toThrow(message);
};

describe("loops", () => {
  const copy = (n: number | string): LoopKernel => elementwise("copy", [n], [[n]], ([x]) => x);

  it("split: a factor that divides, one that does not, a size", () => {
    const even = new Schedule(copy(8));
    expect(even.split("i0", 4)).toEqual(["i0_o", "i0_i"]);
    expect(linesOf(even)).toEqual([
      "for i0_o in 0..2 {",
      "for i0_i in 0..4 {",
      "Y[i0_i + 4*i0_o] = X0[i0_i + 4*i0_o]",
    ]);
    const odd = new Schedule(copy(10));
    odd.split("i0", 4);
    expect(linesOf(odd)[1]).toBe("for i0_i in 0..min(-4*i0_o + 10, 4) {");
    const size = new Schedule(copy("N"));
    size.split("i0", 4);
    expect(linesOf(size).slice(0, 2)).toEqual([
      "for i0_o in 0..floordiv(N + 3, 4) {",
      "for i0_i in 0..min(4, N - 4*i0_o) {",
    ]);
    refused(() => size.split("i0_i", 0), "the factor 0 is not a whole number from 1");
    refused(() => size.split("k", 2), 'there is no loop "k"; its loops: i0_o, i0_i');
    refused(() => size.split("i0_i", 2, ["N", "x"]), 'the name "N" is taken');
  });

  it("reorder: bounds that depend on a loop now inside become conditions", () => {
    const s = new Schedule(copy(10));
    s.split("i0", 4);
    s.reorder("i0_i", "i0_o");
    expect(linesOf(s)).toEqual([
      "for i0_i in 0..4 {",
      "for i0_o in 0..3 {",
      "if i0_i < min(-4*i0_o + 10, 4) {",
      "Y[i0_i + 4*i0_o] = X0[i0_i + 4*i0_o]",
    ]);
    refused(() => new Schedule(softmaxRows(3, 4)).reorder("im", "i"), "not one perfect nest");
  });

  it("tile, fuse, unroll, vectorize, parallel", () => {
    const s = new Schedule(matmul(8, 8, 8));
    expect(s.tile("i", "j", [4, 4])).toEqual(["i_o", "j_o", "i_i", "j_i"]);
    expect(s.fuse("i_o", "j_o", "block")).toBe("block");
    s.parallel("block").unroll("i_i");
    expect(s.loops.slice(2)).toEqual(["block", "i_i", "j_i", "k"]);
    refused(() => s.vectorize("k"), 'a later iteration of "k" writes again what an earlier one wrote to "C"');
    refused(() => s.parallel("j_i"), 'it is inside "i_i"; only outermost loops are parallel');
    refused(() => new Schedule(matmul("M", 8, 8)).unroll("i"), "M iterations; a constant bound is needed");
    expect(problemsOf(s.kernel)).toEqual([]);
  });

  it("merge neighbours, unless one needs what a later round of the other does", () => {
    const s = new Schedule(softmaxRows("M", "N"));
    s.merge("im_0", "im", "ie", "is_0", "is", "i").parallel("im_0");
    expect(s.loops).toEqual(["im_0", "jm", "je", "js", "j"]);
    expect(problemsOf(s.kernel)).toEqual([]);
    const shifted = (by: number) =>
      new Schedule(
        parseKernel(`kernel f(X: float32[9], out T: float32[9], out Y: float32[8]) {
  for i in 0..8 { T[i] = X[i] }
  for j in 0..8 { Y[j] = T[${by === 0 ? "j" : "j + 1"}] }
}`),
      );
    expect(shifted(0).merge("i", "j").loops).toEqual(["i"]);
    refused(
      () => shifted(1).merge("i", "j"),
      'a later iteration of "i" reads what an earlier one wrote to "T"',
    );
    refused(() => shifted(0).merge("j", "i"), "they do not stand one behind the other");
    refused(
      () => new Schedule(softmaxRows("M", "N")).merge("im", "je"),
      "they do not stand one behind the other",
    );
    refused(() => new Schedule(matmul(4, 5, 6)).merge("i_0", "j"), "they do not stand one behind the other");
  });

  it("steps are data: stored, read, applied again", () => {
    const s = new Schedule(matmul(8, 6, 4));
    s.tile("i", "j", [4, 3]);
    s.cacheWrite("C", "j_o", { name: "sum" }).parallel("i_o");
    const again = scheduled(s.source, JSON.parse(JSON.stringify(s.steps)));
    expect(new Schedule(again).toString()).toBe(s.toString());
  });
});

describe("dependences and skewing: the stencil of chapter 5", () => {
  it("has three distance vectors", () => {
    const found = dependences(stencil("T", "N"), "i").map(
      (d) => `${d.kind} ${d.distances} ${d.directions.join("")}`,
    );
    expect(found.sort()).toEqual(["flow 1,-1 <>", "flow 1,0 <=", "flow 1,1 <<"]);
  });

  it("may not be exchanged, nor run its steps in parallel", () => {
    const s = new Schedule(stencil("T", 16));
    refused(() => s.reorder("j", "i"), 'with a smaller "j" there; the new order would run it first');
    refused(() => s.parallel("i"), 'a later iteration of "i" reads what an earlier one wrote to "A"');
    expect(() => s.vectorize("j")).not.toThrow();
  });

  it("runs as a wavefront once it is skewed", () => {
    const plain = stencil(6, 9);
    const s = new Schedule(plain);
    refused(() => s.skew("j", "i"), '"i" is not inside "j"');
    s.skew("i", "j", 1, "wave");
    expect(
      dependences(s.kernel, "i")
        .map((d) => `${d.distances}`)
        .sort(),
    ).toEqual(["1,0", "1,1", "1,2"]);
    s.reorder("wave", "i");
    // Two steps down meet at distance 2 along the wave: within one wave, nothing.
    expect(linesOf(s).slice(0, 2)).toEqual([
      "for wave in 0..14 {",
      "for i in max(0, wave - 8)..min(6, wave + 1) {",
    ]);
    expect(problemsOf(s.kernel)).toEqual([]);
    const [a, b] = [0, 1].map(() => Float32Array.from({ length: 7 * 11 }, (_, i) => Math.sin(i)));
    typescriptFunction(plain)({ A: a });
    typescriptFunction(s.kernel)({ A: b });
    expect(b).toEqual(a);
  });

  it("needs twice the skew for iterations of a wave to be independent", () => {
    const once = new Schedule(stencil(6, 9));
    once.skew("i", "j", 1, "wave");
    once.reorder("wave", "i");
    expect(dependences(once.kernel, "wave").some((d) => d.directions[0] === "=")).toBe(true);
    const twice = new Schedule(stencil(6, 9));
    twice.skew("i", "j", 2, "wave");
    twice.reorder("wave", "i");
    expect(dependences(twice.kernel, "wave").every((d) => d.directions[0] === "<")).toBe(true);
  });

  it("are those that enumeration finds", () => {
    const cases: [string, string][] = [
      ["A[i + 1, j] = A[i, j + 1]", "float32[8, 8]"],
      ["A[i, j] = A[j, i]", "float32[8, 8]"],
      ["A[i + j, 0] = A[i + j + 1, 0]", "float32[16, 1]"],
      ["A[2*i, j] = A[2*i + 1, j]", "float32[16, 8]"],
      ["A[i, 2*j] = A[i, j + 3]", "float32[8, 16]"],
      ["A[floordiv(i, 2), j] = A[mod(i, 3), j]", "float32[8, 8]"],
    ];
    for (const [text, type] of cases) {
      const kernel = parseKernel(`kernel f(out A: ${type}) { for i in 0..4 { for j in 0..5 { ${text} } } }`);
      const store = (kernel.body[0] as { body: { body: Parameters<typeof touches>[0][] }[] }).body[0].body[0];
      const found = new Set<string>();
      const points = [0, 1, 2, 3].flatMap((i) => [0, 1, 2, 3, 4].map((j) => [i, j] as const));
      for (const [p, a] of points.entries()) {
        for (const b of points.slice(p + 1)) {
          for (const x of touches(store, a)) {
            for (const y of touches(store, b)) {
              if (x.at !== y.at || !(x.writes || y.writes)) continue;
              const kind = x.writes ? (y.writes ? "output" : "flow") : "anti";
              found.add(`${kind} ${Math.sign(b[0] - a[0])} ${Math.sign(b[1] - a[1])}`);
            }
          }
        }
      }
      const sign = { "<": 1, "=": 0, ">": -1 } as const;
      const said = dependences(kernel, "i");
      // Each real one is covered by one that is said; and where directions are said exactly, they are real.
      for (const real of found) {
        const [kind, ...signs] = real.split(" ");
        const covers = said.some(
          (d) => d.kind === kind && d.directions.every((x, l) => x === "*" || sign[x] === Number(signs[l])),
        );
        expect(covers, `${text}: ${real}`).toBe(true);
      }
      for (const d of said) {
        if (d.directions.includes("*")) continue;
        const key = `${d.kind} ${d.directions.map((x) => sign[x as "<"]).join(" ")}`;
        expect(found.has(key), `${text}: ${key}`).toBe(true);
      }
    }
  });
});

/** Elements that a statement touches at a point. */
function touches(
  s: {
    indices: readonly { evaluate(v: Map<string, number>): number }[];
    value: { indices: readonly { evaluate(v: Map<string, number>): number }[] };
  },
  [i, j]: readonly [number, number],
) {
  const v = new Map([
    ["i", i],
    ["j", j],
  ]);
  return [
    { at: s.indices.map((x) => x.evaluate(v)).join(), writes: true },
    { at: s.value.indices.map((x) => x.evaluate(v)).join(), writes: false },
  ];
}

describe("caches", () => {
  it("cacheRead packs into panels and fills the last with zeros", () => {
    const s = new Schedule(matmul(4, 10, 3));
    s.split("j", 4, ["jt", "jv"]);
    s.cacheRead("B", null, { name: "Bp", pack: { axis: 1, by: 4 } });
    expect(linesOf(s)).toContain("shared Bp: float32[3, 3, 4]");
    expect(linesOf(s)).toContain(
      "Bp[Bp_axis0, Bp_axis1, Bp_axis2] = when(4*Bp_axis0 + Bp_axis2 < 10, B[Bp_axis1, 4*Bp_axis0 + Bp_axis2], 0f32)",
    );
    expect(linesOf(s)).toContain("C[i, 4*jt + jv] += A[i, k] * Bp[jt, k, jv]");
    refused(() => s.cacheRead("C", "i", { name: "Cc" }), "it is written there");
    refused(() => s.cacheRead("X", "i", { name: "Xc" }), "nothing there reads it");
    refused(
      () => s.cacheRead("A", "i", { name: "Ac", scope: "shared" }),
      "a copy inside a loop is not shared",
    );
    refused(
      () => s.cacheRead("A", null, { name: "Ac", pack: { axis: 5, by: 2 } }),
      "no pieces of 2 along axis 5 of 2",
    );
  });

  it("cacheWrite stores where it holds the whole sum, and adds where it does not", () => {
    const whole = new Schedule(matmul(4, 4, 8));
    whole.cacheWrite("C", "j", { name: "sum" });
    expect(whole.toString()).toContain("C[i, j] = sum[0, 0]");
    expect(whole.loops).not.toContain("i_0");
    const part = new Schedule(matmul(4, 4, 8));
    part.split("k", 2, ["kb", "ki"]);
    part.reorder("kb", "i", "j", "ki");
    part.cacheWrite("C", "j", { name: "sum" });
    expect(part.toString()).toContain("C[i, j] += sum[0, 0]");
    expect(part.loops).toContain("i_0");
    refused(() => part.cacheWrite("A", "i", { name: "x" }), "it is read there");
  });

  it("pad lets the last round run on padding only", () => {
    const s = new Schedule(matmul(10, 8, 4));
    s.split("i", 4, ["it", "ir"]);
    refused(() => s.pad("ir"), 'index 0 of "A", ir + 4*it, would leave its size 10');
    s.reorder("it", "j", "k", "ir");
    s.cacheWrite("C", "j", { name: "sum" });
    refused(() => s.pad("ir"), 'index 0 of "A", ir + 4*it, would leave its size 10');
    s.cacheRead("A", "it", { name: "Ap", pack: { axis: 0, by: 4 } });
    s.pad("ir");
    expect(linesOf(s)).toContain("for ir in 0..4 {");
    s.split("k", 3, ["kb", "ki"]);
    refused(() => s.pad("ki"), "would leave its size 4");
    expect(problemsOf(s.kernel)).toEqual([]);
  });

  it("computeAt makes a stage where it is needed, row by row", () => {
    const s = new Schedule(layerNormRows("M", 8));
    s.computeAt("Variance", "i");
    expect(s.toString()).toContain("local Variance: float32[1]");
    refused(
      () => new Schedule(layerNormRows("M", 8)).computeAt("Mean", "i"),
      "it is also read outside that loop",
    );
    refused(() => new Schedule(softmaxRows(4, 4)).computeAt("X", "i"), "no stage before that loop makes it");
    expect(problemsOf(new Schedule(softmaxRows("M", 4)).computeAt("Max", "ie").kernel)).toEqual([]);
    refused(
      () => new Schedule(softmaxRows("M", 4)).computeAt("Sum", "i"),
      'its stage reads "Y", which is written in between',
    );
  });

  it("rfactor makes several sums of one", () => {
    const s = new Schedule(matmul(2, 2, 10));
    s.split("k", 4, ["kb", "ki"]);
    refused(() => s.vectorize("ki"), "writes again");
    s.rfactor("ki", "kb", "part").vectorize("ki");
    expect(linesOf(s)).toContain("register part: float32[4]");
    refused(() => s.rfactor("j", "j", "x"), "there is more inside it than one accumulation");
    const conv = new Schedule(conv2d({ n: 1, channels: 2, filters: 2, height: 4, width: 4, kernel: 3 }));
    refused(() => conv.rfactor("q", "x", "p"), 'the target depends on "x"');
  });

  it("elementwise stages have nothing to refuse", () => {
    const s = new Schedule(elementwise("f", [6, 8], [[6, 8], [8]], ([x, y]) => op("add", x, y)));
    s.tile("i0", "i1", [2, 4]);
    s.vectorize("i1_i").parallel("i0_o");
    expect(problemsOf(s.kernel)).toEqual([]);
  });
});
