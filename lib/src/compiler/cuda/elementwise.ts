/** Programs of elementwise ops as one kernel: a single op, or a group that a graph's compiler fused. */
import type { DType } from "../../core/dtype.js";
import { collapse } from "../../core/layout.js";
import { sizeOf } from "../../core/shape.js";
import {
  type ElementwiseNode,
  type ElementwiseProgram,
  programOfOp,
} from "../../runtime/wasm/elementwise/program.js";
import { FORMULA_OPS, formulaAttrs, formulaOf, formulaType, inFloat, narrowed } from "./formulas.js";
import { type CudaArray, type CudaOp, computed, fits } from "./types.js";
import { KernelWriter } from "./writer.js";

/** Dtypes of a program's values; null if an op has no formula for its operands. */
export function programTypes({ inputs, nodes }: ElementwiseProgram): DType[] | null {
  const types = [...inputs];
  for (const { op, args, attrs } of nodes) {
    const to = op === "cast" || op === "constant" ? (attrs?.dtype as DType) : undefined;
    const of = args.map((arg) => types[arg]);
    if (op !== "constant" && !formulaOf(op, of, to)) return null;
    types.push(formulaType(op, of, to));
  }
  return types;
}

/** Statements for a program's nodes, and the texts of all values; `inputs`: the texts of the operands. */
export function programText(
  w: KernelWriter,
  { nodes }: ElementwiseProgram,
  types: readonly DType[],
  inputs: readonly string[],
): { text: string; values: string[] } {
  const values = [...inputs];
  let text = "";
  for (const [k, node] of nodes.entries()) {
    const type = types[inputs.length + k];
    text += `    const ${computed(type)} v${k} = ${nodeText(w, node, values, types, type)};\n`;
    values.push(`v${k}`);
  }
  return { text, values };
}

function nodeText(
  w: KernelWriter,
  { op, args, attrs }: ElementwiseNode,
  values: readonly string[],
  types: readonly DType[],
  type: DType,
): string {
  if (op === "constant") return narrowed(type, w.number(Number(attrs?.value), computed(type)));
  const of = args.map((arg) => types[arg]);
  const numbers = formulaAttrs(op).map((name) => w.number(Number(attrs?.[name]), computed(of[0])));
  const formula = formulaOf(op, of, op === "cast" ? type : undefined);
  if (!formula) throw new Error(`there is no formula for ${op} of ${of.join()}`);
  const text = formula(...args.map((arg) => values[arg]), ...numbers);
  return narrowed(type, computed(of[0] ?? type) === "double" ? text : inFloat(text));
}

/** Runs a program on inputs that broadcast to the (contiguous, new) outputs. */
export function runProgram(
  name: string,
  program: ElementwiseProgram,
  types: readonly DType[],
  inputs: readonly CudaArray[],
  outputs: readonly CudaArray[],
): void {
  const { shape } = outputs[0];
  const w = new KernelWriter(`mlsys_${name}`);
  const { sizes, strides } = collapse(shape, inputs);
  const { text, at } = w.coordinates(sizes, "i", "c");
  const flat = sizes.length <= 1;
  const sources = inputs.map((x, o) => {
    const layout = { shape: sizes.map(() => 2), strides: strides[o], offset: x.offset };
    return w.input(x)(w.position(layout, flat ? at.map(() => "i") : at));
  });
  let body = flat ? "" : `    ${text}\n`;
  for (const [o, x] of inputs.entries()) body += `    const ${computed(x.dtype)} x${o} = ${sources[o]};\n`;
  const made = programText(
    w,
    program,
    types,
    inputs.map((_, o) => `x${o}`),
  );
  const stores = outputs.map((y, k) => `    ${w.output(y)("i", made.values[program.outputs[k]])}`);
  w.run(sizeOf(shape), `${body}${made.text}${stores.join("\n")}`);
}

type Attrs = Readonly<Record<string, unknown>>;

export const elementwiseOps: readonly CudaOp<Attrs>[] = FORMULA_OPS.map((op) => ({
  op,
  supports: (inputs, outputs, attrs) =>
    fits([...inputs, ...outputs]) &&
    programTypes(programOfOp(op, inputs, attrs))?.at(-1) === outputs[0].dtype,
  run(inputs, outputs, attrs) {
    const program = programOfOp(op, inputs, attrs);
    runProgram(op, program, programTypes(program) as DType[], inputs, outputs);
  },
}));

/** The elements of `x` in row-major order. */
export function copy(name: string, x: CudaArray, out: CudaArray): void {
  const program = { inputs: [x.dtype], nodes: [], outputs: [0] };
  runProgram(name, program, [x.dtype], [x], [{ ...out, shape: x.shape }]);
}
