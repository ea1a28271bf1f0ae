/** Matching patterns against values of a graph that is being edited. */
import { dtypeKind } from "../../core/dtype.js";
import type { DenseTensor } from "../../runtime/dense.js";
import { readElements } from "../../runtime/dense.js";
import type { GraphEditor } from "../edit.js";
import { equalAttributes } from "../equal.js";
import type { GraphNode, Value } from "../graph.js";
import type { OperandClass, Pattern } from "./pattern.js";

/** What the variables of a pattern stand for. */
export interface Match {
  readonly values: ReadonlyMap<string, Value>;
  /** Attributes, by variable. */
  readonly attrs: ReadonlyMap<string, unknown>;
  /** Nodes that `?f` stands for. */
  readonly ops: ReadonlyMap<string, GraphNode>;
  /** The number that a `:const` variable repeats. */
  readonly number: (name: string) => number;
}

/** Operands of these may change places. */
export const COMMUTATIVE: ReadonlySet<string> = new Set([
  ...["add", "mul", "maximum", "minimum", "equal", "notEqual", "hypot", "logAddExp"],
  ...["logicalAnd", "logicalOr", "logicalXor", "bitwiseAnd", "bitwiseOr", "bitwiseXor"],
]);

/** Constants of more elements are not searched for one repeated number. */
const SEARCHED = 4096;

/** The number that a constant consists of, seen through repetition; `null` for other values. */
export function repeatedNumber(value: Value, editor: GraphEditor): number | null {
  const data = editor.constantData(value);
  if (data) return data.size > 0 && data.size <= SEARCHED ? onlyElement(data) : null;
  const node = editor.producer(value);
  if (node && (node.op.name === "broadcastTo" || node.op.name === "reshape"))
    return repeatedNumber(node.inputs[0], editor);
  return null;
}

function onlyElement(data: DenseTensor): number | null {
  const elements = readElements(data);
  const [first] = elements;
  return elements.every((x) => Object.is(x, first)) ? first : null;
}

class Bindings implements Match {
  readonly values = new Map<string, Value>();
  readonly attrs = new Map<string, unknown>();
  readonly ops = new Map<string, GraphNode>();

  constructor(private readonly editor: GraphEditor) {}

  readonly number = (name: string): number => {
    const value = this.values.get(name);
    const found = value && repeatedNumber(value, this.editor);
    if (found === null || found === undefined) throw new Error(`${name} is no constant of the pattern`);
    return found;
  };

  /** A copy to try something on. */
  fork(): Bindings {
    const copy = new Bindings(this.editor);
    for (const key of ["values", "attrs", "ops"] as const)
      for (const [name, value] of this[key]) (copy[key] as Map<string, unknown>).set(name, value);
    return copy;
  }
}

/** What the pattern's variables are if this node (not yet in the graph, or in it) matches; else `null`. */
export function matchNode(pattern: Pattern, node: GraphNode, editor: GraphEditor): Match | null {
  return matchOp(pattern, node, new Bindings(editor), editor);
}

function matchValue(pattern: Pattern, value: Value, at: Bindings, editor: GraphEditor): Bindings | null {
  if (pattern.kind === "number") {
    const found = repeatedNumber(value, editor);
    const same = pattern.strict ? Object.is(found, pattern.value) : found === pattern.value;
    return found !== null && same ? at : null;
  }
  if (pattern.kind === "op") {
    const node = editor.producer(value);
    return node && node.outputs.length === 1 ? matchOp(pattern, node, at, editor) : null;
  }
  if (pattern.of && !isOfClass(value, pattern.of, editor)) return null;
  const known = at.values.get(pattern.name);
  if (known) return known === value ? at : null;
  at.values.set(pattern.name, value);
  return at;
}

function matchOp(pattern: Pattern, node: GraphNode, at: Bindings, editor: GraphEditor): Bindings | null {
  if (pattern.kind !== "op" || pattern.operands.length !== node.inputs.length) return null;
  if (pattern.variable ? node.op.kind !== "elementwise" : pattern.op !== node.op.name) return null;
  if (pattern.variable) at.ops.set(pattern.op, node);
  for (const [key, variable] of Object.entries(pattern.attrs)) {
    const value = (node.attrs as Record<string, unknown>)[key];
    if (at.attrs.has(variable) && !equalAttributes(at.attrs.get(variable), value)) return null;
    at.attrs.set(variable, value);
  }
  const orders = [node.inputs];
  if (COMMUTATIVE.has(node.op.name)) orders.push([node.inputs[1], node.inputs[0]]);
  for (const inputs of orders) {
    if (!operandsMay(pattern.operands, inputs, editor)) continue;
    let found: Bindings | null = at.fork();
    for (const [i, operand] of pattern.operands.entries())
      found = found && matchValue(operand, inputs[i], found, editor);
    if (found) return found;
  }
  return null;
}

/** A look at a node and the ops in front of it, which make nothing: there most patterns fail. */
export function mayMatch(pattern: Pattern, node: GraphNode, editor: GraphEditor): boolean {
  if (pattern.kind !== "op" || pattern.operands.length !== node.inputs.length) return false;
  if (pattern.variable ? node.op.kind !== "elementwise" : pattern.op !== node.op.name) return false;
  return (
    operandsMay(pattern.operands, node.inputs, editor) ||
    (COMMUTATIVE.has(node.op.name) && operandsMay(pattern.operands, [node.inputs[1], node.inputs[0]], editor))
  );
}

function operandsMay(operands: readonly Pattern[], inputs: readonly Value[], editor: GraphEditor): boolean {
  for (let i = 0; i < operands.length; i++) {
    const operand = operands[i];
    if (operand.kind === "op" && !operand.variable && editor.producer(inputs[i])?.op.name !== operand.op)
      return false;
  }
  return true;
}

function isOfClass(value: Value, of: OperandClass, editor: GraphEditor): boolean {
  if (of === "const") return repeatedNumber(value, editor) !== null;
  if (of === "scalar") return value.shape.length === 0;
  const kind = dtypeKind(value.dtype);
  return of === "int" ? kind === "int" || kind === "uint" : kind === of;
}
