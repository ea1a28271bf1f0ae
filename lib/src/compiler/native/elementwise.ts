/** Elementwise programs of the native device: one loop nest for a program and the way its operands lie, for all sizes. */
import type { DType } from "../../core/dtype.js";
import type { Walk } from "../../core/layout.js";
import { memory, reserve } from "../../runtime/heap.js";
import { nativeSupport } from "../../runtime/native/library.js";
import { launchesDiverted } from "../../runtime/pool/pool.js";
import type { OwnElementwise } from "../../runtime/wasm/elementwise/compile.js";
import {
  attributeNames,
  type ElementwiseNode,
  type ElementwiseProgram,
  signatureOf,
  valueTypes,
} from "../../runtime/wasm/elementwise/program.js";
import { compileInBackground, type NativeProgram } from "../codegen/c/compile.js";
import { type Affine, affine, ceildiv, minimum } from "../loop/affine.js";
import { cast, lit, op } from "../loop/compute.js";
import type { Buffer, Expr, LoopKernel, LoopKind, LoopType, Stmt } from "../loop/ir.js";
import { isScalarOp, takesType } from "../loop/operators.js";
import { nativePrograms } from "./programs.js";

const MAX_RANK = 3;
/** Elements of one item of work where there is one loop only. */
const BLOCK = 2048;
const TYPES = new Set<DType>(["float32", "float64", "int32", "bool"]);
/** float64: the C library computes them one by one, slower than vectors of WebAssembly. */
const BY_LIBRARY = new Set(["exp", "log", "tanh", "sigmoid", "silu"]);

type Lie = "unit" | "same" | "strided";

/** `null`: the loop IR has no operators for it. */
const known = new Map<string, NativeProgram | null>();

/** `null` for ops, dtypes and layouts that have no kernel here. */
export function nativeElementwise(program: ElementwiseProgram, walk: Walk): OwnElementwise | null {
  const tools = nativeSupport();
  if (typeof tools === "string") return null;
  const rank = walk.sizes.length;
  const lanes = tools.vectorBytes / 4;
  if (rank > MAX_RANK || walk.sizes[rank - 1] < lanes) return null;
  const types = valueTypes(program);
  if (!types.every((type) => TYPES.has(type))) return null;
  const lies = program.inputs.map((_, i): Lie => {
    const step = walk.strides[i + 1][rank - 1];
    return step === 0 ? "same" : step === 1 ? "unit" : "strided";
  });
  const key = `${signatureOf(program)} ${lies} ${rank}`;
  let native = known.get(key);
  if (native === undefined) {
    const kernel = kernelOf(program, types as LoopType[], lies, rank, lanes);
    native = kernel && nativePrograms(key, () => compileInBackground(() => kernel, { inPlace: true }));
    known.set(key, native);
  }
  if (!native) return null;
  const made = native;
  const sizes = [...walk.sizes];
  for (const [i, lie] of lies.entries()) {
    const strides = walk.strides[i + 1];
    sizes.push(...strides.slice(0, -1), ...(lie === "strided" ? [strides[rank - 1]] : []));
  }
  return {
    run(addresses, constants) {
      const compiled = launchesDiverted() ? null : made.current();
      if (!compiled) return false;
      compiled.run([...addresses, numbersAt(constants)], sizes);
      return true;
    },
  };
}

const MAX_CONSTANTS = 256;
/** Addresses and sizes of a call, with room for its phases. */
const MAX_ARGUMENTS = 240;
let numbers = 0;

/** Where the program's numbers lie during the call. */
function numbersAt(constants: readonly number[]): number {
  if (numbers === 0) numbers = reserve(MAX_CONSTANTS * 8);
  if (constants.length > 0) new Float64Array(memory.buffer, numbers, constants.length).set(constants);
  return numbers;
}

function kernelOf(
  program: ElementwiseProgram,
  types: readonly LoopType[],
  lies: readonly Lie[],
  rank: number,
  lanes: number,
): LoopKernel | null {
  const dims = Array.from({ length: rank }, (_, d) => `n${d}`);
  const names = [...dims];
  const param = (
    name: string,
    dtype: LoopType,
    strides: readonly Affine[] | null,
    output = false,
  ): Buffer => ({
    ...{ name, dtype, strides, output },
    shape: dims.map((d) => affine(d)),
    scope: "param",
  });
  const inputs = lies.map((lie, i) => {
    const strides = dims.map((_, d) => {
      const last = d === rank - 1;
      if (last && lie !== "strided") return affine(lie === "unit" ? 1 : 0);
      names.push(`s${i}_${d}`);
      return affine(`s${i}_${d}`);
    });
    return param(`X${i}`, types[i], strides);
  });
  const outputs = program.outputs.map((v, i) => param(`Y${i}`, types[v], null, true));
  const count = program.nodes.reduce((n, node) => n + attributeNames(node).length, 0);
  if (count > MAX_CONSTANTS || names.length + inputs.length + outputs.length > MAX_ARGUMENTS) return null;
  const constants: Buffer = { ...param("K", "float64", null), shape: [affine(Math.max(1, count))] };
  const [outside, inside]: [Stmt[], Stmt[]] = [[], []];
  const named = (list: Stmt[], name: string, value: Expr, dtype: LoopType): Expr => {
    list.push({ kind: "let", name, value });
    return { kind: "name", name, dtype };
  };
  const loops = dims.map((_, d) => `i${d}`);
  const blocks = rank === 1;
  const length = affine(dims[rank - 1]);
  const start = blocks ? affine("block").times(BLOCK) : affine(0);
  const last = start.plus(affine("v").times(lanes)).plus("u");
  const at = [...loops.slice(0, -1).map((v) => affine(v)), last];
  const values = inputs.map((buffer, i): Expr => {
    if (lies[i] === "same") {
      const first = [...at.slice(0, -1), affine(0)];
      return named(outside, `x${i}`, { kind: "load", buffer, indices: first }, types[i]);
    }
    return named(inside, `x${i}`, { kind: "load", buffer, indices: at }, types[i]);
  });
  let next = 0;
  for (const [k, node] of program.nodes.entries()) {
    const type = types[inputs.length + k];
    const of = types[node.args[0]] ?? type;
    const attributes = attributeNames(node).map((_, a) => {
      const load: Expr = { kind: "load", buffer: constants, indices: [affine(next++)] };
      const wanted = node.op === "constant" ? type : of;
      return named(outside, `k${k}_${a}`, wanted === "float64" ? load : cast(wanted, load), wanted);
    });
    const value = formula(
      node,
      of,
      type,
      node.args.map((a) => values[a]),
      attributes,
    );
    if (!value) return null;
    values.push(value.kind === "name" ? value : named(inside, `y${k}`, value, type));
  }
  program.outputs.forEach((v, i) => {
    inside.push({ kind: "store", buffer: outputs[i], indices: at, value: values[v] });
  });
  const loop = (variable: string, to: Affine, kind: LoopKind, body: readonly Stmt[]): Stmt => ({
    ...{ kind: "for", variable, to, loop: kind, body },
    from: affine(0),
  });
  const here = blocks ? minimum(BLOCK, length.minus(start)) : length;
  const vector = loop("u", minimum(lanes, here.minus(affine("v").times(lanes))), "vectorized", inside);
  let body: Stmt[] = [...outside, loop("v", ceildiv(here, lanes), "serial", [vector])];
  if (blocks) body = [loop("block", ceildiv(length, BLOCK), "parallel", body)];
  for (let d = rank - 2; d >= 0; d--) body = [loop(loops[d], affine(dims[d]), "parallel", body)];
  return { name: "elementwise", sizes: names, params: [...outputs, ...inputs, constants], body };
}

/** What a node computes; `null` if the loop IR has no operators for it. */
function formula(
  node: ElementwiseNode,
  of: LoopType,
  type: LoopType,
  args: readonly Expr[],
  attributes: readonly Expr[],
): Expr | null {
  const { op: name } = node;
  const [x, y, z] = args;
  if (name === "constant") return attributes[0];
  if (name === "cast") return of === type ? x : cast(type, x);
  if (name === "where") return { kind: "select", args: [x, y, z] };
  const float = of === "float32" || of === "float64";
  if (of === "float64" && BY_LIBRARY.has(name)) return null;
  const made = COMPOSED[name]?.(args, attributes, (value) => lit(value, of));
  if (made) return float || WITH_ALL.has(name) ? made : null;
  return isScalarOp(name) && takesType(name, of) ? op(name, ...args) : null;
}

type Composed = (x: readonly Expr[], attributes: readonly Expr[], number: (value: number) => Expr) => Expr;

const select = (condition: Expr, yes: Expr, no: Expr): Expr => ({
  kind: "select",
  args: [condition, yes, no],
});

/** Of numbers of any type. */
const WITH_ALL = new Set(["greater", "greaterEqual"]);

/** Ops of the registry that are several operators here. */
const COMPOSED: Readonly<Record<string, Composed>> = {
  greater: ([x, y]) => op("less", y, x),
  greaterEqual: ([x, y]) => op("lessEqual", y, x),
  rsqrt: ([x], _, number) => op("div", number(1), op("sqrt", x)),
  reciprocal: ([x], _, number) => op("div", number(1), x),
  silu: ([x]) => op("mul", x, op("sigmoid", x)),
  leakyRelu: ([x], [slope], number) => select(op("less", number(0), x), x, op("mul", x, slope)),
  clip: ([x], [low, high]) => op("minimum", op("maximum", x, low), high),
  relu6: ([x], _, number) => op("minimum", op("relu", x), number(6)),
  isnan: ([x]) => op("notEqual", x, x),
};
