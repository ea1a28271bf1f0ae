/**
 * Elementary functions in WGSL where the built-in ones are too inexact to be relied on (WGSL allows sin an error of
 * 2⁻¹¹, atan 4096 units) or undefined at NaN and ∞: reductions and polynomials of Cephes (Moshier), on four floats.
 */

/** A function and what it calls. */
interface MathFunction {
  readonly text: string;
  readonly needs?: readonly string[];
}

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
  m_hypot: {
    needs: ["m_isnan", "m_isinf", "m_nan", "m_inf"],
    text: `fn m_hypot(a: vec4f, b: vec4f) -> vec4f {
  let most = max(abs(a), abs(b));
  let q = min(abs(a), abs(b)) / max(most, vec4f(1e-37));
  let y = select(most * sqrt(1.0 + q * q), m_nan(), m_isnan(a) | m_isnan(b));
  return select(y, m_inf(), m_isinf(a) | m_isinf(b));
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
  let near = x * x * p + x;
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
  let near = ((((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z + 1.33314422036e-1) * z - 3.33332819422e-1) * z * x + x;
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
  m_erfcx: {
    needs: ["m_exp"],
    // W. J. Cody's ranges with the coefficients of Numerical Recipes' erfccheb, for t = 2/(2 + z).
    text: `fn m_erfcx(z: vec4f) -> vec4f {
  let t = 2.0 / (2.0 + z);
  let y = 4.0 * t - 2.0;
  var d = vec4f(0.0);
  var e = vec4f(0.0);
  var c = array<f32, 20>(-1.3026537197817094, 6.4196979235649026e-1, 1.9476473204185836e-2, -9.561514786808631e-3, -9.46595344482036e-4, 3.66839497852761e-4, 4.2523324806907e-5, -2.0278578112534e-5, -1.624290004647e-6, 1.303655835580e-6, 1.5626441722e-8, -8.5238095915e-8, 6.529054439e-9, 5.059343495e-9, -9.91364156e-10, -2.27365122e-10, 9.6467911e-11, 2.394038e-12, -6.886027e-12, 8.94487e-13);
  for (var k = 19; k > 0; k--) {
    let s = d;
    d = y * d - e + c[k];
    e = s;
  }
  return t * m_exp(-z * z + 0.5 * (c[0] + y * d) - e);
}`,
  },
  m_erf: {
    needs: ["m_erfcx", "m_copysign", "m_isnan"],
    text: `fn m_erf(x: vec4f) -> vec4f {
  let z = x * x;
  let near = x * (1.128379167 + z * (-3.761263890e-1 + z * (1.128379165e-1 + z * (-2.686615e-2 + z * (5.223878e-3 + z * (-8.54833e-4 + z * 1.20553e-4))))));
  let far = m_copysign(1.0 - m_erfcx(min(abs(x), vec4f(10.0))), x);
  return select(select(far, near, abs(x) < vec4f(0.7)), x, m_isnan(x));
}`,
  },
  m_erfc: {
    needs: ["m_erfcx", "m_erf", "m_isnan"],
    text: `fn m_erfc(x: vec4f) -> vec4f {
  let a = m_erfcx(min(abs(x), vec4f(11.0)));
  let far = select(a, 2.0 - a, x < vec4f(0.0));
  return select(select(far, 1.0 - m_erf(x), abs(x) < vec4f(0.7)), x, m_isnan(x));
}`,
  },
  m_softplus: {
    needs: ["m_exp", "m_log1p", "m_isnan"],
    text: "fn m_softplus(x: vec4f) -> vec4f { return select(max(x, vec4f(0.0)) + m_log1p(m_exp(-abs(x))), x, m_isnan(x)); }",
  },
  m_sigmoid: {
    needs: ["m_exp"],
    text: "fn m_sigmoid(x: vec4f) -> vec4f { return 1.0 / (1.0 + m_exp(-x)); }",
  },
  m_cbrt: {
    needs: ["m_exp", "m_log", "m_copysign", "m_isfinite"],
    text: `fn m_cbrt(x: vec4f) -> vec4f {
  let a = abs(x);
  let y = m_exp(m_log(a) * 0.33333333333);
  let better = y - (y - a / (y * y)) * 0.33333333333;
  return select(x, m_copysign(better, x), m_isfinite(x) & (a > vec4f(0.0)));
}`,
  },
  // The logarithm's error times the exponent is the result's: its integer and fraction are kept apart.
  m_powPositive: {
    needs: ["m_exp"],
    text: `fn m_powPositive(a: vec4f, exponent: vec4f) -> vec4f {
  let b = clamp(exponent, vec4f(-2e9), vec4f(2e9)); // beyond, all but 1 over- or underflow
  let tiny = a < vec4f(1.17549435e-38);
  let v = select(a, a * 8388608.0, tiny);
  let bits = bitcast<vec4i>(v);
  var e = vec4f((bits >> vec4u(23u)) - 126) - select(vec4f(0.0), vec4f(23.0), tiny);
  var m = bitcast<vec4f>((bits & vec4i(0x007fffff)) | vec4i(0x3f000000));
  let low = m < vec4f(0.70710678);
  e -= select(vec4f(0.0), vec4f(1.0), low);
  m = select(m, m + m, low);
  let s = (m - 1.0) / (m + 1.0);
  let err = ((m - 1.0) - s * m - s) / (m + 1.0);
  let z = s * s;
  let tail = s * z * (0.6666666667 + z * (0.4 + z * (0.2857142857 + z * (0.2222222222 + z * 0.1818181818)))) + 2.0 * err;
  let hi = 2.0 * s;
  // b · (e·ln2 + hi + tail), by halves of b and hi that multiply exactly
  let bh = bitcast<vec4f>(bitcast<vec4u>(b) & vec4u(0xfffff000u));
  let bl = b - bh;
  let hh = bitcast<vec4f>(bitcast<vec4u>(hi) & vec4u(0xfffff000u));
  let hl = hi - hh;
  let p = b * hi;
  let pe = ((bh * hh - p) + bh * hl + bl * hh) + bl * hl;
  let be = b * e;
  let bee = (bh * e - be) + bl * e;
  let n = round(clamp(be + p * 1.44269504, vec4f(-300.0), vec4f(300.0)));
  let rest = be - n;
  let r = rest * 0.693359375 + p + (pe + b * tail + bee * 0.69314718 - rest * 2.12194440e-4);
  let half = round(n * 0.5);
  return m_exp(r) * exp2(clamp(half, vec4f(-126.0), vec4f(127.0))) * exp2(clamp(n - half, vec4f(-126.0), vec4f(127.0)));
}`,
  },
  m_pow: {
    needs: ["m_powPositive", "m_isnan", "m_isinf", "m_nan", "m_inf"],
    text: `fn m_pow(a: vec4f, b: vec4f) -> vec4f {
  let t = trunc(b);
  let whole = (t == b) | m_isinf(b);
  let odd = (t == b) & (abs(b) < vec4f(16777216.0)) & ((vec4i(clamp(t, vec4f(-16777216.0), vec4f(16777216.0))) & vec4i(1)) == vec4i(1));
  let x = abs(a);
  var y = m_powPositive(x, b);
  let zero = x == vec4f(0.0);
  y = select(y, select(m_inf(), vec4f(0.0), b > vec4f(0.0)), zero);
  y = select(y, select(vec4f(0.0), m_inf(), b > vec4f(0.0)), m_isinf(x));
  y = select(y, select(m_inf(), vec4f(0.0), (x < vec4f(1.0)) == (b > vec4f(0.0))), m_isinf(b));
  y = select(y, -y, odd & ((a < vec4f(0.0)) | (bitcast<vec4u>(a) == vec4u(0x80000000u))));
  y = select(y, m_nan(), (a < vec4f(0.0)) & !whole & !m_isinf(a));
  y = select(y, m_nan(), m_isnan(a) | m_isnan(b));
  return select(y, vec4f(1.0), (b == vec4f(0.0)) | (a == vec4f(1.0)) | ((a == vec4f(-1.0)) & m_isinf(b)));
}`,
  },
  // The remainder of a division without the rounding of its quotient: subtracts multiples of b, largest first.
  m_fmod: {
    needs: ["m_isfinite", "m_isnan", "m_nan", "m_copysign"],
    text: `fn m_fmod(a: vec4f, b: vec4f) -> vec4f {
  let y = abs(b);
  var r = abs(a);
  for (var k = 0; k < 24; k++) {
    if (all(r < y)) { break; }
    let q = r / y;
    let e = vec4i((bitcast<vec4u>(q) >> vec4u(23u)) & vec4u(255u)) - 127;
    let step = y * bitcast<vec4f>((clamp(e, vec4i(0), vec4i(126)) + 127) << vec4u(23u));
    let down = select(step, step * 0.5, (step > r) & (step * 0.5 >= y));
    r = select(r, r - down, (r >= y) & (down <= r));
  }
  let ok = m_isfinite(a) & !m_isnan(b) & (b != vec4f(0.0));
  return select(m_nan(), m_copysign(select(a, r, m_isfinite(b)), a), ok);
}`,
  },
  m_mod: {
    needs: ["m_fmod", "m_signbit"],
    text: `fn m_mod(a: vec4f, b: vec4f) -> vec4f {
  let r = m_fmod(a, b);
  let zero = select(vec4f(0.0), vec4f(-0.0), m_signbit(b));
  return select(select(r, r + b, (r < vec4f(0.0)) != (b < vec4f(0.0))), zero, r == vec4f(0.0));
}`,
  },
  m_floordiv: {
    needs: ["m_fmod", "m_copysign"],
    text: `fn m_floordiv(a: vec4f, b: vec4f) -> vec4f {
  let r = m_fmod(a, b);
  let below = (r != vec4f(0.0)) & ((r < vec4f(0.0)) != (b < vec4f(0.0)));
  let whole = (a - r) / b - select(vec4f(0.0), vec4f(1.0), below);
  let down = floor(whole);
  let y = select(down, down + 1.0, whole - down > vec4f(0.5));
  return select(select(y, m_copysign(vec4f(0.0), a / b), whole == vec4f(0.0)), a / b, b == vec4f(0.0));
}`,
  },
  // Division by zero gives 0, as what is no number is stored into integers.
  m_imod: {
    text: `fn m_imod(a: vec4i, b: vec4i) -> vec4i {
  let r = a % b;
  let y = select(r, r + b, (r != vec4i(0)) & ((r < vec4i(0)) != (b < vec4i(0))));
  return select(y, vec4i(0), b == vec4i(0));
}`,
  },
  m_ifloordiv: {
    text: `fn m_ifloordiv(a: vec4i, b: vec4i) -> vec4i {
  let q = a / b;
  let y = select(q, q - 1, (q * b != a) & ((a < vec4i(0)) != (b < vec4i(0))));
  return select(y, vec4i(0), b == vec4i(0));
}`,
  },
  // M. Giles, "Approximating the erfinv function" (2010), then a step of Newton's.
  m_erfinv: {
    needs: ["m_log1p", "m_exp", "m_erf", "m_nan", "m_inf", "m_copysign", "m_isfinite"],
    text: `fn m_erfinv(x: vec4f) -> vec4f {
  let w = -m_log1p(-x * x);
  let near = w < vec4f(5.0);
  let v = select(sqrt(max(w, vec4f(0.0))) - 3.0, w - 2.5, near);
  var p = select(vec4f(-0.000200214257), vec4f(2.81022636e-08), near);
  p = select(vec4f(0.000100950558), vec4f(3.43273939e-07), near) + p * v;
  p = select(vec4f(0.00134934322), vec4f(-3.5233877e-06), near) + p * v;
  p = select(vec4f(-0.00367342844), vec4f(-4.39150654e-06), near) + p * v;
  p = select(vec4f(0.00573950773), vec4f(0.00021858087), near) + p * v;
  p = select(vec4f(-0.0076224613), vec4f(-0.00125372503), near) + p * v;
  p = select(vec4f(0.00943887047), vec4f(-0.00417768164), near) + p * v;
  p = select(vec4f(1.00167406), vec4f(0.246640727), near) + p * v;
  p = select(vec4f(2.83297682), vec4f(1.50140941), near) + p * v;
  let y = p * x;
  let edge = select(y, m_copysign(m_inf(), x), abs(x) == vec4f(1.0));
  return select(edge, m_nan(), !(abs(x) <= vec4f(1.0)));
}`,
  },
  // Stirling's series above 8, where the argument is brought by its recurrence; below 0 by reflection.
  m_lgamma: {
    needs: ["m_log", "m_sin", "m_inf", "m_isinf", "m_isnan"],
    text: `fn m_lgammaPositive(x: vec4f) -> vec4f {
  var z = x;
  var product = vec4f(1.0);
  for (var k = 0; k < 8; k++) {
    let low = z < vec4f(8.0);
    product = select(product, product * z, low);
    z = select(z, z + 1.0, low);
  }
  let r = 1.0 / z;
  let s = r * r;
  let series = r * (0.08333333333 + s * (-0.00277777778 + s * 0.000793650794));
  return (z - 0.5) * m_log(z) - z + 0.91893853320 + series - m_log(product);
}
fn m_lgamma(x: vec4f) -> vec4f {
  let low = x < vec4f(0.5);
  let y = m_lgammaPositive(select(x, 1.0 - x, low));
  let part = abs(x - round(x));
  let reflected = 1.14472988585 - m_log(abs(m_sin(3.14159265359 * part))) - y;
  let pole = (x <= vec4f(0.0)) & (x == floor(x));
  return select(select(select(y, reflected, low), m_inf(), pole | m_isinf(x)), x, m_isnan(x));
}`,
  },
  m_digamma: {
    needs: ["m_log", "m_sin", "m_cos", "m_nan", "m_isnan", "m_inf"],
    text: `fn m_digammaPositive(x: vec4f) -> vec4f {
  var z = x;
  var sum = vec4f(0.0);
  for (var k = 0; k < 8; k++) {
    let low = z < vec4f(8.0);
    sum = select(sum, sum + 1.0 / z, low);
    z = select(z, z + 1.0, low);
  }
  let r = 1.0 / z;
  let s = r * r;
  return m_log(z) - 0.5 * r - s * (0.08333333333 - s * (0.00833333333 - s * 0.00396825397)) - sum;
}
fn m_digamma(x: vec4f) -> vec4f {
  let low = x < vec4f(0.5);
  let y = m_digammaPositive(select(x, 1.0 - x, low));
  let part = x - round(x);
  let reflected = y - 3.14159265359 * m_cos(3.14159265359 * part) / m_sin(3.14159265359 * part);
  let pole = (x < vec4f(0.0)) & (x == floor(x));
  let z = select(select(y, reflected, low), m_nan(), pole);
  return select(select(z, -m_inf(), bitcast<vec4u>(x) == vec4u(0u)), select(m_inf(), x, m_isnan(x)), (bitcast<vec4u>(x) == vec4u(0x80000000u)) | m_isnan(x));
}`,
  },
  // As JavaScript stores numbers into integers.
  m_toInt: {
    needs: ["m_isfinite"],
    text: `fn m_toInt(x: vec4f) -> vec4i {
  let t = trunc(x);
  let w = t - floor(t / 4294967296.0) * 4294967296.0;
  let far = select(vec4i(0), bitcast<vec4i>(vec4u(w)), m_isfinite(x));
  return select(far, vec4i(clamp(t, vec4f(-2147483648.0), vec4f(2147483520.0))), abs(t) < vec4f(2147483648.0));
}`,
  },
  m_max: {
    needs: ["m_isnan"],
    text: "fn m_max(a: vec4f, b: vec4f) -> vec4f { return select(b, a, (a > b) | m_isnan(a)); }",
  },
  m_min: {
    needs: ["m_isnan"],
    text: "fn m_min(a: vec4f, b: vec4f) -> vec4f { return select(b, a, (a < b) | m_isnan(a)); }",
  },
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
