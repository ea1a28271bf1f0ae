/**
 * float64 where WGSL has none: sums, and casts from and to it, by integers. Enough for the counters and rates of
 * optimizers, which are float64, to stay on the device; all else of that dtype is the host's.
 */
import type { DType } from "../../core/dtype.js";
import { sizeOf } from "../../core/shape.js";
import type { RemoteType } from "../../runtime/remote.js";
import { operandPositions } from "./elementwise.js";
import type { GpuKernel } from "./indexing.js";
import { type GpuArray, isStored, ShaderWriter } from "./shader.js";

/** Of 64 bits: x the lower word, y the upper one. */
const BITS = `fn shl64(v: vec2u, n: u32) -> vec2u {
  if (n == 0u) { return v; }
  if (n >= 32u) { return vec2u(0u, select(0u, v.x << (n - 32u), n < 64u)); }
  return vec2u(v.x << n, (v.y << n) | (v.x >> (32u - n)));
}
fn shr64(v: vec2u, n: u32) -> vec2u {
  if (n == 0u) { return v; }
  if (n >= 32u) { return vec2u(select(0u, v.y >> (n - 32u), n < 64u), 0u); }
  return vec2u((v.x >> n) | (v.y << (32u - n)), v.y >> n);
}
fn add64(a: vec2u, b: vec2u) -> vec2u {
  let low = a.x + b.x;
  return vec2u(low, a.y + b.y + select(0u, 1u, low < a.x));
}
fn sub64(a: vec2u, b: vec2u) -> vec2u {
  return vec2u(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x));
}
fn less64(a: vec2u, b: vec2u) -> bool { return a.y < b.y || (a.y == b.y && a.x < b.x); }
fn clz64(v: vec2u) -> u32 { return select(countLeadingZeros(v.y), 32u + countLeadingZeros(v.x), v.y == 0u); }
// What is shifted out leaves a one in the last place, so that it is known in rounding.
fn shr_sticky(v: vec2u, n: u32) -> vec2u {
  let kept = shr64(v, n);
  let lost = any(shl64(kept, n) != v) || n >= 64u;
  return select(kept, kept | vec2u(1u, 0u), vec2<bool>(lost && any(v != vec2u(0u))));
}
fn exponent(v: vec2u) -> u32 { return (v.y >> 20u) & 2047u; }
fn isnan64(v: vec2u) -> bool { return exponent(v) == 2047u && ((v.y & 0xfffffu) | v.x) != 0u; }`;

/** Sign, exponent and a significand whose first place is bit 62, rounded to the nearest, of equally near the even one. */
const ROUND = `fn pack64(sign: u32, exponent_in: i32, m_in: vec2u) -> vec2u {
  if (all(m_in == vec2u(0u))) { return vec2u(0u, sign); }
  let up = clz64(m_in) - 1u;
  var m = shl64(m_in, up);
  var e = exponent_in - i32(up);
  if (clz64(m_in) == 0u) { m = shr_sticky(m_in, 1u); e = exponent_in + 1; }
  if (e < 1) { m = shr_sticky(m, u32(1 - e)); e = 0; }
  let rest = m.x & 1023u;
  var r = shr64(m, 10u);
  if (rest > 512u || (rest == 512u && (r.x & 1u) == 1u)) { r = add64(r, vec2u(1u, 0u)); }
  if (e == 0) { return vec2u(r.x, sign | r.y); }
  if (r.y >= 0x200000u) { r = shr64(r, 1u); e++; }
  if (e >= 2047) { return vec2u(0u, sign | 0x7ff00000u); }
  return vec2u(r.x, sign | (u32(e) << 20u) | (r.y & 0xfffffu));
}
fn significand(v: vec2u) -> vec2u {
  let hidden = select(0u, 0x100000u, exponent(v) != 0u);
  return shl64(vec2u(v.x, (v.y & 0xfffffu) | hidden), 10u);
}`;

const SUM = `fn sum64(p: vec2u, q: vec2u) -> vec2u {
  if (isnan64(p) || isnan64(q)) { return vec2u(0u, 0x7ff80000u); }
  let swap = less64(p & vec2u(0xffffffffu, 0x7fffffffu), q & vec2u(0xffffffffu, 0x7fffffffu));
  let a = select(p, q, vec2<bool>(swap));
  let b = select(q, p, vec2<bool>(swap));
  let sa = a.y & 0x80000000u;
  let sb = b.y & 0x80000000u;
  if (exponent(a) == 2047u) {
    if (exponent(b) == 2047u && sa != sb) { return vec2u(0u, 0x7ff80000u); }
    return a;
  }
  let ea = i32(max(exponent(a), 1u));
  let eb = i32(max(exponent(b), 1u));
  let ma = significand(a);
  let mb = shr_sticky(significand(b), u32(min(ea - eb, 64)));
  if (sa == sb) { return pack64(sa, ea, add64(ma, mb)); }
  let d = sub64(ma, mb);
  return pack64(select(sa, 0u, all(d == vec2u(0u))), ea, d);
}`;

const FROM: Readonly<Record<string, string>> = {
  float64: "fn cast64(v: vec2u) -> vec2u { return v; }",
  float32: `fn cast64(v: f32) -> vec2u {
  let b = bitcast<u32>(v);
  let sign = b & 0x80000000u;
  let e = (b >> 23u) & 255u;
  let m = b & 0x7fffffu;
  if (e == 255u) { return vec2u(m << 29u, sign | 0x7ff00000u | (m >> 3u)); }
  let whole = select(m, m | 0x800000u, e != 0u);
  return pack64(sign, i32(max(e, 1u)) - 127 + 1023, shl64(vec2u(whole, 0u), 39u));
}`,
  int32: `fn cast64(v: i32) -> vec2u {
  let size = select(u32(v), 0u - u32(v), v < 0);
  return pack64(select(0u, 0x80000000u, v < 0), 1023 + 62, vec2u(size, 0u));
}`,
  bool: "fn cast64(v: bool) -> vec2u { return select(vec2u(0u), vec2u(0u, 0x3ff00000u), v); }",
};

const TO: Readonly<Record<string, string>> = {
  float32: `fn cast64(v: vec2u) -> f32 {
  let sign = v.y & 0x80000000u;
  let e = i32(exponent(v));
  if (e == 2047) {
    var special = sign | select(0x7f800000u, 0x7fc00000u, isnan64(v));
    return bitcast<f32>(special);
  }
  var m = significand(v);
  var f = e - 1023 + 127;
  if (f < 1) { m = shr_sticky(m, u32(min(1 - f, 64))); f = 0; }
  // The first place is bit 62: 24 are kept.
  let kept = shr64(m, 39u).x;
  let rest = m & vec2u(0xffffffffu, 127u);
  let half = vec2u(0u, 64u);
  var r = kept;
  if (less64(half, rest) || (all(rest == half) && (kept & 1u) == 1u)) { r++; }
  if (f == 0) { let small = sign | r; return bitcast<f32>(small); }
  if (r >= 0x1000000u) { r >>= 1u; f++; }
  var bits = sign | 0x7f800000u;
  if (f < 255) { bits = sign | (u32(f) << 23u) | (r & 0x7fffffu); }
  return bitcast<f32>(bits);
}`,
  int32: `fn cast64(v: vec2u) -> i32 {
  let e = i32(exponent(v)) - 1023;
  if (e < 0 || e > 83) { return 0; }
  let m = shr64(significand(v), 10u);
  var word = 0u;
  if (e <= 52) { word = shr64(m, u32(52 - e)).x; } else { word = shl64(m, u32(e - 52)).x; }
  return bitcast<i32>(select(word, 0u - word, (v.y & 0x80000000u) != 0u));
}`,
  bool: "fn cast64(v: vec2u) -> bool { return ((v.y & 0x7fffffffu) | v.x) != 0u; }",
};

const isDouble = ({ dtype }: { dtype: DType }): boolean => dtype === "float64";

/** The `add` of float64. */
export const doubleAdd: GpuKernel<object> = {
  op: "add",
  supports: (inputs, outputs) => [...inputs, ...outputs].every(isDouble),
  run([a, b], [out]) {
    const w = writer("add (float64)");
    w.declare(SUM);
    each(w, [a, b], out, ([x, y]) => `sum64(${x}, ${y})`);
  },
};

/** Casts from float64 and to it. */
export const doubleCast: GpuKernel<object> = {
  op: "cast",
  supports: ([x], [y]) =>
    (isDouble(x) && (isDouble(y) || y.dtype in TO)) || (isDouble(y) && x.dtype in FROM && isStored(x)),
  run([x], [out]) {
    const w = writer("cast (float64)");
    w.declare(isDouble(out) ? FROM[x.dtype] : TO[out.dtype]);
    each(w, [x], out, ([v]) => `cast64(${v})`);
  },
};

/** Copies of float64, whatever the layout. */
export const doubleCopy = (op: string): GpuKernel<object> => ({
  op,
  supports: (inputs: readonly RemoteType[], outputs) => [...inputs, ...outputs].every(isDouble),
  run: ([x], [out]) => each(writer(op), [x], { ...out, shape: x.shape }, ([v]) => v),
});

function writer(label: string): ShaderWriter {
  const w = new ShaderWriter(label);
  w.declare(BITS);
  w.declare(ROUND);
  return w;
}

/** One element to an invocation, four where they share a word. */
function each(
  w: ShaderWriter,
  inputs: readonly GpuArray[],
  out: GpuArray,
  value: (x: readonly string[]) => string,
): void {
  const size = sizeOf(out.shape);
  if (size === 0) return;
  const sources = inputs.map((x) => (isDouble(x) ? w.raw(x, "vec2u") : w.input(x).element));
  const at = (i: string): { text: string; value: string } => {
    const { text, places } = operandPositions(w, out.shape, inputs, i);
    return { text, value: value(sources.map((element, o) => element(places[o]))) };
  };
  const one = at("i");
  if (out.dtype === "bool") {
    w.declare(`fn element(i: u32) -> bool { ${one.text} return ${one.value}; }`);
    const four = [0, 1, 2, 3].map((k) => `element(i * 4u + ${k}u)`);
    w.runItems(Math.ceil(size / 4), w.output(out).vector("i", `vec4<bool>(${four.join(", ")})`));
    return;
  }
  const store = isDouble(out)
    ? w.rawOutput(out, "vec2u", "i", one.value)
    : w.output(out).element("i", one.value);
  w.runItems(size, `${one.text}\n  ${store}`);
}
