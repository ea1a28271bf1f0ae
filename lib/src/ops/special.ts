/** Special functions of one number, to double precision. */

/** Error function: Taylor series near 0, Lentz's continued fraction for erfc beyond (Abramowitz & Stegun 7.1.5, 7.1.14). */
export function erf(x: number): number {
  const t = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (t > 6) return Math.sign(x);
  if (t >= 2.5) return Math.sign(x) * (1 - erfcTail(t));
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

/** erfc of t ≥ 0.5. */
function erfcTail(t: number): number {
  let fraction = 0;
  for (let n = t < 2 ? 400 : 60; n >= 1; n--) fraction = n / 2 / (t + fraction);
  return Math.exp(-t * t) / (Math.sqrt(Math.PI) * (t + fraction));
}

/** 1 − erf(x) without cancellation. */
export function erfc(x: number): number {
  return x < 1 ? 1 - erf(x) : erfcTail(x);
}

/** The x with erf(x) = y: Winitzki's approximation (2008), then Halley's steps. */
export function erfinv(y: number): number {
  if (!(Math.abs(y) < 1)) return Math.abs(y) === 1 ? y * Number.POSITIVE_INFINITY : Number.NaN;
  if (y === 0) return y;
  const log = Math.log1p(-y * y);
  const a = 0.147;
  const b = 2 / (Math.PI * a) + log / 2;
  let x = Math.sign(y) * Math.sqrt(Math.sqrt(b * b - log / a) - b);
  for (let i = 0; i < 3; i++) {
    const error = y > 0 ? 1 - y - erfc(x) : erfc(-x) - (1 + y);
    const step = error / ((2 / Math.sqrt(Math.PI)) * Math.exp(-x * x));
    x -= step / (1 + x * step);
  }
  return x;
}

const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/** What x has beyond the nearest integer, exactly: π·x itself would be rounded, and so would 1 − 10⁻²⁰. */
const beside = (x: number): number => x - Math.round(x);

/** ln |Γ(x)|: Lanczos's approximation (g = 7, n = 9), Stirling's series from 15 on, reflection for negative x. */
export function lgamma(x: number): number {
  if (x <= 0 && Number.isInteger(x)) return Number.POSITIVE_INFINITY;
  if (Math.abs(x) === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  if (x < 0.5) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * beside(x)))) - lgamma(1 - x);
  if (x === 1 || x === 2) return 0;
  if (x > 15) {
    const inverse = 1 / (x * x);
    const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / x;
    return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
  }
  const z = x - 1;
  let sum = LANCZOS[0];
  for (let i = 1; i < LANCZOS.length; i++) sum += LANCZOS[i] / (z + i);
  const t = z + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (z + 0.5) * Math.log(t) - t + Math.log(sum);
}

/** B₂ₖ for k = 1 …: Bernoulli numbers. */
const BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510];

/** Arguments from which the asymptotic series serve. */
const LARGE = 12;

/** d ln Γ(x)/dx: reflection for negative x, recurrence up to 12, then the asymptotic series (Abramowitz & Stegun 6.3.5 – 18). */
export function digamma(x: number): number {
  if (x === 0) return -1 / x;
  if (x === Number.NEGATIVE_INFINITY || (x < 0 && Number.isInteger(x))) return Number.NaN;
  if (x < 0) return digamma(1 - x) - Math.PI / Math.tan(Math.PI * beside(x));
  let sum = 0;
  let t = x;
  for (; t < LARGE; t++) sum -= 1 / t;
  sum += Math.log(t) - 0.5 / t;
  for (const [k, b] of BERNOULLI.entries()) sum -= b / (2 * (k + 1) * t ** (2 * (k + 1)));
  return sum;
}

/** The derivative of digamma of this order (from 1) at x: ±n!·Σ 1/(x + k)ⁿ⁺¹ for k = 0, 1 … (Abramowitz & Stegun 6.4.10). */
export function polygamma(order: number, x: number): number {
  if (x === Number.NEGATIVE_INFINITY) return Number.NaN;
  // poles, from both sides of one sign for odd orders
  if (x <= 0 && Number.isInteger(x)) return order % 2 === 1 ? Number.POSITIVE_INFINITY : Number.NaN;
  const sum = x < -LARGE ? sumFromNegative(order, x) : sumFrom(order, x);
  return order % 2 === 1 ? sum : -sum;
}

/** n!·Σ 1/(x + k)ⁿ⁺¹: terms up to LARGE + n one by one, the asymptotic series for the rest (6.4.6, 6.4.11). */
function sumFrom(order: number, x: number): number {
  let factorial = 1; // of order − 1
  for (let i = 2; i < order; i++) factorial *= i;
  let sum = 0;
  let t = x;
  for (; t < LARGE + order; t++) sum += (factorial * order) / t ** (order + 1);
  sum += factorial / t ** order + (factorial * order) / (2 * t ** (order + 1));
  let rising = factorial; // (2k + order − 1)! / (2k)!
  for (const [i, b] of BERNOULLI.entries()) {
    const k = 2 * (i + 1);
    rising *= ((k + order - 2) * (k + order - 1)) / ((k - 1) * k);
    sum += (b * rising) / t ** (k + order);
  }
  return sum;
}

/** Far from 0 the negative terms are those of a positive sum, which the series gives however many they are. */
function sumFromNegative(order: number, x: number): number {
  const count = Math.floor(-LARGE - x) + 1;
  const far = sumFrom(order, -x - count + 1) - sumFrom(order, 1 - x);
  return sumFrom(order, x + count) + (order % 2 === 1 ? far : -far);
}
