import { describe, expect, it } from "vitest";
import { capture } from "../../graph/capture.js";
import { clip, type Tensor, tensor } from "../../index.js";
import { interpret } from "../interpret.js";
import { runPasses } from "./index.js";

const x = tensor([-2, 0.5, 3]);
const names = (f: (x: Tensor) => unknown): string[] =>
  runPasses(capture(f, x), ["cse"]).nodes.map(({ op }) => op.name);

describe("cse", () => {
  it("keeps the first of equal nodes, and finds equals among their users", () => {
    const f = (x: Tensor) => x.exp().add(1).mul(x.exp().add(1)).sub(x.exp());
    const graph = runPasses(capture(f, x), ["cse"]);
    expect(graph.nodes.map(({ op }) => op.name)).toEqual(["exp", "add", "mul", "sub"]);
    expect(interpret(graph, [x])[0].toArray()).toEqual(f(x).toArray());
  });

  it("tells attributes and the order of operands apart", () => {
    expect(names((x) => [x.sum(0), x.sum(0, true)])).toEqual(["sum", "sum"]);
    expect(names((x) => [x.sub(x.exp()), x.exp().sub(x)])).toEqual(["exp", "sub", "sub"]);
    expect(names((x) => [clip(x, Number.NEGATIVE_INFINITY, 1), clip(x, 0, 1), clip(x, -0, 1)])).toHaveLength(
      3,
    );
  });

  it("returns one value twice where both results are equal", () => {
    const graph = runPasses(
      capture((x: Tensor) => [x.neg(), x.neg()], x),
      ["cse"],
    );
    expect(graph.nodes).toHaveLength(1);
    expect(graph.results[0]).toBe(graph.results[1]);
  });
});
