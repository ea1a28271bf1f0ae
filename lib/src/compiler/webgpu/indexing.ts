/** Ops that move elements by their places: copies, joins, slices and windows put back, gathers and scatters. */
import { sizeOf } from "../../core/shape.js";
import type { RemoteKernel, RemoteType } from "../../runtime/remote.js";
import type { GpuBuffer } from "../../runtime/webgpu/queue.js";
import { commands } from "./commands.js";
import { runProgram } from "./elementwise.js";
import { computedAs, fitsBinding, type GpuArray, runElements, ShaderWriter } from "./shader.js";

export type GpuKernel<A = never> = RemoteKernel<GpuBuffer, A>;

const fits = (inputs: readonly RemoteType[], outputs: readonly RemoteType[]): boolean =>
  inputs.every(fitsBinding) && outputs.every(fitsBinding);

const isWord = ({ dtype }: RemoteType): boolean => dtype === "float32" || dtype === "int32";

/** The elements of `x` in row-major order. */
export function copy(label: string, x: GpuArray, out: GpuArray): void {
  const program = { inputs: [x.dtype], nodes: [], outputs: [0] };
  runProgram(label, program, [x.dtype], [x], [{ ...out, shape: x.shape }]);
}

const copying = (op: string): GpuKernel<object> => ({
  op,
  supports: fits,
  run: ([x], [out]) => copy(op, x, out),
});

interface AxisAttrs {
  readonly axis: number;
}

const MOST_JOINED = 7;

const concat: GpuKernel<AxisAttrs> = {
  op: "concat",
  supports: (inputs, outputs) =>
    fits(inputs, outputs) && (inputs.length <= MOST_JOINED || isWord(outputs[0])),
  run(inputs, [out], { axis }) {
    if (inputs.length <= MOST_JOINED) joinAtOnce(inputs, out, axis);
    else joinOneByOne(inputs, out, axis);
  },
};

function joinAtOnce(inputs: readonly GpuArray[], out: GpuArray, axis: number): void {
  const w = new ShaderWriter("concat");
  const type = computedAs(out.dtype);
  const { text, at } = w.coordinates(out.shape, "i", "c");
  let start = 0;
  let body = text;
  for (const x of inputs) {
    if (sizeOf(x.shape) === 0) continue;
    const place = at.map((name, d) => (d === axis && start > 0 ? `(${name} - ${w.int(start)})` : name));
    const value = w.input(x).element(w.position(x, place));
    start += x.shape[axis];
    body += `\n  if (${at[axis]} < ${w.int(start)}) { return ${value}; }`;
  }
  runElements(w, out, body, () => `${type}(0)`);
}

function joinOneByOne(inputs: readonly GpuArray[], out: GpuArray, axis: number): void {
  let start = 0;
  for (const x of inputs) {
    const w = new ShaderWriter("concat");
    const { text, at } = w.coordinates(x.shape, "i", "c");
    const place = at.map((name, d) => (d === axis ? `(${name} + ${w.int(start)})` : name));
    const target = w.output(out).element(w.position(out, place), w.input(x).element(w.position(x, at)));
    w.runItems(sizeOf(x.shape), `${text}\n  ${target}`);
    start += x.shape[axis];
  }
}

interface UnsliceAttrs {
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
  readonly steps: readonly number[];
}

const unslice: GpuKernel<UnsliceAttrs> = {
  op: "unslice",
  supports: fits,
  run([x], [out], { starts, sizes, steps }) {
    const w = new ShaderWriter("unslice");
    const type = computedAs(out.dtype);
    const { text, at } = w.coordinates(out.shape, "i", "c");
    let body = text;
    const place = at.map((name, d) => {
      const step = Math.abs(steps[d]);
      const from = `bitcast<i32>(${w.int(starts[d])})`;
      const way = steps[d] < 0 ? `${from} - i32(${name})` : `i32(${name}) - ${from}`;
      const by = w.number(step, "i32");
      body += `\n  let s${d} = ${way}; if (s${d} < 0 || s${d} % ${by} != 0 || s${d} / ${by} >= ${w.number(sizes[d], "i32")}) { return ${type}(0); }`;
      return `u32(s${d} / ${by})`;
    });
    if (sizeOf(x.shape) === 0) clear(out);
    else runElements(w, out, body, () => w.input(x).element(w.position(x, place)));
  },
};

/** Zeros, whatever the dtype. */
export function clear(out: GpuArray): void {
  const bytes = out.handle.bytes;
  if (bytes > 0) commands.clear(out.handle, (bytes + 3) & ~3);
}

const take: GpuKernel<AxisAttrs> = {
  op: "take",
  supports: (inputs, outputs) => fits(inputs, outputs) && inputs[1].dtype === "int32",
  run([x, index], [out], { axis }) {
    const w = new ShaderWriter("take");
    const { text, at } = w.coordinates(out.shape, "i", "c");
    const rank = index.shape.length;
    const where = w.input(index).element(w.position(index, at.slice(axis, axis + rank)));
    const place = [...at.slice(0, axis), "row", ...at.slice(axis + rank)];
    runElements(w, out, `${text}\n  let row = ${checked(w, where, x.shape[axis])};`, () =>
      w.input(x).element(w.position({ ...x, shape: x.shape.map(() => 2) }, place)),
    );
  },
};

/** An index counted from the front. */
function checked(w: ShaderWriter, index: string, size: number): string {
  w.guardIndices();
  return `checked(${index}, ${w.number(size, "i32")})`;
}

const takeAlongAxis: GpuKernel<AxisAttrs> = {
  op: "takeAlongAxis",
  supports: (inputs, outputs) => fits(inputs, outputs) && inputs[1].dtype === "int32",
  run([x, index], [out], { axis }) {
    const w = new ShaderWriter("takeAlongAxis");
    const { text, at } = w.coordinates(out.shape, "i", "c");
    const where = w.input(index).element(w.position(index, at));
    const place = at.map((name, d) => (d === axis ? "row" : name));
    runElements(w, out, `${text}\n  let row = ${checked(w, where, x.shape[axis])};`, () =>
      w.input(x).element(w.position(x, place)),
    );
  },
};

interface ScatterAttrs extends AxisAttrs {
  readonly size: number;
  readonly rank: number;
}

/** With so many indices each place of the result looks through all of them, in order: sums that are always the same. */
const FEW_INDICES = 128;

/** Adds a value to a word that others add to at the same time. */
const ATOMIC_ADD = (name: string, float: boolean): string =>
  float
    ? `fn add(p: u32, v: f32) {
  var old = atomicLoad(&${name}[p]);
  loop {
    let done = atomicCompareExchangeWeak(&${name}[p], old, bitcast<u32>(bitcast<f32>(old) + v));
    if (done.exchanged) { break; }
    old = done.old_value;
  }
}`
    : `fn add(p: u32, v: i32) { atomicAdd(&${name}[p], bitcast<u32>(v)); }`;

const scatterFits: GpuKernel["supports"] = (inputs, outputs) =>
  fits(inputs, outputs) && inputs[0].dtype === "int32" && isWord(outputs[0]);

const scatterAdd: GpuKernel<ScatterAttrs> = {
  op: "scatterAdd",
  supports: scatterFits,
  run([index, x], [out], { axis, rank }) {
    const count = sizeOf(index.shape);
    if (count === 0) {
      clear(out);
      return;
    }
    const w = new ShaderWriter("scatterAdd");
    const size = out.shape[axis];
    if (count <= FEW_INDICES) {
      const { text, at } = w.coordinates(out.shape, "i", "c");
      const { text: inner, at: of } = w.coordinates(index.shape, "k", "n");
      const row = checked(w, w.input(index).element(w.position(index, of)), size);
      const value = w.input(x).element(w.position(x, [...at.slice(0, axis), ...of, ...at.slice(axis + 1)]));
      const body = `${text}\n  var sum = ${computedAs(out.dtype)}(0);
  for (var k = 0u; k < ${w.int(count)}; k++) { ${inner} if (${row} == ${at[axis]}) { sum += ${value}; } }`;
      runElements(w, out, body, () => "sum");
      return;
    }
    clear(out);
    const { text, at } = w.coordinates(x.shape, "i", "c");
    const row = checked(w, w.input(index).element(w.position(index, at.slice(axis, axis + rank))), size);
    const value = w.input(x).element(w.position(x, at));
    w.declare(ATOMIC_ADD(w.atomic(out), out.dtype === "float32"));
    const place = w.position(out, [...at.slice(0, axis), `(${row})`, ...at.slice(axis + rank)]);
    w.runItems(sizeOf(x.shape), `${text}\n  add(${place}, ${value});`);
  },
};

const scatterAddAlongAxis: GpuKernel<AxisAttrs> = {
  op: "scatterAddAlongAxis",
  supports: scatterFits,
  run: ([index, x], [out], { axis }) =>
    alongAxis("scatterAddAlongAxis", index, x, out, axis, null, (sum, value) => `${sum} += ${value};`),
};

interface ReduceAttrs extends AxisAttrs {
  readonly reduce: "prod" | "max" | "min";
}

const STEPS: Readonly<Record<ReduceAttrs["reduce"], (sum: string, value: string) => string>> = {
  prod: (sum, value) => `${sum} *= ${value};`,
  max: (sum, value) => `${sum} = select(${sum}, ${value}, ${value} > ${sum} || !(${value} == ${value}));`,
  min: (sum, value) => `${sum} = select(${sum}, ${value}, ${value} < ${sum} || !(${value} == ${value}));`,
};

const scatterReduce: GpuKernel<ReduceAttrs> = {
  op: "scatterReduce",
  supports: (inputs, outputs) => fits(inputs, outputs) && inputs[1].dtype === "int32" && isWord(outputs[0]),
  run: ([x, index, values], [out], { axis, reduce }) =>
    alongAxis("scatterReduce", index, values, out, axis, x, STEPS[reduce]),
};

/** Each element of the result folds the values of its row whose index is its place. */
function alongAxis(
  label: string,
  ...[index, x, out, axis, base, fold]: [
    index: GpuArray,
    x: GpuArray,
    out: GpuArray,
    axis: number,
    base: GpuArray | null,
    fold: (sum: string, value: string) => string,
  ]
): void {
  const w = new ShaderWriter(label);
  const type = computedAs(out.dtype);
  const { text, at } = w.coordinates(out.shape, "i", "c");
  const start = base ? w.input(base).element(w.position(base, at)) : `${type}(0)`;
  let body = `${text}\n  var sum = ${start};`;
  if (sizeOf(index.shape) > 0) {
    const place = at.map((name, d) => (d === axis ? "k" : name));
    const row = checked(w, w.input(index).element(w.position(index, place)), out.shape[axis]);
    const value = w.input(x).element(w.position(x, place));
    body += `\n  for (var k = 0u; k < ${w.int(index.shape[axis])}; k++) { if (${row} == ${at[axis]}) { let v = ${value}; ${fold("sum", "v")} } }`;
  }
  runElements(w, out, body, () => "sum");
}

const MOST_REPLACED = 4096; // each element looks through all positions

const replace: GpuKernel<object> = {
  op: "replace",
  supports: (inputs, outputs) =>
    fits(inputs, outputs) && inputs[1].dtype === "int32" && sizeOf(inputs[1].shape) <= MOST_REPLACED,
  run([x, index, values], [out]) {
    const w = new ShaderWriter("replace");
    let body = `var value = ${w.input(x).element(w.position(x, ["i"]))};`;
    const count = sizeOf(index.shape);
    if (count > 0) {
      const at = w.input(index).element(w.position(index, ["k"]));
      const value = w.input(values).element(w.position(values, ["k"]));
      body += ` for (var k = 0u; k < ${w.int(count)}; k++) { if (u32(${at}) == i) { value = ${value}; } }`;
    }
    runElements(w, out, body, () => "value");
  },
};

interface FoldAttrs {
  readonly size: readonly [number, number];
  readonly stride: readonly [number, number];
}

const foldWindows2d: GpuKernel<FoldAttrs> = {
  op: "foldWindows2d",
  supports: (inputs, outputs) => fits(inputs, outputs) && isWord(outputs[0]),
  run([x], [out], { size, stride }) {
    const w = new ShaderWriter("foldWindows2d");
    const { text, at } = w.coordinates(out.shape, "i", "c");
    const [rows, columns] = [x.shape[2], x.shape[3]];
    const value = w
      .input(x)
      .element(w.position({ ...x, shape: x.shape.map(() => 2) }, [at[0], at[1], "r", "s", "p", "q"]));
    const [sh, sw] = stride.map((n) => w.int(n));
    const body = `${text}
  var sum = ${computedAs(out.dtype)}(0);
  for (var p = 0u; p < ${w.int(size[0])} && p <= ${at[2]}; p++) {
    let dr = ${at[2]} - p;
    if (dr % ${sh} != 0u || dr / ${sh} >= ${w.int(rows)}) { continue; }
    let r = dr / ${sh};
    for (var q = 0u; q < ${w.int(size[1])} && q <= ${at[3]}; q++) {
      let dc = ${at[3]} - q;
      if (dc % ${sw} != 0u || dc / ${sw} >= ${w.int(columns)}) { continue; }
      let s = dc / ${sw};
      sum += ${value};
    }
  }`;
    runElements(w, out, body, () => "sum");
  },
};

interface SearchAttrs {
  readonly right: boolean;
}

const searchsorted: GpuKernel<SearchAttrs> = {
  op: "searchsorted",
  supports: (inputs, outputs) =>
    fits(inputs, outputs) && inputs.every(isWord) && inputs[0].dtype === inputs[1].dtype,
  run([edges, x], [out], { right }) {
    const w = new ShaderWriter("searchsorted");
    const { text, at } = w.coordinates(out.shape, "i", "c");
    const value = w.input(x).element(w.position(x, at));
    const edge = w.input(edges).element(w.position({ ...edges, shape: [2] }, ["middle"]));
    // NaN is larger than every number.
    const before = right ? "!(v < e) && !(v == v && !(e == e))" : "e < v || (e == e && !(v == v))";
    const body = `${text}
  let v = ${value};
  var low = 0u; var high = ${w.int(edges.shape[0])};
  while (low < high) {
    let middle = (low + high) >> 1u;
    let e = ${edge};
    if (${before}) { low = middle + 1u; } else { high = middle; }
  }`;
    runElements(w, out, body, () => "i32(low)");
  },
};

export const indexingKernels: readonly GpuKernel[] = [
  ...["reshape", "broadcastTo", "transpose", "stopGradient"].map(copying),
  concat,
  unslice,
  take,
  takeAlongAxis,
  scatterAdd,
  scatterAddAlongAxis,
  scatterReduce,
  replace,
  foldWindows2d,
  searchsorted,
] as readonly GpuKernel[];
