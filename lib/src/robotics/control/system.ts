/**
 * Systems under control: ẋ = f(x, u) written in tensors, so that the library differentiates it, and, where speed
 * matters, in numbers too. Integration, linearization by autodiff, discretization.
 */
import { vmap } from "../../autodiff/batch.js";
import { jacobian } from "../../autodiff/jacobian.js";
import { ShapeError, ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { tensor } from "../../ops/convert.js";
import { expm } from "../../ops/linalg/expm.js";
import { tidy } from "../../ops/tidy.js";
import { type MatrixLike, matrix, toMatrix, toRows, toSquare, toVector, type VectorLike } from "./dense.js";

/** What a system is made of. States and inputs are in SI units, angles in radians. */
export interface SystemDefinition {
  readonly name?: string;
  /** Names of the states, with units: `x (m)`. As many as there are states. */
  readonly states: readonly string[];
  /** Names of the inputs. */
  readonly inputs: readonly string[];
  /** ẋ of one state (n,) and one input (m,), in ops of the library. */
  readonly derivative: (x: Tensor, u: Tensor) => Tensor;
  /** The same in numbers. Default: `derivative` on tensors, which is slower. */
  readonly fast?: (x: ArrayLike<number>, u: ArrayLike<number>) => number[];
}

/** Linearization around a point: ẋ ≈ f + A·(x − x₀) + B·(u − u₀); of a discrete system, x⁺ in place of ẋ. */
export interface Linearization {
  /** (n, n). */
  readonly a: number[][];
  /** (n, m). */
  readonly b: number[][];
  /** (n,): the value at the point. */
  readonly value: number[];
}

const DOUBLE = { dtype: "float64" } as const;
const asDouble = (x: ArrayLike<number>): Tensor => tensor(Float64Array.from(x), DOUBLE);

/** A continuous system. @throws ShapeError if `derivative` gives another number of elements than there are states */
export class System {
  readonly name: string;
  readonly states: readonly string[];
  readonly inputs: readonly string[];
  private readonly tensors: (x: Tensor, u: Tensor) => Tensor;
  private readonly numbers: (x: ArrayLike<number>, u: ArrayLike<number>) => number[];

  constructor({ name = "system", states, inputs, derivative, fast }: SystemDefinition) {
    this.name = name;
    this.states = states;
    this.inputs = inputs;
    this.tensors = derivative;
    this.numbers =
      fast ??
      ((x, u) => tidy(() => Array.from(derivative(asDouble(x), asDouble(u)).toTypedArray() as Float64Array)));
    const found = tidy(
      () => derivative(asDouble(states.map(() => 0.1)), asDouble(inputs.map(() => 0.1))).shape,
    );
    if (found.length !== 1 || found[0] !== states.length)
      throw new ShapeError(
        `${name}: ${states.length} states want a derivative (${states.length},), got (${found})`,
      );
  }

  /** ẋ in tensors: x (n,), u (m,) → (n,). */
  derivative(x: Tensor, u: Tensor): Tensor {
    return this.tensors(x, u);
  }

  /** ẋ in numbers. */
  rate(x: ArrayLike<number>, u: ArrayLike<number>): number[] {
    return this.numbers(x, u);
  }

  /** The state after `dt` seconds of a constant input, by one step of Runge and Kutta's method of order 4. */
  step(x: ArrayLike<number>, u: ArrayLike<number>, dt: number): number[] {
    const moved = (slope: readonly number[], by: number): number[] =>
      Array.from(x, (v, i) => v + by * slope[i]);
    const k1 = this.numbers(x, u);
    const k2 = this.numbers(moved(k1, dt / 2), u);
    const k3 = this.numbers(moved(k2, dt / 2), u);
    const k4 = this.numbers(moved(k3, dt), u);
    return Array.from(x, (v, i) => v + (dt / 6) * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]));
  }

  /** `step` in tensors. */
  stepTensor(x: Tensor, u: Tensor, dt: number): Tensor {
    const k1 = this.tensors(x, u);
    const k2 = this.tensors(x.add(k1.mul(dt / 2)), u);
    const k3 = this.tensors(x.add(k2.mul(dt / 2)), u);
    const k4 = this.tensors(x.add(k3.mul(dt)), u);
    return x.add(
      k1
        .add(k2.mul(2))
        .add(k3.mul(2))
        .add(k4)
        .mul(dt / 6),
    );
  }

  /** A and B of ẋ at a point, by forward-mode autodiff. */
  linearize(x: VectorLike, u: VectorLike): Linearization {
    return this.linearizations([x], [u])[0];
  }

  /** A and B of one `step` of `dt` seconds at each of T points, all in one batched pass. */
  linearizations(states: readonly VectorLike[], inputs: readonly VectorLike[], dt?: number): Linearization[] {
    const [n, m, count] = [this.states.length, this.inputs.length, inputs.length];
    const pack = (rows: readonly VectorLike[], size: number, what: string): Float64Array => {
      const out = new Float64Array(count * size);
      for (let k = 0; k < count; k++)
        out.set(toVector(rows[k], `${this.name}: ${what} ${k}`, size), k * size);
      return out;
    };
    const xs = pack(states, n, "state");
    const us = pack(inputs, m, "input");
    const f = (x: Tensor, u: Tensor): Tensor =>
      dt === undefined ? this.tensors(x, u) : this.stepTensor(x, u, dt);
    return tidy(() => {
      const X = tensor(xs, { shape: [count, n], dtype: "float64" });
      const U = tensor(us, { shape: [count, m], dtype: "float64" });
      const all = vmap((x: Tensor, u: Tensor) => [
        jacobian(f, { mode: "forward" })(x, u),
        jacobian(f, { mode: "forward", argnum: 1 })(x, u),
        f(x, u),
      ])(X, U);
      const [a, b, value] = all.map((t) => t.toTypedArray() as Float64Array);
      return Array.from({ length: count }, (_, k) => ({
        a: toRows(matrix(n, n, a.slice(k * n * n, (k + 1) * n * n))),
        b: toRows(matrix(n, m, b.slice(k * n * m, (k + 1) * n * m))),
        value: Array.from(value.subarray(k * n, (k + 1) * n)),
      }));
    });
  }
}

/** A trajectory: T + 1 states at `dt` seconds from each other, T inputs between them. */
export interface Trajectory {
  readonly states: number[][];
  readonly inputs: number[][];
  /** s. */
  readonly dt: number;
}

/**
 * The states that a law leads to: `law(x, k)` gives the input of step k.
 * @param dt seconds per step; each is one step of Runge and Kutta's method
 * @example
 * const { states } = control.simulate(control.doubleIntegrator(), [1, 0], (x) => [-x[0] - 2 * x[1]], { dt: 0.01, steps: 1000 });
 * Math.abs(states[1000][0]) < 1e-2 // true
 */
export function simulate(
  system: System,
  start: VectorLike,
  law: (x: number[], step: number) => ArrayLike<number>,
  { dt, steps }: { readonly dt: number; readonly steps: number },
): Trajectory {
  if (!(dt > 0)) throw new ValueError(`simulate: dt is a time above 0 s, got ${dt}`);
  const states = [Array.from(toVector(start, "simulate: the start", system.states.length))];
  const inputs: number[][] = [];
  for (let k = 0; k < steps; k++) {
    const u = Array.from(law(states[k], k));
    if (u.length !== system.inputs.length)
      throw new ShapeError(
        `simulate: ${system.name} takes ${system.inputs.length} input(s), the law gave ${u.length}`,
      );
    inputs.push(u);
    states.push(system.step(states[k], u, dt));
  }
  return { states, inputs, dt };
}

/**
 * A and B of the linear system ẋ = A·x + B·u sampled every `dt` seconds, the input constant in between (zero-order
 * hold): both from exp of [A B; 0 0]·dt (Van Loan 1978).
 * @example control.discretize([[0, 1], [0, 0]], [[0], [1]], 0.1).b // [[0.005], [0.1]]
 */
export function discretize(a: MatrixLike, b: MatrixLike, dt: number): Pick<Linearization, "a" | "b"> {
  if (!(dt > 0)) throw new ValueError(`discretize: dt is a time above 0 s, got ${dt}`);
  const A = toSquare(a, "discretize: A");
  const B = toMatrix(b, "discretize: B", { rows: A.rows });
  const [n, size] = [A.rows, A.rows + B.columns];
  const block = new Float64Array(size * size);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) block[i * size + j] = A.values[i * n + j] * dt;
    for (let j = n; j < size; j++) block[i * size + j] = B.values[i * B.columns + j - n] * dt;
  }
  const whole = tidy(() => expm(tensor(block, { shape: [size, size], dtype: "float64" })).toTypedArray());
  const rows = Array.from({ length: n }, (_, i) =>
    Array.from(whole.subarray(i * size, (i + 1) * size), Number),
  );
  return { a: rows.map((row) => row.slice(0, n)), b: rows.map((row) => row.slice(n)) };
}
