/** Expressions over real numbers: trees whose parts may be shared. (Book, chapter 4: symbolic differentiation.) */
import { readElements } from "../../runtime/dense.js";
import { type Graph, IRError } from "../graph.js";

export type Expression =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "symbol"; readonly name: string }
  | { readonly kind: "apply"; readonly op: SymbolicOp; readonly of: readonly Expression[] };

/** Ops with a rule, by the names of the registry. */
export type SymbolicOp = keyof typeof VALUES;

const VALUES = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  neg: (a: number) => -a,
  square: (a: number) => a * a,
  sqrt: Math.sqrt,
  exp: Math.exp,
  log: Math.log,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
} as const;

/** @example ir.symbolic.number(2).kind // "number" */
export const number = (value: number): Expression => ({ kind: "number", value });

/** @example ir.symbolic.format(ir.symbolic.symbol("x")) // "x" */
export const symbol = (name: string): Expression => ({ kind: "symbol", name });

/** @example ir.symbolic.format(ir.symbolic.apply("sin", ir.symbolic.symbol("x"))) // "sin(x)" */
export const apply = (op: SymbolicOp, ...of: readonly Expression[]): Expression => ({
  kind: "apply",
  op,
  of,
});

/**
 * The expression that a graph of numbers computes; what it reads twice is shared.
 * @throws IRError for a graph with axes, several results, or an op without a rule.
 * @example ir.symbolic.format(ir.symbolic.fromGraph(capture((x: Tensor) => x.sin().mul(x), tensor(1)))) // "sin(x)·x"
 */
export function fromGraph(graph: Graph): Expression {
  const known = new Map<unknown, Expression>();
  for (const param of graph.params) known.set(param, symbol(param.name ?? `v${param.id}`));
  for (const { value, data } of graph.constants) known.set(value, number(readElements(data)[0]));
  for (const node of graph.nodes) {
    const where = node.loc ? `${node.loc}: ` : "";
    if (!(node.op.name in VALUES))
      throw new IRError(
        `${where}${node.op.name} has no symbolic rule; there are ${Object.keys(VALUES).join(", ")}`,
      );
    if (node.outputs[0].shape.length > 0)
      throw new IRError(
        `${where}${node.op.name} computes a tensor with axes; symbolic expressions are of numbers`,
      );
    const of = node.inputs.map((input) => known.get(input) as Expression);
    known.set(node.outputs[0], apply(node.op.name as SymbolicOp, ...of));
  }
  if (graph.results.length !== 1)
    throw new IRError(`graph ${graph.name} has ${graph.results.length} results; an expression is one`);
  return known.get(graph.results[0]) as Expression;
}

/** Calls `f` once for each part, operands first; parts that are the same object are one. */
export function fold<T>(e: Expression, f: (part: Expression, of: readonly T[]) => T): T {
  const known = new Map<Expression, T>();
  const visit = (part: Expression): T => {
    let found = known.get(part);
    if (found === undefined) {
      found = f(part, part.kind === "apply" ? part.of.map(visit) : []);
      known.set(part, found);
    }
    return found;
  };
  return visit(e);
}

/**
 * The value under values for the symbols.
 * @throws IRError for a symbol without a value.
 * @example ir.symbolic.evaluate(ir.symbolic.parse("x*x + 1"), { x: 3 }) // 10
 */
export function evaluate(e: Expression, values: Readonly<Record<string, number>>): number {
  return fold<number>(e, (part, of) => {
    if (part.kind === "number") return part.value;
    if (part.kind === "apply") return (VALUES[part.op] as (...x: readonly number[]) => number)(...of);
    if (!(part.name in values)) throw new IRError(`the symbol ${part.name} has no value`);
    return values[part.name];
  });
}

/**
 * Numbers, symbols and ops of the expression as it is written down: what stands twice counts twice. Grows without bound, so
 * it is counted without going through the tree.
 * @example ir.symbolic.treeSize(ir.symbolic.parse("x*x + 1")) // 5
 */
export function treeSize(e: Expression): number {
  return fold<number>(e, (_part, of) => 1 + of.reduce((sum, size) => sum + size, 0));
}

/**
 * Different subexpressions: what is left to compute if equal ones are computed once.
 * @example ir.symbolic.dagSize(ir.symbolic.parse("x*x + x*x")) // 3
 */
export function dagSize(e: Expression): number {
  const numbers = new Map<string, number>();
  fold<number>(e, (part, of) => {
    const key =
      part.kind === "apply"
        ? `${part.op} ${of.join()}`
        : part.kind === "symbol"
          ? `= ${part.name}`
          : `${part.value}`;
    const known = numbers.get(key) ?? numbers.size;
    numbers.set(key, known);
    return known;
  });
  return numbers.size;
}
