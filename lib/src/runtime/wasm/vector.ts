/** Arithmetic on one vector of a lane type: what the formulas of `math.ts` are written in. */
import { type Expr, type Func, i32, laneOp, op, v128 } from "./assembler.js";

export type LaneType = "f32x4" | "f64x2" | "i32x4";
export type V = Expr<"v128">;

type Unary = "neg" | "abs" | "sqrt" | "floor" | "ceil" | "trunc" | "nearest";
type Binary = "add" | "sub" | "mul" | "div" | "min" | "max" | "eq" | "ne" | "lt" | "gt" | "le" | "ge";

export class Lanes {
  constructor(
    readonly f: Func,
    readonly type: LaneType,
    private readonly relaxed: boolean,
  ) {}

  get isFloat(): boolean {
    return this.type !== "i32x4";
  }

  /** The value in a local, to be used more than once. */
  hold(x: V): V {
    return this.f.let(x);
  }

  splat(value: number): V {
    if (this.type === "f32x4") return v128(new Float32Array(4).fill(value));
    return this.type === "f64x2"
      ? v128(new Float64Array(2).fill(value))
      : v128(new Int32Array(4).fill(value));
  }

  /** A number known only when the kernel runs. */
  splatOf(value: Expr<"f64">): V {
    if (this.type === "f32x4") return op("f32x4.splat", op("f32.demote_f64", value));
    if (this.type === "f64x2") return op("f64x2.splat", value);
    const two = op("i32x4.trunc_sat_f64x2_s_zero", op("f64x2.splat", value)); // the other two are 0
    return op("i32x4.splat", laneOp("i32x4.extract_lane", 0, two));
  }

  un(name: Unary, a: V): V {
    return op(`${this.type}.${name}` as "f32x4.neg", a);
  }

  bin(name: Binary, a: V, b: V): V {
    return op(`${this.type}.${this.isFloat ? name : (SIGNED[name] ?? name)}` as "f32x4.add", a, b);
  }

  /** a · b + c, fused where the engine can. */
  madd(a: V, b: V, c: V): V {
    if (this.relaxed && this.isFloat) return op(`${this.type}.relaxed_madd` as "f32x4.relaxed_madd", a, b, c);
    return this.bin("add", this.bin("mul", a, b), c);
  }

  /** Lanes of `a` where the mask is set, else of `b`. */
  select(mask: V, a: V, b: V): V {
    return op("v128.bitselect", a, b, mask);
  }

  /** Σ coefficients[i] · xⁱ. */
  polynomial(x: V, coefficients: readonly number[]): V {
    let sum = this.splat(coefficients[coefficients.length - 1]);
    for (let i = coefficients.length - 2; i >= 0; i--) sum = this.madd(sum, x, this.splat(coefficients[i]));
    return sum;
  }

  /** The sign bit alone. */
  signOf(x: V): V {
    return op("v128.and", x, this.splat(-0));
  }

  withSign(magnitude: V, sign: V): V {
    return op("v128.or", magnitude, sign);
  }

  /** y · 2ⁿ for a vector of whole numbers n; in two steps, so that results may be subnormal or overflow. */
  scale(y: V, n: V): V {
    const power = (exponent: V): V =>
      this.type === "f32x4"
        ? op("i32x4.shl", op("i32x4.add", exponent, v128(new Int32Array(4).fill(127))), i32(23))
        : op("i64x2.shl", op("i64x2.add", exponent, wide(1023)), i32(52));
    const whole = this.hold(
      this.type === "f32x4"
        ? op("i32x4.trunc_sat_f32x4_s", n)
        : op("i64x2.extend_low_i32x4_s", op("i32x4.trunc_sat_f64x2_s_zero", n)),
    );
    const shift = this.type === "f32x4" ? "i32x4.shr_s" : "i64x2.shr_s";
    const minus = this.type === "f32x4" ? "i32x4.sub" : "i64x2.sub";
    const half = this.hold(op(shift, whole, i32(1)));
    return this.bin("mul", this.bin("mul", y, power(half)), power(op(minus, whole, half)));
  }
}

/** A 64-bit integer in both lanes. */
export function wide(value: number): V {
  const bytes = new BigInt64Array(2).fill(BigInt(value));
  return v128(new Uint8Array(bytes.buffer));
}

const SIGNED: Partial<Record<Binary, string>> = {
  min: "min_s",
  max: "max_s",
  lt: "lt_s",
  gt: "gt_s",
  le: "le_s",
  ge: "ge_s",
};
