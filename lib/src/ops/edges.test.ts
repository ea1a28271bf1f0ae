/** Ops at the edges of their domains: values as NumPy has them on every device, gradients as PyTorch has them. */
import { afterAll, describe, expect, it } from "vitest";
import { expectedFile } from "../../test/support/expected.js";
import { numbers } from "../../test/support/finite-differences.js";
import * as M from "../index.js";
import { devices, getDevice, grad, jvp, onesLike, setDevice, type Tensor, tensor } from "../index.js";

type Texts = (number | string)[];
interface File {
  readonly pairs: { readonly a: Texts; readonly b: Texts; readonly values: Record<string, Texts> };
  readonly gradients: readonly {
    readonly op: string;
    readonly inputs: Texts[];
    readonly value: Texts;
    readonly gradients: Texts[];
  }[];
}
const { pairs, gradients } = expectedFile<File>("edges.json");

const numberOf = (v: number | string): number =>
  v === "inf" ? Infinity : v === "-inf" ? -Infinity : v === "nan" ? Number.NaN : Number(v);
const f64 = (values: Texts): Tensor => tensor(Float64Array.from(values, numberOf), { dtype: "float64" });
const named = M as unknown as Record<string, (...x: Tensor[]) => Tensor>;

/** PyTorch's trigamma is exact to some nine digits. */
const LOOSE = new Set(["digamma"]);

/** The places where numbers differ, as readable lines. */
function differences(
  found: readonly number[],
  wanted: Texts,
  places: (i: number) => string,
  { exactZero = false, tolerance = 1e-12 } = {},
): string[] {
  return wanted.flatMap((text, i) => {
    const [f, w] = [found[i], numberOf(text)];
    const same = exactZero && w === 0 ? Object.is(f, w) : f === w || (Number.isNaN(f) && Number.isNaN(w));
    return same || Math.abs(f - w) <= 1e-15 + tolerance * Math.abs(w) ? [] : [`${places(i)}: ${f}, not ${w}`];
  });
}

describe("values of all pairs of special numbers, as NumPy", () => {
  const before = getDevice();
  afterAll(() => setDevice(before));
  const names = devices().filter((d) => d.available).map((d) => d.name); // biome-ignore format: one line
  it.each(names.flatMap((device) => Object.keys(pairs.values).map((op) => ({ device, op }))))(
    "$op on $device",
    ({ device, op }) => {
      setDevice(device);
      const y = named[op](f64(pairs.a), f64(pairs.b));
      const bad = differences(numbers(y), pairs.values[op], (i) => `${op}(${pairs.a[i]}, ${pairs.b[i]})`, {
        exactZero: y.dtype !== "bool",
      });
      expect(bad).toEqual([]);
    },
  );
});

/** Where we differ from PyTorch, and why. */
const OURS: Readonly<Record<string, { readonly at: (x: number[]) => boolean; readonly why: string }>> = {
  abs: { at: ([x]) => Number.isNaN(x), why: "NaN stays NaN" },
  relu: { at: ([x]) => Number.isNaN(x), why: "a comparison with NaN does not hold" },
  relu6: { at: ([x]) => Number.isNaN(x), why: "a comparison with NaN does not hold" },
  hardSwish: { at: ([x]) => Number.isNaN(x), why: "a comparison with NaN does not hold" },
  elu: { at: ([x]) => Number.isNaN(x), why: "NaN stays NaN" },
  softsign: { at: ([x]) => Math.abs(x) === Infinity, why: "the limit is 0, PyTorch has NaN" },
  hypot: { at: ([a, b]) => a === 0 && b === 0, why: "0 as for norms, PyTorch has NaN" },
  xlogy: { at: ([a, b]) => a === 0 && b === 0, why: "constant in b where a is 0, PyTorch has NaN" },
  digamma: {
    at: ([x]) => x <= 0 && Number.isInteger(x),
    why: "the pole itself, PyTorch has a number near it",
  },
};

describe("gradients at zeros, poles, kinks and infinities, as PyTorch", () => {
  it.each(gradients)("$op", ({ op, inputs, value, gradients: wanted }) => {
    const xs = inputs.map(f64);
    const at = (i: number): number[] => inputs.map((x) => numberOf(x[i]));
    const places = (i: number): string => `${op}(${at(i)})`;
    const tolerance = LOOSE.has(op) ? 1e-8 : 1e-12;
    const elsewhere = (text: Texts, found: readonly number[]): Texts =>
      text.map((t, i) => (OURS[op]?.at(at(i)) ? (Number.isNaN(found[i]) ? "nan" : found[i]) : t));
    const f = (...x: Tensor[]): Tensor => named[op](...x);
    expect(differences(numbers(f(...xs)), value, places)).toEqual([]);
    const found = grad((...x: Tensor[]) => f(...x).sum(), { argnums: xs.map((_, k) => k) })(
      ...xs,
    ) as Tensor[];
    for (const [k, texts] of wanted.entries()) {
      const reverse = numbers(found[k]);
      expect(differences(reverse, elsewhere(texts, reverse), places, { tolerance }), `input ${k}`).toEqual(
        [],
      );
      const [, slopes] = jvp((x: Tensor) => f(...xs.with(k, x)), [xs[k]], [onesLike(xs[k])]);
      const same = reverse.map((v) => (Number.isNaN(v) ? "nan" : v));
      expect(differences(numbers(slopes), same, places), `input ${k}, forward`).toEqual([]);
    }
  });
});

describe("functions of gamma far from 0", () => {
  it("end, and agree with their recurrence", () => {
    const far = tensor([-Infinity, -1e15 - 0.5, -1e6 - 0.25, -300.7, Infinity], { dtype: "float64" });
    for (const f of [M.digamma, M.lgamma, (x: Tensor) => M.polygamma(1, x), (x: Tensor) => M.polygamma(2, x)])
      expect(numbers(f(far))).toHaveLength(5);
    const x = tensor([-300.7, -40.25, -13.5, -12.01, -2.3], { dtype: "float64" });
    // ψₙ(x + 1) = ψₙ(x) + (−1)ⁿ n!/xⁿ⁺¹
    for (const [n, factorial] of [1, 1, 2, 6].entries()) {
      const psi = (z: Tensor): Tensor => (n === 0 ? M.digamma(z) : M.polygamma(n, z));
      const step = x.pow(-(n + 1)).mul(n % 2 === 0 ? factorial : -factorial);
      const [left, right] = [numbers(psi(x.add(1))), numbers(psi(x).add(step))];
      left.forEach((v, i) => {
        expect(Math.abs(v - right[i]) / (1 + Math.abs(v)), `order ${n} at ${numbers(x)[i]}`).toBeLessThan(
          1e-11,
        );
      });
    }
  });
});

describe("functions of gamma next to 0", () => {
  it("are those of 1/x on both sides", () => {
    const x = tensor([-1e-10, -1e-17, -1e-20, 1e-17, 1e-20], { dtype: "float64" });
    const [logs, slopes] = [numbers(M.lgamma(x)), numbers(M.digamma(x))];
    numbers(x).forEach((v, i) => {
      expect(logs[i], `lgamma(${v})`).toBeCloseTo(-Math.log(Math.abs(v)), 8);
      expect(slopes[i] * v, `digamma(${v})·x`).toBeCloseTo(-1, 8);
    });
  });
});

describe("-0", () => {
  const names = "sin tan asin atan sinh tanh asinh atanh erf expm1 log1p sqrt softsign sign rint".split(" ");
  it.each(names.filter((name) => name in M))("%s of -0 is -0 on every device", (name) => {
    const before = getDevice();
    for (const device of devices().filter(({ available }) => available)) {
      setDevice(device.name);
      for (const dtype of ["float32", "float64"] as const)
        for (const y of numbers(named[name](tensor(new Array(9).fill(-0), { dtype }))))
          expect(Object.is(y, -0), `${device.name} ${dtype}: ${y}`).toBe(true);
    }
    setDevice(before);
  });
});
