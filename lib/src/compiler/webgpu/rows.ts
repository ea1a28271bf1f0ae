/** Ops along an axis, one row to an invocation: softmax, running results, recurrences. */
import { sizeOf } from "../../core/shape.js";
import type { RemoteType } from "../../runtime/remote.js";
import type { GpuKernel } from "./indexing.js";
import { mathFor } from "./math.js";
import { computedAs, fitsBinding, type GpuArray, ShaderWriter } from "./shader.js";
import { usesWorkgroups } from "./strategy.js";

interface AxisAttrs {
  readonly axis: number;
}

const isWord = ({ dtype }: RemoteType): boolean => dtype === "float32" || dtype === "int32";
const floats = (inputs: readonly RemoteType[], outputs: readonly RemoteType[]): boolean =>
  [...inputs, ...outputs].every((x) => x.dtype === "float32" && fitsBinding(x));
const words = (inputs: readonly RemoteType[], outputs: readonly RemoteType[]): boolean =>
  [...inputs, ...outputs].every((x) => isWord(x) && fitsBinding(x));

/** Coordinates of row `i` and the position of its element `k` in an array. */
function rowsOf(w: ShaderWriter, shape: readonly number[], axis: number) {
  const kept = shape.map((_, d) => d).filter((d) => d !== axis);
  const { text, at } = w.coordinates(
    kept.map((d) => shape[d]),
    "i",
    "c",
  );
  const base = (x: RemoteType): string =>
    w.position({ ...x, shape: kept.map((d) => x.shape[d]), strides: kept.map((d) => x.strides[d]) }, at);
  return { text, base, rows: sizeOf(kept.map((d) => shape[d])), count: shape[axis] };
}

const exp = "m_exp(vec4f(v)).x";

const softmax = (op: "softmax" | "logSoftmax"): GpuKernel<AxisAttrs> => ({
  op,
  supports: floats,
  run([x], [out], { axis }) {
    if (sizeOf(out.shape) === 0) return;
    if (usesWorkgroups() && x.shape[axis] >= TEAM) softmaxInWorkgroups(op, x, out, axis);
    else (rowVectors(x, out, axis) ? softmaxVectors : softmaxElements)(op, x, out, axis);
  },
});

/** True if rows lie one behind the other in whole vectors. */
const rowVectors = (x: GpuArray, out: GpuArray, axis: number): boolean =>
  axis === x.shape.length - 1 &&
  x.shape[axis] % 4 === 0 &&
  x.strides[axis] === 1 &&
  [x.offset, ...x.strides.slice(0, -1)].every((n) => n % 4 === 0) &&
  out.shape.length > 0;

const LARGE = "bitcast<f32>(0xff7fffffu)"; // the least finite number

function softmaxVectors(op: "softmax" | "logSoftmax", x: GpuArray, out: GpuArray, axis: number): void {
  const w = new ShaderWriter(op);
  const { text, base, rows, count } = rowsOf(w, out.shape, axis);
  const n = w.int(count / 4);
  const [source, target] = [w.input(x), w.output(out)];
  w.declare(mathFor("m_exp m_log m_isnan"));
  const last =
    op === "softmax"
      ? `for (var k = 0u; k < n; k++) { ${target.vector("(to + k)", `m_exp(${source.vector("(start + k)")} - top) / total`)} }`
      : `let shift = top + m_log(vec4f(total)).x;
  for (var k = 0u; k < n; k++) { ${target.vector("(to + k)", `${source.vector("(start + k)")} - shift`)} }`;
  w.runItems(
    rows,
    `${text}
  let start = (${base(x)}) >> 2u; let to = (${base(out)}) >> 2u; let n = ${n};
  var most = vec4f(${LARGE});
  for (var k = 0u; k < n; k++) { most = max(most, ${source.vector("(start + k)")}); }
  let top = max(max(most.x, most.y), max(most.z, most.w));
  var sum = vec4f(0.0);
  for (var k = 0u; k < n; k++) { sum += m_exp(${source.vector("(start + k)")} - top); }
  let total = (sum.x + sum.y) + (sum.z + sum.w);
  ${last}`,
    ROW_GROUP,
  );
}

const ROW_GROUP = 16; // rows are long work: more groups than cores

function softmaxElements(op: "softmax" | "logSoftmax", x: GpuArray, out: GpuArray, axis: number): void {
  const w = new ShaderWriter(op);
  const { text, base, rows, count } = rowsOf(w, out.shape, axis);
  const [n, sx, sy] = [count, x.strides[axis], out.strides[axis]].map((value) => w.int(value));
  const [source, target] = [w.input(x), w.output(out)];
  w.declare(mathFor("m_exp m_log m_isnan"));
  const value = source.element(`start + k * ${sx}`);
  const last =
    op === "softmax"
      ? `for (var k = 0u; k < n; k++) { let v = ${value} - top; ${target.element(`to + k * ${sy}`, `${exp} / total`)} }`
      : `let shift = top + m_log(vec4f(total)).x;
  for (var k = 0u; k < n; k++) { ${target.element(`to + k * ${sy}`, `${value} - shift`)} }`;
  w.runItems(
    rows,
    `${text}
  let start = ${base(x)}; let to = ${base(out)}; let n = ${n};
  var top = ${LARGE};
  for (var k = 0u; k < n; k++) { top = max(top, ${value}); }
  var total = 0.0;
  for (var k = 0u; k < n; k++) { let v = ${value} - top; total += ${exp}; }
  ${last}`,
    ROW_GROUP,
  );
}

/** Invocations that take one row together. */
const TEAM = 64;

/** A workgroup to each row: neighbours read neighbours; largest element and sum are found in pairs. */
function softmaxInWorkgroups(op: "softmax" | "logSoftmax", x: GpuArray, out: GpuArray, axis: number): void {
  const w = new ShaderWriter(op);
  const { text, base, rows, count } = rowsOf(w, out.shape, axis);
  const [n, sx, sy] = [count, x.strides[axis], out.strides[axis]].map((value) => w.int(value));
  const [source, target] = [w.input(x), w.output(out)];
  const value = source.element(`start + k * ${sx}`);
  const width = Math.min(rows, 32768);
  w.declare(mathFor("m_exp m_log m_isnan"));
  w.declare(`var<workgroup> parts: array<f32, ${TEAM}>;`);
  const pairs = (step: string): string => `parts[t] = mine;
  for (var half = ${TEAM / 2}u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (t < half) { let a = parts[t]; let b = parts[t + half]; parts[t] = ${step}; }
  }
  workgroupBarrier();`;
  const each = `for (var k = t; k < n; k += ${TEAM}u)`;
  const result = op === "softmax" ? `${exp} / total` : "v - m_log(vec4f(total)).x";
  w.run(
    `@compute @workgroup_size(${TEAM}) fn main(@builtin(workgroup_id) g: vec3u, @builtin(local_invocation_index) t: u32) {
  let i = g.x + g.y * ${width}u;
  if (i >= ${w.int(rows)}) { return; }
  ${text}
  let start = ${base(x)}; let to = ${base(out)}; let n = ${n};
  var mine = ${LARGE};
  ${each} { mine = max(mine, ${value}); }
  ${pairs("max(a, b)")}
  let top = parts[0];
  workgroupBarrier();
  mine = 0.0;
  ${each} { let v = ${value} - top; mine += ${exp}; }
  ${pairs("a + b")}
  let total = parts[0];
  ${each} { let v = ${value} - top; ${target.element(`to + k * ${sy}`, result)} }
}`,
    [width, Math.ceil(rows / width)],
  );
}

/** `step` updates the state `s` (and what else `start` declares) from the element `v` and its number `k`, and stores. */
interface Running {
  readonly start: (type: string) => string;
  readonly step: (store: readonly ((value: string) => string)[], type: string) => string;
}

const keepLast = (sign: ">=" | "<="): Running => ({
  start: (type) => `var s = ${type}(0); var place = 0;`,
  step: ([values, places], type) =>
    `if (k == 0u || v ${sign} s${type === "f32" ? " || !(v == v)" : ""}) { s = v; place = i32(k); } ${values("s")} ${places("place")}`,
});

const RUNNING: Readonly<Record<string, Running>> = {
  cumsum: { start: (t) => `var s = ${t}(0);`, step: ([store]) => `s += v; ${store("s")}` },
  cumprod: { start: (t) => `var s = ${t}(1);`, step: ([store]) => `s *= v; ${store("s")}` },
  cummax: keepLast(">="),
  cummin: keepLast("<="),
};

const running = (op: string, { start, step }: Running): GpuKernel<AxisAttrs> => ({
  op,
  supports: words,
  run([x], outputs, { axis }) {
    if (sizeOf(x.shape) === 0) return;
    const w = new ShaderWriter(op);
    const type = computedAs(x.dtype);
    const { text, base, rows, count } = rowsOf(w, x.shape, axis);
    const stride = w.int(x.strides[axis]);
    const value = w.input(x).element(`start + k * ${stride}`);
    const stores = outputs.map((y, o) => {
      const step = w.int(y.strides[axis]);
      const target = w.output(y);
      return (v: string): string => target.element(`to${o} + k * ${step}`, v);
    });
    const places = outputs.map((y, o) => `let to${o} = ${base(y)};`).join(" ");
    w.runItems(
      rows,
      `${text}
  let start = ${base(x)}; ${places}
  ${start(type)}
  for (var k = 0u; k < ${w.int(count)}; k++) { let v = ${value}; ${step(stores, type)} }`,
      ROW_GROUP,
    );
  },
});

interface RecurrenceAttrs extends AxisAttrs {
  readonly reverse: boolean;
}

const linearRecurrence: GpuKernel<RecurrenceAttrs> = {
  op: "linearRecurrence",
  supports: words,
  run([a, b], [out], { axis, reverse }) {
    if (sizeOf(out.shape) === 0) return;
    const w = new ShaderWriter("linearRecurrence");
    const type = computedAs(out.dtype);
    const { text, base, rows, count } = rowsOf(w, out.shape, axis);
    const n = w.int(count);
    const [p, q] = [a, b].map((x) => `(${base(x)}) + k * ${w.int(x.strides[axis])}`);
    const [factor, term] = [w.input(a).element(p), w.input(b).element(q)];
    const store = w.output(out).element(`(${base(out)}) + k * ${w.int(out.strides[axis])}`, "s");
    // Forwards the first state of a row is its term alone; backwards the reference starts anew where a row ends, at its element 0.
    const body = reverse
      ? `for (var j = 0u; j < n; j++) { let k = n - 1u - j; if (j == 0u) { s = ${term}; } else { s = ${factor} * s + ${term}; } ${store} }`
      : `for (var k = 0u; k < n; k++) { if (k == 0u) { s = ${term}; } else { s = ${factor} * s + ${term}; } ${store} }`;
    w.runItems(rows, `${text}\n  let n = ${n}; var s = ${type}(0);\n  ${body}`, ROW_GROUP);
  },
};

interface SortAttrs extends AxisAttrs {
  readonly descending: boolean;
}

const MOST_SORTED = 4096; // each element counts those before it: n² comparisons

/** Each element finds its place by itself: the number of those that come before it. Equal ones keep their order. */
const sort: GpuKernel<SortAttrs> = {
  op: "sort",
  supports: (inputs, outputs, { axis }) => words(inputs, outputs) && inputs[0].shape[axis] <= MOST_SORTED,
  run([x], [values, places], { axis, descending }) {
    if (sizeOf(x.shape) === 0) return;
    const w = new ShaderWriter("sort");
    const { text, at } = w.coordinates(x.shape, "i", "c");
    const other = at.map((name, d) => (d === axis ? "k" : name));
    const source = w.input(x);
    const put = at.map((name, d) => (d === axis ? "rank" : name));
    const place = (y: GpuArray): string =>
      w.position({ ...y, shape: y.shape.map((n, d) => (d === axis ? 2 : n)) }, put);
    // NaN is larger than every number.
    const less = (a: string, b: string): string =>
      x.dtype === "float32" ? `(${a} < ${b} || (${a} == ${a} && !(${b} == ${b})))` : `(${a} < ${b})`;
    const [before, behind] = descending ? [less("v", "o"), less("o", "v")] : [less("o", "v"), less("v", "o")];
    w.runItems(
      sizeOf(x.shape),
      `${text}
  let v = ${source.element(w.position(x, at))};
  var rank = 0u;
  for (var k = 0u; k < ${w.int(x.shape[axis])}; k++) {
    let o = ${source.element(w.position({ ...x, shape: x.shape.map((n, d) => (d === axis ? 2 : n)) }, other))};
    if (${before} || (k < ${at[axis]} && !${behind})) { rank++; }
  }
  ${w.output(values).element(place(values), "v")}
  ${w.output(places).element(place(places), `i32(${at[axis]})`)}`,
    );
  },
};

export const rowKernels: readonly GpuKernel[] = [
  softmax("softmax"),
  softmax("logSoftmax"),
  ...Object.entries(RUNNING).map(([op, row]) => running(op, row)),
  linearRecurrence,
  sort,
] as readonly GpuKernel[];
