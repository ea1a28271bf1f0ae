/**
 * A captured graph as loop IR: each node a nest over buffers, views nowhere but in indices. What a node means is one row of a
 * table.
 */
import { contiguousLayout, isContiguous, type Layout } from "../../core/layout.js";
import { broadcastShapes, sizeOf } from "../../core/shape.js";
import type { Graph, GraphNode, Value } from "../../ir/graph.js";
import { type Affine, affine, type Index } from "../loop/affine.js";
import { type Axes, cast, Definition, lit, op, type TensorRef, when } from "../loop/compute.js";
import { type Expr, LOOP_TYPES, type LoopKernel, type LoopType } from "../loop/ir.js";
import { isScalarOp } from "../loop/operators.js";
import { NpuError } from "./config.js";

/** Where a value's elements are: a buffer, how they lie in it, and a type that they are widened to when read. */
interface Located {
  readonly ref: TensorRef;
  readonly natural: readonly number[];
  readonly layout: Layout;
  readonly dtype: LoopType;
  readonly widen: LoopType | null;
}

export interface GraphKernel {
  readonly kernel: LoopKernel;
  /** For each statement of the kernel's body: the node that it is of. */
  readonly owner: readonly GraphNode[];
  /** Names of the buffers of parameters, constants and results. */
  readonly params: readonly string[];
  readonly constants: readonly string[];
  readonly results: readonly string[];
}

/**
 * The graph as one kernel.
 * @throws NpuError naming the first op, dtype or attribute that has no path.
 */
export function graphKernel(graph: Graph): GraphKernel {
  const d = new Definition(graph.name);
  const values = new Map<Value, Located>();
  const owner: GraphNode[] = [];
  const place = (ref: TensorRef, v: Value, shape: readonly number[]): Located => ({
    ref,
    natural: natural(shape),
    layout: contiguousLayout(shape),
    dtype: typeOf(v),
    widen: null,
  });
  const params = graph.params.map((p, i) => {
    values.set(p, place(d.input(`p${i}`, typeOf(p), natural(p.shape)), p, p.shape));
    return `p${i}`;
  });
  const constants = graph.constants.map(({ value: c }, i) => {
    values.set(c, place(d.input(`c${i}`, typeOf(c), natural(c.shape)), c, c.shape));
    return `c${i}`;
  });
  const done = (): number => d.kernel().body.filter((s) => s.kind !== "alloc").length;
  const results = new Map<Value, string>();
  graph.nodes.forEach((node, at) => {
    const inputs = node.inputs.map((v) => values.get(v) as Located);
    const [out] = node.outputs;
    const seen = lazily(node, inputs);
    if (seen) {
      values.set(out, seen);
      return;
    }
    if (node.outputs.length !== 1)
      throw new NpuError(
        `${graph.name}: ${node.op.name} has ${node.outputs.length} results; the accelerator's compiler takes ops with one`,
      );
    const wanted = graph.results.includes(out);
    const name = `v${at}`;
    const make = wanted ? d.output.bind(d) : d.temp.bind(d);
    const ref = make(name, typeOf(out), natural(out.shape));
    if (wanted) results.set(out, name);
    stage(d, node, inputs, ref, at);
    while (owner.length < done()) owner.push(node);
    values.set(out, place(ref, out, out.shape));
  });
  // Results that are parameters or views are copied out.
  const names = graph.results.map((v, i) => {
    const found = results.get(v);
    if (found) return found;
    const from = values.get(v) as Located;
    const ref = d.output(`r${i}`, typeOf(v), natural(v.shape));
    each(d, ref, v.shape, `r${i}_`, (at) => read(from, at));
    while (owner.length < done()) owner.push(graph.producer(v) ?? graph.nodes[0]);
    return `r${i}`;
  });
  return { kernel: d.kernel(), owner, params, constants, results: names };
}

const natural = (shape: readonly number[]): readonly number[] => (shape.length === 0 ? [1] : shape);

function typeOf(v: Value): LoopType {
  if (v.dtype === "float64" || v.dtype === "float16" || !(LOOP_TYPES as readonly string[]).includes(v.dtype))
    throw new NpuError(
      `${v.dtype} values are beyond the accelerator: it takes float32, bfloat16, int32, int8, uint8 and bool`,
    );
  return v.dtype as LoopType;
}

/** Nodes that move nothing: views, and integers that are widened when they are read. */
function lazily(node: GraphNode, inputs: readonly Located[]): Located | null {
  const [x] = inputs;
  if (node.op.view) {
    const layout = node.op.view(x.layout, node.attrs);
    return layout && { ...x, layout };
  }
  if (
    node.op.name === "cast" &&
    (x.dtype === "int8" || x.dtype === "uint8") &&
    node.outputs[0].dtype === "int32" &&
    !x.widen
  )
    return { ...x, widen: "int32" };
  return null;
}

/** The element at these indices. */
function read({ ref, natural: shape, layout, dtype, widen }: Located, at: readonly Index[]): Expr {
  let e: Expr;
  const plain = layout.offset === 0 && layout.shape.join() === shape.join() && isContiguous(layout);
  if (plain) e = ref.at(...at);
  else {
    const linear = at.reduce<Affine>(
      (sum, i, axis) => sum.plus(affine(i).times(layout.strides[axis])),
      affine(layout.offset),
    );
    // Row-major: an index along the last axis reaches everything.
    e = ref.at(...shape.slice(1).map(() => 0), linear);
  }
  return widen && widen !== dtype ? cast(widen, e) : e;
}

/** The element of an operand that broadcasts against a result. */
function broadcast(x: Located, at: readonly Index[]): Expr {
  const { shape } = x.layout;
  const lead = at.length - shape.length;
  return read(
    x,
    shape.map((dim, axis) => (dim === 1 ? 0 : at[lead + axis])),
  );
}

function axesOf(shape: readonly number[], prefix: string): { axes: Axes; names: string[] } {
  const names = natural(shape).map((_, i) => `${prefix}${i}`);
  return { axes: Object.fromEntries(names.map((n, i) => [n, natural(shape)[i]])), names };
}

/** A nest that sets each element. */
function each(
  d: Definition,
  ref: TensorRef,
  shape: readonly number[],
  prefix: string,
  make: (at: readonly Affine[]) => Expr,
): void {
  const { axes, names } = axesOf(shape, prefix);
  d.compute(ref, axes, (v) => {
    const at = names.map((n) => v[n]);
    return [at, make(shape.length === 0 ? [] : at)];
  });
}

function stage(d: Definition, node: GraphNode, inputs: readonly Located[], ref: TensorRef, id: number): void {
  const [out] = node.outputs;
  const { shape } = out;
  const dtype = typeOf(out);
  const { name } = node.op;
  const prefix = `n${id}_`;
  const special = STAGES[name];
  if (special) {
    special({ d, node, inputs, ref, prefix, dtype });
    return;
  }
  const make = elementwise(node, dtype);
  if (!make) throw new NpuError(`the accelerator's compiler has no path for ${name}`);
  each(d, ref, shape, prefix, (at) => make(inputs.map((x) => broadcast(x, at))));
}

/** What an elementwise op computes; null: it has no path. */
function elementwise(node: GraphNode, dtype: LoopType): ((x: readonly Expr[]) => Expr) | null {
  const { name } = node.op;
  const attrs = node.attrs as Readonly<Record<string, number>>;
  const number = (x: number): Expr => lit(x, dtype);
  const row = ELEMENTWISE[name];
  if (row) return (x) => row(x, attrs, number);
  if (name === "cast") return ([x]) => cast(dtype, x);
  if (name === "where") return ([c, a, b]) => ({ kind: "select", args: [c, a, b] });
  return isScalarOp(name) ? (x) => op(name, ...x) : null;
}

type Make = (
  x: readonly Expr[],
  attrs: Readonly<Record<string, number>>,
  number: (x: number) => Expr,
) => Expr;

/** Ops that are more than one operator of loop IR. */
const ELEMENTWISE: Readonly<Record<string, Make>> = {
  clip: ([x], { low, high }, n) => op("minimum", op("maximum", x, n(low)), n(high)),
  reciprocal: ([x], _, n) => op("div", n(1), x),
  rsqrt: ([x], _, n) => op("div", n(1), op("sqrt", x)),
  relu6: ([x], _, n) => op("minimum", op("relu", x), n(6)),
  silu: ([x]) => op("mul", x, op("sigmoid", x)),
  leakyRelu: ([x], { slope }, n) => op("maximum", x, op("mul", x, n(slope))),
  greater: ([x, y]) => op("less", y, x),
  greaterEqual: ([x, y]) => op("lessEqual", y, x),
  // Adding 1.5 · 2²³ leaves no room for a fraction: float32 rounds it away, halves to the even number.
  round: ([x], _, n) => ({
    kind: "select",
    args: [
      op("less", op("abs", x), n(2 ** 22)),
      op("sub", op("add", x, n(1.5 * 2 ** 23)), n(1.5 * 2 ** 23)),
      x,
    ],
  }),
};

interface StageArgs {
  readonly d: Definition;
  readonly node: GraphNode;
  readonly inputs: readonly Located[];
  readonly ref: TensorRef;
  readonly prefix: string;
  readonly dtype: LoopType;
}

const reduction =
  (reduce: "add" | "maximum" | "minimum", initial: number, mean = false) =>
  ({ d, node, inputs: [x], ref, prefix, dtype }: StageArgs): void => {
    const { axes: over, keepDims } = node.attrs as {
      readonly axes: readonly number[];
      readonly keepDims: boolean;
    };
    const { shape } = x.layout;
    const kept = shape.map((_, i) => i).filter((i) => !over.includes(i));
    const count = sizeOf(over.map((i) => shape[i]));
    const outer = Object.fromEntries(kept.map((i) => [`${prefix}${i}`, shape[i]]));
    const inner = Object.fromEntries(over.map((i) => [`${prefix}${i}`, shape[i]]));
    const one = kept.length === 0 ? { [`${prefix}one`]: 1 } : outer;
    const start =
      Number.isFinite(initial) || dtype !== "int32" ? initial : Math.sign(initial) * (2 ** 31 - 1);
    d.reduce(ref, one, inner, reduce, lit(start, dtype), (v) => {
      const at = (i: number): Affine => (v as Record<string, Affine>)[`${prefix}${i}`];
      const e = read(
        x,
        shape.map((_, i) => at(i)),
      );
      const target = keepDims ? shape.map((_, i) => (over.includes(i) ? 0 : at(i))) : kept.map(at);
      return [target.length === 0 ? [0] : target, mean ? op("mul", e, lit(1 / count, dtype)) : e];
    });
  };

/** Ops that are nests of their own. */
const STAGES: Readonly<Record<string, (args: StageArgs) => void>> = {
  sum: reduction("add", 0),
  mean: reduction("add", 0, true),
  max: reduction("maximum", Number.NEGATIVE_INFINITY),
  min: reduction("minimum", Number.POSITIVE_INFINITY),
  matmul({ d, node, inputs: [a, b], ref, prefix, dtype }) {
    const { shape } = node.outputs[0];
    const lead = broadcastShapes([a.layout.shape.slice(0, -2), b.layout.shape.slice(0, -2)], "matmul");
    const names = lead.map((_, i) => `${prefix}b${i}`);
    const [m, n] = shape.slice(-2);
    const k = a.layout.shape[a.layout.shape.length - 1];
    const sum: LoopType =
      dtype === "int8" || dtype === "uint8" ? "int32" : dtype === "bfloat16" ? "float32" : dtype;
    const target = sum === dtype ? ref : d.temp(`${ref.buffer.name}_sum`, sum, shape);
    const axes = {
      ...Object.fromEntries(names.map((x, i) => [x, lead[i]])),
      [`${prefix}i`]: m,
      [`${prefix}j`]: n,
    };
    d.reduce(target, axes, { [`${prefix}k`]: k }, "add", lit(0, sum), (v) => {
      const at = v as Record<string, Affine>;
      const batch = names.map((x) => at[x]);
      const factor = (x: Located, row: Affine, column: Affine): Expr => {
        const e = broadcast(x, [...batch, row, column]);
        const type = x.widen ?? x.dtype;
        return type === sum ? e : cast(sum, e);
      };
      const [i, j, l] = [at[`${prefix}i`], at[`${prefix}j`], at[`${prefix}k`]];
      return [[...batch, i, j], op("mul", factor(a, i, l), factor(b, l, j))];
    });
    if (target !== ref) each(d, ref, shape, `${prefix}o`, (at) => cast(dtype, target.at(...at)));
  },
  softmax({ d, node, inputs: [x], ref, prefix, dtype }) {
    const { axis } = node.attrs as { readonly axis: number };
    const { shape } = node.outputs[0];
    const rest = shape.map((dim, i) => (i === axis ? 1 : dim));
    const most = d.temp(`${ref.buffer.name}_max`, dtype, rest);
    const sum = d.temp(`${ref.buffer.name}_sum`, dtype, rest);
    const low = (at: readonly Index[]): Index[] => at.map((i, j) => (j === axis ? 0 : i));
    const fold = (
      target: TensorRef,
      tag: string,
      reduce: "add" | "maximum",
      initial: number,
      e: (at: Affine[]) => Expr,
    ): void => {
      const name = (i: number): string => `${prefix}${tag}${i}`;
      const outer = Object.fromEntries(shape.flatMap((dim, i) => (i === axis ? [] : [[name(i), dim]])));
      const one = Object.keys(outer).length === 0 ? { [`${prefix}${tag}one`]: 1 } : outer;
      d.reduce(target, one, { [name(axis)]: shape[axis] }, reduce, lit(initial, dtype), (v) => {
        const at = shape.map((_, i) => (v as Record<string, Affine>)[name(i)]);
        return [low(at), e(at)];
      });
    };
    fold(most, "m", "maximum", Number.NEGATIVE_INFINITY, (at) => read(x, at));
    each(d, ref, shape, `${prefix}e`, (at) => op("exp", op("sub", read(x, at), most.at(...low(at)))));
    fold(sum, "s", "add", 0, (at) => ref.at(...at));
    each(d, ref, shape, `${prefix}q`, (at) => op("div", ref.at(...at), sum.at(...low(at))));
  },
  conv2d({ d, node, inputs: [x, w], ref, prefix, dtype }) {
    const a = node.attrs as {
      readonly stride: readonly number[];
      readonly padding: readonly (readonly [number, number])[];
      readonly dilation: readonly number[];
      readonly groups: number;
    };
    if (a.groups !== 1)
      throw new NpuError(`conv2d in ${a.groups} groups has no path to the accelerator: only one group`);
    const [n, f, h, v] = node.outputs[0].shape;
    const [, channels, kh, kw] = w.layout.shape;
    const [, , height, width] = x.layout.shape;
    const sum: LoopType = dtype === "int8" ? "int32" : dtype === "bfloat16" ? "float32" : dtype;
    const target = sum === dtype ? ref : d.temp(`${ref.buffer.name}_sum`, sum, node.outputs[0].shape);
    const axes = { [`${prefix}b`]: n, [`${prefix}f`]: f, [`${prefix}y`]: h, [`${prefix}x`]: v };
    const over = { [`${prefix}c`]: channels, [`${prefix}r`]: kh, [`${prefix}q`]: kw };
    const wide = (e: Expr, { widen, dtype: own }: Located): Expr =>
      (widen ?? own) === sum ? e : cast(sum, e);
    d.reduce(target, axes, over, "add", lit(0, sum), (vars) => {
      const at = (name: string): Affine => (vars as Record<string, Affine>)[`${prefix}${name}`];
      const i = at("y").times(a.stride[0]).plus(at("r").times(a.dilation[0])).minus(a.padding[0][0]);
      const j = at("x").times(a.stride[1]).plus(at("q").times(a.dilation[1])).minus(a.padding[1][0]);
      const pixel = wide(read(x, [at("b"), at("c"), i, j]), x);
      const padded = a.padding.some(([low, high]) => low + high > 0);
      const inside = padded
        ? when(
            [
              [-1, i],
              [i, height],
              [-1, j],
              [j, width],
            ],
            pixel,
            lit(0, sum),
          )
        : pixel;
      return [
        [at("b"), at("f"), at("y"), at("x")],
        op("mul", inside, wide(read(w, [at("f"), at("c"), at("r"), at("q")]), w)),
      ];
    });
    if (target !== ref)
      each(d, ref, node.outputs[0].shape, `${prefix}o`, (at) => cast(dtype, target.at(...at)));
  },
};
