/**
 * Sums of products of 8-bit numbers in WebAssembly: pixels are widened to 16 bits once, without their zero point, weights as
 * they are read; `i32x4.dot_i16x8_s` multiplies eight pairs and adds neighbours, exactly. Two pixels by eight channels are in
 * registers.
 */
import {
  type Expr,
  type Func,
  i32,
  type Local,
  load,
  ModuleBuilder,
  op,
  shuffle,
  type ValueType,
} from "../../runtime/wasm/assembler.js";

type I = Expr<"i32">;
const add = (a: I, b: I | number): I => op("i32.add", a, typeof b === "number" ? i32(b) : b);
const sub = (a: I, b: I): I => op("i32.sub", a, b);
const mul = (a: I, b: I | number): I => op("i32.mul", a, typeof b === "number" ? i32(b) : b);
const params = (f: Func, count: number): Local<"i32">[] =>
  Array.from({ length: count }, (_, i) => f.param<"i32">(i));

const PANEL = 16;
const HALF = 4; // vectors of sums for eight channels
const TILE_BYTES = 2 * PANEL * 4;

/** Words of the table: least, most, then 1/scale, zero, low and high of the result. */
export const TABLE_WORDS = 6;

/**
 * `lay(x, out, channels, words, pixels, zero, signed | from, to, scratch)`: bytes (channel, pixel) become 16-bit numbers
 * (pixel, channel) without `zero`, channels filled to `words` · 4 by zeros; items are blocks of 8 pixels.
 * `widen(x, out, columns, words, zero, signed | …)`: rows of bytes alike; items are rows.
 * `gather(image, pointers, out, taps, words | …)`: all taps of each output side by side; items are outputs.
 * `product(x, pointers, w, y, scale, bias, table, pixels, taps, words, count, rowBytes, channelStep, pixelStep, bytes | …)`:
 * items are pairs of pixels (rows); `pointers` 0: rows lie `rowBytes` apart; `bytes` 1: the result is requantized.
 */
export function quantizedModule(): ModuleBuilder {
  const module = new ModuleBuilder();
  module.func("lay", new Array<ValueType>(10).fill("i32"), null, buildLay);
  module.func("widen", new Array<ValueType>(9).fill("i32"), null, buildWiden);
  module.func("gather", new Array<ValueType>(8).fill("i32"), null, buildGather);
  const micro = module.func(null, new Array<ValueType>(6).fill("i32"), null, buildMicro);
  module.func("product", new Array<ValueType>(18).fill("i32"), null, (f) => buildProduct(f, micro));
  return module;
}

function byteOf(f: Func, address: I, signed: Local<"i32">): Local<"i32"> {
  const value = f.let(load("i32.load8_u", address));
  f.if(signed, () => f.set(value, op("i32.shr_s", op("i32.shl", value, i32(24)), i32(24))));
  return value;
}

function buildLay(f: Func): void {
  const [x, out, channels, words, pixels, zero, signed, from, to] = params(f, 10);
  const zeros = f.let(op("i16x8.splat", zero));
  const row = f.let(mul(words, 8));
  const [block, c, p] = [f.let(from), f.local("i32"), f.local("i32")];
  const whole = f.let(op("i32.and", channels, i32(-4)));
  f.for(block, to, 1, () => {
    const first = f.let(mul(block, 8));
    const end = f.let(add(first, 8));
    f.if(op("i32.gt_s", end, pixels), () => f.set(end, pixels));
    f.set(c, i32(0));
    f.if(op("i32.eq", sub(end, first), i32(8)), () => {
      f.for(c, whole, 4, () => {
        const at = f.let(add(x, add(mul(c, pixels), first)));
        const four = [0, 1, 2, 3].map(() => {
          const bytes = f.let(load("v128.load64_zero", at));
          f.set(at, add(at, pixels));
          return bytes;
        });
        const zip = (a: Expr<"v128">, b: Expr<"v128">, width: number, start: number) =>
          f.let(
            shuffle(
              Array.from({ length: 16 }, (_, i) => {
                const unit = Math.floor(i / width);
                return start + Math.floor(unit / 2) * width + (i % width) + (unit % 2) * 16;
              }),
              a,
              b,
            ),
          );
        const [ab, cd] = [zip(four[0], four[1], 1, 0), zip(four[2], four[3], 1, 0)];
        const to = f.let(add(out, add(mul(first, row), mul(c, 2))));
        for (const start of [0, 8]) {
          const bytes = zip(ab, cd, 2, start);
          for (const half of ["low", "high"] as const) {
            const wide = f.let(op(`i16x8.extend_${half}_i8x16_u`, bytes));
            f.if(signed, () => f.set(wide, op(`i16x8.extend_${half}_i8x16_s`, bytes)));
            f.set(wide, op("i16x8.sub", wide, zeros));
            for (const lane of [0, 1]) {
              f.store("v128.store64_lane", to, wide, 0, lane);
              f.set(to, add(to, row));
            }
          }
        }
      });
    });
    // Channels that fill no group, and pixels that fill no block.
    f.for(c, mul(words, 4), 1, () => {
      f.set(p, first);
      f.for(p, end, 1, () => {
        const value = f.let(i32(0));
        f.if(op("i32.lt_s", c, channels), () =>
          f.set(value, sub(byteOf(f, add(x, add(mul(c, pixels), p)), signed), zero)),
        );
        f.store("i32.store16", add(out, add(mul(p, row), mul(c, 2))), value);
      });
    });
  });
}

function buildWiden(f: Func): void {
  const [x, out, columns, words, zero, signed, from, to] = params(f, 9);
  const zeros = f.let(op("i16x8.splat", zero));
  const [r, c] = [f.let(from), f.local("i32")];
  const whole = f.let(op("i32.and", columns, i32(-8)));
  f.for(r, to, 1, () => {
    const source = f.let(add(x, mul(r, columns)));
    const target = f.let(add(out, mul(r, mul(words, 8))));
    f.set(c, i32(0));
    f.for(c, whole, 8, () => {
      const bytes = f.let(load("v128.load64_zero", add(source, c)));
      const wide = f.let(op("i16x8.extend_low_i8x16_u", bytes));
      f.if(signed, () => f.set(wide, op("i16x8.extend_low_i8x16_s", bytes)));
      f.store("v128.store", add(target, mul(c, 2)), op("i16x8.sub", wide, zeros));
    });
    f.for(c, mul(words, 4), 1, () => {
      const value = f.let(i32(0));
      f.if(op("i32.lt_s", c, columns), () => f.set(value, sub(byteOf(f, add(source, c), signed), zero)));
      f.store("i32.store16", add(target, mul(c, 2)), value);
    });
  });
}

function buildGather(f: Func): void {
  const [image, pointers, out, taps, words, from, to] = params(f, 7);
  const bytes = f.let(mul(words, 8));
  const [i, end] = [f.let(mul(from, taps)), f.let(mul(to, taps))];
  const target = f.let(add(out, mul(i, bytes)));
  f.for(i, end, 1, () => {
    const source = f.let(add(image, load("i32.load", add(pointers, mul(i, 4)))));
    const k = f.let(i32(0));
    f.for(k, bytes, 8, () => {
      f.store("v128.store64_lane", add(target, k), load("v128.load64_zero", add(source, k)));
    });
    f.set(target, add(target, bytes));
  });
}

/** micro(a, b, w, words, sums, more): adds one tap of two pixels and 16 channels; eight channels at a time. */
function buildMicro(f: Func): void {
  const [first, second, panel, words, tile, more] = params(f, 6);
  for (const half of [0, 1]) {
    const pixels = [f.let(first), f.let(second)];
    const w = f.let(add(panel, half * 32));
    const at = (r: number, v: number): number => (r * PANEL + half * 8) * 8 + v * 16;
    const sums = pixels.map(() => Array.from({ length: HALF }, () => f.let(op("i32x4.splat", i32(0)))));
    f.if(more, () =>
      sums.forEach((row, r) => {
        for (const [v, sum] of row.entries()) f.set(sum, load("v128.load", tile, at(r, v)));
      }),
    );
    const k = f.let(i32(0));
    const weights = Array.from({ length: HALF }, () => f.local("v128"));
    f.for(k, words, 1, () => {
      for (let v = 0; v < HALF; v++) f.set(weights[v], load("v128.load8x8_s", w, v * 8));
      pixels.forEach((pixel, r) => {
        const x = f.let(load("v128.load64_splat", pixel));
        for (let v = 0; v < HALF; v++)
          f.set(sums[r][v], op("i32x4.add", sums[r][v], op("i32x4.dot_i16x8_s", x, weights[v])));
        f.set(pixel, add(pixel, 8));
      });
      f.set(w, add(w, PANEL * 4));
    });
    sums.forEach((row, r) => {
      for (const [v, sum] of row.entries()) f.store("v128.store", tile, sum, at(r, v));
    });
  }
}

const EVEN = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
const ODD = EVEN.map((i) => i + 4);

function buildProduct(f: Func, micro: Func): void {
  const all = params(f, 18);
  const [x, pointers, weights, y, scale, bias, table, pixels, taps, words, count] = all;
  const [rowBytes, channelStep, pixelStep, bytes, from, to, scratch] = all.slice(11);
  const splat = (word: number) => f.let(load("v128.load32_splat", table, word * 4));
  const [least, most, inverse, zero, low, high] = Array.from({ length: TABLE_WORDS }, (_, i) => splat(i));
  const tapBytes = f.let(mul(words, PANEL * 4));
  const w = f.let(weights);
  const results = f.let(add(scratch, 2 * TILE_BYTES));
  const [channel, pair, t, k, at, left, tap, source] = Array.from({ length: 8 }, () => f.local("i32"));
  /** Four channels of the tile, from sums to results: floats, or whole numbers in int32. */
  const finished = (v: number, column: number): Local<"v128"> => {
    // Two partial sums of each channel lie side by side.
    const [a, b] = [0, 16].map((o) => f.let(load("v128.load", scratch, v * 32 + o)));
    const sum = op("i32x4.add", shuffle(EVEN, a, b), shuffle(ODD, a, b));
    const operand = (array: I) => load("v128.load", add(array, mul(channel, 4)), column * 4);
    const real = op("f32x4.mul", op("f32x4.convert_i32x4_s", sum), operand(scale));
    const value = f.let(op("f32x4.add", real, operand(bias)));
    f.set(value, op("f32x4.pmin", op("f32x4.pmax", value, least), most));
    f.if(bytes, () => {
      const whole = op("f32x4.add", op("f32x4.nearest", op("f32x4.mul", value, inverse)), zero);
      f.set(value, op("i32x4.trunc_sat_f32x4_s", op("f32x4.pmin", op("f32x4.pmax", whole, low), high)));
    });
    return value;
  };
  f.set(channel, i32(0));
  f.for(channel, count, PANEL, () => {
    f.set(left, sub(count, channel));
    f.if(op("i32.gt_s", left, i32(PANEL)), () => f.set(left, i32(PANEL)));
    f.set(pair, from);
    f.for(pair, to, 1, () => {
      const pixel = f.let(mul(pair, 2));
      // An odd last pixel is computed twice.
      const second = f.let(add(pixel, op("i32.lt_s", add(pixel, 1), pixels)));
      f.set(tap, w);
      f.set(t, i32(0));
      f.for(t, taps, 1, () => {
        const place = (i: Local<"i32">): Local<"i32"> => {
          const found = f.let(add(x, mul(i, rowBytes)));
          f.if(pointers, () =>
            f.set(found, add(x, load("i32.load", add(pointers, mul(add(mul(i, taps), t), 4))))),
          );
          return found;
        };
        f.call(micro, place(pixel), place(second), tap, words, scratch, t);
        f.set(tap, add(tap, tapBytes));
      });
      const size = (i: I): I => op("i32.shl", i, op("i32.shl", op("i32.eqz", bytes), i32(1)));
      const stride = f.let(size(channelStep));
      const there = f.let(add(sub(second, pixel), 1));
      for (let r = 0; r < 2; r++) {
        f.set(at, add(y, size(add(mul(channel, channelStep), mul(add(pixel, r), pixelStep)))));
        f.if(op("i32.gt_s", there, i32(r)), () => {
          const values = Array.from({ length: HALF }, (_, v) => finished(r * HALF + v, v * 4));
          f.if(
            op("i32.eq", left, i32(PANEL)),
            () => spread(values),
            () => {
              for (const [v, value] of values.entries()) f.store("v128.store", results, value, v * 16);
              f.set(k, i32(0));
              f.set(source, results);
              f.for(k, left, 1, () => {
                const word = load("i32.load", source);
                f.if(
                  bytes,
                  () => f.store("i32.store8", at, word),
                  () => f.store("i32.store", at, word),
                );
                f.set(source, add(source, 4));
                f.set(at, add(at, stride));
              });
            },
          );
        });
      }
      function spread(values: readonly Local<"v128">[]): void {
        const each = (store: (value: Local<"v128">, lane: number) => void): void => {
          for (const value of values)
            for (let lane = 0; lane < 4; lane++) {
              store(value, lane);
              f.set(at, add(at, stride));
            }
        };
        f.if(
          bytes,
          () => each((value, lane) => f.store("v128.store8_lane", at, value, 0, lane * 4)),
          () => each((value, lane) => f.store("v128.store32_lane", at, value, 0, lane)),
        );
      }
    });
    f.set(w, add(w, mul(tapBytes, taps)));
  });
}
