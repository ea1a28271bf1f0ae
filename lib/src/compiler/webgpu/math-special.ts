/** Powers, remainders, error and gamma functions in WGSL, on four numbers. Needed together with the elementary ones (math.ts). */

/** A function and what it calls. */
export interface MathFunction {
  readonly text: string;
  readonly needs?: readonly string[];
}

export const SPECIAL: Readonly<Record<string, MathFunction>> = {
  m_hypot: {
    needs: ["m_isnan", "m_isinf", "m_nan", "m_inf"],
    text: `fn m_hypot(a: vec4f, b: vec4f) -> vec4f {
  let most = max(abs(a), abs(b));
  let q = min(abs(a), abs(b)) / max(most, vec4f(1e-37));
  let y = select(most * sqrt(1.0 + q * q), m_nan(), m_isnan(a) | m_isnan(b));
  return select(y, m_inf(), m_isinf(a) | m_isinf(b));
}`,
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
};
