/**
 * Elementary functions in WGSL where the built-in ones are too inexact to be relied on (WGSL allows sin an error of
 * 2⁻¹¹, atan 4096 units) or undefined at NaN and ∞: reductions and polynomials of Cephes (Moshier), on four floats.
 */
import { type MathFunction, SPECIAL } from "./math-special.js";

const FUNCTIONS: Readonly<Record<string, MathFunction>> = {
  // Through variables: constants that are no finite numbers are errors in WGSL.
  m_nan: { text: "fn m_nan() -> vec4f { var b = vec4u(0x7fc00000u); return bitcast<vec4f>(b); }" },
  m_inf: { text: "fn m_inf() -> vec4f { var b = vec4u(0x7f800000u); return bitcast<vec4f>(b); }" },
  m_isnan: {
    text: "fn m_isnan(x: vec4f) -> vec4<bool> { return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u); }",
  },
  m_isinf: {
    text: "fn m_isinf(x: vec4f) -> vec4<bool> { return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) == vec4u(0x7f800000u); }",
  },
  m_isfinite: {
    text: "fn m_isfinite(x: vec4f) -> vec4<bool> { return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) < vec4u(0x7f800000u); }",
  },
  m_signbit: {
    text: "fn m_signbit(x: vec4f) -> vec4<bool> { return (bitcast<vec4u>(x) >> vec4u(31u)) == vec4u(1u); }",
  },
  m_copysign: {
    text: "fn m_copysign(x: vec4f, s: vec4f) -> vec4f { return bitcast<vec4f>((bitcast<vec4u>(x) & vec4u(0x7fffffffu)) | (bitcast<vec4u>(s) & vec4u(0x80000000u))); }",
  },
  m_exp: {
    needs: ["m_isnan", "m_inf"],
    text: `fn m_exp(x: vec4f) -> vec4f {
  let t = clamp(x, vec4f(-104.0), vec4f(89.0));
  let n = round(t * 1.44269504);
  let r = (t - n * 0.693359375) + n * 2.12194440e-4;
  var p = vec4f(1.9875691500e-4);
  p = p * r + 1.3981999507e-3;
  p = p * r + 8.3334519073e-3;
  p = p * r + 4.1665795894e-2;
  p = p * r + 1.6666665459e-1;
  p = p * r + 5.0000001201e-1;
  let k = vec4i(n);
  let h = k / 2;
  let a = bitcast<vec4f>((h + 127) << vec4u(23u));
  let b = bitcast<vec4f>((k - h + 127) << vec4u(23u));
  let y = (p * r * r + r + 1.0) * a * b;
  return select(select(select(y, vec4f(0.0), x < vec4f(-104.0)), m_inf(), x > vec4f(89.0)), x, m_isnan(x));
}`,
  },
  m_exp2: {
    needs: ["m_exp", "m_isnan"],
    text: `fn m_exp2(x: vec4f) -> vec4f {
  let t = clamp(x, vec4f(-160.0), vec4f(130.0));
  let n = round(t);
  let k = vec4i(n);
  let h = k / 2;
  let a = bitcast<vec4f>((h + 127) << vec4u(23u));
  let b = bitcast<vec4f>((k - h + 127) << vec4u(23u));
  return select(m_exp((t - n) * 0.69314718056) * a * b, x, m_isnan(x));
}`,
  },
  m_expm1: {
    needs: ["m_exp"],
    text: `fn m_expm1(x: vec4f) -> vec4f {
  var p = vec4f(1.9841270e-4);
  p = p * x + 1.3888889e-3;
  p = p * x + 8.3333333e-3;
  p = p * x + 4.1666667e-2;
  p = p * x + 1.6666667e-1;
  p = p * x + 0.5;
  let near = select(x * x * p + x, x, x == vec4f(0.0)); // of -0 too
  return select(m_exp(x) - 1.0, near, abs(x) < vec4f(0.4));
}`,
  },
  m_log: {
    needs: ["m_isnan", "m_nan", "m_inf"],
    text: `fn m_log(x: vec4f) -> vec4f {
  let tiny = x < vec4f(1.17549435e-38);
  let v = select(x, x * 8388608.0, tiny);
  let b = bitcast<vec4i>(v);
  var e = vec4f((b >> vec4u(23u)) - 126) - select(vec4f(0.0), vec4f(23.0), tiny);
  var m = bitcast<vec4f>((b & vec4i(0x007fffff)) | vec4i(0x3f000000));
  let low = m < vec4f(0.70710678);
  e -= select(vec4f(0.0), vec4f(1.0), low);
  let r = select(m, m + m, low) - 1.0;
  let z = r * r;
  var p = vec4f(7.0376836292e-2);
  p = p * r - 1.1514610310e-1;
  p = p * r + 1.1676998740e-1;
  p = p * r - 1.2420140846e-1;
  p = p * r + 1.4249322787e-1;
  p = p * r - 1.6668057665e-1;
  p = p * r + 2.0000714765e-1;
  p = p * r - 2.4999993993e-1;
  p = p * r + 3.3333331174e-1;
  let y = e * 0.693359375 + (r + (r * z * p + e * -2.12194440e-4 - 0.5 * z));
  let upper = select(y, x, m_isnan(x) | (x == m_inf()));
  return select(select(upper, m_nan(), x < vec4f(0.0)), -m_inf(), x == vec4f(0.0));
}`,
  },
  m_log1p: {
    needs: ["m_log", "m_isfinite"],
    text: `fn m_log1p(x: vec4f) -> vec4f {
  let u = 1.0 + x;
  let near = u == vec4f(1.0);
  let d = select(u - 1.0, vec4f(1.0), near);
  let y = m_log(u) * (x / d);
  return select(select(m_log(u), y, m_isfinite(u) & (u > vec4f(0.0))), x, near);
}`,
  },
  m_sincos: {
    needs: ["m_nan", "m_isfinite"],
    text: `fn m_sincos(x: vec4f, quarter: i32) -> vec4f {
  let n = round(x * 0.63661977);
  let r = ((x - n * 1.5703125) - n * 4.837512969970703e-4) - n * 7.549789948768648e-8;
  let z = r * r;
  let s = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
  let c = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0;
  let q = (vec4i(clamp(n, vec4f(-1e9), vec4f(1e9))) + quarter) & vec4i(3);
  let y = select(s, c, (q & vec4i(1)) == vec4i(1));
  return select(m_nan(), select(y, -y, q >= vec4i(2)), m_isfinite(x));
}`,
  },
  m_sin: {
    needs: ["m_sincos"],
    text: "fn m_sin(x: vec4f) -> vec4f { return select(m_sincos(x, 0), x, x == vec4f(0.0)); }",
  },
  m_cos: { needs: ["m_sincos"], text: "fn m_cos(x: vec4f) -> vec4f { return m_sincos(x, 1); }" },
  m_atan: {
    needs: ["m_copysign", "m_isnan"],
    text: `fn m_atan(x: vec4f) -> vec4f {
  let a = abs(x);
  let far = a > vec4f(2.414213562);
  let middle = a > vec4f(0.4142135624);
  let t = select(select(a, (a - 1.0) / (a + 1.0), middle), -1.0 / a, far);
  let base = select(select(vec4f(0.0), vec4f(0.785398163397), middle), vec4f(1.570796326795), far);
  let z = t * t;
  let y = (((8.05374449538e-2 * z - 1.38776856032e-1) * z + 1.99777106478e-1) * z - 3.33329491539e-1) * z * t + t + base;
  return select(m_copysign(y, x), x, m_isnan(x));
}`,
  },
  m_atan2: {
    needs: ["m_atan", "m_copysign", "m_signbit", "m_isnan", "m_isinf", "m_nan"],
    text: `fn m_atan2(a: vec4f, b: vec4f) -> vec4f {
  let both = m_isinf(a) & m_isinf(b);
  let q = select(abs(a) / abs(b), vec4f(1.0), both);
  let t = select(m_atan(q), vec4f(0.0), (a == vec4f(0.0)));
  let y = select(t, 3.14159265359 - t, m_signbit(b));
  return select(m_copysign(y, a), m_nan(), m_isnan(a) | m_isnan(b));
}`,
  },
  m_asin: {
    needs: ["m_copysign", "m_isnan", "m_nan"],
    text: `fn m_asin(x: vec4f) -> vec4f {
  let a = abs(x);
  let far = a > vec4f(0.5);
  let z = select(a * a, 0.5 * (1.0 - a), far);
  let t = select(a, sqrt(max(z, vec4f(0.0))), far);
  let p = ((((4.2163199048e-2 * z + 2.4181311049e-2) * z + 4.5470025998e-2) * z + 7.4953002686e-2) * z + 1.6666752422e-1) * z * t + t;
  let y = select(p, 1.570796326795 - 2.0 * p, far);
  return select(select(m_copysign(y, x), m_nan(), a > vec4f(1.0)), x, m_isnan(x));
}`,
  },
  m_acos: {
    needs: ["m_asin"],
    text: `fn m_acos(x: vec4f) -> vec4f {
  let high = 2.0 * m_asin(sqrt(max(0.5 * (1.0 - x), vec4f(0.0))));
  let low = 3.14159265359 - 2.0 * m_asin(sqrt(max(0.5 * (1.0 + x), vec4f(0.0))));
  let y = select(select(1.570796326795 - m_asin(x), low, x < vec4f(-0.5)), high, x > vec4f(0.5));
  return select(y, m_nan(), (abs(x) > vec4f(1.0)) | m_isnan(x));
}`,
  },
  m_sinh: {
    needs: ["m_exp", "m_copysign"],
    text: `fn m_sinh(x: vec4f) -> vec4f {
  let a = abs(x);
  let z = x * x;
  let near = ((2.03721912945e-4 * z + 8.33028376239e-3) * z + 1.66667160211e-1) * z * x + x;
  let h = m_exp(0.5 * a);
  let far = m_copysign(select((m_exp(a) - m_exp(-a)) * 0.5, 0.5 * h * h, a > vec4f(80.0)), x);
  return select(far, near, a < vec4f(1.0));
}`,
  },
  m_cosh: {
    needs: ["m_exp"],
    text: `fn m_cosh(x: vec4f) -> vec4f {
  let a = abs(x);
  let h = m_exp(0.5 * a);
  return select((m_exp(a) + m_exp(-a)) * 0.5, 0.5 * h * h, a > vec4f(80.0));
}`,
  },
  m_tanh: {
    needs: ["m_exp", "m_copysign"],
    text: `fn m_tanh(x: vec4f) -> vec4f {
  let a = abs(x);
  let z = x * x;
  let p = ((((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z + 1.33314422036e-1) * z - 3.33332819422e-1) * z;
  let near = select(p * x + x, x, x == vec4f(0.0)); // of -0 too
  let far = m_copysign(1.0 - 2.0 / (m_exp(2.0 * a) + 1.0), x);
  return select(far, near, a < vec4f(0.625));
}`,
  },
  m_asinh: {
    needs: ["m_log", "m_log1p", "m_copysign"],
    text: `fn m_asinh(x: vec4f) -> vec4f {
  let a = abs(x);
  let z = a * a;
  let y = select(m_log1p(a + z / (1.0 + sqrt(1.0 + z))), m_log(a) + 0.69314718056, a > vec4f(1e9));
  return m_copysign(y, x);
}`,
  },
  m_acosh: {
    needs: ["m_log", "m_log1p", "m_nan"],
    text: `fn m_acosh(x: vec4f) -> vec4f {
  let t = x - 1.0;
  let y = select(m_log1p(t + sqrt(max(2.0 * t + t * t, vec4f(0.0)))), m_log(x) + 0.69314718056, x > vec4f(1e9));
  return select(y, m_nan(), x < vec4f(1.0));
}`,
  },
  m_atanh: {
    needs: ["m_log1p"],
    text: "fn m_atanh(x: vec4f) -> vec4f { return 0.5 * (m_log1p(x) - m_log1p(-x)); }",
  },
  m_softplus: {
    needs: ["m_exp", "m_log1p", "m_isnan"],
    text: "fn m_softplus(x: vec4f) -> vec4f { return select(max(x, vec4f(0.0)) + m_log1p(m_exp(-abs(x))), x, m_isnan(x)); }",
  },
  m_sigmoid: {
    needs: ["m_exp"],
    text: "fn m_sigmoid(x: vec4f) -> vec4f { return 1.0 / (1.0 + m_exp(-x)); }",
  },
  m_max: {
    needs: ["m_isnan"],
    text: "fn m_max(a: vec4f, b: vec4f) -> vec4f { return select(b, a, (a > b) | m_isnan(a)); }",
  },
  m_min: {
    needs: ["m_isnan"],
    text: "fn m_min(a: vec4f, b: vec4f) -> vec4f { return select(b, a, (a < b) | m_isnan(a)); }",
  },
  ...SPECIAL,
};

/** The functions that a text names, and those that they name, each behind what it calls. */
export function mathFor(text: string): string {
  const seen = new Set<string>();
  const out: string[] = [];
  const add = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    const found = FUNCTIONS[name];
    if (!found) throw new Error(`there is no WGSL function ${name}`);
    for (const needed of found.needs ?? []) add(needed);
    out.push(found.text);
  };
  for (const [name] of text.matchAll(/\bm_\w+/g)) add(name);
  return out.join("\n");
}
