import {
  type Expr,
  type Func,
  f32,
  f64,
  i32,
  laneOp,
  op,
  select,
  v128,
} from "../../../runtime/wasm/assembler.js";
import { RULES } from "../../../runtime/wasm/elementwise/rules.js";
import { Lanes } from "../../../runtime/wasm/vector.js";
import type { LoopType } from "../../loop/ir.js";
import { isScalarOp, operator, type ScalarOp } from "../../loop/operators.js";
import { isStored } from "../../loop/types.js";

type V = Expr<"v128">;
type I = Expr<"i32">;

export class WasmArithmetic {
  constructor(
    protected f: Func,
    protected readonly relaxed: boolean,
  ) {}

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

  protected vectorOp(name: ScalarOp, dtype: LoopType, args: readonly V[]): V {
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

  protected intOp(name: ScalarOp, [a, b]: readonly I[]): I | null {
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
  protected castVector(value: V, from: LoopType, to: LoopType): V {
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
}

/** Every other byte, from `first` on, as 16-bit numbers. */
export function bytesOf(words: V, first: number, signed: boolean): V {
  if (first === 1) return op(signed ? "i16x8.shr_s" : "i16x8.shr_u", words, i32(8));
  return signed
    ? op("i16x8.shr_s", op("i16x8.shl", words, i32(8)), i32(8))
    : op("v128.and", words, v128(new Int32Array(4).fill(0x00ff00ff)));
}

export const ZERO = v128(new Int32Array(4));

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
