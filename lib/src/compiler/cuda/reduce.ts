/**
 * Reductions, also of what a program of elementwise ops makes of its operands. A warp folds the elements of one result and
 * then its lanes' parts; results that are many and short are folded by one thread each.
 */
import type { DType } from "../../core/dtype.js";
import { collapse } from "../../core/layout.js";
import { sizeOf } from "../../core/shape.js";
import type { ElementwiseProgram } from "../../runtime/wasm/elementwise/program.js";
import { programText } from "./elementwise.js";
import { type CudaArray, type CudaOp, computed, fits } from "./types.js";
import { KernelWriter } from "./writer.js";

interface ReduceAttrs {
  readonly axes: readonly number[];
}

interface Fold {
  /** What nothing folds to. */
  readonly start: (type: string) => string;
  readonly step: (a: string, b: string) => string;
  /** Elements count as true or false. */
  readonly truth?: boolean;
}

const INFINITE: Readonly<Record<string, string>> = {
  float: "INFINITY",
  double: "(double)INFINITY",
  int: "2147483647",
  "long long": "9223372036854775807LL",
};

const FOLDS: Readonly<Record<string, Fold>> = {
  sum: { start: (t) => `(${t})0`, step: (a, b) => `${a} + ${b}` },
  prod: { start: (t) => `(${t})1`, step: (a, b) => `${a} * ${b}` },
  max: { start: (t) => `-${INFINITE[t]}`, step: (a, b) => `m_max(${b}, ${a})` },
  min: { start: (t) => INFINITE[t], step: (a, b) => `m_min(${b}, ${a})` },
  any: { start: () => "false", step: (a, b) => `${a} || ${b}`, truth: true },
  all: { start: () => "true", step: (a, b) => `${a} && ${b}`, truth: true },
};

/** From so many elements a result is worth a warp. */
const WORTH_A_WARP = 64;
/** So many lanes of one warp fold a result. */
const LANES = 32;

/** Of what each element is made: the operands as they are, or a program of them. */
export interface Elements {
  readonly inputs: readonly CudaArray[];
  readonly program: ElementwiseProgram;
  readonly types: readonly DType[];
}

/** Folds the elements over `shape` along `axes` into `out` (contiguous). */
export function reduce(
  op: string,
  { inputs, program, types }: Elements,
  shape: readonly number[],
  axes: readonly number[],
  out: CudaArray,
): void {
  const { start, step, truth } = FOLDS[op];
  const kept = shape.map((_, d) => d).filter((d) => !axes.includes(d));
  const outer = walk(shape, kept, inputs);
  const inner = walk(shape, axes, inputs);
  const count = sizeOf(inner.sizes);
  const warps = count >= WORTH_A_WARP;
  const w = new KernelWriter(`mlsys_${op}${warps ? "_warp" : ""}`);
  const state = truth ? "bool" : computed(out.dtype);
  const row = warps ? `i / ${LANES}` : "i";
  const { text, at } = w.coordinates(outer.sizes, row, "c");
  const { text: innerText, at: innerAt } = w.coordinates(inner.sizes, "k", "n");
  const bases = inputs
    .map((x, o) => {
      const layout = { shape: outer.sizes.map(() => 2), strides: outer.strides[o], offset: x.offset };
      return `const int b${o} = ${w.position(layout, at)};`;
    })
    .join(" ");
  const operands = inputs
    .map((x, o) => {
      const layout = { shape: inner.sizes.map(() => 2), strides: inner.strides[o], offset: 0 };
      return `const ${computed(x.dtype)} x${o} = ${w.input(x)(`b${o} + ${w.position(layout, innerAt)}`)};`;
    })
    .join(" ");
  const made = programText(
    w,
    program,
    types,
    inputs.map((_, o) => `x${o}`),
  );
  const value = made.values[program.outputs[0]];
  const element = truth ? `(${value} != 0)` : `(${state})(${value})`;
  const size = w.int(count);
  const store = w.output(out)(row, "s");
  const loop = `    ${text}${bases}
    ${state} s = ${start(state)};
    for (int k = ${warps ? `i % ${LANES}` : "0"}; k < ${size}; k += ${warps ? LANES : 1}) {
      ${innerText}${operands}
${made.text}      s = ${step("s", element)};
    }`;
  const lanes = `
    for (int by = ${LANES / 2}; by > 0; by /= 2) { const ${state} t = __shfl_xor_sync(0xffffffffu, s, by); s = ${step("s", "t")}; }
    if (i % ${LANES} == 0) { ${store} }`;
  const rows = sizeOf(outer.sizes);
  w.run(warps ? rows * LANES : rows, loop + (warps ? lanes : `\n    ${store}`));
}

/** The axes `which` of all operands. */
function walk(shape: readonly number[], which: readonly number[], inputs: readonly CudaArray[]) {
  return collapse(
    which.map((d) => shape[d]),
    inputs.map((x) => {
      const lead = shape.length - x.shape.length;
      const of = (list: readonly number[], none: number) =>
        which.map((d) => (d < lead ? none : list[d - lead]));
      return { shape: of(x.shape, 1), strides: of(x.strides, 0), offset: 0 };
    }),
  );
}

const plain = (x: CudaArray): Elements => ({
  inputs: [x],
  program: { inputs: [x.dtype], nodes: [], outputs: [0] },
  types: [x.dtype],
});

interface ArgAttrs {
  readonly axis: number;
}

/** The first of the largest, or smallest; NaN before all. */
const argOp = (op: "argmax" | "argmin"): CudaOp<ArgAttrs> => ({
  op,
  supports: (inputs, outputs) => fits([...inputs, ...outputs]),
  run([x], [out], { axis }) {
    const w = new KernelWriter(`mlsys_${op}`);
    const kept = x.shape.map((_, d) => d).filter((d) => d !== axis);
    const { text, at } = w.coordinates(
      kept.map((d) => x.shape[d]),
      "i",
      "c",
    );
    const place = x.shape.map((_, d) => (d === axis ? "k" : at[kept.indexOf(d)]));
    const layout = { ...x, shape: x.shape.map((n, d) => (d === axis ? 2 : n)) };
    const type = computed(x.dtype) === "bool" ? "int" : computed(x.dtype);
    const value = `(${type})(${w.input(x)(w.position(layout, place))})`;
    w.run(
      sizeOf(out.shape),
      `    ${text}int found = 0, k = 0; ${type} best = ${value};
    for (k = 1; k < ${w.int(x.shape[axis])}; k++) {
      const ${type} v = ${value};
      if ((v ${op === "argmax" ? ">" : "<"} best && best == best) || (v != v && best == best)) { best = v; found = k; }
    }
    ${w.output(out)("i", "found")}`,
    );
  },
});

export const reduceOps: readonly CudaOp[] = [
  ...Object.keys(FOLDS).map(
    (op): CudaOp<ReduceAttrs> => ({
      op,
      supports: (inputs, outputs) =>
        fits([...inputs, ...outputs]) && (FOLDS[op].truth === true || computed(outputs[0].dtype) !== "bool"),
      run: ([x], [out], { axes }) => reduce(op, plain(x), x.shape, axes, out),
    }),
  ),
  argOp("argmax"),
  argOp("argmin"),
] as readonly CudaOp[];
