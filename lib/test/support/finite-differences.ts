/** Derivatives by central differences in float64: the judge of every derivative rule. */
import { type Tensor, tensor } from "../../src/index.js";

/** Best step for central differences: error terms h² and ε/h balance near ε^(1/3). */
const STEP = 6e-6;

export const f64 = (values: Parameters<typeof tensor>[0], shape?: readonly number[]) =>
  tensor(values, { dtype: "float64", shape });

/** dy/dx of shape (…y.shape, …x.shape), row-major, of a function of one float64 tensor. */
export function numericJacobian(f: (x: Tensor) => Tensor, x: Tensor): number[][] {
  const at = Array.from(x.toTypedArray());
  const columns = at.map((_, j) => {
    const shifted = (by: number) =>
      Array.from(
        f(
          f64(
            Float64Array.from(at, (v, i) => (i === j ? v + by : v)),
            x.shape,
          ),
        ).toTypedArray(),
      );
    const [up, down] = [shifted(STEP), shifted(-STEP)];
    return up.map((u, i) => (u - down[i]) / (2 * STEP));
  });
  return (columns[0] ?? []).map((_, i) => columns.map((column) => column[i]));
}

/** Gradient of a scalar function, row-major. */
export function numericGradient(f: (x: Tensor) => Tensor, x: Tensor): number[] {
  return numericJacobian((z) => f(z).reshape([1]), x)[0];
}

/** The elements, row-major, as plain numbers. */
export const numbers = (x: Tensor): number[] => Array.from(x.toTypedArray());

/** Largest |a − b| / (1 + |b|). NaN if the lengths differ. */
export function relativeError(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Number.NaN;
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]) / (1 + Math.abs(b[i]))), 0);
}
