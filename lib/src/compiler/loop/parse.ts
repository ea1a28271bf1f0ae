/** Reads the text form of loop IR back. Errors name the line and what was expected there. */
import { Affine, affine, floordiv, type Index, maximum, minimum, mod } from "./affine.js";
import {
  type Buffer,
  type Condition,
  type Expr,
  LOOP_KINDS,
  LOOP_TYPES,
  LoopError,
  type LoopKernel,
  type LoopKind,
  type LoopType,
  type Reduction,
  type Scope,
  type Stmt,
} from "./ir.js";
import { isScalarOp, OPERATORS, type ScalarOp } from "./operators.js";
import { typeOf } from "./types.js";

const TOKEN =
  /\s*(?:(?<number>(?:nan_|inf_|\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?<suffix>f32|f64|i32|i8|u8|bf16|f16)?)(?!\w)|(?<name>[A-Za-z_]\w*)|(?<sign>\.\.|[-+*/]=|[-+*/<=()[\]{},;:]))/y;
const TYPES: Record<string, LoopType> = {
  f32: "float32",
  f64: "float64",
  i32: "int32",
  i8: "int8",
  u8: "uint8",
  bf16: "bfloat16",
  f16: "float16",
};
const SCOPES = new Set<string>(["shared", "workgroup", "local", "register"]);
const SIGNS: Record<string, ScalarOp> = { "+": "add", "-": "sub", "*": "mul", "/": "div" };
const MAX_DEPTH = 200;

interface Token {
  readonly kind: "number" | "name" | "sign" | "end";
  readonly text: string;
  readonly suffix?: string;
  readonly at: number;
}

/**
 * The kernel that a text describes; `printKernel` writes such texts.
 * @throws LoopError naming line and column if the text is not loop IR.
 * @example parseKernel("kernel zero(N; out A: float32[N]) {\n for i in 0..N {\n A[i] = 0f32\n }\n}").name // "zero"
 */
export function parseKernel(text: string): LoopKernel {
  return new Parser(text).kernel();
}

class Parser {
  private readonly tokens: Token[] = [];
  private at = 0;
  private depth = 0;
  private buffers: Map<string, Buffer>[] = [new Map()];
  private names: Map<string, LoopType>[] = [new Map()];

  constructor(private readonly text: string) {
    TOKEN.lastIndex = 0;
    for (;;) {
      const from = TOKEN.lastIndex;
      if (text.slice(from).trim() === "") break;
      const match = TOKEN.exec(text);
      if (!match?.groups)
        this.failAt(from + (/^\s*/.exec(text.slice(from))?.[0].length ?? 0), "loop IR has no such sign here");
      const { number, suffix, name, sign } = match.groups;
      const body = number ?? name ?? sign;
      this.tokens.push({
        kind: number !== undefined ? "number" : name !== undefined ? "name" : "sign",
        text: suffix ? body.slice(0, -suffix.length) : body,
        suffix,
        at: TOKEN.lastIndex - body.length,
      });
    }
    this.tokens.push({ kind: "end", text: "end of the text", at: text.length });
  }

  kernel(): LoopKernel {
    this.expect("kernel");
    const name = this.name();
    this.expect("(");
    const sizes: string[] = [];
    if (this.peek(1).text === "," || this.peek(1).text === ";") {
      do sizes.push(this.name());
      while (this.take(","));
      this.expect(";");
    }
    const params: Buffer[] = [];
    if (!this.take(")")) {
      do params.push(this.declare("param", this.take("out")));
      while (this.take(","));
      this.expect(")");
    }
    const body = this.block();
    if (this.peek().kind !== "end") this.fail("the end of the text was expected");
    return { name, sizes, params, body };
  }

  private declare(scope: Scope, output: boolean): Buffer {
    const name = this.name();
    this.expect(":");
    const dtype = this.name();
    if (!LOOP_TYPES.includes(dtype as LoopType)) this.fail(`"${dtype}" is no element type`, -1);
    const shape = this.indices();
    const strides = this.take("strides") ? this.indices() : null;
    if (strides && strides.length !== shape.length)
      this.fail(`${strides.length} strides for ${shape.length} axes`, -1);
    const buffer: Buffer = { name, dtype: dtype as LoopType, shape, strides, scope, output };
    this.buffers[this.buffers.length - 1].set(name, buffer);
    return buffer;
  }

  private block(): Stmt[] {
    this.expect("{");
    this.deeper();
    this.buffers.push(new Map());
    this.names.push(new Map());
    const body: Stmt[] = [];
    while (!this.take("}")) body.push(this.stmt());
    this.buffers.pop();
    this.names.pop();
    this.depth--;
    return body;
  }

  private stmt(): Stmt {
    const first = this.peek();
    if (first.text === "for") return this.loop("serial");
    const kind = LOOP_KINDS.find((one) => one === first.text && one !== "serial");
    if (this.peek(1).text === "for" && kind) {
      this.at++;
      return this.loop(kind);
    }
    if (SCOPES.has(first.text) && this.peek(1).kind === "name") {
      this.at++;
      return { kind: "alloc", buffer: this.declare(first.text as Scope, false) };
    }
    if (this.take("if")) {
      const conditions = this.conditions();
      return { kind: "if", conditions, body: this.block() };
    }
    if (first.text === "let" && this.peek(1).kind === "name") {
      this.at++;
      const name = this.name();
      this.expect("=");
      const value = this.expr();
      this.names[this.names.length - 1].set(name, this.typed(value));
      return { kind: "let", name, value };
    }
    const buffer = this.buffer();
    const indices = this.indices();
    if (this.take("=")) return { kind: "store", buffer, indices, value: this.expr() };
    const reduction = this.reduction();
    return { kind: "reduce", op: reduction, buffer, indices, value: this.expr() };
  }

  private loop(loop: LoopKind): Stmt {
    this.expect("for");
    const variable = this.name();
    this.expect("in");
    const from = this.index();
    this.expect("..");
    const to = this.index();
    return { kind: "for", variable, from, to, loop, body: this.block() };
  }

  private reduction(): Reduction {
    if (this.take("+=")) return "add";
    if (this.take("*=")) return "mul";
    for (const op of ["maximum", "minimum"] as const) {
      if (this.take(op)) {
        this.expect("=");
        return op;
      }
    }
    return this.fail('"=", "+=", "*=", "maximum=" or "minimum=" was expected');
  }

  private conditions(): Condition[] {
    const out: Condition[] = [];
    do {
      const left = this.index();
      this.expect("<");
      out.push({ left, right: this.index() });
    } while (this.take("and"));
    return out;
  }

  private indices(): Affine[] {
    this.expect("[");
    const out: Affine[] = [];
    if (this.take("]")) return out;
    do out.push(this.index());
    while (this.take(","));
    this.expect("]");
    return out;
  }

  private index(): Affine {
    let sum = this.term();
    for (;;) {
      if (this.take("+")) sum = sum.plus(this.term());
      else if (this.take("-")) sum = sum.minus(this.term());
      else return sum;
    }
  }

  private term(): Affine {
    if (this.take("-")) return this.term().times(-1);
    const { kind, text, suffix } = this.peek();
    if (kind === "number" && suffix === undefined && /^\d+$/.test(text)) {
      this.at++;
      return this.take("*") ? this.term().times(Number(text)) : affine(Number(text));
    }
    const name = this.name();
    if (this.peek().text !== "(" || !["floordiv", "mod", "min", "max"].includes(name)) return affine(name);
    this.expect("(");
    this.deeper();
    const parts: Index[] = [];
    do parts.push(this.index());
    while (this.take(","));
    this.expect(")");
    this.depth--;
    if (name === "min") return minimum(...parts);
    if (name === "max") return maximum(...parts);
    const by = parts[1];
    if (parts.length !== 2 || !(by instanceof Affine) || !by.isConstant || by.constant < 1)
      return this.fail(`${name} takes an expression and a number from 1`, -1);
    return name === "mod" ? mod(parts[0], by.constant) : floordiv(parts[0], by.constant);
  }

  private expr(): Expr {
    const left = this.operand();
    const sign = this.peek();
    const op = sign.kind === "sign" ? SIGNS[sign.text] : undefined;
    if (!op) return left;
    this.at++;
    return { kind: "op", op, args: [left, this.operand()] };
  }

  private operand(): Expr {
    this.deeper();
    const out = this.operandInside();
    this.depth--;
    return out;
  }

  private operandInside(): Expr {
    if (this.take("(")) {
      const inner = this.expr();
      this.expect(")");
      return inner;
    }
    const negative = this.take("-");
    const token = this.peek();
    if (token.kind === "number") {
      this.at++;
      const value =
        token.text === "nan_"
          ? Number.NaN
          : token.text === "inf_"
            ? Number.POSITIVE_INFINITY
            : Number(token.text);
      if (!token.suffix) this.fail(`the number ${token.text} needs a type, such as ${token.text}f32`, -1);
      return { kind: "constant", dtype: TYPES[token.suffix as string], value: negative ? -value : value };
    }
    if (negative) this.fail("a number was expected behind the sign");
    if (token.text === "true" || token.text === "false") {
      this.at++;
      return { kind: "constant", dtype: "bool", value: token.text === "true" ? 1 : 0 };
    }
    if (this.peek(1).text === "[") {
      const buffer = this.buffer();
      return { kind: "load", buffer, indices: this.indices() };
    }
    const name = this.name();
    if (this.peek().text !== "(") {
      const dtype = this.names.findLast((scope) => scope.has(name))?.get(name);
      if (!dtype) return this.fail(`no value is named "${name}" here`, -1);
      return { kind: "name", name, dtype };
    }
    return this.call(name);
  }

  private call(name: string): Expr {
    this.expect("(");
    if (name === "index") {
      const of = this.index();
      this.expect(")");
      return { kind: "index", of };
    }
    if (name === "when") {
      const conditions = this.conditions();
      this.expect(",");
      const yes = this.expr();
      this.expect(",");
      const no = this.expr();
      this.expect(")");
      return { kind: "when", conditions, yes, no };
    }
    const args: Expr[] = [];
    do args.push(this.expr());
    while (this.take(","));
    this.expect(")");
    if (name === "select" && args.length === 3) return { kind: "select", args: [args[0], args[1], args[2]] };
    if (LOOP_TYPES.includes(name as LoopType) && args.length === 1)
      return { kind: "cast", dtype: name as LoopType, of: args[0] };
    if (isScalarOp(name) && args.length === OPERATORS[name].arity) return { kind: "op", op: name, args };
    return this.fail(`no operator "${name}" of ${args.length} operand${args.length === 1 ? "" : "s"}`, -1);
  }

  private buffer(): Buffer {
    const name = this.name();
    const buffer = this.buffers.findLast((scope) => scope.has(name))?.get(name);
    return buffer ?? this.fail(`no buffer is named "${name}" here`, -1);
  }

  private typed(e: Expr): LoopType {
    try {
      return typeOf(e);
    } catch (error) {
      return this.fail((error as Error).message, -1);
    }
  }

  private deeper(): void {
    if (++this.depth > MAX_DEPTH) this.fail("nested too deeply");
  }

  private peek(ahead = 0): Token {
    return this.tokens[Math.min(this.at + ahead, this.tokens.length - 1)];
  }

  private take(text: string): boolean {
    const { kind, text: found } = this.peek();
    if (kind === "end" || kind === "number" || found !== text) return false;
    this.at++;
    return true;
  }

  private expect(text: string): void {
    if (!this.take(text)) this.fail(`"${text}" was expected`);
  }

  private name(): string {
    const { kind, text } = this.peek();
    if (kind !== "name") this.fail("a name was expected");
    this.at++;
    return text;
  }

  private fail(message: string, ahead = 0): never {
    const token = this.tokens[Math.max(0, Math.min(this.at + ahead, this.tokens.length - 1))];
    return this.failAt(token.at, `${message}, "${token.text}" was found`);
  }

  private failAt(at: number, message: string): never {
    const before = this.text.slice(0, at).split("\n");
    throw new LoopError(
      `loop IR, line ${before.length}, column ${before[before.length - 1].length + 1}: ${message}`,
    );
  }
}
