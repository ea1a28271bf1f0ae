/**
 * Reductions, also of what a program of elementwise ops computes from its operands. Each invocation folds a run of
 * elements; where the results are too few to keep a device busy, runs are split and their results folded again.
 */
import type { DType } from "../../core/dtype.js";
import { collapse } from "../../core/layout.js";
import { sizeOf } from "../../core/shape.js";
import type { RemoteType } from "../../runtime/remote.js";
import type { ElementwiseProgram } from "../../runtime/wasm/elementwise/program.js";
import { commands } from "./commands.js";
import { programText } from "./elementwise.js";
import type { GpuKernel } from "./indexing.js";
import {
  type Computed,
  computedAs,
  fitsBinding,
  type GpuArray,
  runElements,
  ShaderWriter,
} from "./shader.js";
import { usesWorkgroups } from "./strategy.js";

export interface ReduceAttrs {
  readonly axes: readonly number[];
}

interface Fold {
  /** What nothing folds to, as a text of the computed type. */
  readonly start: (type: Computed) => string;
  /** One step; `a` is the state. */
  readonly step: (a: string, b: string, type: Computed) => string;
  /** What an element counts as. */
  readonly element?: (x: string, type: Computed) => string;
}

const isNan = (x: string): string => `((bitcast<u32>(${x}) & 0x7fffffffu) > 0x7f800000u)`;
const extremum = (sign: "<" | ">") => (a: string, b: string, type: Computed) =>
  type === "f32"
    ? `select(${a}, ${b}, ${b} ${sign} ${a} || ${isNan(b)})`
    : `select(${a}, ${b}, ${b} ${sign} ${a})`;
const infinity = (sign: "" | "-") => (type: Computed) =>
  type === "f32" ? `${sign}infinity()` : sign === "" ? "2147483647" : "(-2147483647 - 1)";

const FOLDS: Readonly<Record<string, Fold>> = {
  sum: { start: (t) => `${t}(0)`, step: (a, b) => `${a} + ${b}` },
  prod: { start: (t) => `${t}(1)`, step: (a, b) => `${a} * ${b}` },
  max: { start: infinity("-"), step: extremum(">") },
  min: { start: infinity(""), step: extremum("<") },
  any: {
    start: () => "false",
    step: (a, b) => `${a} || ${b}`,
    element: (x, t) => (t === "bool" ? x : `(!(${x} == ${t}(0)))`),
  },
  all: {
    start: () => "true",
    step: (a, b) => `${a} && ${b}`,
    element: (x, t) => (t === "bool" ? x : `(!(${x} == ${t}(0)))`),
  },
};

const INFINITY = "fn infinity() -> f32 { var b = 0x7f800000u; return bitcast<f32>(b); }";

/** Results of a reduction that keep a device busy. */
const BUSY = 2048;
const SHORTEST_RUN = 64;

/** Of what each element is made: the operands as they are, or a program of them. */
export interface Elements {
  readonly inputs: readonly GpuArray[];
  readonly program: ElementwiseProgram;
  readonly types: readonly DType[];
}

/** Folds the elements over `shape` along `axes` into `out` (contiguous). */
export function reduce(
  op: string,
  label: string,
  elements: Elements,
  shape: readonly number[],
  axes: readonly number[],
  out: GpuArray,
): void {
  const outputs = sizeOf(out.shape);
  if (outputs === 0) return;
  const kept = shape.map((_, d) => d).filter((d) => !axes.includes(d));
  const count = sizeOf(axes.map((d) => shape[d]));
  if (usesWorkgroups() && count >= 2 * TREE && isWord(out)) {
    fold(op, label, elements, shape, kept, axes, 1, out, true);
    return;
  }
  const parts =
    outputs >= BUSY ? 1 : Math.min(Math.ceil(BUSY / outputs), Math.max(1, Math.floor(count / SHORTEST_RUN)));
  if (parts === 1) {
    fold(op, label, elements, shape, kept, axes, 1, out);
    return;
  }
  const bytes = outputs * parts * 4;
  const dtype = out.dtype === "bool" ? "int32" : out.dtype;
  const handle = commands.allocate(bytes);
  const partial: GpuArray = {
    shape: [outputs, parts],
    strides: [parts, 1],
    offset: 0,
    dtype,
    handle,
    length: outputs * parts,
  };
  fold(op, label, elements, shape, kept, axes, parts, partial);
  const program = { inputs: [dtype], nodes: [], outputs: [0] };
  fold(op, label, { inputs: [partial], program, types: [dtype] }, [outputs, parts], [0], [1], 1, out);
  commands.release(handle);
}

function fold(
  op: string,
  label: string,
  { inputs, program, types }: Elements,
  ...[shape, kept, axes, parts, out, tree = false]: [
    shape: readonly number[],
    kept: readonly number[],
    axes: readonly number[],
    parts: number,
    out: GpuArray,
    tree?: boolean,
  ]
): void {
  const { start, step, element } = FOLDS[op];
  const w = new ShaderWriter(label);
  w.declare(INFINITY);
  const made = types[program.outputs[0]];
  const of = computedAs(made);
  const state: Computed = element ? "bool" : out.dtype === "int32" ? "i32" : of;
  const order = [...kept, ...axes];
  const sorted = inputs.map((x) => {
    const lead = shape.length - x.shape.length;
    const strides = order.map((d) => (d < lead || x.shape[d - lead] === 1 ? 0 : x.strides[d - lead]));
    return { ...x, shape: order.map((d) => shape[d]), strides };
  });
  const part = (x: RemoteType, from: number, to: number): RemoteType => ({
    ...x,
    shape: x.shape.slice(from, to),
    strides: x.strides.slice(from, to),
  });
  const outer = collapse(
    kept.map((d) => shape[d]),
    sorted.map((x) => part(x, 0, kept.length)),
  );
  const inner = collapse(
    axes.map((d) => shape[d]),
    sorted.map((x) => part(x, kept.length, order.length)),
  );
  const count = sizeOf(inner.sizes);
  const per = Math.ceil(count / parts);
  const { text: outerText, at: outerAt } = w.coordinates(
    outer.sizes,
    parts > 1 ? `(i / ${w.int(parts)})` : "i",
    "c",
  );
  const { text: innerText, at: innerAt } = w.coordinates(inner.sizes, "k", "n");
  const bases = inputs.map((x, o) => {
    const base = w.position({ ...x, shape: outer.sizes, strides: outer.strides[o] }, outerAt);
    return `  let b${o} = ${base};`;
  });
  const sources = inputs.map((x) => w.input(x));
  const place = (o: number, at: readonly string[]): string =>
    `b${o} + ${w.position({ ...inputs[o], offset: 0, shape: inner.sizes, strides: inner.strides[o] }, at)}`;
  const plain = program.nodes.length === 0;
  // Rows of vectors where every operand allows them.
  const last = inner.sizes.length - 1;
  const vectors =
    inner.sizes.length === 1 &&
    count % 4 === 0 &&
    per % 4 === 0 &&
    inputs.every((x, o) => {
      const { [last]: stride } = inner.strides[o];
      return stride === 0 || (stride === 1 && [x.offset, ...outer.strides[o]].every((n) => n % 4 === 0));
    });
  const values = inputs.map((x, o) => {
    const type = computedAs(x.dtype);
    if (vectors)
      return inner.strides[o][0] === 0
        ? `vec4<${type}>(${sources[o].element(`b${o}`)})`
        : sources[o].vector(`((b${o} + k) >> 2u)`);
    const value = sources[o].element(place(o, innerAt));
    return plain ? value : `vec4<${type}>(${value})`;
  });
  const given = values.map((value, o) => `  let a${o} = ${value};`).join("\n");
  const body = programText(
    w,
    program,
    types,
    values.map((_, o) => `a${o}`),
  );
  const result = body.values[program.outputs[0]];
  const counted = (x: string): string => {
    if (element) return element(x, of);
    return of === "bool" ? `select(0, 1, ${x})` : x;
  };
  let loop: string;
  if (vectors) {
    const lanes = [0, 1, 2, 3].map((k) => `s${k} = ${step(`s${k}`, `e${k}`, state)};`).join(" ");
    const split = [0, 1, 2, 3].map((k) => `let e${k} = ${counted(`${result}.${"xyzw"[k]}`)};`).join(" ");
    loop = `  ${[0, 1, 2, 3].map((k) => `var s${k}: ${state} = ${start(state)};`).join(" ")}
  for (var k = first * 4u; k < end; k += by * 4u) {
${given}
${body.text}
    ${split} ${lanes}
  }
  let s4 = ${step("s0", "s1", state)}; let s5 = ${step("s2", "s3", state)}; return ${step("s4", "s5", state)};`;
  } else
    loop = `  var sum: ${state} = ${start(state)};
  for (var k = first; k < end; k += by) {
    ${innerText}
${given}
${body.text}
    let e = ${counted(plain ? result : `${result}.x`)};
    sum = ${step("sum", "e", state)};
  }
  return sum;`;
  w.declare(
    `fn fold(i: u32, first: u32, end: u32, by: u32) -> ${state} {\n${outerText}\n${bases.join("\n")}\n${loop}\n}`,
  );
  const stored = (x: string): string =>
    state === "bool" && out.dtype === "int32" ? `select(0, 1, ${x})` : x;
  const n = w.int(count);
  if (tree) {
    inWorkgroups(
      w,
      state,
      sizeOf(out.shape),
      n,
      (a, b) => step(a, b, state),
      (x) => w.output(out).element("i", stored(x)),
    );
    return;
  }
  const whole = vectors ? 4 : 1;
  const from = parts > 1 ? `(i % ${w.int(parts)}) * ${w.int(per / whole)}` : "0u";
  const to = parts > 1 ? `min((${from}) * ${whole}u + ${w.int(per)}, ${n})` : n;
  runElements(w, { ...out, shape: [sizeOf(out.shape)] }, "", () => stored(`fold(i, ${from}, ${to}, 1u)`));
}

/** Invocations that fold one run together: neighbours read neighbours. */
const TREE = 64;

/**
 * A workgroup to each result: what its invocations have is folded in pairs, in an order that is always the same (which
 * subgroups would not promise).
 */
function inWorkgroups(
  w: ShaderWriter,
  ...[state, results, count, step, store]: [
    state: Computed,
    results: number,
    count: string,
    step: (a: string, b: string) => string,
    store: (value: string) => string,
  ]
): void {
  w.declare(`var<workgroup> parts: array<${state}, ${TREE}>;`);
  const width = Math.min(results, 32768);
  w.run(
    `@compute @workgroup_size(${TREE}) fn main(@builtin(workgroup_id) g: vec3u, @builtin(local_invocation_index) t: u32) {
  let i = g.x + g.y * ${width}u;
  if (i >= ${w.int(results)}) { return; }
  parts[t] = fold(i, t, ${count}, ${TREE}u);
  for (var half = ${TREE / 2}u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (t < half) { parts[t] = ${step("parts[t]", "parts[t + half]")}; }
  }
  if (t == 0u) { ${store("parts[0]")} }
}`,
    [width, Math.ceil(results / width)],
  );
}

const plainOf = (x: GpuArray): Elements => ({
  inputs: [x],
  program: { inputs: [x.dtype], nodes: [], outputs: [0] },
  types: [x.dtype],
});

const fits = (inputs: readonly RemoteType[], outputs: readonly RemoteType[]): boolean =>
  inputs.every(fitsBinding) && outputs.every(fitsBinding);

interface ArgAttrs {
  readonly axis: number;
}

/** The first of the largest, or smallest; NaN before all. */
const argKernel = (op: "argmax" | "argmin"): GpuKernel<ArgAttrs> => ({
  op,
  supports: fits,
  run([x], [out], { axis }) {
    const w = new ShaderWriter(op);
    const type = computedAs(x.dtype);
    const kept = x.shape.map((_, d) => d).filter((d) => d !== axis);
    const { text, at } = w.coordinates(
      kept.map((d) => x.shape[d]),
      "i",
      "c",
    );
    const place = x.shape.map((_, d) => (d === axis ? "k" : at[kept.indexOf(d)]));
    const value = w
      .input(x)
      .element(w.position({ ...x, shape: x.shape.map((n, d) => (d === axis ? 2 : n)) }, place));
    const number = type === "bool" ? `select(0, 1, ${value})` : value;
    const nan = type === "f32" ? ` || (${isNan("v")} && !${isNan("best")})` : "";
    const stays = type === "f32" ? ` && !${isNan("best")}` : "";
    const body = `${text}
  var found = 0; var k = 0u; var best = ${number};
  for (k = 1u; k < ${w.int(x.shape[axis])}; k++) {
    let v = ${number};
    if ((v ${op === "argmax" ? ">" : "<"} best${stays})${nan}) { best = v; found = i32(k); }
  }`;
    runElements(w, out, body, () => "found");
  },
});

export const reduceKernels: readonly GpuKernel[] = [
  ...Object.keys(FOLDS).map(
    (op): GpuKernel<ReduceAttrs> => ({
      op,
      supports: (inputs, outputs) =>
        fits(inputs, outputs) &&
        (op === "any" || op === "all" || outputs[0].dtype !== "bool") &&
        !isNarrow(outputs[0]),
      run: ([x], [out], { axes }) => reduce(op, op, plainOf(x), x.shape, axes, out),
    }),
  ),
  argKernel("argmax"),
  argKernel("argmin"),
] as readonly GpuKernel[];

const isWord = ({ dtype }: RemoteType): boolean => dtype === "float32" || dtype === "int32";
const isNarrow = ({ dtype }: RemoteType): boolean => dtype === "int8" || dtype === "uint8";
