/**
 * Programs of elementwise ops as one shader: a single op, or a group that a graph's compiler fused. Four neighbouring
 * elements are one invocation's; operands that lie side by side are read as vectors.
 */
import type { DType } from "../../core/dtype.js";
import { collapse, type Walk } from "../../core/layout.js";
import { sizeOf } from "../../core/shape.js";
import type { RemoteType } from "../../runtime/remote.js";
import type { ElementwiseNode, ElementwiseProgram } from "../../runtime/wasm/elementwise/program.js";
import { formulaAttrs, formulaOf, formulaType, wrapped } from "./formulas.js";
import { mathFor } from "./math.js";
import { computedAs, type GpuArray, isStored, ShaderWriter, vectorOf } from "./shader.js";

const MOST_INPUTS = 8; // with the output and the uniform no adapter has fewer bindings

/** Dtypes of a program's values; `null` if an op has no formula for its operands. */
export function programTypes(program: ElementwiseProgram): DType[] | null {
  if (!program.inputs.every((dtype) => isStored({ dtype }))) return null;
  if (program.inputs.length + program.outputs.length > MOST_INPUTS) return null;
  const types = [...program.inputs];
  for (const { op, args, attrs } of program.nodes) {
    const to = op === "cast" || op === "constant" ? (attrs?.dtype as DType) : undefined;
    const of = args.map((arg) => types[arg]);
    if (op === "constant" ? !isStored({ dtype: to as DType }) : !formulaOf(op, of, to)) return null;
    types.push(formulaType(op, of, to));
  }
  return types;
}

/** Adds a program's nodes to a shader. `values`: texts of the inputs. @returns statements, and the texts of all values */
export function programText(
  w: ShaderWriter,
  { nodes }: ElementwiseProgram,
  types: readonly DType[],
  inputs: readonly string[],
): { text: string; values: string[] } {
  const values = [...inputs];
  let text = "";
  for (const [k, node] of nodes.entries()) {
    const type = types[inputs.length + k];
    const value = nodeText(w, node, values, types, type);
    text += `  let v${k} = ${value};\n`;
    values.push(`v${k}`);
  }
  const math = mathFor(text);
  if (math !== "") w.declare(math);
  return { text, values };
}

function nodeText(
  w: ShaderWriter,
  { op, args, attrs }: ElementwiseNode,
  values: readonly string[],
  types: readonly DType[],
  type: DType,
): string {
  const computed = computedAs(type);
  if (op === "constant") return `vec4<${computed}>(${w.number(Number(attrs?.value), computed)})`;
  const of = args.map((arg) => types[arg]);
  const numbers = formulaAttrs(op).map((name) => `vec4f(${w.float(Number(attrs?.[name]))})`);
  const formula = formulaOf(op, of, op === "cast" ? type : undefined);
  if (!formula) throw new Error(`there is no formula for ${op} of ${of.join()}`);
  const text = formula(...args.map((arg) => values[arg]), ...numbers);
  return op === "where" || op === "cast" ? text : wrapped(type, text);
}

/** How an operand's elements lie beside the output's. */
type Access = "vector" | "same" | "row vector" | "row same" | "row elements" | "element";

function accessOf({ sizes, strides }: Walk, o: number, { offset }: RemoteType): Access {
  const mine = strides[o];
  const last = mine[mine.length - 1];
  if (mine.every((stride) => stride === 0)) return "same";
  if (mine.length === 1 && last === 1 && offset % 4 === 0) return "vector";
  if (mine.length > 1 && sizes[sizes.length - 1] % 4 === 0) {
    if (last === 0) return "row same";
    if (last === 1 && [...mine.slice(0, -1), offset].every((n) => n % 4 === 0)) return "row vector";
    return "row elements";
  }
  return "element";
}

/** The texts of the operands' four elements from 4·i on, and the statements that they need. */
export function operandVectors(
  w: ShaderWriter,
  shape: readonly number[],
  inputs: readonly GpuArray[],
): { text: string; values: string[] } {
  const walk = collapse(shape, inputs);
  const accesses = inputs.map((x, o) => accessOf(walk, o, x));
  let text = "";
  const rows = accesses.some((access) => access.startsWith("row"));
  const elements = accesses.includes("element");
  const { sizes, strides } = walk;
  let rowAt: string[] = [];
  if (rows) {
    const { text: t, at } = w.coordinates(sizes, "i * 4u", "r");
    text += `${t}\n`;
    rowAt = at;
  }
  const elementAt: string[][] = [];
  if (elements)
    for (let k = 0; k < 4; k++) {
      const { text: t, at } = w.coordinates(sizes, `i * 4u + ${k}u`, `e${k}`);
      text += `${t}\n`;
      elementAt.push(at);
    }
  const values = inputs.map((x, o) => {
    const type = computedAs(x.dtype);
    const source = w.input(x);
    const layout = { ...x, shape: sizes, strides: strides[o] };
    const access = accesses[o];
    let value: string;
    if (access === "vector") value = source.vector(x.offset === 0 ? "i" : `(i + ${w.int(x.offset / 4)})`);
    else if (access === "same") value = `vec4<${type}>(${source.element(w.int(x.offset))})`;
    else if (access === "row same") value = `vec4<${type}>(${source.element(w.position(layout, rowAt))})`;
    else if (access === "row elements") {
      const step = w.int(strides[o][sizes.length - 1]);
      text += `  let p${o} = ${w.position(layout, rowAt)};\n`;
      value = vectorOf(
        type,
        [0, 1, 2, 3].map((k) => source.element(`p${o} + ${k}u * ${step}`)),
      );
    } else if (access === "row vector") value = source.vector(`((${w.position(layout, rowAt)}) >> 2u)`);
    else
      value = vectorOf(
        type,
        elementAt.map((at) => source.element(w.position(layout, at))),
      );
    text += `  let a${o} = ${value};\n`;
    return `a${o}`;
  });
  return { text, values };
}

/** The positions of the operands' elements for the row-major element `i` of a shape, and the statements that they need. */
export function operandPositions(
  w: ShaderWriter,
  shape: readonly number[],
  inputs: readonly GpuArray[],
  i: string,
): { text: string; places: string[] } {
  const { sizes, strides } = collapse(shape, inputs);
  const { text, at } = w.coordinates(sizes, i, "c");
  return { text, places: inputs.map((x, o) => w.position({ ...x, shape: sizes, strides: strides[o] }, at)) };
}

/** Runs a program on inputs that broadcast to the (contiguous, new) outputs. */
export function runProgram(
  label: string,
  program: ElementwiseProgram,
  types: readonly DType[],
  inputs: readonly GpuArray[],
  outputs: readonly GpuArray[],
): void {
  const { shape } = outputs[0];
  const size = sizeOf(shape);
  if (size === 0) return;
  const w = new ShaderWriter(label);
  const operands = operandVectors(w, shape, inputs);
  const body = programText(w, program, types, operands.values);
  const stores = outputs.map((y, k) => w.output(y).vector("i", body.values[program.outputs[k]]));
  w.runItems(Math.ceil(size / 4), `${operands.text}${body.text}  ${stores.join("\n  ")}`);
}
