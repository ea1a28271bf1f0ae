import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { explain, type Tensor, tensor } from "../index.js";
import { diffLines } from "../ir/diff.js";
import { equalGraphs } from "../ir/equal.js";
import type { Graph } from "../ir/graph.js";
import { interpret } from "../ir/interpret.js";
import { parseGraph } from "../ir/parse.js";
import { definePass, runPasses } from "../ir/passes/index.js";
import { formatDump, LEVELS, type OptimizationLevel, PassManager } from "../ir/passes/manager.js";
import { printGraph } from "../ir/print.js";
import { randomArguments, randomGraph } from "../ir/random-graph.js";
import { displaySymbol } from "../viz/bundle.js";
import { capture } from "./capture.js";
import { compile } from "./execute.js";
import { explainGraph, explainWith } from "./explain.js";
import { randomProgram } from "./random-program.js";

const values = (graph: Graph, args: readonly Tensor[]): number[][] =>
  interpret(graph, args).map((y) => Array.from(y.toTypedArray()));

const twice = (x: Tensor) => x.exp().add(x.exp());

describe("random programs", () => {
  it("give the same eagerly and as graphs, and cover the ops with regions", () => {
    const seen = new Set<string>();
    const visit = (text: string) => {
      for (const name of ["cond(", "while(", "scan(", "call(", "switch("])
        if (text.includes(name)) seen.add(name);
    };
    for (let seed = 0; seed < 20; seed++) {
      const { graph, args, f } = randomProgram(seed);
      visit(printGraph(graph));
      const eager = f(args[0], args[1]).map((y) => Array.from(y.toTypedArray()));
      values(graph, args).forEach((y, i) => {
        y.forEach((element, k) => {
          expect(element).toBeCloseTo(eager[i][k], 9);
        });
      });
    }
    expect(seen.size).toBe(5);
  });
});

describe("compiled execution", () => {
  it("gives the same at each level", () => {
    for (let seed = 0; seed < 8; seed++) {
      const { graph, args } = randomProgram(seed);
      const wanted = values(graph, args);
      for (const level of Object.keys(LEVELS) as OptimizationLevel[])
        compile(graph, { level })
          .run(args)
          .forEach((y, i) => {
            y.toTypedArray().forEach((element, k) => {
              expect(element).toBeCloseTo(wanted[i][k], 9);
            });
          });
    }
  });
});

describe("pass manager", () => {
  it.each(Object.keys(LEVELS) as OptimizationLevel[])("%s keeps the meaning of random graphs", (level) => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const graph = randomGraph(seed);
        const args = randomArguments(graph, seed);
        const { graph: after, settled } = new PassManager({ level }).run(graph);
        expect(settled).toBe(true);
        const [was, is] = [values(graph, args), values(after, args)];
        was.forEach((y, i) => {
          y.forEach((element, k) => {
            expect(Math.abs(element - is[i][k])).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(element)));
          });
        });
      }),
      { numRuns: 60 },
    );
  });

  it("repeats a group until nothing changes, and leaves one that never settles", () => {
    const graph = capture(twice, tensor([1]));
    const { runs, settled, timings } = new PassManager({ stages: [{ fixpoint: ["cse", "dce"] }] }).run(graph);
    expect(settled).toBe(true);
    expect(runs.map(({ pass, round, changed }) => [pass.name, round, changed])).toEqual([
      ["cse", 0, true],
      ["dce", 0, false],
      ["cse", 1, false],
      ["dce", 1, false],
    ]);
    expect(timings.map(({ name }) => name).sort()).toEqual(["cse", "dce"]);
    expect(timings.find(({ name }) => name === "cse")).toMatchObject({ runs: 2, changes: 1 });
  });

  it("dumps before and after, and refuses what it does not know", () => {
    const dumps: string[] = [];
    new PassManager({ level: "O1", dump: (run) => dumps.push(formatDump(run)) }).run(
      capture(twice, tensor([1])),
    );
    expect(dumps[0]).toMatch(/^cse, round 0: 3 -> 2 nodes\n--- before\ngraph @twice[\s\S]*\+\+\+ after\n/);
    expect(dumps[1]).toBe("dce: unchanged");
    expect(() => new PassManager({ level: "O9" as never })).toThrow(/unknown level "O9"; there are O0, O1/);
    expect(() => new PassManager({ stages: ["csee"] })).toThrow(/unknown pass "csee"/);
    expect(() => new PassManager({ fastMath: ["fast" as never] })).toThrow(/unknown fast-math flag "fast"/);
  });

  it("refuses a pass that changes the signature", () => {
    definePass({ name: "dropResults", summary: "breaks the signature", run: (g) => g.with({ results: [] }) });
    expect(() => runPasses(capture(twice, tensor([1])), ["cse", "dropResults"])).toThrow(
      "after pass dropResults: the results were float32(1,), now they are ",
    );
  });
});

describe("explain", () => {
  it("shows each change as a difference", async () => {
    const found = explain(twice, tensor([1, 2]));
    const text = String(found);
    expect(text).toContain("// cse (round 1): 3 → 2 nodes");
    expect(text).toContain("-   %2 = exp(%0) : float32(2,)");
    expect(text).toContain("+   %3 = add(%1, %1) : float32(2,)");
    const bundle = await found[displaySymbol]();
    const page = String(bundle["text/html"]);
    expect(page).toContain("<svg");
    expect(page).toContain("computes once what is computed several times");
    expect(page).toMatch(/<td>cse<\/td><td>2<\/td><td>1<\/td>/);
    expect(bundle["text/plain"]).toBe(text);
  });

  it("takes levels, stages and graphs", () => {
    expect(explainWith({ level: "O0" }, twice, tensor([1])).graph.nodes).toHaveLength(3);
    const graph = capture(twice, tensor([1]));
    expect(explainGraph(graph, { stages: ["fuse"] }).graph.nodes[0].op.name).toBe("fused");
  });
});

describe("equality and differences", () => {
  it("graphs equal themselves after a round trip, and not another", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (seed, other) => {
        const graph = randomGraph(seed);
        expect(equalGraphs(graph, parseGraph(printGraph(graph)))).toBe(true);
        const text = (g: Graph) => printGraph(g).replace(/%\d+( "?[^:,]*"?)?(?=:)|%\d+|@\S+|loc\(.*\)/g, "");
        const second = randomGraph(other);
        if (text(graph) !== text(second)) expect(equalGraphs(graph, second)).toBe(false);
      }),
      { numRuns: 100 },
    );
  });

  it("a difference holds both texts", () => {
    const lines = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 8 }).map((l) => l.join("\n"));
    fc.assert(
      fc.property(lines, lines, (a, b) => {
        const diff = diffLines(a, b);
        const side = (kind: string) => diff.filter((l) => l.kind !== kind).map((l) => l.text);
        expect(side("added").join("\n")).toBe(a);
        expect(side("removed").join("\n")).toBe(b);
      }),
    );
  });
});
