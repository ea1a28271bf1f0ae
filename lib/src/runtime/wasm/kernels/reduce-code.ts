/** Code of reductions: along runs of reduced elements, or across rows when the kept elements lie side by side. */
import { bytesPerElement, type DType, encodingOf, isFloat } from "../../../core/dtype.js";
import {
  type Expr,
  type Func,
  i32,
  type Local,
  ModuleBuilder,
  op,
  shuffle,
  type ValueType,
} from "../assembler.js";
import { gather, splatLoad, storeFour, storeOne, type Value, vectorLoad } from "../elementwise/access.js";
import { Lanes, type V } from "../vector.js";

export type Reduction = "sum" | "prod" | "max" | "min" | "any" | "all";

/** Elements of a block of the `across` kernel. */
export const BLOCK = 16;

interface Rule {
  readonly start: (k: Lanes) => V;
  readonly step: (k: Lanes, a: V, b: V) => V;
  /** Works on masks: elements are compared with 0 first. */
  readonly mask?: boolean;
}

const lowest = (k: Lanes) => k.splat(k.isFloat ? Number.NEGATIVE_INFINITY : -(2 ** 31));
const highest = (k: Lanes) => k.splat(k.isFloat ? Number.POSITIVE_INFINITY : 2 ** 31 - 1);

const RULES: Record<Reduction, Rule> = {
  sum: { start: (k) => k.splat(0), step: (k, a, b) => k.bin("add", a, b) },
  prod: { start: (k) => k.splat(1), step: (k, a, b) => k.bin("mul", a, b) },
  max: { start: lowest, step: (k, a, b) => k.bin("max", a, b) },
  min: { start: highest, step: (k, a, b) => k.bin("min", a, b) },
  any: { start: () => op("i32x4.splat", i32(0)), step: (_, a, b) => op("v128.or", a, b), mask: true },
  all: { start: () => op("i32x4.splat", i32(-1)), step: (_, a, b) => op("v128.and", a, b), mask: true },
};

/**
 * `along(in, out, k1, k2, k3, s0, s1, s2, s3, r0, r1, t0, t1 | from, to, scratch)`: items are results; k are sizes and s
 * byte strides of the kept axes (the outermost size is not needed), r and t of the reduced ones.
 * `across(in, out, n, k1, k2, s0, s1, s2, r0, r1, t0, t1 | from, to, scratch)`: items are blocks of BLOCK results of the
 * innermost kept axis (n elements side by side); k and s are the other kept axes.
 */
export function reduceModule(name: Reduction, input: DType, output: DType): ModuleBuilder {
  const module = new ModuleBuilder();
  const params = (count: number) => new Array<ValueType>(count).fill("i32");
  module.func("along", params(16), null, (f) => buildAlong(new Reducer(f, name, input, output)));
  module.func("across", params(15), null, (f) => buildAcross(new Reducer(f, name, input, output)));
  return module;
}

/** Partial results of a reduction in vectors, and how elements are taken into them. */
export class Reducer {
  readonly k: Lanes;
  readonly rule: Rule;
  readonly parts: number;

  constructor(
    readonly f: Func,
    name: Reduction,
    readonly input: DType,
    readonly output: DType,
  ) {
    this.k = new Lanes(f, input === "float32" ? "f32x4" : input === "float64" ? "f64x2" : "i32x4", false);
    this.rule = RULES[name];
    this.parts = input === "float64" ? 2 : 1;
  }

  start(): Local<"v128">[] {
    return Array.from({ length: this.parts }, () => this.f.let(this.rule.start(this.k)));
  }

  reset(sums: readonly Local<"v128">[]): void {
    for (const sum of sums) this.f.set(sum, this.rule.start(this.k));
  }

  take(sums: readonly Local<"v128">[], value: Value): void {
    const { k, rule } = this;
    sums.forEach((sum, i) => {
      const x = rule.mask && this.input !== "bool" ? k.bin("ne", value[i], k.splat(0)) : value[i];
      this.f.set(sum, rule.step(k, sum, x));
    });
  }

  /** All lanes of `sums` and lane 0 of `tail` in lane 0. */
  total(sums: readonly Local<"v128">[], tail: readonly Local<"v128">[]): Value {
    const { f, k, rule } = this;
    const step = (a: V, b: V) => rule.step(k, a, b);
    const sum = f.let(sums.length === 2 ? step(sums[0], sums[1]) : sums[0]);
    f.set(sum, step(sum, shuffle([8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7], sum, sum)));
    if (sums.length === 1)
      f.set(sum, step(sum, shuffle([4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11], sum, sum)));
    return [step(sum, tail[0])];
  }

  /** Masks of float64 elements are 64 bits wide: their low halves. */
  result(value: Value): Value {
    if (!this.rule.mask || this.input !== "float64" || value.length === 1) return value;
    return [shuffle([0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27], value[0], value[1])];
  }
}

const add = (a: Expr<"i32">, b: Expr<"i32">) => op("i32.add", a, b);
const mul = (a: Expr<"i32">, b: Expr<"i32">) => op("i32.mul", a, b);

/** Sets `at` to base + the offset of item `rest` over axes of these sizes (innermost last; the outermost has none). */
function place(
  f: Func,
  at: Local<"i32">,
  rest: Local<"i32">,
  sizes: readonly Expr<"i32">[],
  strides: readonly Expr<"i32">[],
): void {
  for (let d = strides.length - 1; d > 0; d--) {
    f.set(at, add(at, mul(op("i32.rem_u", rest, sizes[d - 1]), strides[d])));
    f.set(rest, op("i32.div_u", rest, sizes[d - 1]));
  }
  f.set(at, add(at, mul(rest, strides[0])));
}

function buildAlong(r: Reducer): void {
  const { f } = r;
  const p = f.params.map((_, i) => f.param<"i32">(i));
  const [source, target, k1, k2, k3, s0, s1, s2, s3, r0, r1, t0, t1, from, to] = p;
  const bytes = bytesPerElement(r.input);
  const item = f.let(from);
  const [rest, row, at, i, j] = [0, 0, 0, 0, 0].map(() => f.local("i32"));
  const whole = f.let(op("i32.and", r1, i32(-4)));
  const whole2 = f.let(op("i32.and", r1, i32(-16)));
  const lanes = [r.start(), r.start(), r.start(), r.start()];
  const tail = r.start();
  const out = f.let(add(target, mul(from, i32(bytesPerElement(r.output)))));
  f.for(item, to, 1, () => {
    f.set(row, source);
    f.set(rest, item);
    place(f, row, rest, [k1, k2, k3], [s0, s1, s2, s3]);
    for (const sums of [...lanes, tail]) r.reset(sums);
    f.set(i, i32(0));
    f.for(i, r0, 1, () => {
      f.set(at, row);
      f.set(j, i32(0));
      f.if(
        op("i32.eq", t1, i32(bytes)),
        () => {
          f.for(j, whole2, 16, () => {
            lanes.forEach((sums, q) => {
              r.take(sums, vectorLoad(r.input, q === 0 ? at : add(at, i32(4 * q * bytes))));
            });
            f.set(at, add(at, i32(16 * bytes)));
          });
          f.for(j, whole, 4, () => {
            r.take(lanes[0], vectorLoad(r.input, at));
            f.set(at, add(at, i32(4 * bytes)));
          });
        },
        () =>
          f.for(j, whole, 4, () => {
            r.take(lanes[0], gather(f, r.input, at, t1));
            f.set(at, add(at, op("i32.shl", t1, i32(2))));
          }),
      );
      f.for(j, r1, 1, () => {
        r.take(tail, splatLoad(r.input, at));
        f.set(at, add(at, t1));
      });
      f.set(row, add(row, t0));
    });
    for (const sums of lanes.slice(1))
      sums.forEach((sum, q) => {
        f.set(lanes[0][q], r.rule.step(r.k, lanes[0][q], sum));
      });
    storeOne(f, r.output, out, r.total(lanes[0], tail));
    f.set(out, add(out, i32(bytesPerElement(r.output))));
  });
}

function buildAcross(r: Reducer): void {
  const { f } = r;
  const p = f.params.map((_, i) => f.param<"i32">(i));
  const [source, target, n, k1, k2, s0, s1, s2, r0, r1, t0, t1, from, to] = p;
  const bytes = bytesPerElement(r.input);
  const outBytes = bytesPerElement(r.output);
  const blocks = f.let(op("i32.div_u", add(n, i32(BLOCK - 1)), i32(BLOCK)));
  const item = f.let(from);
  const [outer, first, base, out, left, row, at, i, j] = Array.from({ length: 9 }, () => f.local("i32"));
  const lanes = [r.start(), r.start(), r.start(), r.start()];
  const walk = (sums: readonly Local<"v128">[][], read: (q: number) => Value) => {
    for (const s of sums) r.reset(s);
    f.set(row, base);
    f.set(i, i32(0));
    f.for(i, r0, 1, () => {
      f.set(at, row);
      f.set(j, i32(0));
      f.for(j, r1, 1, () => {
        sums.forEach((s, q) => {
          r.take(s, read(q));
        });
        f.set(at, add(at, t1));
      });
      f.set(row, add(row, t0));
    });
  };
  f.for(item, to, 1, () => {
    f.set(outer, op("i32.div_u", item, blocks));
    f.set(first, mul(op("i32.rem_u", item, blocks), i32(BLOCK)));
    f.set(out, add(target, mul(add(mul(outer, n), first), i32(outBytes))));
    f.set(left, op("i32.sub", n, first));
    f.set(base, add(source, mul(first, i32(bytes))));
    place(f, base, outer, [k1, k2], [s0, s1, s2]);
    f.if(
      op("i32.ge_s", left, i32(BLOCK)),
      () => {
        walk(lanes, (q) => vectorLoad(r.input, q === 0 ? at : add(at, i32(4 * q * bytes))));
        lanes.forEach((sums, q) => {
          storeFour(f, r.output, add(out, i32(4 * q * outBytes)), r.result(sums));
        });
      },
      () =>
        f.while(op("i32.gt_s", left, i32(0)), () => {
          walk([lanes[0]], () => splatLoad(r.input, at));
          storeOne(f, r.output, out, r.result(lanes[0]));
          f.set(out, add(out, i32(outBytes)));
          f.set(base, add(base, i32(bytes)));
          f.set(left, op("i32.sub", left, i32(1)));
        }),
    );
  });
}

/** True if `reduceModule` has the arithmetic for it. */
export function canReduce(name: Reduction, input: DType, output: DType): boolean {
  if (encodingOf(input)) return false;
  if (RULES[name].mask) return output === "bool";
  if (input === "bool") return false;
  return input === output || (!isFloat(input) && output === "int32");
}
