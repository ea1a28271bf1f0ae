/**
 * Patterns over the graph representation, written as text:
 * ```
 * x               any value; the same name twice is the same value
 * c:const         a constant of one element, repeated or not; also :float, :int, :bool (dtype) and :scalar (no axes)
 * 2, -0           a constant all of whose elements are this number (0 stands for -0 too, +0 and -0 for themselves only)
 * mul(x, 1)       an op; operands of commutative ops match in either order
 * transpose(x) {axes: p}    binds an attribute; the same name twice is an equal value
 * ?f(x, y)        any elementwise op of so many operands
 * ```
 */
import { ValueError } from "../../core/errors.js";

export type OperandClass = "const" | "float" | "int" | "bool" | "scalar";

export type Pattern =
  | { readonly kind: "any"; readonly name: string; readonly of: OperandClass | null }
  | {
      readonly kind: "number";
      readonly value: number /** A zero of this sign only. */;
      readonly strict: boolean;
    }
  | {
      readonly kind: "op";
      /** Without the question mark. */
      readonly op: string;
      /** `op` is a variable for elementwise ops. */
      readonly variable: boolean;
      readonly operands: readonly Pattern[];
      /** Attribute to variable. */
      readonly attrs: Readonly<Record<string, string>>;
    };

const CLASSES: readonly OperandClass[] = ["const", "float", "int", "bool", "scalar"];

const TOKEN = /\s*(?:([-+]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Infinity))|(\??[A-Za-z_]\w*)|([(){}:,]))/y;

/**
 * Reads a pattern.
 * @throws ValueError naming the first thing that is wrong.
 * @example ir.parsePattern("mul(x, 1)").kind // "op"
 */
export function parsePattern(text: string): Pattern {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; text.slice(at).trim() !== ""; at = TOKEN.lastIndex) {
    const found = TOKEN.exec(text);
    if (!found)
      throw new ValueError(
        `pattern "${text}": ${JSON.stringify(text.slice(at).trim()[0])} starts nothing known`,
      );
    tokens.push(found[0].trim());
  }
  let next = 0;
  const fail = (wanted: string): never => {
    throw new ValueError(`pattern "${text}": ${wanted} was expected, ${tokens[next] ?? "its end"} found`);
  };
  const expect = (symbol: string): void => {
    if (tokens[next] !== symbol) fail(`"${symbol}"`);
    next++;
  };
  const name = (): string => {
    if (!/^[A-Za-z_]\w*$/.test(tokens[next] ?? "")) fail("a name");
    return tokens[next++];
  };
  const list = (end: string, entry: () => void): void => {
    while (tokens[next] !== end) {
      entry();
      if (tokens[next] !== ",") break;
      next++;
    }
    expect(end);
  };
  const operand = (): Pattern => {
    const token = tokens[next] ?? fail("a pattern");
    if (/^[-+]?[\dI]/.test(token) && !Number.isNaN(Number(token))) {
      next++;
      return { kind: "number", value: Number(token), strict: /^[-+]0$/.test(token) };
    }
    const variable = token.startsWith("?");
    if (variable) tokens[next] = token.slice(1);
    const head = name();
    if (tokens[next] !== "(") {
      if (variable) fail('"("');
      if (tokens[next] !== ":") return { kind: "any", name: head, of: null };
      next++;
      const of = name() as OperandClass;
      if (!CLASSES.includes(of))
        throw new ValueError(`pattern "${text}": no class "${of}"; there are ${CLASSES.join(", ")}`);
      return { kind: "any", name: head, of };
    }
    expect("(");
    const operands: Pattern[] = [];
    list(")", () => operands.push(operand()));
    const attrs: Record<string, string> = {};
    if (tokens[next] === "{") {
      next++;
      list("}", () => {
        const key = name();
        expect(":");
        attrs[key] = name();
      });
    }
    return { kind: "op", op: head, variable, operands, attrs };
  };
  const pattern = operand();
  if (next < tokens.length) fail("the end");
  return pattern;
}

/**
 * A pattern as text.
 * @example ir.formatPattern(ir.parsePattern("mul( x,1 )")) // "mul(x, 1)"
 */
export function formatPattern(pattern: Pattern): string {
  if (pattern.kind === "any") return pattern.of ? `${pattern.name}:${pattern.of}` : pattern.name;
  if (pattern.kind === "number")
    return pattern.strict ? (Object.is(pattern.value, -0) ? "-0" : "+0") : String(pattern.value);
  const attrs = Object.entries(pattern.attrs).map(([key, name]) => `${key}: ${name}`);
  const head = `${pattern.variable ? "?" : ""}${pattern.op}(${pattern.operands.map(formatPattern).join(", ")})`;
  return attrs.length > 0 ? `${head} {${attrs.join(", ")}}` : head;
}

/**
 * Ops that a pattern names.
 * @example ir.opsOf(ir.parsePattern("mul(neg(x), 1)")) // ["mul", "neg"]
 */
export function opsOf(pattern: Pattern): string[] {
  if (pattern.kind !== "op") return [];
  return [...(pattern.variable ? [] : [pattern.op]), ...pattern.operands.flatMap(opsOf)];
}
