/** How four elements of a dtype come from memory into vectors and go back: see `codegen.ts` for the forms. */
import { bytesPerElement, type DType } from "../../../core/dtype.js";
import {
  type Expr,
  type Func,
  i32,
  laneOp,
  load,
  load32Lane,
  load64Lane,
  op,
  shuffle,
  v128,
} from "../assembler.js";
import type { V } from "../vector.js";

/** Four elements: one vector, or two of float64. */
export type Value = readonly V[];
type Address = Expr<"i32">;

const FOUR = 4;
const zero = op("i32x4.splat", i32(0));
export function vectorLoad(type: DType, at: Address): Value {
  if (type === "float64") return [load("v128.load", at), load("v128.load", at, 16)];
  if (bytesPerElement(type) === 4) return [load("v128.load", at)];
  if (type === "int16") return [op("i32x4.extend_low_i16x8_s", load("v128.load64_zero", at))];
  const bytes = load("v128.load32_zero", at);
  if (type === "int8") return [op("i32x4.extend_low_i16x8_s", op("i16x8.extend_low_i8x16_s", bytes))];
  const words = op("i32x4.extend_low_i16x8_u", op("i16x8.extend_low_i8x16_u", bytes));
  return [type === "bool" ? op("i32x4.ne", words, zero) : words];
}

/** One element in every lane. */
export function splatLoad(type: DType, at: Address): Value {
  if (type === "float64") return [load("v128.load64_splat", at), load("v128.load64_splat", at)];
  if (bytesPerElement(type) === 4) return [load("v128.load32_splat", at)];
  const words = op("i32x4.splat", smallLoad(type, at));
  return [type === "bool" ? op("i32x4.ne", words, zero) : words];
}

/** Four elements `stride` bytes apart. */
export function gather(f: Func, type: DType, start: Address, stride: Address): Value {
  const at = f.let(start);
  const next = () => f.set(at, op("i32.add", at, stride));
  if (type === "float64") {
    return [0, 1].map(() => {
      const v = f.let(load("v128.load64_splat", at));
      next();
      f.set(v, load64Lane(1, at, v));
      next();
      return v;
    });
  }
  const whole = bytesPerElement(type) === 4;
  const v = f.let(whole ? load("v128.load32_splat", at) : op("i32x4.splat", smallLoad(type, at)));
  for (let lane = 1; lane < FOUR; lane++) {
    next();
    f.set(v, whole ? load32Lane(lane, at, v) : laneOp("i32x4.replace_lane", lane, v, smallLoad(type, at)));
  }
  return [type === "bool" ? op("i32x4.ne", v, zero) : v];
}

export function storeFour(f: Func, type: DType, at: Address, value: Value): void {
  if (type === "float64") {
    f.store("v128.store", at, value[0]);
    f.store("v128.store", at, value[1], 16);
    return;
  }
  const bytes = bytesPerElement(type);
  if (bytes === 4) f.store("v128.store", at, value[0]);
  else if (bytes === 2) {
    const packed = shuffle([0, 1, 4, 5, 8, 9, 12, 13, 0, 0, 0, 0, 0, 0, 0, 0], value[0], value[0]);
    f.store("v128.store64_lane", at, packed);
  } else {
    const packed = shuffle([0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], value[0], value[0]);
    f.store("v128.store32_lane", at, type === "bool" ? op("v128.and", packed, bytesOfOne) : packed);
  }
}

export function storeOne(f: Func, type: DType, at: Address, value: Value): void {
  const bytes = bytesPerElement(type);
  if (bytes === 8) f.store("v128.store64_lane", at, value[0]);
  else if (bytes === 4) f.store("v128.store32_lane", at, value[0]);
  else if (bytes === 2) f.store("v128.store16_lane", at, value[0]);
  else f.store("v128.store8_lane", at, type === "bool" ? op("v128.and", value[0], bytesOfOne) : value[0]);
}

const bytesOfOne = v128(new Uint8Array(16).fill(1));

function smallLoad(type: DType, at: Address): Expr<"i32"> {
  if (type === "int16") return load("i32.load16_s", at);
  return load(type === "int8" ? "i32.load8_s" : "i32.load8_u", at);
}
