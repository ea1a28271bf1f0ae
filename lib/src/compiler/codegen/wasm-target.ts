/**
 * The WebAssembly target: values are expressions of the assembler, vectors have 128 bits. Addresses that go up evenly in
 * a loop become pointers that are moved along (V8 does not find them itself: measured, 2–3 times on matrix products).
 */
import { bytesPerElement } from "../../core/dtype.js";
import {
  type Expr,
  type Func,
  f32,
  f64,
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
} from "../../runtime/wasm/assembler.js";
import { RULES } from "../../runtime/wasm/elementwise/rules.js";
import { Lanes } from "../../runtime/wasm/vector.js";
import { type Affine, type Atom, affine } from "../loop/affine.js";
import type { Buffer, Condition, LoopType } from "../loop/ir.js";
import { isScalarOp, operator, type ScalarOp } from "../loop/operators.js";
import { isStored } from "../loop/types.js";
import { Polynomial } from "./address.js";
import type { Cell, Place, Target } from "./target.js";

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

export class WasmTarget implements Target<Expr> {
  readonly vectorBytes = 16;
  readonly keepsLoads = true;
  private moving: Moving[] = [];
  private variables = new Map<string, Local<"i32">>();
  private scratchUsed = 0;
  private readonly locals = new Map<string, number>();

  /** `names`: where sizes and buffers are found among the parameters. */
  constructor(
    private readonly module: ModuleBuilder,
    private f: Func,
    private names: ReadonlyMap<string, Local<"i32">>,
    private scratch: Local<"i32">,
    private readonly relaxed: boolean,
  ) {}

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

  constant(dtype: LoopType, value: number, lanes: number): Expr {
    if (lanes === 1) {
      if (dtype === "float32") return f32(value);
      if (dtype === "float64") return f64(value);
      return i32(value);
    }
    if (dtype === "float32") return v128(new Float32Array(4).fill(value));
    if (dtype === "float64") return v128(new Float64Array(2).fill(value));
    if (dtype === "bool") return v128(new Int32Array(4).fill(value ? -1 : 0));
    return v128(new Int32Array(4).fill(value));
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

  op(name: ScalarOp, dtype: LoopType, args: readonly Expr[], lanes: number): Expr {
    if (lanes > 1) return this.vectorOp(name, dtype, args as readonly V[]);
    if (dtype === "bool") {
      if (name === "logicalAnd") return op("i32.and", args[0] as I, args[1] as I);
      if (name === "logicalOr") return op("i32.or", args[0] as I, args[1] as I);
    }
    const direct = dtype === "int32" ? this.intOp(name, args as readonly I[]) : floatOp(name, dtype, args);
    if (direct) return direct;
    // Formulas are written for vectors: all lanes alike.
    const splats = args.map((a) => this.splat(a, dtype, dtype === "float64" ? 2 : 4) as V);
    return this.lane(
      this.f.let(this.vectorOp(name, dtype, splats)),
      0,
      operator(name).result === "bool" ? "bool" : dtype,
      dtype === "float64" ? 2 : 4,
    );
  }

  private vectorOp(name: ScalarOp, dtype: LoopType, args: readonly V[]): V {
    const { f } = this;
    const type = dtype === "float64" ? "f64x2" : dtype === "float32" ? "f32x4" : "i32x4";
    const lanes = new Lanes(f, type, this.relaxed);
    const rule = RULES[name];
    const formula =
      dtype === "bool"
        ? rule.onMasks
        : ((dtype === "float32" ? rule.float32 : dtype === "float64" ? rule.float64 : rule.int) ?? rule.all);
    if (!formula) throw new TypeError(`no vector form of ${name} for ${dtype}`);
    const simple = operator(name).arity === 2 || ["neg", "abs", "sqrt", "floor"].includes(name);
    return formula(lanes, ...(simple ? args : args.map((a) => f.let(a))));
  }

  private intOp(name: ScalarOp, [a, b]: readonly I[]): I | null {
    const { f } = this;
    const pick = (test: "i32.lt_s" | "i32.gt_s", x: I, y: I): I => {
      const [p, q] = [f.let(x), f.let(y)];
      return select(op(test, p, q), p, q);
    };
    switch (name) {
      case "add":
      case "sub":
      case "mul":
        return op(`i32.${name}`, a, b);
      case "maximum":
        return pick("i32.gt_s", a, b);
      case "minimum":
        return pick("i32.lt_s", a, b);
      case "relu":
        return pick("i32.gt_s", a, i32(0));
      case "neg":
        return op("i32.sub", i32(0), a);
      case "abs": {
        const x = f.let(a);
        return pick("i32.gt_s", x, op("i32.sub", i32(0), x));
      }
      case "square": {
        const x = f.let(a);
        return op("i32.mul", x, x);
      }
      case "less":
        return op("i32.lt_s", a, b);
      case "lessEqual":
        return op("i32.le_s", a, b);
      case "equal":
        return op("i32.eq", a, b);
      case "notEqual":
        return op("i32.ne", a, b);
      default:
        return null;
    }
  }

  multiplyAdd(a: Expr, b: Expr, c: Expr, dtype: LoopType, lanes: number): Expr {
    if (lanes > 1) {
      const type = dtype === "float64" ? "f64x2" : "f32x4";
      return new Lanes(this.f, type, this.relaxed).madd(a as V, b as V, c as V);
    }
    return this.op("add", dtype, [this.op("mul", dtype, [a, b], 1), c], 1);
  }

  select(condition: Expr, yes: Expr, no: Expr, _dtype: LoopType, lanes: number): Expr {
    if (lanes > 1) return op("v128.bitselect", yes as V, no as V, condition as V);
    return select(condition as I, yes, no as never);
  }

  cast(value: Expr, from: LoopType, to: LoopType, lanes: number): Expr {
    if (from === to) return value;
    if (lanes > 1) return this.castVector(value as V, from, to);
    if (from === "bfloat16")
      return this.cast(
        laneOp("f32x4.extract_lane", 0, op("i32x4.shl", op("i32x4.splat", value as I), i32(16))),
        "float32",
        to,
        1,
      );
    if (to === "bfloat16") {
      const x = this.cast(value, from, "float32", 1) as Expr<"f32">;
      return laneOp("i32x4.extract_lane", 0, this.castVector(op("f32x4.splat", x), "float32", to));
    }
    if (to === "bool") {
      if (from === "float32") return op("f32.ne", value as Expr<"f32">, f32(0));
      if (from === "float64") return op("f64.ne", value as Expr<"f64">, f64(0));
      return op("i32.ne", value as I, i32(0));
    }
    if (from === "float32") {
      if (to === "float64") return op("f64.promote_f32", value as Expr<"f32">);
      return wrap(
        laneOp(
          "i32x4.extract_lane",
          0,
          op("i32x4.trunc_sat_f32x4_s", op("f32x4.splat", value as Expr<"f32">)),
        ),
        to,
      );
    }
    if (from === "float64") {
      if (to === "float32") return op("f32.demote_f64", value as Expr<"f64">);
      return wrap(
        laneOp(
          "i32x4.extract_lane",
          0,
          op("i32x4.trunc_sat_f64x2_s_zero", op("f64x2.splat", value as Expr<"f64">)),
        ),
        to,
      );
    }
    if (to === "float32") return op("f32.convert_i32_s", value as I);
    if (to === "float64") return op("f64.convert_i32_s", value as I);
    return wrap(value as I, to);
  }

  /** Four lanes (or two of float64, which only bool joins). */
  private castVector(value: V, from: LoopType, to: LoopType): V {
    if (from === "bool") {
      const bits = op("v128.and", value, v128(new Int32Array(4).fill(1)));
      return to === "float64"
        ? op("v128.and", value, v128(new Float64Array(2).fill(1)))
        : this.castVector(bits, "int32", to);
    }
    if (from === "bfloat16") return this.castVector(op("i32x4.shl", value, i32(16)), "float32", to);
    if (to === "float32") return from === "float32" ? value : op("f32x4.convert_i32x4_s", value);
    if (to === "bool") {
      if (from === "float64") return op("f64x2.ne", value, v128(new Float64Array(2)));
      return from === "float32"
        ? op("f32x4.ne", value, v128(new Float32Array(4)))
        : op("i32x4.ne", value, ZERO);
    }
    if (to === "bfloat16") {
      const bits = this.f.let(this.castVector(value, from, "float32"));
      const odd = op("v128.and", op("i32x4.shr_u", bits, i32(16)), v128(new Int32Array(4).fill(1)));
      const rounded = op(
        "i32x4.shr_u",
        op("i32x4.add", bits, op("i32x4.add", odd, v128(new Int32Array(4).fill(0x7fff)))),
        i32(16),
      );
      return op("v128.bitselect", rounded, v128(new Int32Array(4).fill(0x7fc0)), op("f32x4.eq", bits, bits));
    }
    const whole = from === "float32" ? op("i32x4.trunc_sat_f32x4_s", value) : value;
    if (to === "int8") return op("i32x4.shr_s", op("i32x4.shl", whole, i32(24)), i32(24));
    return to === "uint8" ? op("v128.and", whole, v128(new Int32Array(4).fill(255))) : whole;
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

  splat(value: Expr, dtype: LoopType, lanes: number): Expr {
    if (lanes === 1) return value;
    if (dtype === "float32") return op("f32x4.splat", value as Expr<"f32">);
    if (dtype === "float64") return op("f64x2.splat", value as Expr<"f64">);
    if (dtype === "bool") return op("i32x4.splat", op("i32.sub", i32(0), value as I));
    return op("i32x4.splat", value as I);
  }

  lane(vector: Expr, lane: number, dtype: LoopType, _lanes: number): Expr {
    const v = vector as V;
    if (dtype === "float32") return laneOp("f32x4.extract_lane", lane, v);
    if (dtype === "float64") return laneOp("f64x2.extract_lane", lane, v);
    const word = laneOp("i32x4.extract_lane", lane, v);
    return dtype === "bool" ? op("i32.and", word, i32(1)) : word;
  }

  withLane(vector: Expr, lane: number, value: Expr, dtype: LoopType, _lanes: number): Expr {
    const v = vector as V;
    if (dtype === "float32") return laneOp("f32x4.replace_lane", lane, v, value as Expr<"f32">);
    if (dtype === "float64") return laneOp("f64x2.replace_lane", lane, v, value as Expr<"f64">);
    return laneOp(
      "i32x4.replace_lane",
      lane,
      v,
      dtype === "bool" ? op("i32.sub", i32(0), value as I) : (value as I),
    );
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

const ZERO = v128(new Int32Array(4));

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

function wrap(value: I, to: LoopType): I {
  if (to === "int8") return op("i32.shr_s", op("i32.shl", value, i32(24)), i32(24));
  return to === "uint8" ? op("i32.and", value, i32(255)) : value;
}

const DIRECT: Partial<Record<ScalarOp, string>> = {
  add: "add",
  sub: "sub",
  mul: "mul",
  div: "div",
  maximum: "max",
  minimum: "min",
  neg: "neg",
  abs: "abs",
  sqrt: "sqrt",
  less: "lt",
  lessEqual: "le",
  equal: "eq",
  notEqual: "ne",
};

function floatOp(name: ScalarOp, dtype: LoopType, args: readonly Expr[]): Expr | null {
  const instruction = DIRECT[name];
  if (!instruction || !isScalarOp(name) || isStored(dtype)) return null;
  const prefix = dtype === "float64" ? "f64" : "f32";
  return op(`${prefix}.${instruction}` as "f32.add", ...(args as [Expr<"f32">, Expr<"f32">]));
}
