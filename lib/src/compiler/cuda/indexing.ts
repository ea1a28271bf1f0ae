/** Ops that move elements by their places: copies, joins, slices and windows put back, gathers and scatters. */
import { sizeOf } from "../../core/shape.js";
import { cuda } from "./device.js";
import { copy } from "./elementwise.js";
import { type CudaArray, type CudaOp, computed, fits } from "./types.js";
import { KernelWriter } from "./writer.js";

const always: CudaOp["supports"] = (inputs, outputs) => fits([...inputs, ...outputs]);

const copying = (op: string): CudaOp<object> => ({
  op,
  supports: always,
  run: ([x], [out]) => copy(op, x, out),
});

/** Zeros, whatever the dtype. */
function clear({ handle }: CudaArray): void {
  const { context } = cuda();
  context.driver.cuMemsetD8Async(handle.address, 0, handle.size, context.stream.handle);
}

interface AxisAttrs {
  readonly axis: number;
}

/** One copy per operand into its part of the result. */
const concat: CudaOp<AxisAttrs> = {
  op: "concat",
  supports: always,
  run(inputs, [out], { axis }) {
    let start = 0;
    for (const x of inputs) {
      const w = new KernelWriter("mlsys_concat");
      const { text, at } = w.coordinates(x.shape, "i", "c");
      const place = at.map((name, d) => (d === axis && start > 0 ? `(${name} + ${w.int(start)})` : name));
      const to = w.position({ ...out, shape: out.shape.map(() => 2) }, place);
      w.run(sizeOf(x.shape), `    ${text}${w.output(out)(to, w.input(x)(w.position(x, at)))}`);
      start += x.shape[axis];
    }
  },
};

interface UnsliceAttrs {
  readonly starts: readonly number[];
  readonly steps: readonly number[];
}

/** Zeros, and the operand's elements where the slice was. */
const unslice: CudaOp<UnsliceAttrs> = {
  op: "unslice",
  supports: always,
  run([x], [out], { starts, steps }) {
    clear(out);
    const w = new KernelWriter("mlsys_unslice");
    const { text, at } = w.coordinates(x.shape, "i", "c");
    const place = at.map((name, d) => `(${w.int(starts[d])} + ${name} * ${w.int(steps[d])})`);
    const to = w.position({ ...out, shape: out.shape.map(() => 2) }, place);
    w.run(sizeOf(x.shape), `    ${text}${w.output(out)(to, w.input(x)(w.position(x, at)))}`);
  },
};

const indexed: CudaOp["supports"] = (inputs, outputs) =>
  fits([...inputs, ...outputs]) && computed(inputs[1].dtype) === "int";

/** An index counted from the front. What is out of range reads the nearest element. */
const checked = (w: KernelWriter, index: string, size: number): string => {
  const n = w.int(size);
  return `m_max(0, m_min(${n} - 1, ${index} < 0 ? ${index} + ${n} : ${index}))`;
};

const take: CudaOp<AxisAttrs> = {
  op: "take",
  supports: indexed,
  run([x, index], [out], { axis }) {
    const w = new KernelWriter("mlsys_take");
    const { text, at } = w.coordinates(out.shape, "i", "c");
    const rank = index.shape.length;
    const where = w.input(index)(w.position(index, at.slice(axis, axis + rank)));
    const place = [...at.slice(0, axis), "row", ...at.slice(axis + rank)];
    const from = w.input(x)(w.position({ ...x, shape: x.shape.map(() => 2) }, place));
    w.run(
      sizeOf(out.shape),
      `    ${text}const int index = ${where}, row = ${checked(w, "index", x.shape[axis])};
    ${w.output(out)("i", from)}`,
    );
  },
};

const takeAlongAxis: CudaOp<AxisAttrs> = {
  op: "takeAlongAxis",
  supports: indexed,
  run([x, index], [out], { axis }) {
    const w = new KernelWriter("mlsys_take_along");
    const { text, at } = w.coordinates(out.shape, "i", "c");
    const where = w.input(index)(w.position(index, at));
    const place = at.map((name, d) => (d === axis ? "row" : name));
    const from = w.input(x)(w.position({ ...x, shape: x.shape.map((n, d) => (d === axis ? 2 : n)) }, place));
    w.run(
      sizeOf(out.shape),
      `    ${text}const int index = ${where}, row = ${checked(w, "index", x.shape[axis])};
    ${w.output(out)("i", from)}`,
    );
  },
};

/** Each row of the result adds up what goes there, in order: sums that are the same in every run, without atomics. */
const scatterAdd: CudaOp<AxisAttrs> = {
  op: "scatterAdd",
  supports: (inputs, outputs) =>
    fits([...inputs, ...outputs]) &&
    computed(inputs[0].dtype) === "int" &&
    computed(outputs[0].dtype) !== "bool",
  run([index, x], [out], { axis }) {
    const w = new KernelWriter("mlsys_scatter_add");
    const type = computed(out.dtype);
    const { text, at } = w.coordinates(out.shape, "i", "c");
    const { text: inner, at: of } = w.coordinates(index.shape, "k", "n");
    const where = w.input(index)(w.position(index, of));
    const place = [...at.slice(0, axis), ...of, ...at.slice(axis + 1)];
    const value = w.input(x)(w.position({ ...x, shape: x.shape.map(() => 2) }, place));
    w.run(
      sizeOf(out.shape),
      `    ${text}${type} s = 0;
    for (int k = 0; k < ${w.int(sizeOf(index.shape))}; k++) {
      ${inner}const int index = ${where}, row = ${checked(w, "index", out.shape[axis])};
      if (row == ${at[axis]}) s += ${value};
    }
    ${w.output(out)("i", "s")}`,
    );
  },
};

interface Along {
  readonly op: string;
  readonly index: CudaArray;
  readonly values: CudaArray;
  readonly out: CudaArray;
  readonly axis: number;
  /** What each element starts with; zero without. */
  readonly base: CudaArray | null;
  readonly fold: (sum: string, value: string) => string;
}

/** Each element of the result folds the values of its row whose index is its place. */
function alongAxis({ op, index, values, out, axis, base, fold }: Along): void {
  const w = new KernelWriter(`mlsys_${op}`);
  const type = computed(out.dtype);
  const { text, at } = w.coordinates(out.shape, "i", "c");
  const place = at.map((name, d) => (d === axis ? "k" : name));
  const at2 = (x: CudaArray) =>
    w.position({ ...x, shape: x.shape.map((n, d) => (d === axis ? 2 : n)) }, place);
  const start = base ? w.input(base)(w.position(base, at)) : "0";
  const body = `    ${text}${type} s = ${start};
    for (int k = 0; k < ${w.int(index.shape[axis] ?? 0)}; k++) {
      const int index = ${w.input(index)(at2(index))}, row = ${checked(w, "index", out.shape[axis])};
      if (row == ${at[axis]}) { const ${type} v = ${w.input(values)(at2(values))}; s = ${fold("s", "v")}; }
    }
    ${w.output(out)("i", "s")}`;
  w.run(sizeOf(out.shape), body);
}

const scatterAddAlongAxis: CudaOp<AxisAttrs> = {
  op: "scatterAddAlongAxis",
  supports: scatterAdd.supports,
  run: ([index, values], [out], { axis }) =>
    alongAxis({ op: "scatter_along", index, values, out, axis, base: null, fold: (s, v) => `${s} + ${v}` }),
};

interface ScatterReduceAttrs extends AxisAttrs {
  readonly reduce: "prod" | "max" | "min";
}

const SCATTER_FOLDS = {
  prod: (s: string, v: string) => `${s} * ${v}`,
  max: (s: string, v: string) => `m_max(${v}, ${s})`,
  min: (s: string, v: string) => `m_min(${v}, ${s})`,
} as const;

const scatterReduce: CudaOp<ScatterReduceAttrs> = {
  op: "scatterReduce",
  supports: (inputs, outputs, attrs) =>
    indexed(inputs, outputs, attrs as never) && computed(outputs[0].dtype) !== "bool",
  run: ([base, index, values], [out], { axis, reduce }) =>
    alongAxis({ op: `scatter_${reduce}`, index, values, out, axis, base, fold: SCATTER_FOLDS[reduce] }),
};

const replace: CudaOp<object> = {
  op: "replace",
  supports: indexed,
  run([x, index, values], [out]) {
    copy("replace", x, out);
    const w = new KernelWriter("mlsys_replace_at");
    const where = w.input(index)(w.position(index, ["k"]));
    const value = w.input(values)(w.position(values, ["k"]));
    // One thread in order: of several values for one place the last one stays.
    w.run(
      1,
      `    for (int k = 0; k < ${w.int(sizeOf(index.shape))}; k++) { ${w.output(out)(where, value)} }`,
    );
  },
};

interface FoldAttrs {
  readonly size: readonly [number, number];
  readonly stride: readonly [number, number];
}

/** Each pixel adds up the windows that it is in. */
const foldWindows2d: CudaOp<FoldAttrs> = {
  op: "foldWindows2d",
  supports: (inputs, outputs) => fits([...inputs, ...outputs]) && computed(outputs[0].dtype) !== "bool",
  run([x], [out], { size, stride }) {
    const w = new KernelWriter("mlsys_fold_windows");
    const { text, at } = w.coordinates(out.shape, "i", "c");
    const value = w.input(x)(
      w.position({ ...x, shape: x.shape.map(() => 2) }, [at[0], at[1], "r", "s", "p", "q"]),
    );
    const [sh, sw] = stride.map((n) => w.int(n));
    const [rows, columns] = [w.int(x.shape[2]), w.int(x.shape[3])];
    w.run(
      sizeOf(out.shape),
      `    ${text}${computed(out.dtype)} sum = 0;
    for (int p = 0; p < ${w.int(size[0])} && p <= ${at[2]}; p++) {
      const int r = (${at[2]} - p) / ${sh};
      if ((${at[2]} - p) % ${sh} != 0 || r >= ${rows}) continue;
      for (int q = 0; q < ${w.int(size[1])} && q <= ${at[3]}; q++) {
        const int s = (${at[3]} - q) / ${sw};
        if ((${at[3]} - q) % ${sw} == 0 && s < ${columns}) sum += ${value};
      }
    }
    ${w.output(out)("i", "sum")}`,
    );
  },
};

export const indexingOps: readonly CudaOp[] = [
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
] as readonly CudaOp[];
