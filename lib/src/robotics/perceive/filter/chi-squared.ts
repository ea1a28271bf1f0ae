/** The χ² distribution, by which filters gate measurements and are tested for consistency (Bar-Shalom et al. 2001, §5.4). */
import { ValueError } from "../../../core/errors.js";

/** log Γ(x) for x > 0 (Lanczos, g = 7). */
function logGamma(x: number): number {
  const c = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  let sum = c[0];
  for (let i = 1; i < 9; i++) sum += c[i] / (x - 1 + i);
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** Lower regularized incomplete gamma function P(a, x): series below a + 1, continued fraction above. */
function gammaP(a: number, x: number): number {
  if (x <= 0) return 0;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let [term, sum] = [1 / a, 1 / a];
    for (let n = 1; n < 10_000 && Math.abs(term) > sum * 1e-17; n++) {
      term *= x / (a + n);
      sum += term;
    }
    return front * sum;
  }
  // modified Lentz
  const tiny = 1e-300;
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let h = d;
  for (let i = 1; i < 10_000; i++) {
    const an = -i * (i - a);
    b += 2;
    d = 1 / (Math.abs(an * d + b) < tiny ? tiny : an * d + b);
    c = Math.abs(b + an / c) < tiny ? tiny : b + an / c;
    const change = c * d;
    h *= change;
    if (Math.abs(change - 1) < 1e-16) break;
  }
  return 1 - front * h;
}

/**
 * Probability that a χ² variable of `degrees` degrees of freedom is at most x.
 * @example robotics.perceive.chiSquaredCdf(2, 2) // 0.6321
 */
export function chiSquaredCdf(x: number, degrees: number): number {
  checkDegrees(degrees);
  return gammaP(degrees / 2, x / 2);
}

const quantiles = new Map<string, number>();

/**
 * The x that a χ² variable stays below with this probability: the gate of a test.
 * @example robotics.perceive.chiSquaredQuantile(0.99, 2) // 9.21
 * @throws ValueError unless 0 ≤ probability < 1 and degrees > 0.
 */
export function chiSquaredQuantile(probability: number, degrees: number): number {
  checkDegrees(degrees);
  if (!(probability >= 0 && probability < 1))
    throw new ValueError(`chiSquaredQuantile: a probability in [0, 1) wanted, got ${probability}`);
  const key = `${probability} ${degrees}`;
  let found = quantiles.get(key);
  if (found === undefined) {
    let [low, high] = [0, Math.max(1, degrees)];
    while (chiSquaredCdf(high, degrees) < probability) high *= 2;
    for (let i = 0; i < 200 && high - low > 1e-14 * high; i++) {
      const middle = (low + high) / 2;
      if (chiSquaredCdf(middle, degrees) < probability) low = middle;
      else high = middle;
    }
    found = (low + high) / 2;
    if (quantiles.size < 1000) quantiles.set(key, found);
  }
  return found;
}

function checkDegrees(degrees: number): void {
  if (!(degrees > 0)) throw new ValueError(`chi-squared: degrees of freedom above 0 wanted, got ${degrees}`);
}
