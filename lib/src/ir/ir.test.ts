import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MlsysError } from "../core/errors.js";
import { tensor } from "../ops/index.js";
import { getOp } from "../ops/registry.js";
import { GraphBuilder } from "./builder.js";
import { countNodes, type Graph, IRError } from "./graph.js";
import { interpret } from "./interpret.js";
import { graphFromJson, graphToJson } from "./json.js";
import { parseGraph } from "./parse.js";
import { definePass, passes, runPasses } from "./passes/index.js";
import { printGraph } from "./print.js";
import { randomArguments, randomGraph } from "./random-graph.js";
import { problems, verify } from "./verify.js";

const f32 = (...shape: number[]) => ({ shape, dtype: "float32" as const });

function small(): Graph {
  const b = new GraphBuilder("model");
  const x = b.param(f32(2, 3), "x");
  const w = b.param(f32(3, 4), "layers.0.weight");
  const [y] = b.node(getOp("matmul"), [x, w], {}, "model.ts:3:9");
  const [z] = b.node(getOp("add"), [y, b.constant(tensor([0.5, -0, Number.NaN, 1e-20]))]);
  const [r] = b.node(getOp("relu"), [z]);
  return b.finish([r, y]);
}

describe("text form", () => {
  it("prints what was built", () => {
    expect(printGraph(small())).toBe(`graph @model(%0 x: float32(2, 3), %1 layers.0.weight: float32(3, 4)) {
  %3 = constant [0.5, -0, NaN, 1e-20] : float32(4,)
  %2 = matmul(%0, %1) : float32(2, 4) loc("model.ts:3:9")
  %4 = add(%2, %3) : float32(2, 4)
  %5 = relu(%4) : float32(2, 4)
  return %5, %2
}`);
  });

  it("reads back to the same graph, for any graph", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const graph = verify(randomGraph(seed));
        const again = parseGraph(printGraph(graph));
        expect(printGraph(again)).toBe(printGraph(graph));
        const args = randomArguments(graph, seed);
        const bits = (g: Graph) => interpret(g, args).map((y) => Array.from(y.toTypedArray()));
        expect(bits(again)).toEqual(bits(graph));
      }),
      { numRuns: 100 },
    );
  });

  it("refuses damaged text with a place, and never anything else", () => {
    const text = printGraph(randomGraph(7));
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.nat(12), fc.string({ maxLength: 3 }), (at, cut, insert) => {
        const damaged = text.slice(0, at) + insert + text.slice(at + cut);
        try {
          verify(parseGraph(damaged));
        } catch (error) {
          expect(error).toBeInstanceOf(MlsysError);
        }
      }),
      { numRuns: 2000 },
    );
    expect(() =>
      parseGraph("graph @f(%0: float32(2,)) {\n  %1 = relu(%0)  float32(2,)\n  return %1\n}"),
    ).toThrow('graph text, line 2, column 18: ":" was expected, "float32" found');
    expect(() => parseGraph("graph @f() {\n  %1 = nothing() : float32()\n  return %1\n}")).toThrow(
      /line 2, column 8: unknown op "nothing"/,
    );
    expect(() => parseGraph("graph @f() { %0 = constant <9 elements> : float32(9,) return %0 }")).toThrow(
      /"<" found; graphs printed with { constants: "short" } do not read back/,
    );
    expect(() => parseGraph(`graph @f() {} ${"[".repeat(1000)}`)).toThrow(IRError);
  });
});

describe("verifier", () => {
  it("finds each broken rule", () => {
    const graph = small();
    const [matmul, add, relu] = graph.nodes;
    const broken = graph.with({ nodes: [add, matmul, relu] });
    expect(problems(broken)).toEqual(["add (%4) reads %2 (operand 0) before it is defined"]);
    const twice = graph.with({ nodes: [...graph.nodes, relu] });
    expect(problems(twice)).toEqual(["%5 is defined twice (again by relu (%5))"]);
    const wrongType = { ...relu, outputs: [{ ...relu.outputs[0], shape: [9] }] };
    expect(problems(graph.with({ nodes: [matmul, add, wrongType] })).join()).toMatch(
      /output 0 is declared float32\(9,\), its type rule gives float32\(2, 4\)/,
    );
    expect(() => verify(broken)).toThrow(IRError);
  });

  it("refuses operands of another graph", () => {
    const b = new GraphBuilder("g");
    expect(() => b.node(getOp("relu"), [small().results[0]])).toThrow(
      /g: operand 0 of relu, %5 .* belongs to another graph/,
    );
  });
});

describe("JSON", () => {
  it("keeps the graph and its constants", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const graph = randomGraph(seed);
        const again = graphFromJson(JSON.parse(JSON.stringify(graphToJson(graph))));
        expect(printGraph(again)).toBe(printGraph(graph));
      }),
      { numRuns: 50 },
    );
  });

  it("refuses other documents", () => {
    expect(() => graphFromJson({})).toThrow(/"format": "mlsys-graph" was expected/);
    expect(() => graphFromJson({ ...graphToJson(small()), version: 99 })).toThrow(
      /has version 99, this library reads version 1/,
    );
    expect(() => graphFromJson({ ...graphToJson(small()), results: [77] })).toThrow(/%77 is used before/);
    expect(() => graphFromJson({ ...graphToJson(small()), nodes: null })).toThrow(/the document is damaged/);
  });
});

describe("passes", () => {
  it("keep the meaning of random graphs", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const graph = randomGraph(seed);
        const after = runPasses(graph, ["dce", "fuse"]);
        const args = randomArguments(graph, seed);
        const bits = (g: Graph) => interpret(g, args).map((y) => Array.from(y.toTypedArray()));
        expect(bits(after)).toEqual(bits(graph));
        expect(after.nodes.length).toBeLessThanOrEqual(graph.nodes.length);
      }),
      { numRuns: 100 },
    );
  });

  it("removes what no result needs", () => {
    const graph = small().with({ results: [small().results[0]] });
    const b = new GraphBuilder();
    const x = b.param(f32(3));
    b.node(getOp("exp"), [x]);
    const [y] = b.node(getOp("relu"), [x]);
    expect(runPasses(b.finish([y]), ["dce"]).nodes.map((node) => node.op.name)).toEqual(["relu"]);
    expect(graph.nodes.length).toBe(3);
  });

  it("fuses Add and ReLU, not across a matmul or what others read", () => {
    const b = new GraphBuilder();
    const x = b.param(f32(4, 4));
    const [m] = b.node(getOp("matmul"), [x, x]);
    const [a] = b.node(getOp("add"), [m, x]);
    const [r] = b.node(getOp("relu"), [a]);
    const fused = runPasses(b.finish([r]), ["fuse"]);
    expect(fused.nodes.map((node) => node.op.name)).toEqual(["matmul", "fused"]);
    expect(countNodes(fused)).toBe(4);
    expect(runPasses(b.finish([r, a]), ["fuse"]).nodes.length).toBe(3);
  });

  it("takes passes of one's own, and names the one that breaks a graph", () => {
    definePass({
      name: "drop",
      summary: "drops the first node",
      run: (g) => g.with({ nodes: g.nodes.slice(1) }),
    });
    expect(passes().map((pass) => pass.name)).toEqual([
      ...["inline", "propagate", "fold", "branches", "simplify", "strength", "layout", "licm"],
      ...["effects", "prune", "cse", "dce", "fold-scale", "merge-scale", "slice-up", "reconstruct"],
      ...["attention", "fuse-reduce", "fuse", "fuse-outputs", "multi-tensor", "epilogue", "drop"],
    ]);
    expect(() => runPasses(small(), ["dce", "drop"])).toThrow(
      /after pass drop: graph model is not well formed/,
    );
    expect(() => runPasses(small(), ["nothing"])).toThrow(
      /unknown pass "nothing"; there are inline, propagate, .*cse, dce, fold-scale, merge-scale, slice-up, reconstruct, attention, fuse-reduce, fuse, fuse-outputs, multi-tensor, epilogue, drop/,
    );
  });
});
