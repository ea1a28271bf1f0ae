/** Expressions as text: `4·x·(1 - x)²`, and read from it. */
import { IRError } from "../graph.js";
import { apply, type Expression, number, type SymbolicOp, symbol } from "./expression.js";

const INFIX: Partial<Record<SymbolicOp, readonly [sign: string, binding: number]>> = {
  ...{ add: [" + ", 1], sub: [" - ", 1], mul: ["·", 2], div: ["/", 2] },
};
const FUNCTIONS: readonly SymbolicOp[] = ["sqrt", "exp", "log", "sin", "cos", "tanh"];

/**
 * An expression as text, cut where it is longer than `limit` characters.
 * @example ir.symbolic.format(ir.symbolic.parse("4*x*(1-x)")) // "4·x·(1 - x)"
 */
export function format(e: Expression, limit = Number.POSITIVE_INFINITY): string {
  let [text, cut] = ["", false];
  const put = (part: string): void => {
    if (cut || text.length + part.length > limit) cut = true;
    else text += part;
  };
  const inside = (part: Expression, binding: number): void => {
    if (cut) return;
    if (bindingOf(part) >= binding) write(part);
    else {
      put("(");
      write(part);
      put(")");
    }
  };
  const write = (part: Expression): void => {
    if (part.kind === "number") {
      put(String(part.value));
      return;
    }
    if (part.kind === "symbol") {
      put(part.name);
      return;
    }
    const infix = INFIX[part.op];
    if (infix) {
      inside(part.of[0], infix[1]);
      put(infix[0]);
      // a - (b - c) and a/(b·c) need their parentheses
      inside(part.of[1], part.op === "sub" || part.op === "div" ? infix[1] + 1 : infix[1]);
    } else if (part.op === "neg") {
      put("-");
      inside(part.of[0], 3);
    } else if (part.op === "square") {
      inside(part.of[0], 4);
      put("²");
    } else {
      put(`${part.op}(`);
      write(part.of[0]);
      put(")");
    }
  };
  write(e);
  return cut ? `${text}…` : text;
}

function bindingOf(e: Expression): number {
  if (e.kind === "number") return e.value < 0 ? 0 : 4;
  if (e.kind === "symbol") return 4;
  if (e.op === "neg") return 1;
  return INFIX[e.op]?.[1] ?? (e.op === "square" ? 3 : 4);
}

/**
 * Reads `a*b + sin(x)/2`; signs are `+ - * · / ²`, functions those that have a derivative.
 * @throws IRError with the column.
 * @example ir.symbolic.format(ir.symbolic.parse("sin(x) * x")) // "sin(x)·x"
 */
export function parse(text: string): Expression {
  const tokens = [...text.matchAll(/\s*(?:(\d+(?:\.\d+)?(?:e[+-]?\d+)?)|([A-Za-z_]\w*)|(\S))/g)].map(
    (found) => ({
      text: found[0].trim(),
      at: found.index + found[0].length - found[0].trim().length,
    }),
  );
  let next = 0;
  const peek = (): string => tokens[next]?.text ?? "";
  const fail = (wanted: string): never => {
    throw new IRError(
      `expression "${text}", column ${(tokens[next]?.at ?? text.length) + 1}: ${wanted} was expected, ${peek() || "its end"} found`,
    );
  };
  const take = (wanted: string): void => {
    if (peek() !== wanted) fail(`"${wanted}"`);
    next++;
  };
  const infix = (signs: Readonly<Record<string, SymbolicOp>>, operand: () => Expression): Expression => {
    let left = operand();
    while (Object.hasOwn(signs, peek())) {
      const op = signs[peek()];
      next++;
      left = apply(op, left, operand());
    }
    return left;
  };
  const sum = (): Expression => infix({ "+": "add", "-": "sub" }, product);
  const product = (): Expression => infix({ "*": "mul", "·": "mul", "/": "div" }, unary);
  const unary = (): Expression => {
    if (peek() === "-") {
      next++;
      return apply("neg", unary());
    }
    let power = atom();
    for (; peek() === "²"; next++) power = apply("square", power);
    return power;
  };
  const atom = (): Expression => {
    const token = peek();
    next++;
    if (/^\d/.test(token)) return number(Number(token));
    if (token === "(") {
      const inner = sum();
      take(")");
      return inner;
    }
    if (/^[A-Za-z_]/.test(token)) {
      if (peek() !== "(") return symbol(token);
      const op = FUNCTIONS.find((name) => name === token);
      if (!op) {
        next--;
        return fail(`a function (${FUNCTIONS.join(", ")})`);
      }
      take("(");
      const argument = sum();
      take(")");
      return apply(op, argument);
    }
    next--;
    return fail("a number, a symbol or a function");
  };
  const whole = sum();
  if (next < tokens.length) fail("an operator");
  return whole;
}
