/** What WGSL and CUDA C++ have in common as a target: C-like statements, vectors of four, integer index arithmetic. */
import { type Affine, type Atom, affine, type Ranges, rangeOf } from "../../loop/affine.js";
import { type Buffer, type Condition, LoopError, type LoopType } from "../../loop/ir.js";
import { operator, type ScalarOp } from "../../loop/operators.js";
import { Polynomial } from "../address.js";
import type { Cell, Place, Target } from "../target.js";
import { elementsOf } from "./private.js";
import { type Accesses, isAligned, LANES, type Multiples } from "./storage.js";

const COMPONENTS = ["x", "y", "z", "w"];

export abstract class GpuTarget implements Target<string> {
  abstract readonly keepsLoads: boolean;
  /** Reading outside a buffer does no harm: what is not wanted may be read all the same, which saves branches. */
  protected abstract readonly readsAnywhere: boolean;
  readonly vectorBytes = 4 * LANES;
  readonly dot = null;
  readonly lines: string[] = [];
  readonly declarations: string[] = [];
  /** Workgroup memory that the code declares. */
  readonly workgroup = new Map<string, Buffer>();
  /** Definitions that the code needs before it. */
  readonly helpers = new Set<string>();
  private indent = 1;
  private fresh = 0;
  private readonly declared = new Set<string>();
  private readonly ranges: Map<string, readonly [number, number]>;

  constructor(
    readonly kernelName: string,
    protected readonly accesses: ReadonlyMap<string, Accesses>,
    protected readonly multiples: Multiples,
    sizes: readonly string[],
  ) {
    this.ranges = new Map(sizes.map((name) => [name, [0, Number.POSITIVE_INFINITY] as const]));
  }

  // What a dialect says in its own way.

  /** The type of a value. */
  abstract type(dtype: LoopType, lanes: number): string;
  abstract declaration(name: string, type: string): string;
  abstract definition(name: string, type: string, value: string): string;
  abstract forHead(variable: string, from: string, to: string): string;
  abstract array(name: string, dtype: LoopType, count: number): string;
  abstract literal(dtype: LoopType, value: number): string;
  abstract vector(dtype: LoopType, elements: readonly string[]): string;
  abstract splat(value: string, dtype: LoopType, lanes: number): string;
  abstract select(condition: string, yes: string, no: string, dtype: LoopType, lanes: number): string;
  /** One of two values, by a condition of all lanes. */
  protected abstract choose(condition: string, yes: string, no: string): string;
  abstract cast(value: string, from: LoopType, to: LoopType, lanes: number): string;
  abstract multiplyAdd(a: string, b: string, c: string, dtype: LoopType, lanes: number): string;
  /** An operator that the dialect does not write as the others do; `null`: it has a sign or a helper function. */
  protected abstract special(
    name: ScalarOp,
    dtype: LoopType,
    args: readonly string[],
    lanes: number,
  ): string | null;
  abstract intCall(name: "min" | "max" | "floordiv" | "mod", a: string, b: string): string;
  /** A name that is none of the language's words. */
  abstract name(name: string): string;
  protected abstract readElement(buffer: Buffer, at: Polynomial): string;
  protected abstract writeElement(buffer: Buffer, at: Polynomial, value: string): void;
  /** Elements side by side from an aligned place; `null`: they are read one by one. */
  protected abstract readVector(buffer: Buffer, at: Polynomial): string | null;
  protected abstract writeVector(buffer: Buffer, at: Polynomial, value: string): boolean;

  supports(lanes: number, types: ReadonlySet<LoopType>): boolean {
    return lanes === LANES && !types.has("float64");
  }

  /** Takes out definitions of values that nothing uses, such as a thread's number where it does not matter. */
  dropUnused(): void {
    const wordsOf = (line: string): string[] => line.match(/[A-Za-z_]\w*/g) ?? [];
    const uses = new Map<string, number>();
    for (const word of this.lines.flatMap(wordsOf)) uses.set(word, (uses.get(word) ?? 0) + 1);
    for (let i = this.lines.length - 1; i >= 0; i--) {
      const name = /^\s*(?:let|const int) (\w+) = /.exec(this.lines[i])?.[1];
      if (name === undefined || uses.get(name) !== 1) continue;
      for (const word of wordsOf(this.lines[i])) uses.set(word, (uses.get(word) as number) - 1);
      this.lines.splice(i, 1);
    }
  }

  line(text: string): void {
    this.lines.push(`${"  ".repeat(this.indent)}${text}`);
  }

  nested(body: () => void): void {
    this.indent++;
    body();
    this.indent--;
  }

  /** Tells that a variable lies in a range: what index arithmetic may assume. */
  range(variable: string, from: Affine, to: Affine): void {
    const [low] = rangeOf(from, this.ranges as Ranges);
    const [, high] = rangeOf(to, this.ranges as Ranges);
    this.ranges.set(variable, [low, high - 1]);
  }

  loop(variable: string, from: Affine, to: Affine, body: () => void): void {
    let end = this.integer(to);
    if (!/^[\w.]+$/.test(end)) {
      const name = `end${this.fresh++}_`;
      this.line(this.definition(name, this.type("int32", 1), end));
      end = name;
    }
    this.line(this.forHead(this.name(variable), this.integer(from), end));
    this.range(variable, from, to);
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

  constant(dtype: LoopType, value: number, lanes: number): string {
    return this.splat(this.literal(dtype, value), dtype, lanes);
  }

  index(base: Affine, step: number, lanes: number): string {
    if (lanes === 1) return `(${this.integer(base)})`;
    return this.vector(
      "int32",
      Array.from({ length: lanes }, (_, i) => this.integer(base.plus(i * step))),
    );
  }

  load(place: Place, lanes: number, count: Affine | null): string {
    const { buffer, offset } = place;
    if (lanes === 1) return this.readElement(buffer, offset);
    if (place.lie === "same") return this.splat(this.readElement(buffer, offset), buffer.dtype, lanes);
    if (count) {
      const name = this.declare("part", buffer.dtype, lanes);
      for (let i = 0; i < lanes; i++) {
        this.if([{ left: affine(i), right: count }], () =>
          this.line(`${name}.${COMPONENTS[i]} = ${this.readElement(buffer, laneAt(place, i))};`),
        );
      }
      return name;
    }
    const aligned = place.lie === "unit" && isAligned(offset, this.multiples);
    const vector = aligned ? this.readVector(buffer, offset) : null;
    if (vector !== null) return vector;
    return this.vector(
      buffer.dtype,
      Array.from({ length: lanes }, (_, i) => this.readElement(buffer, laneAt(place, i))),
    );
  }

  store(place: Place, value: string, lanes: number, count: Affine | null): void {
    const { buffer, offset } = place;
    if (lanes === 1) {
      this.writeElement(buffer, offset, value);
      return;
    }
    const held = this.hold(value, buffer.dtype, lanes);
    const aligned = place.lie === "unit" && isAligned(offset, this.multiples);
    if (!count && aligned && this.writeVector(buffer, offset, held)) return;
    for (let i = 0; i < lanes; i++) {
      const one = (): void => this.writeElement(buffer, laneAt(place, i), this.lane(held, i));
      if (count) this.if([{ left: affine(i), right: count }], one);
      else one();
    }
  }

  op(name: ScalarOp, dtype: LoopType, args: readonly string[], lanes: number): string {
    const held = name === "square" ? args.map((a) => this.hold(a, dtype, lanes)) : args;
    const special = this.special(name, dtype, held, lanes);
    if (special !== null) return special;
    const [a, b] = held;
    const { sign } = operator(name);
    if (sign) return `(${a} ${sign} ${b})`;
    const compared = COMPARED[name];
    if (compared) return `(${a} ${compared} ${b})`;
    if (name === "neg") return `(-${a})`;
    if (name === "square") return `(${a} * ${a})`;
    return `${this.need(name, dtype, lanes)}(${held.join(", ")})`;
  }

  when(
    conditions: readonly Condition[],
    yes: () => string,
    no: () => string,
    dtype: LoopType,
    lanes: number,
  ): string {
    const branches = [yes, no].map((make) => {
      const from = this.lines.length;
      const value = make();
      return { value, lines: this.lines.splice(from) };
    });
    const [chosen, other] = branches;
    const condition = this.condition(conditions);
    if (this.readsAnywhere || branches.every(({ lines }) => lines.length === 0)) {
      this.lines.push(...chosen.lines, ...other.lines);
      return this.choose(condition, chosen.value, other.value);
    }
    const name = this.declare("when", dtype, lanes);
    const branch = ({ value, lines }: (typeof branches)[number]): void => {
      this.lines.push(...lines.map((line) => `  ${line}`));
      this.nested(() => this.line(`${name} = ${value};`));
    };
    this.line(`if (${condition}) {`);
    branch(chosen);
    this.line("} else {");
    branch(other);
    this.line("}");
    return name;
  }

  cell(name: string, dtype: LoopType, lanes: number): Cell<string> {
    if (name === "x") {
      // What the walker keeps is set once.
      const value = `x${this.fresh++}_`;
      return { get: () => value, set: (v) => this.line(this.definition(value, this.type(dtype, lanes), v)) };
    }
    const variable = this.declare(name, dtype, lanes);
    return {
      get: () => variable,
      set: (value) => value !== variable && this.line(`${variable} = ${value};`),
    };
  }

  lane(vector: string, lane: number): string {
    return `${/^[\w.]+$/.test(vector) ? vector : `(${vector})`}.${COMPONENTS[lane]}`;
  }

  withLane(vector: string, lane: number, value: string, dtype: LoopType, lanes: number): string {
    const held = this.hold(vector, dtype, lanes);
    return this.vector(
      dtype,
      COMPONENTS.map((_, i) => (i === lane ? value : this.lane(held, i))),
    );
  }

  blend(count: Affine, fresh: string, old: string, dtype: LoopType, lanes: number): string {
    const mask = this.vector(
      "bool",
      COMPONENTS.map((_, i) => `(${i} < ${this.integer(count)})`),
    );
    return this.select(mask, fresh, old, dtype, lanes);
  }

  outline(body: () => void): void {
    body();
  }

  local(buffer: Buffer): void {
    if (buffer.scope === "workgroup") {
      this.workgroup.set(buffer.name, buffer);
      return;
    }
    if (this.declared.has(buffer.name)) return;
    this.declared.add(buffer.name);
    this.declarations.push(this.array(this.name(buffer.name), buffer.dtype, elementsOf(buffer)));
  }

  /** A value in a variable, if it is not one. */
  protected hold(value: string, dtype: LoopType, lanes: number): string {
    if (/^\w+$/.test(value)) return value;
    const name = `t${this.fresh++}_`;
    this.line(this.definition(name, this.type(dtype, lanes), value));
    return name;
  }

  protected declare(wish: string, dtype: LoopType, lanes: number): string {
    let name = `${wish}_`;
    if (this.declared.has(name)) name = `${wish}_${this.fresh++}_`;
    this.declared.add(name);
    this.declarations.push(this.declaration(name, this.type(dtype, lanes)));
    return name;
  }

  /** The name of a helper function, which is then defined. */
  protected need(name: string, dtype: LoopType, lanes: number): string {
    const key = `${name} ${dtype} ${lanes}`;
    this.helpers.add(key);
    return helperName(key);
  }

  /** Comparisons joined by `&`: `&&` would be a branch each, which costs time and keeps compilers busy for minutes. */
  condition(conditions: readonly Condition[]): string {
    const each = conditions.map(({ left, right }) => `${this.integer(left)} < ${this.integer(right)}`);
    return each.length === 1 ? each[0] : each.map((text) => `(${text})`).join(" & ");
  }

  /** An index expression as a 32-bit integer. */
  integer(e: Affine): string {
    return this.polynomial(Polynomial.of(e));
  }

  polynomial(p: Polynomial): string {
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
    if (atom.kind === "var") return this.name(atom.name);
    if (atom.kind === "min" || atom.kind === "max") {
      const { kind } = atom;
      return atom.of.map((p) => this.integer(p)).reduce((a, b) => this.intCall(kind, a, b));
    }
    const text = this.integer(atom.of);
    const of = /^\w+$/.test(text) ? text : `(${text})`;
    const shift = Math.log2(atom.by);
    if (Number.isInteger(shift))
      return atom.kind === "mod" ? `(${of} & ${atom.by - 1})` : `(${of} >> ${this.shift(shift)})`;
    const [low] = rangeOf(atom.of, this.ranges as Ranges);
    if (low >= 0) return `(${of} ${atom.kind === "mod" ? "%" : "/"} ${atom.by})`;
    this.helpers.add(`${atom.kind} int32 1`);
    return this.intCall(atom.kind, of, String(atom.by));
  }

  /** A number from 0 divided by a constant. */
  quotient(x: string, by: number): string {
    const shift = Math.log2(by);
    return Number.isInteger(shift) ? `(${x} >> ${this.shift(shift)})` : `(${x} / ${by})`;
  }

  protected shift(by: number): string {
    return String(by);
  }

  protected refuse(why: string): never {
    throw new LoopError(`${this.kernelName}: ${why}`);
  }
}

const COMPARED: Partial<Record<ScalarOp, string>> = {
  less: "<",
  lessEqual: "<=",
  equal: "==",
  notEqual: "!=",
  logicalAnd: "&",
  logicalOr: "|",
};

const SHORT: Record<LoopType, string> = {
  float32: "f32",
  float64: "f64",
  int32: "i32",
  int8: "i8",
  uint8: "u8",
  bfloat16: "bf16",
  float16: "f16",
  bool: "bool",
};

/** The function of a helper's key, `exp float32 4`: `mls_exp_f32x4`. */
export function helperName(key: string): string {
  const [name, dtype, lanes] = key.split(" ");
  return `mls_${name}_${SHORT[dtype as LoopType]}${lanes === "1" ? "" : `x${lanes}`}`;
}

function laneAt({ offset, step }: Place, lane: number): Polynomial {
  return offset.plus(step.scale(lane));
}
