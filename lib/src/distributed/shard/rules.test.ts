/**
 * Every op of the registry, cut in every way that its rule allows, against the op on one device; and every way from one
 * sharding to another.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { numbers, relativeError } from "../../../test/support/finite-differences.js";
import { drawInputs, type OpCase, opCases, randomTensor, run } from "../../../test/support/op-samples.js";
import { sizeOf } from "../../core/shape.js";
import { GraphBuilder } from "../../ir/builder.js";
import type { Graph, GraphNode, Value } from "../../ir/graph.js";
import { getOp } from "../../ops/registry.js";
import { DEFAULT_CLUSTER } from "./cost.js";
import { dimsOf, type FactorAxes, legal } from "./factors.js";
import { logicalMesh } from "./mesh.js";
import type { ShardingPlan } from "./plan.js";
import { ShardedProgram } from "./program.js";
import { reshard } from "./reshard.js";
import { ruleOf } from "./rules/index.js";
import { keyOf, replicated, type Sharding } from "./sharding.js";

const mesh = logicalMesh({ a: 2, b: 3 });

/** Each axis cuts one factor or none. */
function cuts(node: GraphNode): FactorAxes[] {
  const rule = ruleOf(node);
  const found = new Map<string, FactorAxes>();
  const assign = (at: number, axes: readonly (readonly string[])[]): void => {
    if (at === mesh.axes.length) {
      const cut = legal(mesh, rule, axes);
      if (cut.some((list) => list.length > 0)) found.set(JSON.stringify(cut), cut);
      return;
    }
    assign(at + 1, axes);
    rule.factors.forEach((_, f) => {
      assign(
        at + 1,
        axes.map((list, g) => (g === f ? [...list, mesh.axes[at]] : list)),
      );
    });
  };
  assign(
    0,
    rule.factors.map(() => []),
  );
  return [...found.values()];
}

function graphOf(c: OpCase): Graph {
  const inputs = drawInputs(c);
  const builder = new GraphBuilder(c.op.name);
  const params = inputs.map((x) => builder.param(x));
  return builder.finish(builder.node(c.op, params, c.attrs));
}

/** The op with its factors cut so, operands and results lying as that wants. */
function programOf(graph: Graph, cut: FactorAxes): ShardedProgram {
  const [node] = graph.nodes;
  const rule = ruleOf(node);
  const values = new Map<Value, Sharding>();
  for (const [i, x] of node.inputs.entries())
    values.set(x, { dims: dimsOf(rule.inputs[i], cut), partial: [] });
  for (const [i, y] of node.outputs.entries())
    values.set(y, { dims: dimsOf(rule.outputs[i], cut), partial: [] });
  const plan: ShardingPlan = {
    mesh,
    cluster: DEFAULT_CLUSTER,
    graph,
    values,
    cuts: new Map([[node, cut]]),
    notes: [],
  };
  return new ShardedProgram(plan);
}

/** Parts of some axes, where the others stay whole: what attention does to its joined projections. */
const more = ["slice", "unslice"].map((name): OpCase => {
  const op = getOp(name);
  const part = { starts: [1, 0, 0], sizes: [1, 4, 6], steps: [1, 1, 1] };
  const attrs = name === "slice" ? part : { ...part, shape: [3, 4, 6] };
  const shapes = [name === "slice" ? [3, 4, 6] : [1, 4, 6]];
  return { title: `${name} of one axis`, op, sample: { shapes, attrs }, attrs };
});

const cases = [...more, ...opCases((op) => op.kind !== "control" && !op.composite && op.kind !== "random")]
  .filter((c) => c.sample.shapes.every((shape) => sizeOf(shape) > 0))
  .map((c) => ({ title: c.title, c, graph: graphOf(c) }))
  .filter(({ graph }) => cuts(graph.nodes[0]).length > 0);

/** By op; elementwise ops, which share a rule, as one of each number of operands. */
const families = new Map<string, typeof cases>();
for (const one of cases) {
  const { op, sample } = one.c;
  const name = op.kind === "elementwise" ? `elementwise, ${sample.shapes.length} operands` : op.name;
  const sofar = families.get(name) ?? [];
  const enough = op.kind === "elementwise" && sofar.length >= 12;
  if (!enough) families.set(name, [...sofar, one]);
}

describe("each op, cut", () => {
  it.each([...families])("%s", (_, list) => {
    for (const { c, graph } of list) {
      const inputs = drawInputs(c);
      const wanted = run(c, inputs);
      for (const cut of cuts(graph.nodes[0])) {
        const got = programOf(graph, cut).outputs(inputs);
        for (const [i, y] of wanted.entries()) {
          const where = `${c.title} ${JSON.stringify(cut)}`;
          expect(got[i].shape, where).toEqual(y.shape);
          expect(got[i].dtype, where).toBe(y.dtype);
          expect(relativeError(numbers(got[i]), numbers(y)), where).toBeLessThan(1e-12);
        }
      }
    }
  });

  it("the ops of neural networks have cases", () => {
    const covered = new Set(families.keys());
    for (const name of ["matmul", "conv2d", "take", "scatterAdd", "concat", "reshape", "softmax", "unslice"])
      expect(covered, name).toContain(name);
  });
});

describe("resharding", () => {
  const three = logicalMesh({ a: 2, b: 2, c: 3 });
  const shape = [12, 24, 12];
  const sharding = fc
    .tuple(...three.axes.map(() => fc.constantFrom(0, 1, 2, "partial", null)), fc.boolean())
    .map((places): Sharding => {
      const axes = places[3] ? [...three.axes].reverse() : three.axes;
      return {
        dims: shape.map((_, dim) => axes.filter((_axis, i) => places[i] === dim)),
        partial: axes.filter((_axis, i) => places[i] === "partial"),
      };
    });

  it("any sharding from any other, with the same elements", () => {
    const x = randomTensor("reshard", shape);
    fc.assert(
      fc.property(sharding, sharding, (from, to) => {
        const builder = new GraphBuilder("move");
        const param = builder.param(x);
        const one = builder.node(getOp("neg"), [param]);
        const graph = builder.finish(one);
        const plan: ShardingPlan = {
          mesh: three,
          cluster: DEFAULT_CLUSTER,
          graph,
          values: new Map([
            [param, { ...from, partial: [] }],
            [one[0], from],
          ]),
          cuts: new Map([[graph.nodes[0], ruleOf(graph.nodes[0]).factors.map((_, f) => from.dims[f])]]),
          notes: [],
        };
        const program = new ShardedProgram(plan, [to]);
        expect(numbers(program.outputs([x])[0])).toEqual(numbers(x.neg()));
      }),
      { numRuns: 60 },
    );
  });

  it("takes the steps that the textbook names", () => {
    const type = { shape: [12, 12], dtype: "float32" } as const;
    const steps = (from: Sharding, to: Sharding) =>
      reshard(three, type, from, to, DEFAULT_CLUSTER).steps.map(({ kind }) => kind);
    const whole = replicated(2);
    const rows = { dims: [["a"], []], partial: [] };
    const columns = { dims: [[], ["a"]], partial: [] };
    const terms = { dims: [[], []], partial: ["a"] };
    expect(steps(rows, whole)).toEqual(["allGather"]);
    expect(steps(whole, rows)).toEqual(["slice"]);
    expect(steps(rows, columns)).toEqual(["allToAll"]);
    expect(steps(terms, whole)).toEqual(["allReduce"]);
    expect(steps(terms, rows)).toEqual(["reduceScatter"]);
    expect(steps(rows, rows)).toEqual([]);
    expect(keyOf(whole)).not.toBe(keyOf(rows));
  });
});
