import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { capture as capturePure, graph, ir, type Tensor, tensor, vmap } from "../../index.js";
import { equalGraphs } from "../equal.js";
import { interpret } from "../interpret.js";
import { parseGraph } from "../parse.js";
import { LEVELS, type OptimizationLevel, PassManager } from "../passes/manager.js";
import { printGraph } from "../print.js";

const { EffectLog, capture, functionalize, withEffects } = ir.effects;
const scalar = { shape: [], dtype: "float32" } as const;

/** The book's x = y; x = z; x = x - y. */
const book = capture((io) => {
  io.assign("x", io.read("y", scalar));
  io.assign("x", io.read("z", scalar));
  io.assign("x", io.read("x", scalar).sub(io.read("y", scalar)));
}, "book");
const state = () => ({ x: tensor(1), y: tensor(10), z: tensor(7) });
const eventsOf = (g: graph.Graph, cells = state()): readonly string[] => {
  const log = new EffectLog(cells);
  withEffects(log, () => graph.compile(g, { level: "O0" }).run([]));
  return log.events;
};

describe("effects ordered by tokens", () => {
  it("print, parse back, and run in the order of the program", () => {
    const text = printGraph(book, { locations: false });
    expect(text.split("\n").slice(1, 5)).toEqual([
      "  %0 = token() : token",
      '  %1, %2 = read(%0) {cell: "y", shape: [], dtype: "float32"} : token, float32()',
      '  %3 = assign(%1, %2) {cell: "x"} : token',
      '  %4, %5 = read(%3) {cell: "z", shape: [], dtype: "float32"} : token, float32()',
    ]);
    expect(equalGraphs(parseGraph(text), book)).toBe(true);
    expect(eventsOf(book)).toEqual(["x = 10", "x = 7", "x = -3"]);
    expect(eventsOf(parseGraph(text))).toEqual(["x = 10", "x = 7", "x = -3"]);
    const log = new EffectLog(state());
    withEffects(log, () => interpret(book, []));
    expect(log.events.at(-1)).toBe("x = -3");
  });

  it("passes drop what nobody sees and keep the order of the rest", () => {
    for (const level of ["O2", "O3"] as const) {
      const { graph: after } = new PassManager({ level }).run(book);
      expect(after.nodes.map(({ op }) => op.name)).toEqual(["token", "read", "read", "sub", "assign"]);
      expect(eventsOf(after)).toEqual(["x = -3"]);
    }
  });

  it("become state in pure form", () => {
    const { graph: pure, reads, assigns, prints } = functionalize(book);
    expect([reads, assigns, prints]).toEqual([["y", "z"], ["x"], []]);
    expect(pure.nodes.map(({ op }) => op.name)).toEqual(["sub"]);
    expect(interpret(pure, [tensor(10), tensor(7)])[0].item()).toBe(-3);
  });

  it("the verifier refuses forks, drops, values in the place of tokens, and regions", () => {
    const text = (body: string, end = "%t"): string =>
      `graph @f(%1: float32(), %2: bool(0)) {\n${body}\nreturn ${end}\n}`.replaceAll("%t", "%90");
    const problem = (body: string, end?: string): string => {
      try {
        parseGraph(text(body, end));
        return "";
      } catch (error) {
        return (error as Error).message;
      }
    };
    const start = "%10 = token() : token\n";
    const print = (to: number, from: number): string => `%${to} = print(%${from}, %1) {label: "a"} : token\n`;
    expect(problem(start + print(90, 10))).toBe("");
    expect(problem(start + print(11, 10) + print(90, 10))).toContain(
      "%10, a token, is used by print (%11) and print (%90): these have no order",
    );
    expect(problem(start + print(11, 10) + print(90, 10))).toContain("%11, a token, is not used");
    expect(problem(start + print(11, 10), "%1")).toContain("the last result is not the last token");
    expect(problem(print(90, 2))).toContain("print (%90) takes %2, which is no token");
    expect(problem(`${start}%11 = token() : token\n${print(90, 11)}`, "%10, %90")).toContain(
      "2 chains of tokens",
    );
    expect(problem(`${start}%11 = logicalNot(%10) : bool(0)\n${print(90, 10)}`)).toContain(
      "logicalNot reads %10, a token, as a value",
    );
    expect(problem(`%90 = print(%1, %1) {label: "a"} : token`)).toContain(
      "print: a token and 1 operand(s) were expected, got float32(), float32()",
    );
    const region = `${start}%11 = call(%1) {graph: graph @g(%0: float32()) {\n%2 = token() : token\nreturn %2\n}} : bool(0)\n${print(90, 10)}`;
    expect(problem(region)).toContain("region graph: token (%2) has an effect inside of a region");
    expect(
      problem(
        `${start}%11 = assign(%10, %1) {cell: "x"} : token\n%90, %12 = read(%11) {cell: "x", shape: [3], dtype: "float32"} : token, float32(3)`,
      ),
    ).toContain('the cell "x" is float32() and float32(3,)');
  });

  it("cells that are not there, of another type, and vmap", () => {
    expect(() => eventsOf(book, { x: tensor(1) } as never)).toThrow('there is no cell "y"; there are x');
    expect(() => eventsOf(book, { ...state(), y: tensor([1, 2]) })).toThrow(
      'the cell "y" holds float32(2,), float32() was expected',
    );
    expect(() => interpret(book, [])).toThrow("run the graph inside of withEffects");
    const printing = parseGraph(
      'graph @p(%0: float32()) {\n%1 = token() : token\n%2 = print(%1, %0) {label: "x"} : token\nreturn %2\n}',
    );
    expect(() => vmap((x: Tensor) => interpret(printing, [x])[0])(tensor([1, 2]))).toThrow(
      "print: vmap maps pure functions",
    );
  });

  it("random programs: every level gives the same state and prints, functional form too", () => {
    const cell = fc.constantFrom("x", "y", "z");
    const step = fc.oneof(
      fc.record({ kind: fc.constant("read" as const), cell }),
      fc.record({ kind: fc.constant("assign" as const), cell, of: fc.nat(20) }),
      fc.record({ kind: fc.constant("print" as const), of: fc.nat(20) }),
      fc.record({ kind: fc.constant("compute" as const), of: fc.nat(20), with: fc.nat(20) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const g = capture((io) => {
          const values: Tensor[] = [tensor(2), tensor(3)];
          const pick = (i: number): Tensor => values[i % values.length];
          for (const s of steps) {
            if (s.kind === "read") values.push(io.read(s.cell, scalar));
            else if (s.kind === "assign") io.assign(s.cell, pick(s.of));
            else if (s.kind === "print") io.print("p", pick(s.of));
            else values.push(pick(s.of).mul(0.5).sub(pick(s.with)));
          }
          return values.at(-1);
        });
        const observed = (after: graph.Graph) => {
          const log = new EffectLog(state());
          const [result] = withEffects(log, () => graph.compile(after, { level: "O0" }).run([]));
          const cells = ["x", "y", "z"].map((name) => log.read(name).item());
          return { result: result.item(), cells, prints: log.events.filter((e) => e.startsWith("p:")) };
        };
        const wanted = observed(g);
        for (const level of Object.keys(LEVELS) as OptimizationLevel[]) {
          const { graph: after } = new PassManager({ level }).run(g);
          expect(observed(after), level).toEqual(wanted);
          expect(equalGraphs(parseGraph(printGraph(after)), after)).toBe(true);
        }
        const { graph: pure, reads, assigns, prints } = functionalize(g);
        const first = state() as Record<string, Tensor>;
        const results = interpret(
          pure,
          reads.map((name) => first[name]),
        ).map((y) => y.item());
        expect(results[0]).toBe(wanted.result);
        const last = ["x", "y", "z"].map((name) => {
          const at = assigns.indexOf(name);
          return at < 0 ? first[name].item() : results[1 + at];
        });
        expect(last).toEqual(wanted.cells);
        expect(results.slice(1 + assigns.length).map((v) => `p: ${v}`)).toEqual(wanted.prints);
        expect(prints).toHaveLength(wanted.prints.length);
      }),
      { numRuns: 60 },
    );
  });

  it("pure graphs are left alone", () => {
    const pure = capturePure((x: Tensor) => x.sin(), tensor([1]));
    expect(graph.runPasses(pure, ["effects"])).toBe(pure);
  });
});
