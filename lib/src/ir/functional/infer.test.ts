import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatType } from "../../core/shape.js";
import { capture, captureWith } from "../../graph/capture.js";
import { cond, scan, whileLoop } from "../../graph/control/index.js";
import { randomProgram } from "../../graph/random-program.js";
import { type Tensor, tensor, zeros } from "../../index.js";
import { call } from "../call.js";
import { parseGraph } from "../parse.js";
import { printGraph } from "../print.js";
import { evaluate, formatAbstract, fromGraph, inferTypes } from "./index.js";

const f32 = (...shape: number[]) => ({ dtype: "float32" as const, shape });
const typesOf = (text: string): string => text.replace(/ = (\[[^\]]*\]|[^,)\s]+)/g, "");

describe("inference", () => {
  it("finds the types that random programs have when they run", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const { graph, args, f } = randomProgram(seed);
        const found = formatAbstract(inferTypes(fromGraph(graph), graph.params).result);
        expect(typesOf(found)).toBe(`(${f(args[0], args[1]).map(formatType).join(", ")})`);
      }),
      { numRuns: 25 },
    );
  });

  it("with constant arguments finds values, and those are what a run gives", () => {
    let known = 0;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const { graph, args } = randomProgram(seed);
        const f = fromGraph(graph);
        const { result } = inferTypes(f, args);
        const run = evaluate(f, args) as readonly Tensor[];
        if (result.kind !== "tuple") throw new Error("a tuple was expected");
        result.entries.forEach((entry, i) => {
          if (entry.kind !== "tensor" || !entry.value) return;
          known++;
          const [a, b] = [entry.value.toTypedArray(), run[i].toTypedArray()];
          a.forEach((x, k) => {
            expect(Math.abs(x - b[k])).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(x)));
          });
        });
      }),
      { numRuns: 25 },
    );
    expect(known).toBeGreaterThan(5);
  });

  it("one function at several types: a specialization each, met again in the cache", () => {
    const inner = capture((x: Tensor) => x.mul(2).sum(0), zeros([4, 3]));
    const f = fromGraph(inner);
    const outer = fromGraph(capture((x: Tensor) => x.sin(), zeros([2])));
    expect(formatAbstract(inferTypes(f, [f32(4, 3)]).result)).toBe("float32(3,)");
    expect(formatAbstract(inferTypes(f, [{ dtype: "float64", shape: [7, 2, 5] }]).result)).toBe(
      "float64(2, 5)",
    );
    expect(inferTypes(outer, [f32(9)]).specializations.map(({ signature }) => signature)).toEqual([
      "float32(9,)",
    ]);
    const twice = capture(
      (x: Tensor) =>
        call(
          inner,
          call(inner, [x]).map((y) => y.broadcastTo([4, 3])),
        ),
      zeros([4, 3]),
    );
    const shared = inferTypes(fromGraph(parseGraph(printGraph(twice))), [f32(4, 3)]);
    expect(formatAbstract(shared.result)).toBe("float32(3,)");
  });

  it("a loop ends: its counter's constant is forgotten on the second round", () => {
    const loop = fromGraph(
      capture(
        (x: Tensor) =>
          whileLoop(
            (k: Tensor) => k.less(1000),
            (k: Tensor, x: Tensor) => [k.add(1), x.mul(2)],
            [tensor(0, { dtype: "int32" }), x] as [Tensor, Tensor],
          ),
        zeros([3]),
      ),
    );
    const { result, specializations } = inferTypes(loop, [f32(8)]);
    expect(formatAbstract(result)).toBe("(int32(), float32(8,))");
    expect(String(inferTypes(loop, [f32(8)])).split("\n")[1]).toBe(
      "loop(int32() = 0, float32(8,)) -> (int32(), float32(8,))",
    );
    const rounds = specializations
      .filter(({ graph }) => graph.name === "loop")
      .map(({ signature }) => signature);
    expect(rounds).toEqual(["int32() = 0, float32(8,)", "int32(), float32(8,)"]);
  });

  it("a constant predicate leaves one branch, another joins both", () => {
    const f = fromGraph(
      capture(
        (p: Tensor, x: Tensor) =>
          cond(
            p,
            () => [x.exp(), tensor(1)],
            () => [x, tensor(2)],
          ),
        tensor(true),
        zeros([2]),
      ),
    );
    const of = (p: Tensor | { dtype: "bool"; shape: number[] }) =>
      formatAbstract(inferTypes(f, [p, f32(2)]).result);
    expect(of(tensor(true))).toBe("(float32(2,), float32() = 1)");
    expect(of(tensor(false))).toBe("(float32(2,), float32() = 2)");
    expect(of({ dtype: "bool", shape: [] })).toBe("(float32(2,), float32())");
  });

  it("errors name the op, the operands, the shapes and the line", () => {
    const f = fromGraph(captureWith({}, (x: Tensor, w: Tensor) => x.matmul(w), zeros([2, 3]), zeros([3, 4])));
    expect(() => inferTypes(f, [f32(2, 3), f32(5, 4)])).toThrow(
      /infer\.test\.ts:\d+:\d+: matmul of operands 0: float32\(2, 3\), 1: float32\(5, 4\): matmul: .*3.*5/,
    );
    const branches = fromGraph(
      capture(
        (p: Tensor, x: Tensor) =>
          cond(
            p,
            () => x.sum(0),
            () => x.at(0),
          ),
        tensor(true),
        zeros([3, 3]),
      ),
    );
    expect(() => inferTypes(branches, [{ dtype: "bool", shape: [] }, f32(4, 3, 2)])).toThrow(
      /infer\.test\.ts:\d+:\d+: /,
    );
    const rows = fromGraph(
      capture((x: Tensor) => scan((s: Tensor, r: Tensor) => [s.add(r), null], tensor(0), x)[0], zeros([3])),
    );
    expect(() => inferTypes(rows, [f32(4)])).toThrow(
      /scan of operands .*3 entries were expected along axis 0/,
    );
    expect(() => inferTypes(rows, [f32(3, 2)])).toThrow(
      /the state is float32\(\), the body returns float32\(2,\)/,
    );
    expect(() => inferTypes(f, [f32(2)])).toThrow("takes 2 argument(s), 1 given");
  });
});
