/** Ops along an axis: softmax, a warp per row; running results and recurrences, a thread per row. */
import { sizeOf } from "../../core/shape.js";
import type { RemoteType } from "../../runtime/remote.js";
import { type CudaArray, type CudaOp, computed, fits, TYPES } from "./types.js";
import { KernelWriter } from "./writer.js";

interface AxisAttrs {
  readonly axis: number;
}

/** Coordinates of row `number`, and the position of its first element in an operand. */
function rowsOf(w: KernelWriter, shape: readonly number[], axis: number, number: string) {
  const kept = shape.map((_, d) => d).filter((d) => d !== axis);
  const { text, at } = w.coordinates(
    kept.map((d) => shape[d]),
    number,
    "c",
  );
  const base = (x: RemoteType): string =>
    w.position({ ...x, shape: kept.map((d) => x.shape[d]), strides: kept.map((d) => x.strides[d]) }, at);
  return { text, base, rows: sizeOf(kept.map((d) => shape[d])), count: shape[axis] };
}

const softmaxOp = (op: "softmax" | "logSoftmax"): CudaOp<AxisAttrs> => ({
  op,
  supports: (inputs, outputs) => {
    const type = computed(inputs[0].dtype);
    return fits([...inputs, ...outputs]) && (type === "float" || type === "double");
  },
  run([x], [out], { axis }) {
    const w = new KernelWriter(`mlsys_${op}`);
    const type = computed(x.dtype);
    const { text, base, rows, count } = rowsOf(w, out.shape, axis, "(i / 32)");
    if (count === 0) return;
    const [n, sx, sy] = [count, x.strides[axis], out.strides[axis]].map((value) => w.int(value));
    const value = w.input(x)(`start + k * ${sx}`);
    const lanes = (name: string, step: string): string =>
      `for (int by = 16; by > 0; by /= 2) { const ${type} t = __shfl_xor_sync(0xffffffffu, ${name}, by); ${name} = ${step}; }`;
    const result = op === "softmax" ? "exp(v - top) / total" : "v - top - shift";
    w.run(
      rows * 32,
      `    ${text}const int start = ${base(x)}, to = ${base(out)}, n = ${n};
    ${type} top = -INFINITY;
    for (int k = i % 32; k < n; k += 32) { const ${type} v = ${value}; top = m_max(v, top); }
    ${lanes("top", "m_max(t, top)")}
    ${type} total = 0;
    for (int k = i % 32; k < n; k += 32) { const ${type} v = ${value}; total += exp(v - top); }
    ${lanes("total", "total + t")}
    const ${type} shift = log(total);
    for (int k = i % 32; k < n; k += 32) { const ${type} v = ${value}; ${w.output(out)(`to + k * ${sy}`, result)} }`,
    );
  },
});

/** `step` updates the state `s` (and `place`) from the element `v` and its number `k`. */
const RUNNING: Readonly<Record<string, { readonly start: string; readonly step: string }>> = {
  cumsum: { start: "0", step: "s += v;" },
  cumprod: { start: "1", step: "s *= v;" },
  cummax: { start: "0", step: "if (k == 0 || v >= s || v != v) { s = v; place = k; }" },
  cummin: { start: "0", step: "if (k == 0 || v <= s || v != v) { s = v; place = k; }" },
};

const runningOp = (op: string): CudaOp<AxisAttrs> => ({
  op,
  supports: (inputs, outputs) => fits([...inputs, ...outputs]) && computed(inputs[0].dtype) !== "bool",
  run([x], outputs, { axis }) {
    const { start, step } = RUNNING[op];
    const w = new KernelWriter(`mlsys_${op}`);
    const type = computed(x.dtype);
    const { text, base, rows, count } = rowsOf(w, x.shape, axis, "i");
    const value = w.input(x)(`start + k * ${w.int(x.strides[axis])}`);
    const narrow = TYPES[x.dtype].narrow ?? ((v: string) => v);
    const stores = outputs.map((y, o) =>
      w.output(y)(`to${o} + k * ${w.int(y.strides[axis])}`, o === 0 ? narrow("s") : "place"),
    );
    const places = outputs.map((y, o) => `const int to${o} = ${base(y)};`).join(" ");
    w.run(
      rows,
      `    ${text}const int start = ${base(x)}; ${places}
    ${type} s = ${start}; int place = 0;
    for (int k = 0; k < ${w.int(count)}; k++) { const ${type} v = ${value}; ${step} ${stores.join(" ")} }`,
    );
  },
});

interface RecurrenceAttrs extends AxisAttrs {
  readonly reverse: boolean;
}

const linearRecurrence: CudaOp<RecurrenceAttrs> = {
  op: "linearRecurrence",
  supports: (inputs, outputs) => fits([...inputs, ...outputs]) && computed(outputs[0].dtype) !== "bool",
  run([a, b], [out], { axis, reverse }) {
    const w = new KernelWriter("mlsys_recurrence");
    const type = computed(out.dtype);
    const { text, base, rows, count } = rowsOf(w, out.shape, axis, "i");
    const at = (x: CudaArray): string => `(${base(x)}) + k * ${w.int(x.strides[axis])}`;
    const [factor, term] = [w.input(a)(at(a)), w.input(b)(at(b))];
    const n = w.int(count);
    w.run(
      rows,
      `    ${text}${type} s = 0;
    for (int j = 0; j < ${n}; j++) {
      const int k = ${reverse ? `${n} - 1 - j` : "j"};
      s = j == 0 ? ${term} : ${factor} * s + ${term};
      ${w.output(out)(at(out), "s")}
    }`,
    );
  },
};

export const rowOps: readonly CudaOp[] = [
  softmaxOp("softmax"),
  softmaxOp("logSoftmax"),
  ...Object.keys(RUNNING).map(runningOp),
  linearRecurrence,
] as readonly CudaOp[];
