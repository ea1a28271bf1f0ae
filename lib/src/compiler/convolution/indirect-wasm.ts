/** The inner product of indirect convolution in WebAssembly: two pixels by a panel of filters in registers. */
import {
  type Expr,
  type Func,
  i32,
  load,
  ModuleBuilder,
  op,
  type ValueType,
} from "../../runtime/wasm/assembler.js";
import { wasmFeatures } from "../../runtime/wasm/features.js";

/** Filters of a panel: four vectors. */
export const PANEL = 16;
const VECTORS = 4;
const PIXELS = 2;

const add = (a: Expr<"i32">, b: Expr<"i32"> | number): Expr<"i32"> =>
  op("i32.add", a, typeof b === "number" ? i32(b) : b);
const mul = (a: Expr<"i32">, b: Expr<"i32"> | number): Expr<"i32"> =>
  op("i32.mul", a, typeof b === "number" ? i32(b) : b);

/**
 * `indirect(image, pointers, filters, y, pixels, taps, channels, filterCount | from, to, scratch)`: items are output pixels;
 * y has `pixels` per filter.
 */
export function indirectModule(): ModuleBuilder {
  const module = new ModuleBuilder();
  const { relaxed } = wasmFeatures();
  const micro = module.func(null, new Array<ValueType>(7).fill("i32"), null, (f) => buildMicro(f, relaxed));
  module.func("indirect", new Array<ValueType>(11).fill("i32"), null, (f) => {
    const all = Array.from({ length: 11 }, (_, i) => f.param<"i32">(i));
    const [image, pointers, filters, y, pixels, taps, channels, count, from, to, scratch] = all;
    const panel = f.let(mul(mul(taps, channels), PANEL * 4));
    const w = f.let(filters);
    const [first, pixel, r, k, at, left] = Array.from({ length: 6 }, () => f.local("i32"));
    f.set(first, i32(0));
    f.for(first, count, PANEL, () => {
      f.set(pixel, from);
      f.for(pixel, to, PIXELS, () => {
        const row = (i: Expr<"i32">): Expr<"i32"> => add(pointers, mul(mul(i, taps), 4));
        // An odd last pixel is computed twice.
        const second = f.let(add(pixel, op("i32.lt_s", add(pixel, 1), to)));
        f.call(micro, image, row(pixel), row(second), w, taps, channels, scratch);
        f.set(left, op("i32.sub", count, first));
        f.if(op("i32.gt_s", left, i32(PANEL)), () => f.set(left, i32(PANEL)));
        f.set(r, i32(0));
        f.for(r, add(op("i32.sub", second, pixel), 1), 1, () => {
          f.set(at, add(y, mul(add(mul(first, pixels), add(pixel, r)), 4)));
          f.set(k, i32(0));
          f.for(k, left, 1, () => {
            f.store("f32.store", at, load("f32.load", add(scratch, add(mul(r, PANEL * 4), mul(k, 4)))));
            f.set(at, add(at, mul(pixels, 4)));
          });
        });
      });
      f.set(w, add(w, panel));
    });
  });
  return module;
}

/** micro(image, row, second row of pointers, panel, taps, channels, tile): 2 × 16 sums. */
function buildMicro(f: Func, relaxed: boolean): void {
  const [image, p, q, w, taps, channels, tile] = Array.from({ length: 7 }, (_, i) => f.param<"i32">(i));
  const sums = Array.from({ length: PIXELS * VECTORS }, () => f.let(op("i32x4.splat", i32(0))));
  const vectors = Array.from({ length: VECTORS }, () => f.local("v128"));
  const [t, c] = [f.let(i32(0)), f.local("i32")];
  f.for(t, taps, 1, () => {
    const rows = [p, q].map((pointer) => f.let(add(image, load("i32.load", pointer))));
    f.set(c, i32(0));
    f.for(c, channels, 1, () => {
      for (let v = 0; v < VECTORS; v++) f.set(vectors[v], load("v128.load", w, v * 16));
      rows.forEach((row, r) => {
        const x = f.let(load("v128.load32_splat", row));
        for (let v = 0; v < VECTORS; v++) {
          const sum = sums[r * VECTORS + v];
          f.set(
            sum,
            relaxed
              ? op("f32x4.relaxed_madd", x, vectors[v], sum)
              : op("f32x4.add", sum, op("f32x4.mul", x, vectors[v])),
          );
        }
        f.set(row, add(row, 4));
      });
      f.set(w, add(w, PANEL * 4));
    });
    for (const pointer of [p, q]) f.set(pointer, add(pointer, 4));
  });
  for (const [i, sum] of sums.entries()) f.store("v128.store", tile, sum, i * 16);
}
