/**
 * Which elements of which parameters are one channel: found on the captured graph, so that residual connections,
 * concatenations, depthwise filters and flattened maps are seen whatever the modules are called. Each index of each axis has
 * a label; ops unite labels (union–find); what is united goes or stays together. (Fang et al. 2023, "DepGraph".)
 */
import { Variable } from "../../autodiff/variable.js";
import { captureWith } from "../../graph/capture.js";
import type { Graph, GraphNode, Value } from "../../ir/graph.js";
import type { Module } from "../../nn/module.js";
import type { ConvAttrs } from "../../ops/conv.js";

/** One index along one axis of a parameter. */
export interface Slice {
  readonly variable: Variable;
  readonly axis: number;
  readonly index: number;
  /** A layer computes its outputs along this axis. */
  readonly output: boolean;
}

/** What goes or stays together. */
export type Channel = readonly Slice[];

/** Label of what must stay: inputs, results, and whatever no rule below can follow. */
const FIXED = 0;

/** Labels along one axis. */
type Axis = Int32Array;

class Labels {
  private readonly parents: number[] = [FIXED];

  fresh(size: number): Axis {
    return Int32Array.from({ length: size }, () => this.parents.push(this.parents.length) - 1);
  }

  find(label: number): number {
    let root = label;
    while (this.parents[root] !== root) root = this.parents[root];
    this.parents[label] = root;
    return root;
  }

  unite(a: number, b: number): void {
    const [x, y] = [this.find(a), this.find(b)];
    // the fixed label is the least, so that what is united with it finds it
    if (x !== y) this.parents[Math.max(x, y)] = Math.min(x, y);
  }

  together(a: Axis, b: Axis): void {
    a.forEach((label, i) => {
      this.unite(label, b[i]);
    });
  }

  fix(axes: Iterable<Axis>): void {
    for (const axis of axes) for (const label of axis) this.unite(label, FIXED);
  }
}

const fixed = (shape: readonly number[]): Axis[] => shape.map((size) => new Int32Array(size));

/**
 * The channels of a model that can go.
 * @param variables parameters that can be cut; all others stay as they are
 * @throws TransformError as `capture`.
 */
export function channelsOf(
  model: Module,
  args: readonly unknown[],
  variables: ReadonlySet<Variable>,
): Channel[] {
  const forward = (...given: unknown[]): unknown =>
    (model.forward as (...inputs: unknown[]) => unknown).apply(model, given);
  const graph = captureWith({ name: model.constructor.name, locations: false }, forward, ...args);
  const labels = new Labels();
  const axes = new Map<Value, Axis[]>();
  const outputs = new Set<Axis>();
  const held = parametersOf(graph);
  for (const value of [...graph.params, ...graph.constants.map((constant) => constant.value)]) {
    const variable = held.get(value);
    const known = variable !== undefined && variables.has(variable);
    axes.set(value, known ? value.shape.map((size) => labels.fresh(size)) : fixed(value.shape));
  }
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => axes.get(input) as Axis[]);
    const found = RULES[node.op.name] ?? (node.op.kind === "elementwise" ? elementwise : null);
    const result = found?.(node, inputs, labels, outputs);
    if (!result) labels.fix(inputs.flat());
    node.outputs.forEach((value, i) => {
      axes.set(value, i === 0 && result ? result : fixed(value.shape));
    });
  }
  for (const value of graph.results) labels.fix(axes.get(value) as Axis[]);
  const channels = new Map<number, Slice[]>();
  for (const [value, variable] of held)
    (axes.get(value) as Axis[]).forEach((along, axis) => {
      along.forEach((label, index) => {
        const root = labels.find(label);
        if (root === FIXED) return;
        const slices = channels.get(root) ?? [];
        channels.set(root, slices);
        slices.push({ variable, axis, index, output: outputs.has(along) });
      });
    });
  // an axis that nothing else knows is no channel: the window of a filter
  return [...channels.values()].filter((slices) => slices.some((slice) => slice.output));
}

/** The variables that the last parameters of a graph stand for. */
function parametersOf({ params, origin }: Graph): Map<Value, Variable> {
  const captured = origin.captured ?? [];
  const first = params.length - captured.length;
  return new Map(
    captured.flatMap((x, i) => (x instanceof Variable ? [[params[first + i], x] as const] : [])),
  );
}

/** Labels of an op's result; `null`: the rule does not know, and its inputs stay as they are. */
type Rule = (node: GraphNode, inputs: readonly Axis[][], labels: Labels, outputs: Set<Axis>) => Axis[] | null;

/** Aligned at the last axis; an axis of size 1 is repeated. */
const elementwise: Rule = ({ outputs: [{ shape }] }, inputs, labels) =>
  shape.map((size, axis) => {
    const own = inputs
      .map((x) => x[axis - (shape.length - x.length)])
      .filter((x): x is Axis => x !== undefined && x.length === size);
    for (const other of own.slice(1)) labels.together(own[0], other);
    // what is repeated along the axis has one element, which stays
    labels.fix(
      inputs
        .map((x) => x[axis - (shape.length - x.length)])
        .filter((x): x is Axis => x !== undefined && x.length !== size),
    );
    return own[0] ?? new Int32Array(size);
  });

const reduction: Rule = ({ attrs }, [x], labels) => {
  const { axes, keepDims } = attrs as { axes?: readonly number[]; keepDims?: boolean };
  if (!axes) return null;
  labels.fix(axes.map((axis) => x[axis])); // sums over fewer elements are other sums
  return x.flatMap((axis, i) => (axes.includes(i) ? (keepDims ? [new Int32Array(1)] : []) : [axis]));
};

const RULES: Readonly<Record<string, Rule>> = {
  conv2d({ attrs, outputs: [{ shape }] }, [x, w], labels, outputs) {
    const { groups } = attrs as unknown as ConvAttrs;
    const depthwise = groups > 1 && w[1].length === 1 && w[0].length === groups;
    if (groups > 1 && !depthwise) return null;
    labels.together(x[1], w[depthwise ? 0 : 1]);
    outputs.add(w[0]);
    return [x[0], w[0], ...fixed(shape.slice(2))];
  },
  matmul(_node, [x, w], labels, outputs) {
    if (w.length !== 2 || x.length < 2) return null;
    labels.together(x[x.length - 1], w[0]);
    outputs.add(w[1]);
    return [...x.slice(0, -1), w[1]];
  },
  windows2d: ({ outputs: [{ shape }] }, [x], labels) => {
    labels.fix(x.slice(2));
    return [x[0], x[1], ...fixed(shape.slice(2))];
  },
  transpose: ({ attrs }, [x]) => (attrs as unknown as { axes: number[] }).axes.map((axis) => x[axis]),
  stopGradient: (_node, [x]) => x,
  broadcastTo: elementwise,
  concat({ attrs }, inputs, labels) {
    const along = (attrs as unknown as { axis: number }).axis;
    return inputs[0].map((axis, i) => {
      if (i === along) return Int32Array.from(inputs.flatMap((x) => [...x[i]]));
      for (const other of inputs.slice(1)) labels.together(axis, other[i]);
      return axis;
    });
  },
  reshape: ({ inputs: [from], outputs: [to] }, [x]) => reshaped(x, from.shape, to.shape),
  sum: reduction,
  max: reduction,
  min: reduction,
};

/**
 * Runs of axes that hold the same elements before and after. In a run that becomes one axis, every element has the label of
 * the axis that can go; where there are several such, or an axis is divided, nothing is known.
 */
function reshaped(x: readonly Axis[], from: readonly number[], to: readonly number[]): Axis[] | null {
  const out: Axis[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const [start, first] = [i, j];
    let [a, b] = [from[i++] ?? 1, to[j++] ?? 1];
    while (a !== b) {
      if (a < b) a *= from[i++];
      else b *= to[j++];
    }
    const wide = (sizes: readonly number[], begin: number, end: number): number[] =>
      Array.from({ length: Math.max(0, Math.min(end, sizes.length) - begin) }, (_, k) => begin + k).filter(
        (k) => sizes[k] !== 1,
      );
    const [before, after] = [wide(from, start, i), wide(to, first, j)];
    const open = before.filter((k) => x[k].some((label) => label !== FIXED));
    if (open.length > 1 || (open.length === 1 && after.length > 1)) return null;
    for (let k = first; k < Math.min(j, to.length); k++) {
      if (to[k] === 1 || open.length === 0) {
        out.push(new Int32Array(to[k]));
        continue;
      }
      const inner = before.filter((axis) => axis > open[0]).reduce((size, axis) => size * from[axis], 1);
      const size = from[open[0]];
      out.push(Int32Array.from({ length: to[k] }, (_, e) => x[open[0]][Math.floor(e / inner) % size]));
    }
  }
  return out;
}
