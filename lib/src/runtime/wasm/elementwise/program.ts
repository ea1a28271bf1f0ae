/** Programs of elementwise ops: what the code generator compiles, for a single op or for a fused group of them. */
import { type DType, dtypeKind, encodingOf } from "../../../core/dtype.js";
import { ValueError } from "../../../core/errors.js";
import { RULES } from "./rules.js";

/** An op applied to values. Values are numbered: inputs first, then nodes in order. */
export interface ElementwiseNode {
  /** Name of an op of the registry, `cast` (attrs.dtype), `where`, or `constant` (attrs.value, attrs.dtype). */
  readonly op: string;
  readonly args: readonly number[];
  readonly attrs?: Readonly<Record<string, unknown>>;
}

/** Operands of one op have one dtype (the first of `where` is bool). */
export interface ElementwiseProgram {
  readonly inputs: readonly DType[];
  readonly nodes: readonly ElementwiseNode[];
  /** Values that are stored. */
  readonly outputs: readonly number[];
}

/** One op as a program. */
export function programOfOp(
  op: string,
  inputs: readonly { readonly dtype: DType }[],
  attrs: Readonly<Record<string, unknown>>,
): ElementwiseProgram {
  return {
    inputs: inputs.map(({ dtype }) => dtype),
    nodes: [{ op, args: inputs.map((_, i) => i), attrs }],
    outputs: [inputs.length],
  };
}

/** Dtype of each value. @throws ValueError for an op that the generator does not know. */
export function valueTypes(program: ElementwiseProgram): DType[] {
  const types = [...program.inputs];
  for (const node of program.nodes) {
    const reason = refusal(node, types);
    if (reason) throw new ValueError(`compileElementwise: ${reason}`);
    types.push(resultType(node, types));
  }
  return types;
}

/** True if every node can be compiled. */
export function canCompile(program: ElementwiseProgram): boolean {
  const types = [...program.inputs];
  for (const node of program.nodes) {
    if (refusal(node, types)) return false;
    types.push(resultType(node, types));
  }
  return true;
}

/** Numbers known only at run time, in the order in which the kernel takes them. */
export function constantsOf(program: ElementwiseProgram): number[] {
  return program.nodes.flatMap((node) => attributeNames(node).map((name) => Number(node.attrs?.[name])));
}

/** Attributes of a node that are passed as numbers. */
export function attributeNames(node: ElementwiseNode): readonly string[] {
  return node.op === "constant" ? ["value"] : (RULES[node.op]?.attrs ?? []);
}

/** Names the code: programs of the same signature differ in constants only. */
export function signatureOf(program: ElementwiseProgram): string {
  const nodes = program.nodes.map(
    ({ op, args, attrs }) => `${op}${attrs?.dtype ? `:${attrs.dtype}` : ""}(${args.join()})`,
  );
  return `${program.inputs.join()};${nodes.join(";")};${program.outputs.join()}`;
}

function resultType(node: ElementwiseNode, types: readonly DType[]): DType {
  if (node.op === "cast" || node.op === "constant") return node.attrs?.dtype as DType;
  if (node.op === "where") return types[node.args[1]];
  return RULES[node.op].mask ? "bool" : types[node.args[0]];
}

/** Why a node cannot be compiled, or `null`. */
function refusal({ op, args, attrs }: ElementwiseNode, types: readonly DType[]): string | null {
  const made = attrs?.dtype as DType | undefined; // of casts and constants
  const encoded = [...args.map((arg) => types[arg]), ...(made ? [made] : [])].find(encodingOf);
  if (encoded) return `${encoded} has no vector form`;
  if (op === "cast" || op === "constant" || op === "where") return null;
  const rule = RULES[op];
  if (!rule) return `no vector formula for the op "${op}"`;
  const type = types[args[0]];
  const kind = dtypeKind(type);
  const known =
    kind === "bool"
      ? rule.onMasks
      : kind === "float"
        ? (rule.all ?? (type === "float32" ? rule.float32 : undefined) ?? usableWide(op, type))
        : (rule.int ?? rule.all);
  return known ? null : `the op "${op}" has no vector formula for ${type}`;
}

function usableWide(op: string, type: DType): unknown {
  const { float64, roundedOnly } = RULES[op];
  return type === "float64" && roundedOnly ? undefined : float64;
}
