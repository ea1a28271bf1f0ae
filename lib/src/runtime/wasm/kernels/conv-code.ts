/** Moving pixels for convolutions: images to columns (one row per filter element) and back, adding. */
import {
  type Expr,
  type Func,
  i32,
  type Local,
  load,
  ModuleBuilder,
  op,
  select,
  type ValueType,
} from "../assembler.js";

/**
 * `toColumns` and `fromColumns`, both
 * `(images, columns, height, width, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow, channels, imageStep, rowStep | from, to, scratch)`.
 * Images are planes of height × width, side by side. toColumns: items are (image, channel, p, q), each a run of oh·ow
 * columns. fromColumns: items are (image, channel) planes. The run of an item starts at
 * `columns + image · imageStep + (channel · kh · kw + p · kw + q) · rowStep` bytes.
 */
export function convModule(bytes: 4 | 8): ModuleBuilder {
  const module = new ModuleBuilder();
  const params = new Array<ValueType>(20).fill("i32");
  module.func("toColumns", params, null, (f) => buildToColumns(f, bytes));
  module.func("fromColumns", params, null, (f) => buildFromColumns(f, bytes));
  return module;
}

const add = (a: Expr<"i32">, b: Expr<"i32">) => op("i32.add", a, b);
const sub = (a: Expr<"i32">, b: Expr<"i32">) => op("i32.sub", a, b);
const mul = (a: Expr<"i32">, b: Expr<"i32">) => op("i32.mul", a, b);
const least = (a: Expr<"i32">, b: Expr<"i32">) => select(op("i32.lt_s", a, b), a, b);
const most = (a: Expr<"i32">, b: Expr<"i32">) => select(op("i32.gt_s", a, b), a, b);
/** ⌈a / b⌉ for a > −b, b > 0. */
const up = (a: Expr<"i32">, b: Expr<"i32">) => op("i32.div_s", add(a, sub(b, i32(1))), b);

interface Window {
  /** First and last + 1 output position whose pixel lies inside, and the pixel of output position 0. */
  readonly first: Local<"i32">;
  readonly end: Local<"i32">;
  readonly shift: Local<"i32">;
}

/** Output positions o with 0 ≤ o·stride + shift < size. */
function window(
  f: Func,
  size: Expr<"i32">,
  stride: Expr<"i32">,
  shift: Local<"i32">,
  count: Expr<"i32">,
): Window {
  const behind = f.let(most(i32(0), sub(i32(0), shift)));
  const first = f.let(least(count, up(behind, stride)));
  const room = f.let(most(i32(0), sub(size, shift)));
  const end = f.let(most(first, least(count, up(room, stride))));
  return { first, end, shift };
}

interface Sizes {
  readonly [name: string]: Local<"i32">;
}

const NAMES = [
  ...["images", "columns", "height", "width", "kh", "kw", "sh", "sw", "ph", "pw", "dh", "dw", "oh", "ow"],
  ...["channels", "imageStep", "rowStep", "from", "to", "scratch"],
];

function named(f: Func): Sizes {
  return Object.fromEntries(NAMES.map((name, i) => [name, f.param<"i32">(i)]));
}

function buildToColumns(f: Func, bytes: 4 | 8): void {
  const s = named(f);
  const item = f.let(s.from);
  const shiftBits = i32(bytes === 4 ? 2 : 3);
  const scaled = (x: Expr<"i32">) => op("i32.shl", x, shiftBits);
  f.for(item, s.to, 1, () => {
    const taps = f.let(mul(s.kh, s.kw));
    const plane = f.let(op("i32.div_u", item, taps));
    const tap = f.let(op("i32.rem_u", item, taps));
    const p = f.let(op("i32.div_u", tap, s.kw));
    const q = f.let(op("i32.rem_u", tap, s.kw));
    const image = f.let(op("i32.div_u", plane, s.channels));
    const row = f.let(add(mul(op("i32.rem_u", plane, s.channels), taps), tap));
    const to = f.let(add(s.columns, add(mul(image, s.imageStep), mul(row, s.rowStep))));
    const from = f.let(add(s.images, scaled(mul(plane, mul(s.height, s.width)))));
    const v = window(f, s.height, s.sh, f.let(sub(mul(p, s.dh), s.ph)), s.oh);
    const h = window(f, s.width, s.sw, f.let(sub(mul(q, s.dw), s.pw)), s.ow);
    const line = f.let(scaled(s.ow));
    const r = f.let(i32(0));
    const c = f.local("i32");
    f.for(r, s.oh, 1, () => {
      f.if(
        op("i32.and", op("i32.ge_s", r, v.first), op("i32.lt_s", r, v.end)),
        () => {
          const y = add(mul(r, s.sh), v.shift);
          const source = f.let(add(from, scaled(add(mul(y, s.width), h.shift))));
          f.set(c, i32(0));
          f.for(c, h.first, 1, () => storeZero(f, bytes, add(to, scaled(c))));
          f.set(c, h.first);
          f.if(op("i32.eq", s.sw, i32(1)), () => {
            f.for(c, sub(h.end, i32(16 / bytes - 1)), 16 / bytes, () => {
              f.store("v128.store", add(to, scaled(c)), load("v128.load", add(source, scaled(c))));
            });
          });
          f.for(c, h.end, 1, () => {
            move(f, bytes, add(to, scaled(c)), add(source, scaled(mul(c, s.sw))));
          });
          f.for(c, s.ow, 1, () => storeZero(f, bytes, add(to, scaled(c))));
        },
        () => f.fill(to, i32(0), line),
      );
      f.set(to, add(to, line));
    });
  });
}

function buildFromColumns(f: Func, bytes: 4 | 8): void {
  const s = named(f);
  const item = f.let(s.from);
  const shiftBits = i32(bytes === 4 ? 2 : 3);
  const scaled = (x: Expr<"i32">) => op("i32.shl", x, shiftBits);
  const [p, q, r, c] = [0, 0, 0, 0].map(() => f.local("i32"));
  f.for(item, s.to, 1, () => {
    const image = f.let(op("i32.div_u", item, s.channels));
    const channel = f.let(op("i32.rem_u", item, s.channels));
    const size = f.let(scaled(mul(s.height, s.width)));
    const plane = f.let(add(s.images, mul(item, size)));
    f.fill(plane, i32(0), size);
    const taps = mul(channel, mul(s.kh, s.kw));
    const row = f.let(add(s.columns, add(mul(image, s.imageStep), mul(taps, s.rowStep))));
    f.set(p, i32(0));
    f.for(p, s.kh, 1, () => {
      const v = window(f, s.height, s.sh, f.let(sub(mul(p, s.dh), s.ph)), s.oh);
      f.set(q, i32(0));
      f.for(q, s.kw, 1, () => {
        const h = window(f, s.width, s.sw, f.let(sub(mul(q, s.dw), s.pw)), s.ow);
        f.set(r, v.first);
        f.for(r, v.end, 1, () => {
          const y = add(mul(r, s.sh), v.shift);
          const target = f.let(add(plane, scaled(add(mul(y, s.width), h.shift))));
          const source = f.let(add(row, scaled(mul(r, s.ow))));
          f.set(c, h.first);
          f.if(op("i32.eq", s.sw, i32(1)), () => {
            f.for(c, sub(h.end, i32(16 / bytes - 1)), 16 / bytes, () => {
              const at = f.let(add(target, scaled(c)));
              const sum = op(
                bytes === 4 ? "f32x4.add" : "f64x2.add",
                load("v128.load", at),
                load("v128.load", add(source, scaled(c))),
              );
              f.store("v128.store", at, sum);
            });
          });
          f.for(c, h.end, 1, () => {
            accumulate(f, bytes, f.let(add(target, scaled(mul(c, s.sw)))), add(source, scaled(c)));
          });
        });
        f.set(row, add(row, s.rowStep));
      });
    });
  });
}

function storeZero(f: Func, bytes: 4 | 8, at: Expr<"i32">): void {
  const zero = op("i32x4.splat", i32(0));
  f.store(bytes === 4 ? "v128.store32_lane" : "v128.store64_lane", at, zero);
}

function move(f: Func, bytes: 4 | 8, to: Expr<"i32">, from: Expr<"i32">): void {
  if (bytes === 4) f.store("f32.store", to, load("f32.load", from));
  else f.store("f64.store", to, load("f64.load", from));
}

function accumulate(f: Func, bytes: 4 | 8, to: Local<"i32">, from: Expr<"i32">): void {
  if (bytes === 4) f.store("f32.store", to, op("f32.add", load("f32.load", to), load("f32.load", from)));
  else f.store("f64.store", to, op("f64.add", load("f64.load", to), load("f64.load", from)));
}
