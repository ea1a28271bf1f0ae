/**
 * Derivatives by the rules of calculus, as a computer-algebra system applies them: on the expression as it is written. Its
 * size explodes (表达式膨胀): the rule for products writes both factors down again.
 */
import { apply, type Expression, evaluate, fold, number, type SymbolicOp } from "./expression.js";

/** The derivative of op(a, b) from its operands, their derivatives and itself. */
type Rule = (of: readonly Expression[], d: readonly Expression[], whole: Expression) => Expression;

const mul = (a: Expression, b: Expression): Expression => apply("mul", a, b);
const div = (a: Expression, b: Expression): Expression => apply("div", a, b);
const sub = (a: Expression, b: Expression): Expression => apply("sub", a, b);

const RULES: Readonly<Record<SymbolicOp, Rule>> = {
  add: (_, [da, db]) => apply("add", da, db),
  sub: (_, [da, db]) => sub(da, db),
  mul: ([a, b], [da, db]) => apply("add", mul(da, b), mul(a, db)),
  div: ([a, b], [da, db]) => div(sub(mul(da, b), mul(a, db)), apply("square", b)),
  neg: (_, [da]) => apply("neg", da),
  square: ([a], [da]) => mul(mul(number(2), a), da),
  sqrt: (_, [da], whole) => div(da, mul(number(2), whole)),
  exp: (_, [da], whole) => mul(whole, da),
  log: ([a], [da]) => div(da, a),
  sin: ([a], [da]) => mul(apply("cos", a), da),
  cos: ([a], [da]) => apply("neg", mul(apply("sin", a), da)),
  tanh: (_, [da], whole) => mul(sub(number(1), apply("square", whole)), da),
};

/**
 * de/dx, nothing simplified. Parts of `e` are shared with the result and with each other, so that it is made in linear time
 * however large it is when written down.
 * @example ir.symbolic.format(ir.symbolic.derivative(ir.symbolic.parse("x*sin(x)"), "x")) // "1·sin(x) + x·cos(x)·1"
 */
export function derivative(e: Expression, x: string): Expression {
  return fold<Expression>(e, (part, d) => {
    if (part.kind === "apply") return RULES[part.op](part.of, d, part);
    return number(part.kind === "symbol" && part.name === x ? 1 : 0);
  });
}

const isNumber = (e: Expression, value?: number): boolean =>
  e.kind === "number" && (value === undefined || e.value === value);

/** What an op of simplified operands becomes, where that is shorter; over real numbers, not those of the machine. */
const SHORTER: Partial<Record<SymbolicOp, (a: Expression, b: Expression) => Expression | null>> = {
  add: (a, b) => (isNumber(a, 0) ? b : isNumber(b, 0) ? a : null),
  sub: (a, b) => (isNumber(b, 0) ? a : isNumber(a, 0) ? apply("neg", b) : null),
  mul: (a, b) =>
    isNumber(a, 0) || isNumber(b, 0) ? number(0) : isNumber(a, 1) ? b : isNumber(b, 1) ? a : null,
  div: (a, b) => (isNumber(a, 0) ? number(0) : isNumber(b, 1) ? a : null),
  neg: (a) => (a.kind === "apply" && a.op === "neg" ? a.of[0] : null),
};

/**
 * The expression without zeros, ones and what numbers alone compute.
 * @example ir.symbolic.format(ir.symbolic.simplify(ir.symbolic.parse("1*sin(x) + x*cos(x)*1 + 0"))) // "sin(x) + x·cos(x)"
 */
export function simplify(e: Expression): Expression {
  return fold<Expression>(e, (part, of) => {
    if (part.kind !== "apply") return part;
    const made = apply(part.op, ...of);
    if (of.every((operand) => isNumber(operand))) {
      const value = evaluate(made, {});
      if (Number.isInteger(value)) return number(value);
    }
    return SHORTER[part.op]?.(of[0], of[1]) ?? (of.every((x, i) => part.of[i] === x) ? part : made);
  });
}

/**
 * The coefficients of a polynomial in x, from the constant on: its shortest form when expanded.
 * @returns `null` if it is none: a function, a division by x, another symbol
 * @example ir.symbolic.coefficients(ir.symbolic.parse("4*x*(1-x)"), "x") // [0, 4, -4]
 */
export function coefficients(e: Expression, x: string): readonly number[] | null {
  const trimmed = (list: readonly number[]): readonly number[] => {
    const last = list.findLastIndex((c) => c !== 0);
    return list.slice(0, Math.max(1, last + 1));
  };
  const plus = (a: readonly number[], b: readonly number[], sign: number): readonly number[] =>
    Array.from({ length: Math.max(a.length, b.length) }, (_, i) => (a[i] ?? 0) + sign * (b[i] ?? 0));
  const times = (a: readonly number[], b: readonly number[]): readonly number[] => {
    const out = new Array<number>(a.length + b.length - 1).fill(0);
    a.forEach((p, i) => {
      b.forEach((q, k) => {
        out[i + k] += p * q;
      });
    });
    return out;
  };
  const found = fold<readonly number[] | null>(e, (part, of) => {
    if (part.kind === "number") return [part.value];
    if (part.kind === "symbol") return part.name === x ? [0, 1] : null;
    const [a, b] = of;
    if (!a || (part.of.length > 1 && !b)) return null;
    if (part.op === "add" || part.op === "sub") return plus(a, b ?? [], part.op === "add" ? 1 : -1);
    if (part.op === "mul") return times(a, b ?? []);
    if (part.op === "square") return times(a, a);
    if (part.op === "neg") return a.map((c) => -c);
    const divisor = trimmed(b ?? [0, 1]);
    return part.op === "div" && divisor.length === 1 ? a.map((c) => c / divisor[0]) : null;
  });
  return found && trimmed(found);
}
