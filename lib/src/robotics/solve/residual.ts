/**
 * Kinds of residuals: a function of some parameter blocks and constants to a short vector that should be 0, with its
 * derivatives. All residuals of a kind are evaluated together.
 */

import { vmap } from "../../autodiff/batch.js";
import { vjp } from "../../autodiff/reverse.js";
import { ShapeError, ValueError } from "../../core/errors.js";
import { formatShape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { toStatic } from "../../graph/static.js";
import { tensor } from "../../ops/convert.js";
import { tidy } from "../../ops/tidy.js";

/** What a batch of residuals is computed from: rows of numbers, one row to a residual. */
export interface ResidualBatch {
  readonly count: number;
  /** Per parameter: count × its ambient size. */
  readonly parameters: readonly Float64Array[];
  /** count × `data` of the kind. */
  readonly data: Float64Array;
}

/** Where its results go. */
export interface ResidualOutput {
  /** count × size. */
  readonly residuals: Float64Array;
  /**
   * Per parameter: count × size × its columns, which are ambient or tangent as `ResidualKind.tangent` says. `null` if only
   * the residuals are wanted; an entry is `null` if its parameters are constant.
   */
  readonly jacobians: readonly (Float64Array | null)[] | null;
}

export interface ResidualKind {
  readonly name: string;
  /** Numbers in one residual. */
  readonly size: number;
  /** Ambient sizes of the parameters. */
  readonly parameters: readonly number[];
  /** Constants of each residual: measurements, weights. */
  readonly data: number;
  /** True if derivatives are by a step in the tangent space; false if they are by the stored numbers. */
  readonly tangent: boolean;
  evaluate(batch: ResidualBatch, out: ResidualOutput): void;
}

export interface ResidualShape {
  readonly name: string;
  readonly size: number;
  readonly parameters: readonly number[];
  readonly data?: number;
}

/**
 * A residual from a function of one residual's numbers to its vector. Derivatives are written by hand, into
 * `jacobians[k]` (size × tangent of parameter k, row-major, zeros beforehand), by a step in the tangent space.
 * @param f called once per residual with the same arrays, whose content changes; `jacobians` is `null` if none are wanted
 * @example
 * robotics.solve.analyticResidual({ name: "square", size: 1, parameters: [1] }, [1], ([x], _, residual, jacobians) => {
 *   residual[0] = x[0] ** 2;
 *   if (jacobians) jacobians[0][0] = 2 * x[0];
 * }).size // 1
 */
export function analyticResidual(
  { name, size, parameters, data = 0 }: ResidualShape,
  tangents: readonly number[],
  f: (
    parameters: readonly Float64Array[],
    data: Float64Array,
    residual: Float64Array,
    jacobians: readonly Float64Array[] | null,
  ) => void,
): ResidualKind {
  checkShape(name, size, parameters, data);
  if (tangents.length !== parameters.length)
    throw new ValueError(`${name}: ${parameters.length} parameters have ${tangents.length} tangent sizes`);
  const values = parameters.map((n) => new Float64Array(n));
  const constants = new Float64Array(data);
  const residual = new Float64Array(size);
  const slopes = tangents.map((n) => new Float64Array(size * n));
  const evaluate = (batch: ResidualBatch, out: ResidualOutput): void => {
    for (let i = 0; i < batch.count; i++) {
      for (let k = 0; k < values.length; k++) {
        const [from, n, to] = [batch.parameters[k], parameters[k], values[k]];
        for (let j = 0; j < n; j++) to[j] = from[i * n + j];
      }
      for (let j = 0; j < data; j++) constants[j] = batch.data[i * data + j];
      if (out.jacobians) for (const slope of slopes) slope.fill(0);
      f(values, constants, residual, out.jacobians && slopes);
      for (let j = 0; j < size; j++) out.residuals[i * size + j] = residual[j];
      if (!out.jacobians) continue;
      for (let k = 0; k < slopes.length; k++) {
        const [to, from] = [out.jacobians[k], slopes[k]];
        if (to) for (let j = 0; j < from.length; j++) to[i * from.length + j] = from[j];
      }
    }
  };
  return { name, size, parameters, data, tangent: true, evaluate };
}

/**
 * A residual from a function over tensors, differentiated by the library. The function is written for one residual; it is
 * mapped over all of them (`vmap`), differentiated (one pullback per number of the residual) and compiled (`toStatic`), so
 * that thousands cost one call.
 * @param f takes one float64 tensor of shape [n] per parameter and, last, one of shape [data] (left out if `data` is 0);
 * returns a tensor of shape [size], or a scalar if `size` is 1
 * @example
 * const range = robotics.solve.autodiffResidual({ name: "range", size: 1, parameters: [2], data: 3 }, (p, d) =>
 *   p.sub(d.slice("0:2")).square().sum().sqrt().sub(d.at(2)));
 * @throws ShapeError at the first evaluation if the function returns another shape.
 */
export function autodiffResidual(
  { name, size, parameters, data = 0 }: ResidualShape,
  f: (...args: Tensor[]) => Tensor,
): ResidualKind {
  checkShape(name, size, parameters, data);
  const mapped = vmap(f) as (...args: Tensor[]) => Tensor;
  const batched = (args: readonly Tensor[]): Tensor => {
    const found = mapped(...args);
    const y = found.shape.length === 1 && size === 1 ? found.reshape([-1, 1]) : found;
    if (y.shape.length !== 2 || y.shape[1] !== size)
      throw new ShapeError(
        `${name}: a residual of shape [${size}] wanted, the function returned ${formatShape(y.shape.slice(1))}`,
      );
    return y;
  };
  const value = toStatic((...args: Tensor[]) => batched(args), { name: `${name}_residual` });
  const slopes = toStatic(
    (...args: Tensor[]) => {
      const constants = args.slice(parameters.length);
      const { value: y, pull } = vjp(
        (...free: Tensor[]) => batched([...free, ...constants]),
        ...args.slice(0, parameters.length),
      );
      // rows are independent: a cotangent of ones in one column asks all residuals for that row of their Jacobians
      const rows = Array.from({ length: size }, (_, i) => pull(y.mul(0).add(unit(size, i))));
      return [y, ...parameters.flatMap((_, k) => rows.map((row) => row[k] as Tensor))];
    },
    { name: `${name}_jacobian` },
  );
  const evaluate = (batch: ResidualBatch, out: ResidualOutput): void => {
    const { count } = batch;
    if (count === 0) return;
    tidy(() => {
      const rows = paddedCount(count);
      const args = parameters.map((n, k) => padded(batch.parameters[k], count, n, rows));
      if (data > 0) args.push(padded(batch.data, count, data, rows));
      if (!out.jacobians) {
        copyRows(value(...args), out.residuals, count * size);
        return;
      }
      const [y, ...columns] = slopes(...args);
      copyRows(y, out.residuals, count * size);
      parameters.forEach((n, k) => {
        const to = out.jacobians?.[k];
        if (!to) return;
        for (let i = 0; i < size; i++) {
          const from = columns[k * size + i].toTypedArray() as Float64Array;
          for (let row = 0; row < count; row++)
            for (let j = 0; j < n; j++) to[(row * size + i) * n + j] = from[row * n + j];
        }
      });
    });
  };
  return { name, size, parameters, data, tangent: false, evaluate };
}

function unit(size: number, i: number): Tensor {
  const values = new Float64Array(size);
  values[i] = 1;
  return tensor(values, { dtype: "float64" });
}

/** Next count of the form 2ᵏ·{4, 5, 6, 7}/4: a problem that grows is compiled for few sizes. */
function paddedCount(count: number): number {
  if (count <= 8) return 8;
  const step = 2 ** (Math.floor(Math.log2(count - 1)) - 2);
  return Math.ceil(count / step) * step;
}

/** Rows as a tensor; the last one is repeated, so that what is computed of the filling is finite where the rest is. */
function padded(values: Float64Array, count: number, n: number, rows: number): Tensor {
  const out = new Float64Array(rows * n);
  out.set(values.subarray(0, count * n));
  const last = values.subarray((count - 1) * n, count * n);
  for (let i = count; i < rows; i++) out.set(last, i * n);
  return tensor(out, { dtype: "float64" }).reshape([rows, n]);
}

function copyRows(from: Tensor, to: Float64Array, length: number): void {
  const values = from.toTypedArray() as Float64Array;
  for (let i = 0; i < length; i++) to[i] = values[i];
}

function checkShape(name: string, size: number, parameters: readonly number[], data: number): void {
  const whole = [size, ...parameters].every((n) => Number.isInteger(n) && n >= 1);
  if (!whole || parameters.length === 0 || !Number.isInteger(data) || data < 0)
    throw new ValueError(
      `${name}: size and parameters are whole numbers from 1, data one from 0; got size ${size}, parameters [${parameters.join(", ")}], data ${data}`,
    );
}
