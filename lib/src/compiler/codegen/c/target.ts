/**
 * The C target: GNU C with vector types (gcc and clang), as wide as the processor's registers. The compiler does the rest
 * (address arithmetic, register allocation, fused multiply-add).
 */
import { bytesPerElement } from "../../../core/dtype.js";
import type { Affine, Atom } from "../../loop/affine.js";
import type { Buffer, Condition, LoopType } from "../../loop/ir.js";
import { operator, type ScalarOp } from "../../loop/operators.js";
import { Polynomial } from "../address.js";
import type { Cell, DotInstructions, Place, Target } from "../target.js";
import { helper, SCALAR_TYPES, shortName, vectorType } from "./prelude.js";

export class CTarget implements Target<string> {
  readonly keepsLoads = false;
  readonly lines: string[] = [];
  readonly declarations: string[] = [];
  /** Definitions that the code needs before it. */
  readonly helpers = new Set<string>();
  private indent = 1;
  private fresh = 0;
  private scratchUsed = 0;
  private readonly locals = new Set<string>();
  private readonly renamed = new Map<string, string>();

  constructor(readonly vectorBytes: number) {}

  get scratchBytes(): number {
    return this.scratchUsed;
  }

  supports(lanes: number): boolean {
    return lanes > 1;
  }

  line(text: string): void {
    this.lines.push(`${"  ".repeat(this.indent)}${text}`);
  }

  loop(variable: string, from: Affine, to: Affine, body: () => void): void {
    this.line(
      `for (int64_t ${variable} = ${this.integer(from)}, ${variable}_end = ${this.integer(to)}; ${variable} < ${variable}_end; ${variable}++) {`,
    );
    this.nested(body);
    this.line("}");
  }

  if(conditions: readonly Condition[], then: () => void, otherwise?: () => void): void {
    this.line(`if (${this.condition(conditions)}) {`);
    this.nested(then);
    if (otherwise) {
      this.line("} else {");
      this.nested(otherwise);
    }
    this.line("}");
  }

  /** Lines one step further in. */
  nested(body: () => void): void {
    this.indent++;
    body();
    this.indent--;
  }

  constant(dtype: LoopType, value: number, lanes: number): string {
    const text = constantText(dtype, value);
    return lanes === 1 ? text : this.splat(text, dtype, lanes);
  }

  index(base: Affine, step: number, lanes: number): string {
    const first = `(int32_t)(${this.integer(base)})`;
    if (lanes === 1) return first;
    const steps = Array.from({ length: lanes }, (_, i) => i * step).join(", ");
    return `(${this.splat(first, "int32", lanes)} + (${this.type("int32", lanes)}){${steps}})`;
  }

  load(place: Place, lanes: number, count: Affine | null): string {
    const { dtype } = place.buffer;
    const at = this.element(place);
    if (lanes === 1) return at;
    if (place.lie === "same") return this.splat(at, dtype, lanes);
    const step = place.lie === "unit" ? "1" : this.polynomial(place.step);
    if (count) return `${this.need("load_part", dtype, lanes)}(&${at}, ${step}, ${this.integer(count)})`;
    return place.lie === "unit"
      ? `${this.need("load", dtype, lanes)}(&${at})`
      : `${this.need("load_strided", dtype, lanes)}(&${at}, ${step})`;
  }

  store(place: Place, value: string, lanes: number, count: Affine | null): void {
    const { dtype } = place.buffer;
    const at = this.element(place);
    if (lanes === 1) {
      this.line(`${at} = ${value};`);
      return;
    }
    const step = place.lie === "unit" ? "1" : this.polynomial(place.step);
    if (count)
      this.line(
        `${this.need("store_part", dtype, lanes)}(&${at}, ${step}, ${this.integer(count)}, ${value});`,
      );
    else if (place.lie === "unit") this.line(`${this.need("store", dtype, lanes)}(&${at}, ${value});`);
    else this.line(`${this.need("store_strided", dtype, lanes)}(&${at}, ${step}, ${value});`);
  }

  op(name: ScalarOp, dtype: LoopType, args: readonly string[], lanes: number): string {
    const { c, result } = operator(name);
    const held = args.map((a) => (/\$0.*\$0/.test(c) ? this.hold(a, dtype, lanes) : a));
    const suffix = lanes === 1 ? shortName(dtype) : `${shortName(dtype)}x${lanes}`;
    const text = c.replace(/\$([0-9S])/g, (_, i) => (i === "S" ? suffix : held[Number(i)]));
    const call = /mls_(\w+)_\$S/.exec(c);
    if (call) this.need(call[1], dtype, lanes);
    if (dtype === "int32" && lanes === 1 && WRAPS.has(name)) return wrapInt(name, held);
    // Comparisons of 64-bit lanes give 64-bit masks.
    if (lanes > 1 && result === "bool" && dtype === "float64")
      return `__builtin_convertvector(${text}, ${this.type("bool", lanes)})`;
    return text;
  }

  readonly dot: DotInstructions<string> = {
    parts: 1,
    spread: (place, _part, _signed, lanes) => this.splat(`mls_word(&${this.element(place)})`, "int32", lanes),
    load: (place, _part, _signed, lanes) =>
      `${this.need("load", "int32", lanes)}((const int32_t *)&${this.element(place)})`,
    add: (acc, [a], [b], signs, lanes) =>
      `${this.need(`dot_${signs.a ? "s" : "u"}${signs.b ? "s" : "u"}`, "int32", lanes)}(${acc}, ${a}, ${b})`,
  };

  multiplyAdd(a: string, b: string, c: string): string {
    return `(${a} * ${b} + ${c})`;
  }

  select(condition: string, yes: string, no: string, dtype: LoopType, lanes: number): string {
    if (lanes === 1) return `(${condition} ? ${yes} : ${no})`;
    return `${this.need("select", dtype, lanes)}(${condition}, ${yes}, ${no})`;
  }

  cast(value: string, from: LoopType, to: LoopType, lanes: number): string {
    if (from === to) return value;
    if (from === "bfloat16" && to === "float32")
      return `${this.need("from_bf16", "float32", lanes)}(${value})`;
    if (from === "bfloat16") return this.cast(this.cast(value, from, "float32", lanes), "float32", to, lanes);
    if (to === "bfloat16")
      return `${this.need("to_bf16", "float32", lanes)}(${this.cast(value, from, "float32", lanes)})`;
    if (lanes === 1) {
      if (to === "bool") return `((${value}) != 0)`;
      if ((from === "float32" || from === "float64") && to !== "float32" && to !== "float64") {
        const whole = `${this.need("truncate", from, 1)}(${value})`;
        return to === "int32" ? whole : `(${SCALAR_TYPES[to]})(${whole})`;
      }
      return `(${SCALAR_TYPES[to]})(${value})`;
    }
    if (to === "bool") return this.op("notEqual", from, [value, this.constant(from, 0, lanes)], lanes);
    if (from === "bool") return this.cast(`(${value} & 1)`, "int32", to, lanes);
    if ((from === "float32" || from === "float64") && to !== "float32" && to !== "float64") {
      const whole = `${this.need("truncate", from, lanes)}(${value})`;
      return to === "int32" ? whole : `__builtin_convertvector(${whole}, ${this.type(to, lanes)})`;
    }
    return `__builtin_convertvector(${value}, ${this.type(to, lanes)})`;
  }

  when(
    conditions: readonly Condition[],
    yes: () => string,
    no: () => string,
    dtype: LoopType,
    lanes: number,
  ): string {
    const name = this.declare("w", dtype, lanes);
    this.line(`if (${this.condition(conditions)}) {`);
    this.nested(() => this.line(`${name} = ${yes()};`));
    this.line("} else {");
    this.nested(() => this.line(`${name} = ${no()};`));
    this.line("}");
    return name;
  }

  cell(name: string, dtype: LoopType, lanes: number): Cell<string> {
    const variable = this.declare(name, dtype, lanes);
    return {
      get: () => variable,
      set: (value) => value !== variable && this.line(`${variable} = ${value};`),
    };
  }

  splat(value: string, dtype: LoopType, lanes: number): string {
    return lanes === 1 ? value : `${this.need("splat", dtype, lanes)}(${value})`;
  }

  lane(vector: string, lane: number, dtype: LoopType): string {
    return dtype === "bool" ? `(${vector}[${lane}] & 1)` : `${vector}[${lane}]`;
  }

  withLane(vector: string, lane: number, value: string, dtype: LoopType, lanes: number): string {
    return `${this.need("with_lane", dtype, lanes)}(${vector}, ${lane}, ${dtype === "bool" ? `-(${value})` : value})`;
  }

  blend(count: Affine, fresh: string, old: string, dtype: LoopType, lanes: number): string {
    return `${this.need("blend", dtype, lanes)}(${this.integer(count)}, ${fresh}, ${old})`;
  }

  outline(body: () => void): void {
    body();
  }

  local(buffer: Buffer): void {
    if (this.locals.has(buffer.name)) return;
    this.locals.add(buffer.name);
    const type = SCALAR_TYPES[buffer.dtype];
    this.declarations.push(`${type} *restrict ${buffer.name} = (${type} *)(scratch + ${this.scratchUsed});`);
    const bytes = buffer.shape.reduce((n, d) => n * d.constant, 1) * bytesPerElement(buffer.dtype);
    this.scratchUsed += Math.ceil(bytes / 64) * 64;
  }

  private hold(value: string, dtype: LoopType, lanes: number): string {
    if (/^\w+$/.test(value)) return value;
    const name = this.declare("t", dtype, lanes);
    this.line(`${name} = ${value};`);
    return name;
  }

  private declare(wish: string, dtype: LoopType, lanes: number): string {
    let name = `${wish}_`;
    if (this.renamed.has(name)) name = `${wish}_${this.fresh++}_`;
    this.renamed.set(name, wish);
    this.declarations.push(`${this.type(dtype, lanes)} ${name};`);
    return name;
  }

  private type(dtype: LoopType, lanes: number): string {
    if (lanes === 1) return dtype === "bool" ? "int32_t" : SCALAR_TYPES[dtype];
    this.helpers.add(helper("type", dtype, lanes));
    return vectorType(dtype, lanes);
  }

  private need(name: string, dtype: LoopType, lanes: number): string {
    if (lanes > 1) this.type(dtype, lanes);
    this.helpers.add(helper(name, dtype, lanes));
    return `mls_${name}_${lanes === 1 ? shortName(dtype) : vectorType(dtype, lanes)}`;
  }

  private element({ buffer, offset }: Place): string {
    return `${buffer.name}[${this.polynomial(offset)}]`;
  }

  private condition(conditions: readonly Condition[]): string {
    return conditions.map(({ left, right }) => `${this.integer(left)} < ${this.integer(right)}`).join(" && ");
  }

  /** An index expression as int64_t. */
  integer(e: Affine): string {
    return this.polynomial(Polynomial.of(e));
  }

  private polynomial(p: Polynomial): string {
    let out = "";
    for (const { coefficient, factors } of p.terms.values()) {
      if (factors.length === 0) continue;
      const product = factors.map(({ atom }) => this.atom(atom)).join(" * ");
      const magnitude = Math.abs(coefficient);
      const sign = out === "" ? (coefficient < 0 ? "-" : "") : coefficient < 0 ? " - " : " + ";
      out += `${sign}${magnitude === 1 ? "" : `${magnitude} * `}${product}`;
    }
    const c = p.constant;
    if (out === "") return String(c);
    return c === 0 ? out : `${out} ${c < 0 ? "-" : "+"} ${Math.abs(c)}`;
  }

  private atom(atom: Atom): string {
    if (atom.kind === "var") return atom.name;
    if (atom.kind === "min" || atom.kind === "max") {
      return atom.of
        .map((p) => `(int64_t)(${this.integer(p)})`)
        .reduce((a, b) => `mls_${atom.kind}(${a}, ${b})`);
    }
    return `mls_${atom.kind}(${this.integer(atom.of)}, ${atom.by})`;
  }
}

const WRAPS = new Set<ScalarOp>(["add", "sub", "mul", "neg", "square"]);

/** int32 arithmetic wraps round, which signed C does not promise. */
function wrapInt(name: ScalarOp, args: readonly string[]): string {
  const sign = operator(name).sign;
  const unsigned = args.map((a) => `(uint32_t)(${a})`);
  if (name === "square") return `(int32_t)(${unsigned[0]} * ${unsigned[0]})`;
  return name === "neg" ? `(int32_t)(0u - ${unsigned[0]})` : `(int32_t)(${unsigned.join(` ${sign} `)})`;
}

function constantText(dtype: LoopType, value: number): string {
  if (dtype !== "float32" && dtype !== "float64") return value === -(2 ** 31) ? "INT32_MIN" : String(value);
  if (Number.isNaN(value)) return "NAN";
  if (!Number.isFinite(value)) return value < 0 ? "(-INFINITY)" : "INFINITY";
  const digits = Object.is(value, -0)
    ? "-0.0"
    : Number.isInteger(value) && Math.abs(value) < 1e15
      ? `${value}.0`
      : String(value);
  const text = dtype === "float32" ? `${digits}f` : digits;
  return value < 0 || Object.is(value, -0) ? `(${text})` : text;
}
