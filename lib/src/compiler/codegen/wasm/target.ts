/**
 * The WebAssembly target: values are expressions of the assembler, vectors have 128 bits.
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
  type ValueType,
  v128,
} from "../../../runtime/wasm/assembler.js";
import { type Affine, affine } from "../../loop/affine.js";
import type { Condition, LoopType } from "../../loop/ir.js";
import type { Cell, DotInstructions, Place, Target } from "../target.js";
import { type Moving, WasmAddresses } from "./addresses.js";
import { bytesOf, ZERO } from "./arithmetic.js";

type V = Expr<"v128">;
type I = Expr<"i32">;

const HALF = new Set<LoopType>(["float64"]);

export class WasmTarget extends WasmAddresses implements Target<Expr> {
  readonly vectorBytes = 16;
  readonly keepsLoads = true;

  /** `names`: where sizes and buffers are found among the parameters. */
  constructor(
    private readonly module: ModuleBuilder,
    f: Func,
    names: ReadonlyMap<string, Local<"i32">>,
    scratch: Local<"i32">,
    relaxed: boolean,
  ) {
    super(f, names, scratch, relaxed);
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
