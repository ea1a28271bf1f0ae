/**
 * The WebAssembly target: values are expressions of the assembler, vectors have 128 bits. Addresses that go up evenly in
 * a loop become pointers that are moved along (V8 does not find them itself: measured, 2–3 times on matrix products).
 */
import { bytesPerElement } from "../../../core/dtype.js";
import {
  type Expr,
  type Func,
  i32,
  type Local,
  laneOp,
  load,
  load32Lane,
  load64Lane,
  type ModuleBuilder,
  op,
  select,
  type ValueType,
  v128,
} from "../../../runtime/wasm/assembler.js";
import { type Affine, type Atom, affine } from "../../loop/affine.js";
import type { Buffer, Condition, LoopType } from "../../loop/ir.js";
import { Polynomial } from "../address.js";
import type { Cell, DotInstructions, Place, Target } from "../target.js";
import { bytesOf, WasmArithmetic, ZERO } from "./arithmetic.js";

type V = Expr<"v128">;
type I = Expr<"i32">;

/** A loop being written: pointers that it moves. */
interface Moving {
  readonly variable: string;
  readonly from: Affine;
  readonly pointers: Map<
    string,
    { readonly local: Local<"i32">; readonly start: Polynomial; readonly step: Polynomial }
  >;
}

const HALF = new Set<LoopType>(["float64"]);

export class WasmTarget extends WasmArithmetic implements Target<Expr> {
  readonly vectorBytes = 16;
  readonly keepsLoads = true;
  private moving: Moving[] = [];
  private variables = new Map<string, Local<"i32">>();
  private scratchUsed = 0;
  private readonly locals = new Map<string, number>();

  /** `names`: where sizes and buffers are found among the parameters. */
  constructor(
    private readonly module: ModuleBuilder,
    f: Func,
    private names: ReadonlyMap<string, Local<"i32">>,
    private scratch: Local<"i32">,
    relaxed: boolean,
  ) {
    super(f, relaxed);
  }

  /** Bytes of scratch memory that local buffers take. */
  get scratchBytes(): number {
    return this.scratchUsed;
  }

  bind(variable: string, local: Local<"i32">): void {
    this.variables.set(variable, local);
  }

  supports(lanes: number, types: ReadonlySet<LoopType>): boolean {
    if (lanes === 2) return [...types].every((t) => HALF.has(t) || t === "bool");
    return lanes === 4 && !types.has("float64");
  }

  loop(variable: string, from: Affine, to: Affine, body: () => void): void {
    const { f } = this;
    const end = f.let(this.number(to));
    const counter = f.let(this.number(from));
    const outer = f.code.splice(0);
    const moving: Moving = { variable, from, pointers: new Map() };
    this.variables.set(variable, counter);
    this.moving.push(moving);
    body();
    this.moving.pop();
    const inside = f.code.splice(0);
    for (const byte of outer) f.code.push(byte);
    f.if(op("i32.lt_s", counter, end), () => {
      const steps: [Local<"i32">, Expr<"i32">][] = [];
      for (const { local, start, step } of moving.pointers.values()) {
        f.set(local, this.pointer(start));
        const by = step.number;
        if (by !== 0) steps.push([local, by !== null ? i32(by) : f.let(this.polynomial(step))]);
      }
      f.repeat(
        () => {
          for (const byte of inside) f.code.push(byte);
          for (const [local, by] of steps) f.set(local, op("i32.add", local, by));
          f.set(counter, op("i32.add", counter, i32(1)));
        },
        op("i32.lt_s", counter, end),
      );
    });
    this.variables.delete(variable);
  }

  if(conditions: readonly Condition[], then: () => void, otherwise?: () => void): void {
    // What is inside may not run: its pointers must not be made there and used elsewhere, so they are those of the loop.
    this.f.if(this.condition(conditions), then, otherwise);
  }

  index(base: Affine, step: number, lanes: number): Expr {
    const first = this.number(base);
    if (lanes === 1) return first;
    return op("i32x4.add", op("i32x4.splat", first), v128(Int32Array.from([0, step, 2 * step, 3 * step])));
  }

  load(place: Place, lanes: number, count: Affine | null): Expr {
    const { dtype } = place.buffer;
    const { base, offset } = this.address(place);
    if (lanes === 1) return scalarLoad(dtype, base, offset);
    if (place.lie === "same") {
      if (dtype === "float32" || dtype === "int32") return load("v128.load32_splat", base, offset);
      if (dtype === "float64") return load("v128.load64_splat", base, offset);
      return this.splat(scalarLoad(dtype, base, offset), dtype, lanes);
    }
    if (count) return this.partLoad(place, lanes, count);
    if (place.lie === "strided") return this.gather(place, lanes);
    switch (dtype) {
      case "float32":
      case "int32":
      case "float64":
        return load("v128.load", base, offset);
      case "bfloat16":
        return op("i32x4.extend_low_i16x8_u", load("v128.load64_zero", base, offset));
      case "int8":
        return op(
          "i32x4.extend_low_i16x8_s",
          op("i16x8.extend_low_i8x16_s", load("v128.load32_zero", base, offset)),
        );
      default: {
        const words = op(
          "i32x4.extend_low_i16x8_u",
          op("i16x8.extend_low_i8x16_u", load("v128.load32_zero", base, offset)),
        );
        return dtype === "bool" ? op("i32x4.ne", words, ZERO) : words;
      }
    }
  }

  readonly dot: DotInstructions<Expr> = {
    parts: 2, // even and odd bytes
    spread: (place, part, signed) => bytesOf(this.word(place, "v128.load32_splat"), part, signed),
    load: (place, part, signed) => bytesOf(this.word(place, "v128.load"), part, signed),
    add: (acc, a, b) =>
      a.reduce((sum, x, i) => op("i32x4.add", sum as V, op("i32x4.dot_i16x8_s", x as V, b[i] as V)), acc),
  };

  private word(place: Place, how: "v128.load32_splat" | "v128.load"): V {
    const { base, offset } = this.address(place);
    return load(how, base, offset);
  }

  store(place: Place, value: Expr, lanes: number, count: Affine | null): void {
    const { f } = this;
    const { dtype } = place.buffer;
    const { base, offset } = this.address(place);
    if (lanes === 1) {
      scalarStore(f, dtype, base, offset, value);
      return;
    }
    const held = f.let(value as V);
    if (count || place.lie !== "unit") {
      const existing = count ? f.let(this.number(count)) : null;
      const size = bytesPerElement(dtype);
      const fixed = (place.step.number ?? -1) >= 0 ? place.step.number : null; // known steps are offsets of the instruction
      const step = fixed === null ? this.step(place) : null;
      const at = f.let(base);
      const lane = (i: number): void => {
        const where = offset + (fixed ?? 0) * size * i;
        if (size === 4) f.store("v128.store32_lane", at, held, where, i);
        else if (size === 8) f.store("v128.store64_lane", at, held, where, i);
        else scalarStore(f, dtype, at, where, this.lane(held, i, dtype, lanes));
      };
      const whole = place.lie === "unit" && existing;
      const pieces = (): void => {
        lane(0);
        const next = (i: number): void => {
          if (i === lanes) return;
          const go = (): void => {
            if (step) f.set(at, op("i32.add", at, step));
            lane(i);
            next(i + 1);
          };
          if (existing) f.if(op("i32.gt_s", existing, i32(i)), go);
          else go();
        };
        next(1);
      };
      if (whole)
        f.if(op("i32.ge_s", existing, i32(lanes)), () => this.wholeStore(dtype, at, offset, held), pieces);
      else pieces();
      return;
    }
    this.wholeStore(dtype, base, offset, held);
  }

  private wholeStore(dtype: LoopType, base: I, offset: number, held: V): void {
    const { f } = this;
    if (dtype === "bfloat16")
      f.store("v128.store64_lane", base, op("i16x8.narrow_i32x4_u", held, held), offset);
    else if (dtype === "int8" || dtype === "uint8" || dtype === "bool") {
      const bits = op("v128.and", held, v128(new Int32Array(4).fill(dtype === "bool" ? 1 : 255)));
      const words = f.let(op("i16x8.narrow_i32x4_u", bits, bits));
      f.store("v128.store32_lane", base, op("i8x16.narrow_i16x8_u", words, words), offset);
    } else f.store("v128.store", base, held, offset);
  }

  when(
    conditions: readonly Condition[],
    yes: () => Expr,
    no: () => Expr,
    dtype: LoopType,
    lanes: number,
  ): Expr {
    const { f } = this;
    const local = f.local(lanes > 1 ? "v128" : valueType(dtype));
    f.if(
      this.condition(conditions),
      () => f.set(local, yes() as never),
      () => f.set(local, no() as never),
    );
    return local;
  }

  cell(_name: string, dtype: LoopType, lanes: number): Cell<Expr> {
    const local = this.f.local(lanes > 1 ? "v128" : valueType(dtype));
    return { get: () => local, set: (value) => this.f.set(local, value as never) };
  }

  blend(count: Affine, fresh: Expr, old: Expr, _dtype: LoopType, lanes: number): Expr {
    const order = lanes === 2 ? v128(Int32Array.from([0, 0, 1, 1])) : v128(Int32Array.from([0, 1, 2, 3]));
    return op(
      "v128.bitselect",
      fresh as V,
      old as V,
      op("i32x4.lt_s", order, op("i32x4.splat", this.number(count))),
    );
  }

  /** A function of its own: V8 keeps accumulators in registers in small functions only (measured: 2–3 times). */
  outline(body: () => void): void {
    const { f, names, scratch, variables, moving } = this;
    const keys = [...names.keys(), ...variables.keys()];
    const values = [...names.values(), ...variables.values()];
    const inner = this.module.func(null, new Array<ValueType>(keys.length + 1).fill("i32"), null, (g) => {
      this.f = g;
      const params = new Map(keys.map((key, i): [string, Local<"i32">] => [key, g.param(i)]));
      this.names = new Map([...names.keys()].map((key) => [key, params.get(key)!]));
      this.variables = new Map([...variables.keys()].map((key) => [key, params.get(key)!]));
      this.scratch = g.param(keys.length);
      this.moving = [];
      this.once(body);
    });
    Object.assign(this, { f, names, scratch, variables, moving });
    f.call(inner, ...values, scratch);
  }

  /** Straight code: its addresses are computed once, before it. */
  once(body: () => void): void {
    const { f } = this;
    const outer = f.code.splice(0);
    const all: Moving = { variable: " once", from: affine(0), pointers: new Map() };
    this.moving.push(all);
    body();
    this.moving.pop();
    const inside = f.code.splice(0);
    for (const byte of outer) f.code.push(byte);
    for (const { local, start } of all.pointers.values()) f.set(local, this.pointer(start));
    for (const byte of inside) f.code.push(byte);
  }

  local(buffer: Buffer): void {
    if (this.locals.has(buffer.name)) return;
    const size = buffer.shape.reduce((n, d) => n * d.constant, 1) * bytesPerElement(buffer.dtype);
    this.locals.set(buffer.name, this.scratchUsed);
    this.scratchUsed += Math.ceil(size / 64) * 64;
  }

  private gather(place: Place, lanes: number): V {
    const { f } = this;
    const { dtype } = place.buffer;
    const { base, offset } = this.address(place);
    const step = this.step(place);
    const at = f.let(base);
    const wide = dtype === "float32" || dtype === "int32";
    const v = f.let(
      wide
        ? load("v128.load32_splat", at, offset)
        : dtype === "float64"
          ? load("v128.load64_splat", at, offset)
          : op("i32x4.splat", scalarLoad(dtype, at, offset) as I),
    );
    for (let lane = 1; lane < lanes; lane++) {
      f.set(at, op("i32.add", at, step));
      f.set(
        v,
        wide
          ? load32Lane(lane, at, v, offset)
          : dtype === "float64"
            ? load64Lane(lane, at, v, offset)
            : laneOp("i32x4.replace_lane", lane, v, scalarLoad(dtype, at, offset) as I),
      );
    }
    return dtype === "bool" ? op("i32x4.ne", v, ZERO) : v;
  }

  /** The first `count` lanes (at least one); the others are zeros or copies. */
  private partLoad(place: Place, lanes: number, count: Affine): V {
    const { f } = this;
    const { dtype } = place.buffer;
    const existing = f.let(this.number(count));
    const v = f.local("v128");
    const { base, offset } = this.address(place);
    const at = f.let(base);
    const step = this.step(place);
    f.set(v, this.splat(scalarLoad(dtype, at, offset), dtype, lanes) as V);
    const next = (lane: number): void => {
      if (lane === lanes) return;
      f.if(op("i32.gt_s", existing, i32(lane)), () => {
        f.set(at, op("i32.add", at, step));
        f.set(v, this.withLane(v, lane, scalarLoad(dtype, at, offset), dtype, lanes) as V);
        next(lane + 1);
      });
    };
    next(1);
    return f.let(v);
  }

  private step(place: Place): I {
    return this.polynomial(place.step.scale(bytesPerElement(place.buffer.dtype)));
  }

  /** Where an element lies: a pointer and a constant offset. */
  private address({ buffer, offset }: Place): { base: I; offset: number } {
    const size = bytesPerElement(buffer.dtype);
    const name = this.names.get(buffer.name);
    const local = this.locals.get(buffer.name);
    if (!name && local === undefined) throw new TypeError(`no memory for the buffer "${buffer.name}"`);
    const bytes = offset.scale(size).plus(Polynomial.of(affine(local ?? 0)));
    const whole = bytes.plus(Polynomial.of(affine(name ? ` ${buffer.name}` : " scratch")));
    const immediate = Math.max(0, bytes.constant);
    return { base: this.pointer(immediate === 0 ? whole : whole.withoutConstant()), offset: immediate };
  }

  /** The address as a pointer of the innermost loop being written, where it grows evenly. */
  private pointer(address: Polynomial): I {
    const moving = this.moving.pop();
    if (!moving) return this.polynomial(address);
    try {
      const step = address.slope(moving.variable);
      if (step === null) return this.polynomial(address);
      if (step.number === 0) {
        if (address.terms.size === 1) return this.polynomial(address);
      }
      const key = address.key();
      let found = moving.pointers.get(key);
      if (!found) {
        found = { local: this.f.local("i32"), start: address.substitute(moving.variable, moving.from), step };
        moving.pointers.set(key, found);
      }
      return found.local;
    } finally {
      this.moving.push(moving);
    }
  }

  private condition(conditions: readonly Condition[]): I {
    return conditions
      .map(({ left, right }): I => op("i32.lt_s", this.number(left), this.number(right)))
      .reduce((a, b) => op("i32.and", a, b));
  }

  /** An index expression as an i32. */
  integer(e: Affine): I {
    return this.number(e);
  }

  private number(e: Affine): I {
    return this.polynomial(Polynomial.of(e));
  }

  private polynomial(p: Polynomial): I {
    let sum: I | null = null;
    for (const { coefficient, factors } of p.terms.values()) {
      if (factors.length === 0) continue;
      let product = factors.map(({ atom }) => this.atom(atom)).reduce((a, b) => op("i32.mul", a, b));
      if (coefficient !== 1) product = op("i32.mul", product, i32(coefficient));
      sum = sum === null ? product : op("i32.add", sum, product);
    }
    if (sum === null) return i32(p.constant);
    return p.constant === 0 ? sum : op("i32.add", sum, i32(p.constant));
  }

  private atom(atom: Atom): I {
    const { f } = this;
    if (atom.kind === "var") {
      if (atom.name === " scratch") return this.scratch;
      const local = this.variables.get(atom.name) ?? this.names.get(atom.name.trim());
      if (!local) throw new TypeError(`no variable "${atom.name}"`);
      return local;
    }
    if (atom.kind === "min" || atom.kind === "max") {
      return atom.of
        .map((p) => this.number(p))
        .reduce((a, b) => {
          const [x, y] = [f.let(a), f.let(b)];
          return select(op(atom.kind === "min" ? "i32.lt_s" : "i32.gt_s", x, y), x, y);
        });
    }
    const of = this.number(atom.of);
    const { by } = atom;
    if ((by & (by - 1)) === 0)
      return atom.kind === "mod" ? op("i32.and", of, i32(by - 1)) : op("i32.shr_s", of, i32(Math.log2(by)));
    const x = f.let(of);
    // Rounds down below zero too.
    const quotient = op(
      "i32.div_s",
      op("i32.sub", x, op("i32.and", op("i32.shr_s", x, i32(31)), i32(by - 1))),
      i32(by),
    );
    return atom.kind === "floordiv" ? quotient : op("i32.sub", x, op("i32.mul", quotient, i32(by)));
  }
}

function valueType(dtype: LoopType): ValueType {
  return dtype === "float32" ? "f32" : dtype === "float64" ? "f64" : "i32";
}

function scalarLoad(dtype: LoopType, at: I, offset: number): Expr {
  switch (dtype) {
    case "float32":
      return load("f32.load", at, offset);
    case "float64":
      return load("f64.load", at, offset);
    case "int32":
      return load("i32.load", at, offset);
    case "int8":
      return load("i32.load8_s", at, offset);
    case "bfloat16":
      return op("i32.and", load("i32.load16_s", at, offset), i32(0xffff));
    default:
      return load("i32.load8_u", at, offset);
  }
}

function scalarStore(f: Func, dtype: LoopType, at: I, offset: number, value: Expr): void {
  if (dtype === "float32") f.store("f32.store", at, value, offset);
  else if (dtype === "float64") f.store("f64.store", at, value, offset);
  else if (dtype === "int32") f.store("i32.store", at, value, offset);
  else if (dtype === "bfloat16") f.store("i32.store16", at, value, offset);
  else f.store("i32.store8", at, value, offset);
}
