/**
 * Code of an elementwise program: a loop that computes four elements a round. A float32 or integer value is one vector
 * (small integers are widened to 32 bits), a float64 value two, a bool a 32-bit mask per element.
 */
import { bytesPerElement, type DType, dtypeKind, isFloat } from "../../../core/dtype.js";
import {
  type Expr,
  type Func,
  f64,
  i32,
  type Local,
  load,
  ModuleBuilder,
  op,
  shuffle,
  type ValueType,
} from "../assembler.js";
import { Lanes, type V } from "../vector.js";
import { gather, splatLoad, storeFour, storeOne, type Value, vectorLoad } from "./access.js";
import { attributeNames, type ElementwiseProgram, valueTypes } from "./program.js";
import { RULES } from "./rules.js";

/** How an input's elements follow each other along the inner loop: side by side, one for all, or a stride apart. */
export type Pattern = "unit" | "same" | "strided";

type Address = Expr<"i32">;

const FOUR = 4;

/**
 * A module with the kernels
 * `flat(outputs…, inputs…, strides of strided inputs…, constants… | from, to, scratch)`, items: elements;
 * `rows(table | from, to, scratch)`, items: runs of the inner loop. Table (32-bit words): inner length, `rank` sizes of
 * the outer axes, then per operand address and `rank` strides, then the inner strides; then constants (64 bits);
 * `pieces(table, constants | from, to, scratch)` (rank 0, nothing strided), items: pieces of `flat` work. Table: per piece
 * the number of its elements, then the operands' addresses.
 */
export function elementwiseModule(
  program: ElementwiseProgram,
  patterns: readonly Pattern[],
  rank: number,
  relaxed: boolean,
): ModuleBuilder {
  const module = new ModuleBuilder();
  const operands = program.outputs.length + program.inputs.length;
  const strided = patterns.filter((p) => p === "strided").length;
  const constants = program.nodes.reduce((n, node) => n + attributeNames(node).length, 0);
  const flat = addFlat(module, program, patterns, relaxed);
  module.func("rows", ["i32", "i32", "i32", "i32"], null, (f) =>
    buildRows(f, flat, { operands, strided, constants, rank }),
  );
  if (rank === 0 && strided === 0)
    module.func("pieces", ["i32", "i32", "i32", "i32", "i32"], null, (f) =>
      buildPieces(f, flat, operands, constants),
    );
  return module;
}

/** `flat` as a function of another module. */
export function addFlat(
  module: ModuleBuilder,
  program: ElementwiseProgram,
  patterns: readonly Pattern[],
  relaxed: boolean,
  name = "flat",
): Func {
  const operands = program.outputs.length + program.inputs.length;
  const strided = patterns.filter((p) => p === "strided").length;
  const constants = program.nodes.reduce((n, node) => n + attributeNames(node).length, 0);
  const params: ValueType[] = [
    ...new Array<ValueType>(operands + strided).fill("i32"),
    ...new Array<ValueType>(constants).fill("f64"),
    "i32",
    "i32",
    "i32",
  ];
  return module.func(name, params, null, (f) => buildFlat(f, program, patterns, relaxed));
}

/** Words of the table before the constants (an even number, so that those are aligned). */
export function tableWords(operands: number, strided: number, rank: number): number {
  const words = 1 + rank + operands * (1 + rank) + strided;
  return words + (words & 1);
}

interface RowShape {
  readonly operands: number;
  readonly strided: number;
  readonly constants: number;
  readonly rank: number;
}

function buildRows(f: Func, flat: Func, { operands, strided, constants, rank }: RowShape): void {
  const [table, from, to, scratch] = [0, 1, 2, 3].map((i) => f.param<"i32">(i));
  const word = (index: number) => load("i32.load", table, index * 4);
  const inner = f.let(word(0));
  const row = f.let(from);
  const rest = f.local("i32");
  const index = f.local("i32");
  const places = Array.from({ length: operands }, () => f.local("i32"));
  f.for(row, to, 1, () => {
    f.set(rest, row);
    places.forEach((place, o) => {
      f.set(place, word(1 + rank + o * (1 + rank)));
    });
    for (let d = rank - 1; d >= 0; d--) {
      const size = word(1 + d);
      f.set(index, d === 0 ? rest : op("i32.rem_u", rest, size));
      if (d > 0) f.set(rest, op("i32.div_u", rest, size));
      places.forEach((place, o) => {
        const stride = word(1 + rank + o * (1 + rank) + 1 + d);
        f.set(place, op("i32.add", place, op("i32.mul", index, stride)));
      });
    }
    const first = 1 + rank + operands * (1 + rank);
    const steps = Array.from({ length: strided }, (_, i) => word(first + i));
    const at = tableWords(operands, strided, rank) * 4;
    const numbers = Array.from({ length: constants }, (_, i) => load("f64.load", table, at + i * 8));
    f.call(flat, ...places, ...steps, ...numbers, i32(0), inner, scratch);
  });
}

function buildPieces(f: Func, flat: Func, operands: number, constants: number): void {
  const [table, numbers, from, to, scratch] = [0, 1, 2, 3, 4].map((i) => f.param<"i32">(i));
  const bytes = pieceWords(operands) * 4;
  const piece = f.let(from);
  const at = f.let(op("i32.add", table, op("i32.mul", from, i32(bytes))));
  f.for(piece, to, 1, () => {
    const places = Array.from({ length: operands }, (_, o) => load("i32.load", at, 4 + o * 4));
    const values = Array.from({ length: constants }, (_, i) => load("f64.load", numbers, i * 8));
    f.call(flat, ...places, ...values, i32(0), load("i32.load", at), scratch);
    f.set(at, op("i32.add", at, i32(bytes)));
  });
}

/** Words of a piece's row in the table of `pieces`. */
export function pieceWords(operands: number): number {
  return 1 + operands;
}

function buildFlat(
  f: Func,
  program: ElementwiseProgram,
  patterns: readonly Pattern[],
  relaxed: boolean,
): void {
  const types = valueTypes(program);
  const outs = program.outputs.length;
  const ins = program.inputs.length;
  const strided = patterns.filter((p) => p === "strided").length;
  const constantsAt = outs + ins + strided;
  const from = f.param<"i32">(f.params.length - 3);
  const to = f.param<"i32">(f.params.length - 2);
  const byteSize = (v: number) => bytesPerElement(types[v]);
  const steps: Local<"i32">[] = [];
  let nextStride = outs + ins;
  const step = patterns.map((p) => {
    const local = p === "strided" ? f.param<"i32">(nextStride++) : undefined;
    if (local) steps.push(local);
    return local;
  });
  const outPointers = program.outputs.map((v, i) => pointer(f, i, from, byteSize(v)));
  const inPointers = program.inputs.map((_, i) => {
    const at = f.param<"i32">(outs + i);
    if (patterns[i] === "same") return at;
    if (patterns[i] === "strided") return f.let(op("i32.add", at, op("i32.mul", from, step[i]!)));
    return pointer(f, outs + i, from, byteSize(i));
  });
  const g = new Generator(f, program, types, relaxed, constantsAt);
  const shared = program.inputs.map((type, i) =>
    patterns[i] === "same" ? splatLoad(type, inPointers[i]).map((v) => f.let(v)) : undefined,
  );
  const e = f.let(from);
  const advance = (count: number) => {
    program.outputs.forEach((v, i) => {
      f.set(outPointers[i], op("i32.add", outPointers[i], i32(count * byteSize(v))));
    });
    inPointers.forEach((p, i) => {
      if (patterns[i] === "unit") f.set(p, op("i32.add", p, i32(count * byteSize(i))));
      if (patterns[i] === "strided")
        f.set(p, op("i32.add", p, count === 1 ? step[i]! : op("i32.mul", step[i]!, i32(count))));
    });
  };
  const inputs = (single: boolean): Value[] =>
    program.inputs.map((type, i) => {
      const known = shared[i];
      if (known) return known;
      const loaded = single
        ? splatLoad(type, inPointers[i])
        : patterns[i] === "unit"
          ? vectorLoad(type, inPointers[i])
          : gather(f, type, inPointers[i], step[i]!);
      return loaded.map((v) => f.let(v));
    });
  f.for(e, op("i32.sub", to, i32(FOUR - 1)), FOUR, () => {
    const values = g.run(inputs(false));
    program.outputs.forEach((v, i) => {
      storeFour(f, types[v], outPointers[i], values[v]);
    });
    advance(FOUR);
  });
  f.for(e, to, 1, () => {
    const values = g.run(inputs(true));
    program.outputs.forEach((v, i) => {
      storeOne(f, types[v], outPointers[i], values[v]);
    });
    advance(1);
  });
}

function pointer(f: Func, param: number, from: Address, bytes: number): Local<"i32"> {
  return f.let(op("i32.add", f.param<"i32">(param), op("i32.mul", from, i32(bytes))));
}

class Generator {
  private readonly f32: Lanes;
  private readonly f64: Lanes;
  private readonly i32: Lanes;

  constructor(
    private readonly f: Func,
    private readonly program: ElementwiseProgram,
    private readonly types: readonly DType[],
    relaxed: boolean,
    private readonly constantsAt: number,
  ) {
    this.f32 = new Lanes(f, "f32x4", relaxed);
    this.f64 = new Lanes(f, "f64x2", relaxed);
    this.i32 = new Lanes(f, "i32x4", relaxed);
  }

  /** All values, in locals. */
  run(inputs: readonly Value[]): Value[] {
    const values: Value[] = [...inputs];
    let constant = this.constantsAt;
    for (const node of this.program.nodes) {
      const numbers = attributeNames(node).map(() => this.f.param<"f64">(constant++));
      const type = this.types[values.length];
      const made = this.apply(node.op, node.args, type, values, numbers);
      values.push(made.map((v) => this.f.let(v)));
    }
    return values;
  }

  private apply(
    name: string,
    args: readonly number[],
    type: DType,
    values: readonly Value[],
    numbers: readonly Expr<"f64">[],
  ): Value {
    if (name === "constant") return this.constant(type, numbers[0]);
    if (name === "cast") return this.cast(values[args[0]], this.types[args[0]], type);
    if (name === "where") {
      const [mask, a, b] = args.map((i) => values[i]);
      const masks = type === "float64" ? widenMask(mask[0]) : mask;
      return a.map((_, i) => this.f32.select(masks[i], a[i], b[i]));
    }
    const from = this.types[args[0]];
    const rule = RULES[name];
    const operands = args.map((i) => values[i]);
    if (from === "bool") return [rule.onMasks!(this.i32, ...operands.map(([v]) => v))];
    if (from === "float32") {
      const formula = rule.float32 ?? rule.all;
      if (formula)
        return [formula(this.f32, ...operands.map(([v]) => v), ...numbers.map((x) => this.f32.splatOf(x)))];
      const wide = this.wideApply(
        name,
        operands.map((v) => this.cast(v, "float32", "float64")),
        numbers,
      );
      return rule.mask ? wide : this.cast(wide, "float64", "float32");
    }
    if (from === "float64") return this.wideApply(name, operands, numbers);
    const formula = (rule.int ?? rule.all)!;
    const result = formula(this.i32, ...operands.map(([v]) => v));
    return [rule.mask ? result : this.wrap(result, from)];
  }

  private wideApply(name: string, operands: readonly Value[], numbers: readonly Expr<"f64">[]): Value {
    const rule = RULES[name];
    const formula = (rule.float64 ?? rule.all)!;
    const splats = numbers.map((x) => this.f.let(this.f64.splatOf(x)));
    const held = operands.map((v) => v.map((x) => this.f.let(x)));
    const halves = [0, 1].map((i) => this.f.let(formula(this.f64, ...held.map((v) => v[i]), ...splats)));
    return rule.mask ? [narrowMask(halves[0], halves[1])] : halves;
  }

  private constant(type: DType, value: Expr<"f64">): Value {
    if (type === "bool") {
      const nonzero = op("i32.sub", i32(0), op("f64.ne", value, f64(0)));
      return [op("i32x4.splat", nonzero)];
    }
    if (type === "float64") return [this.f64.splatOf(value), this.f64.splatOf(value)];
    return [type === "float32" ? this.f32.splatOf(value) : this.wrap(this.i32.splatOf(value), type)];
  }

  private cast(x: Value, from: DType, to: DType): Value {
    if (from === to) return x;
    if (to === "bool") {
      if (from === "float64") {
        const parts = x.map((v) => this.f64.bin("ne", v, this.f64.splat(0)));
        return [narrowMask(parts[0], parts[1])];
      }
      const k = from === "float32" ? this.f32 : this.i32;
      return [k.bin("ne", x[0], k.splat(0))];
    }
    if (from === "bool") return this.cast([op("v128.and", x[0], this.i32.splat(1))], "int32", to);
    if (from === "float32") {
      if (to === "float64")
        return [op("f64x2.promote_low_f32x4", x[0]), op("f64x2.promote_low_f32x4", upperHalf(x[0]))];
      return [this.wrap(op("i32x4.trunc_sat_f32x4_s", x[0]), to)];
    }
    if (from === "float64") {
      const convert = to === "float32" ? "f32x4.demote_f64x2_zero" : "i32x4.trunc_sat_f64x2_s_zero";
      const both = lowerHalves(op(convert, x[0]), op(convert, x[1]));
      return [to === "float32" ? both : this.wrap(both, to)];
    }
    if (to === "float32") return [op("f32x4.convert_i32x4_s", x[0])];
    if (to === "float64")
      return [op("f64x2.convert_low_i32x4_s", x[0]), op("f64x2.convert_low_i32x4_s", upperHalf(x[0]))];
    return [this.wrap(x[0], to)];
  }

  /** Small integers wrap around, as in their typed arrays. */
  private wrap(x: V, type: DType): V {
    const bits = 32 - 8 * bytesPerElement(type);
    if (bits === 0 || isFloat(type)) return x;
    const shift = dtypeKind(type) === "uint" ? "i32x4.shr_u" : "i32x4.shr_s";
    return op(shift, op("i32x4.shl", x, i32(bits)), i32(bits));
  }
}

const upperHalf = (x: V): V => shuffle([8, 9, 10, 11, 12, 13, 14, 15, 0, 0, 0, 0, 0, 0, 0, 0], x, x);
const lowerHalves = (a: V, b: V): V =>
  shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23], a, b);
const narrowMask = (a: V, b: V): V =>
  shuffle([0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27], a, b);
const widenMask = (x: V): Value => [
  shuffle([0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7], x, x),
  shuffle([8, 9, 10, 11, 8, 9, 10, 11, 12, 13, 14, 15, 12, 13, 14, 15], x, x),
];
