/**
 * Interval bound propagation (区间界传播): bounds of what a function of the library gives on whole boxes of arguments. The function is
 * captured as a graph, and each of its ops works on intervals; so derivatives, being graphs too, have bounds as well.
 * Bounds are those of real numbers up to rounding in double precision; leave a margin far above 1e-12.
 */
import { vmap } from "../../autodiff/batch.js";
import { ShapeError, ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { capture } from "../../graph/capture.js";
import type { Graph, GraphNode, Value } from "../../ir/graph.js";
import { maximum, minimum } from "../../ops/binary.js";
import { bind } from "../../ops/bind.js";
import { tensor } from "../../ops/convert.js";
import { zeros } from "../../ops/create.js";
import { concrete } from "../../ops/read.js";
import { tidy } from "../../ops/tidy.js";

interface Interval {
  readonly low: Tensor;
  readonly high: Tensor;
}

/** Boxes, and bounds: one row of numbers each. */
export interface Rows {
  readonly lower: number[][];
  readonly upper: number[][];
}

type Rule = (inputs: readonly Interval[], node: GraphNode) => Interval;

const run = (node: GraphNode, inputs: readonly Tensor[]): Tensor => bind(node.op, [...inputs], node.attrs)[0];

/** Ends go to ends: the op moves, adds or lets elements grow. */
const growing: Rule = (inputs, node) => ({
  low: run(
    node,
    inputs.map((x) => x.low),
  ),
  high: run(
    node,
    inputs.map((x) => x.high),
  ),
});

const times = (a: Interval, b: Interval): Interval => {
  const ends = [a.low.mul(b.low), a.low.mul(b.high), a.high.mul(b.low), a.high.mul(b.high)];
  return { low: ends.reduce(minimum), high: ends.reduce(maximum) };
};

/** Middle and radius: the product's radius is at most |mₐ|·r_b + rₐ·(|m_b| + r_b) (Rump 1999). */
const product: Rule = ([a, b]) => {
  const half = ({ low, high }: Interval) => ({
    middle: low.add(high).mul(0.5),
    radius: high.sub(low).mul(0.5),
  });
  const [x, y] = [half(a), half(b)];
  const middle = x.middle.matmul(y.middle);
  const radius = x.middle
    .abs()
    .matmul(y.radius)
    .add(x.radius.matmul(y.middle.abs().add(y.radius)));
  return { low: middle.sub(radius), high: middle.add(radius) };
};

/** Elementwise, by the ends of each element's interval. */
const each =
  (bounds: (low: number, high: number) => readonly [number, number]): Rule =>
  ([{ low, high }]) => {
    const [a, b] = [low, high].map((t) => Float64Array.from(t.toTypedArray() as Float64Array));
    for (let i = 0; i < a.length; i++) [a[i], b[i]] = bounds(a[i], b[i]);
    const made = (values: Float64Array): Tensor => tensor(values, { shape: low.shape, dtype: "float64" });
    return { low: made(a), high: made(b) };
  };

/** A wave with crests at `crest` + 2πk and troughs half a turn on. */
const wave = (f: (x: number) => number, crest: number): Rule =>
  each((low, high) => {
    const holds = (place: number): boolean =>
      Math.floor((high - place) / (2 * Math.PI)) > Math.floor((low - place) / (2 * Math.PI)) || low === place;
    const [a, b] = [f(low), f(high)];
    return [holds(crest + Math.PI) ? -1 : Math.min(a, b), holds(crest) ? 1 : Math.max(a, b)];
  });

const even = (f: (x: number) => number): Rule =>
  each((low, high) => {
    const [a, b] = [f(low), f(high)];
    return [low <= 0 && high >= 0 ? f(0) : Math.min(a, b), Math.max(a, b)];
  });

const reciprocal = each((low, high) =>
  low > 0 || high < 0 ? [1 / high, 1 / low] : [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
);

/** How ops work on intervals. A new op is one line. */
const RULES: Record<string, Rule> = {
  ...Object.fromEntries(
    "reshape transpose broadcastTo slice unslice concat sum mean cast add relu tanh sigmoid exp log sqrt softplus atan sinh stopGradient"
      .split(" ")
      .map((name) => [name, growing]),
  ),
  sub: ([a, b]) => ({ low: a.low.sub(b.high), high: a.high.sub(b.low) }),
  neg: ([a]) => ({ low: a.high.neg(), high: a.low.neg() }),
  mul: ([a, b]) => times(a, b),
  div: ([a, b], node) => times(a, reciprocal([b], node)),
  matmul: product,
  square: even((x) => x * x),
  abs: even(Math.abs),
  cosh: even(Math.cosh),
  sin: wave(Math.sin, Math.PI / 2),
  cos: wave(Math.cos, 0),
};

/**
 * Bounds of `f` on boxes, many at once.
 * @param f of one argument (n,), made of ops that the rules know, float64 throughout
 * @param size n
 * @param count boxes that one call takes at most; fewer are filled up
 * @throws ValueError if f uses an op without a rule: the message names it
 * @example
 * const bounds = control.intervalBounds((x: Tensor) => x.square().sum(), 2, 1);
 * bounds({ lower: [[-1, 2]], upper: [[1, 3]] }).upper // [[10]]
 */
export function intervalBounds(f: (x: Tensor) => Tensor, size: number, count: number): (boxes: Rows) => Rows {
  const graph = tidy(() => capture(vmap(f), zeros([count, size], { dtype: "float64" })));
  const unknown = graph.nodes.find((node) => !(node.op.name in RULES) && dependsOnArgument(graph, node));
  if (unknown)
    throw new ValueError(
      `intervalBounds: there is no rule for ${unknown.op.name}; there are ones for ${Object.keys(RULES).sort().join(", ")}`,
    );
  return ({ lower, upper }) => {
    const given = lower.length;
    if (given > count || given === 0 || lower.some((row) => row.length !== size) || upper.length !== given)
      throw new ShapeError(`intervalBounds: 1 … ${count} boxes of ${size} numbers wanted`);
    const filled = (rows: number[][]): Tensor =>
      tensor(
        Float64Array.from(
          { length: count * size },
          (_, i) => rows[Math.min(given - 1, Math.floor(i / size))][i % size],
        ),
        {
          shape: [count, size],
          dtype: "float64",
        },
      );
    return tidy(() => {
      const [result] = propagate(graph, { low: filled(lower), high: filled(upper) });
      const width = result.low.size / count;
      const rows = (t: Tensor): number[][] => {
        const values = t.toTypedArray() as Float64Array;
        return Array.from({ length: given }, (_, k) =>
          Array.from(values.subarray(k * width, (k + 1) * width)),
        );
      };
      return { lower: rows(result.low), upper: rows(result.high) };
    });
  };
}

function dependsOnArgument(graph: Graph, node: GraphNode): boolean {
  const reached = new Set<Value>([graph.params[0]]);
  for (const other of graph.nodes) {
    if (other.inputs.some((input) => reached.has(input)))
      for (const output of other.outputs) reached.add(output);
    if (other === node) return node.outputs.some((output) => reached.has(output));
  }
  return false;
}

function propagate(graph: Graph, argument: Interval): Interval[] {
  const env = new Map<Value, Interval>();
  const point = (x: Tensor): Interval => ({ low: x, high: x });
  graph.params.forEach((param, i) => {
    if (i === 0) {
      env.set(param, argument);
      return;
    }
    const held = concrete((graph.origin.captured ?? [])[i - 1]);
    if (!held)
      throw new ValueError(
        "intervalBounds: f reads a value of a transformation around it, which has no number",
      );
    env.set(param, point(held));
  });
  for (const { value, data } of graph.constants) env.set(value, point(data));
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => env.get(input) as Interval);
    if (inputs.every(({ low, high }) => low === high)) {
      const outputs = bind(
        node.op,
        inputs.map(({ low }) => low),
        node.attrs,
      );
      node.outputs.forEach((output, i) => {
        env.set(output, point(outputs[i]));
      });
    } else env.set(node.outputs[0], RULES[node.op.name](inputs, node));
  }
  return graph.results.map((result) => env.get(result) as Interval);
}
