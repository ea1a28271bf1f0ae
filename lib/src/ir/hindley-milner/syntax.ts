/**
 * The functional core that type inference is shown on, and its text:
 * ```
 * expression  fn x y => e   |  let f x = e in e  |  let rec f x = e in e  |  if e then e else e
 *             f x           |  x  |  42  |  true  |  (e, e)  |  (e)  |  e + e  (also - * / < > = and or)
 * ```
 * Operators are functions of that name (`(+) a b`); `let rec f = e` is `let f = fix (fn f => e)`.
 */
import { MlsysError } from "../../core/errors.js";

/** Text that is no expression of the core language. */
export class SyntaxProblem extends MlsysError {
  override name = "SyntaxProblem";
}

/** Where an expression begins in its text, from 0. */
interface Place {
  readonly at: number;
}

export type Expression = Place &
  (
    | { readonly kind: "variable"; readonly name: string }
    | { readonly kind: "literal"; readonly value: number | boolean }
    | { readonly kind: "lambda"; readonly parameter: string; readonly body: Expression }
    | { readonly kind: "apply"; readonly f: Expression; readonly argument: Expression }
    | { readonly kind: "let"; readonly name: string; readonly value: Expression; readonly body: Expression }
    | {
        readonly kind: "if";
        readonly test: Expression;
        readonly consequent: Expression;
        readonly alternate: Expression;
      }
    | { readonly kind: "tuple"; readonly entries: readonly Expression[] }
    | { readonly kind: "fix"; readonly name: string; readonly body: Expression }
  );

interface Token {
  readonly text: string;
  readonly at: number;
}

const KEYWORDS = new Set(["fn", "let", "rec", "in", "if", "then", "else", "true", "false", "and", "or"]);

/** Loosest first; all are left-associative. */
const OPERATORS: readonly (readonly string[])[] = [["or"], ["and"], ["=", "<", ">"], ["+", "-"], ["*", "/"]];

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const pattern = /\s+|([A-Za-z_]\w*'?|\d+|=>|[()+\-*/<>=,])/y;
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex;
    const found = pattern.exec(text);
    if (!found) throw new SyntaxProblem(`column ${at + 1}: ${JSON.stringify(text[at])} starts nothing known`);
    if (found[1] !== undefined) tokens.push({ text: found[1], at });
  }
  return tokens;
}

/**
 * Reads an expression.
 * @throws SyntaxProblem with the column.
 * @example ir.hindleyMilner.parse("fn x => x").kind // "lambda"
 */
export function parse(text: string): Expression {
  const tokens = tokenize(text);
  let next = 0;
  const peek = (): string | undefined => tokens[next]?.text;
  const place = (): number => tokens[next]?.at ?? text.length;
  const fail = (wanted: string): never => {
    throw new SyntaxProblem(`column ${place() + 1}: ${wanted} was expected, ${peek() ?? "the end"} found`);
  };
  const take = (wanted: string): void => {
    if (peek() !== wanted) fail(`"${wanted}"`);
    next++;
  };
  const isName = (token: string | undefined): token is string =>
    token !== undefined && /^[A-Za-z_]/.test(token) && !KEYWORDS.has(token);
  const name = (): string => {
    const token = peek();
    if (!isName(token)) return fail("a name");
    next++;
    return token;
  };
  const names = (end: string): string[] => {
    const list: string[] = [];
    while (peek() !== end) list.push(name());
    next++;
    return list;
  };
  const lambda = (parameters: readonly string[], body: Expression, at: number): Expression =>
    parameters.reduceRight((inner, parameter) => ({ kind: "lambda", parameter, body: inner, at }), body);
  const apply = (f: Expression, argument: Expression): Expression => ({
    kind: "apply",
    f,
    argument,
    at: f.at,
  });

  const expression = (): Expression => {
    const at = place();
    if (peek() === "fn") {
      next++;
      const parameters = names("=>");
      if (parameters.length === 0) fail("a parameter");
      return lambda(parameters, expression(), at);
    }
    if (peek() === "let") {
      next++;
      const recursive = peek() === "rec";
      if (recursive) next++;
      const defined = name();
      const value = lambda(names("="), expression(), at);
      take("in");
      const body = expression();
      const whole: Expression = recursive ? { kind: "fix", name: defined, body: value, at } : value;
      return { kind: "let", name: defined, value: whole, body, at };
    }
    if (peek() === "if") {
      next++;
      const test = expression();
      take("then");
      const consequent = expression();
      take("else");
      return { kind: "if", test, consequent, alternate: expression(), at };
    }
    return infix(0);
  };
  const infix = (level: number): Expression => {
    if (level === OPERATORS.length) return application();
    let left = infix(level + 1);
    while (OPERATORS[level].includes(peek() ?? "")) {
      const operator: Expression = { kind: "variable", name: `(${peek()})`, at: place() };
      next++;
      left = { ...apply(apply(operator, left), infix(level + 1)), at: left.at };
    }
    return left;
  };
  const startsAtom = (): boolean => {
    const token = peek();
    return isName(token) || token === "(" || token === "true" || token === "false" || /^\d/.test(token ?? "");
  };
  const application = (): Expression => {
    let f = atom();
    while (startsAtom()) f = apply(f, atom());
    return f;
  };
  const atom = (): Expression => {
    const at = place();
    const token = peek();
    if (token !== undefined && /^\d/.test(token)) {
      next++;
      return { kind: "literal", value: Number(token), at };
    }
    if (token === "true" || token === "false") {
      next++;
      return { kind: "literal", value: token === "true", at };
    }
    if (token !== "(") return { kind: "variable", name: isName(token) ? name() : fail("an expression"), at };
    next++;
    const operator = peek() ?? "";
    if (OPERATORS.flat().includes(operator) && tokens[next + 1]?.text === ")") {
      next += 2;
      return { kind: "variable", name: `(${operator})`, at };
    }
    const entries = [expression()];
    while (peek() === ",") {
      next++;
      entries.push(expression());
    }
    take(")");
    return entries.length === 1 ? entries[0] : { kind: "tuple", entries, at };
  };
  const whole = expression();
  if (next < tokens.length) fail("the end");
  return whole;
}

/**
 * An expression as text.
 * @example ir.hindleyMilner.format(ir.hindleyMilner.parse("fn x => (x , 1)")) // "fn x => (x, 1)"
 */
export function format(e: Expression): string {
  const inner = (part: Expression): string =>
    ["variable", "literal", "tuple"].includes(part.kind) ? format(part) : `(${format(part)})`;
  switch (e.kind) {
    case "variable":
      return e.name;
    case "literal":
      return String(e.value);
    case "lambda":
      return `fn ${e.parameter} => ${format(e.body)}`;
    case "apply":
      return `${e.f.kind === "apply" ? format(e.f) : inner(e.f)} ${inner(e.argument)}`;
    case "let":
      return e.value.kind === "fix" && e.value.name === e.name
        ? `let rec ${e.name} = ${format(e.value.body)} in ${format(e.body)}`
        : `let ${e.name} = ${format(e.value)} in ${format(e.body)}`;
    case "if":
      return `if ${format(e.test)} then ${format(e.consequent)} else ${format(e.alternate)}`;
    case "tuple":
      return `(${e.entries.map(format).join(", ")})`;
    case "fix":
      return `let rec ${e.name} = ${format(e.body)} in ${e.name}`;
  }
}
