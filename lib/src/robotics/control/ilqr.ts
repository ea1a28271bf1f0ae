/**
 * Iterative LQR (Li & Todorov 2004) with limits on inputs (box-DDP; Tassa, Mansard & Todorov 2014): around a trajectory the system is
 * linear and the cost quadratic, both by the library's autodiff, all steps in one batched pass; Riccati's recursion gives a better
 * trajectory, and a law that keeps it.
 */
import { vmap } from "../../autodiff/batch.js";
import { grad } from "../../autodiff/grad.js";
import { hessian, jacobian } from "../../autodiff/jacobian.js";
import type { MimeBundle } from "../../core/display.js";
import { ShapeError, ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { tensor } from "../../ops/convert.js";
import { tidy } from "../../ops/tidy.js";
import { boxStep } from "./box-step.js";
import {
  apply,
  type Matrix,
  matrix,
  plus,
  product,
  symmetric,
  times,
  toMatrix,
  toRows,
  toVector,
  transposed,
  type VectorLike,
} from "./dense.js";
import type { System, Trajectory } from "./system.js";
import { trajectoryDisplay } from "./trajectory-display.js";

export interface IlqrOptions {
  /** s between two inputs. */
  readonly dt: number;
  /** Cost of one step: x (n,), u (m,) → a scalar. Twice differentiable. */
  readonly cost: (x: Tensor, u: Tensor) => Tensor;
  /** Cost of the last state. */
  readonly finalCost: (x: Tensor) => Tensor;
  /** T inputs to start from. */
  readonly inputs: readonly VectorLike[];
  /** Limits of each input. */
  readonly limits?: { readonly lower: VectorLike; readonly upper: VectorLike };
  /** Default 100. */
  readonly maxIterations?: number;
  /** Relative improvement below which the search ends. Default 1e-8. */
  readonly tolerance?: number;
}

export interface IlqrResult extends Trajectory {
  /** "converged": no step makes the cost smaller by more than the tolerance; "stuck": no step makes it smaller at all. */
  readonly status: "converged" | "stuck" | "max-iterations";
  readonly cost: number;
  /** Cost after each iteration, that of the start first. It never rises. */
  readonly history: readonly number[];
  /** (m, n) of each step: u = uₖ + gains[k]·(x − xₖ) keeps the trajectory. Rows of inputs at a limit are zero. */
  readonly gains: number[][][];
}

/** Numbers for the backward pass at one step. */
interface Expansion {
  readonly A: Matrix;
  readonly B: Matrix;
  readonly lx: Float64Array;
  readonly lu: Float64Array;
  readonly lxx: Matrix;
  readonly luu: Matrix;
  readonly lux: Matrix;
}

const FRACTIONS = Array.from({ length: 11 }, (_, i) => 10 ** (-3 * (i / 10) ** 2));

/**
 * The trajectory of least cost from a state, near the one that the given inputs lead to.
 * @throws ShapeError if sizes do not fit; ValueError if the starting inputs lead to infinity, or a cost is not a scalar
 * @example
 * const system = control.doubleIntegrator();
 * const result = control.ilqr(system, [1, 0], {
 *   dt: 0.1,
 *   cost: (x, u) => x.square().sum().add(u.square().sum()),
 *   finalCost: (x) => x.square().sum().mul(100),
 *   inputs: Array.from({ length: 30 }, () => [0]),
 * });
 * result.status // converged
 */
export function ilqr(system: System, start: VectorLike, options: IlqrOptions): IlqrResult {
  const { dt, maxIterations = 100, tolerance = 1e-8 } = options;
  const [n, m] = [system.states.length, system.inputs.length];
  if (!(dt > 0)) throw new ValueError(`ilqr: dt is a time above 0 s, got ${dt}`);
  if (options.inputs.length === 0) throw new ValueError("ilqr: at least one input wanted to start from");
  const limits = options.limits && {
    lower: toVector(options.limits.lower, "ilqr: limits.lower", m),
    upper: toVector(options.limits.upper, "ilqr: limits.upper", m),
  };
  const clamp = (u: number[]): number[] =>
    limits ? u.map((v, i) => Math.min(limits.upper[i], Math.max(limits.lower[i], v))) : u;
  const x0 = Array.from(toVector(start, "ilqr: the start", n));
  const problem = new Problem(system, options);

  let inputs = options.inputs.map((u, k) => clamp(Array.from(toVector(u, `ilqr: input ${k}`, m))));
  let states = rollOut(system, x0, dt, inputs.length, (_, k) => inputs[k]).states;
  let cost = problem.cost(states, inputs);
  if (!Number.isFinite(cost)) throw new ValueError(`ilqr: the starting inputs lead to a cost of ${cost}`);
  const history = [cost];
  let gains: Matrix[] = [];
  let [damping, growth] = [0, 1];
  const raise = (): void => {
    growth = Math.max(1.6, growth * 1.6);
    damping = Math.max(1e-6, damping * growth);
  };
  const lower = (): void => {
    growth = Math.min(1 / 1.6, growth / 1.6);
    damping = damping * growth > 1e-6 ? damping * growth : 0;
  };
  let expansion: ReturnType<Problem["expand"]> | null = null;
  let status: IlqrResult["status"] = "max-iterations";
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    expansion ??= problem.expand(states, inputs);
    const step = backward(expansion, inputs, damping, limits);
    if (step === null) {
      raise();
      if (damping > 1e10) {
        status = "stuck";
        break;
      }
      continue;
    }
    gains = step.K;
    const slopes = step.k.flatMap((v) => Array.from(v));
    if (Math.max(...slopes.map(Math.abs)) < 1e-9 * (1 + Math.max(...inputs.flat().map(Math.abs)))) {
      status = "converged";
      break;
    }
    let better: { states: number[][]; inputs: number[][]; cost: number } | null = null;
    for (const fraction of FRACTIONS) {
      const tried = rollOut(system, x0, dt, inputs.length, (x, k) => {
        const correction = apply(
          step.K[k],
          x.map((v, i) => v - states[k][i]),
        );
        return clamp(inputs[k].map((u, i) => u + fraction * step.k[k][i] + correction[i]));
      });
      const found = problem.cost(tried.states, tried.inputs);
      const hoped = -(fraction * step.linear + 0.5 * fraction * fraction * step.quadratic);
      // Armijo: at least a small share of what the model promises
      if (Number.isFinite(found) && cost - found > 1e-4 * hoped && found < cost) {
        better = { ...tried, cost: found };
        break;
      }
    }
    if (better === null) {
      raise();
      if (damping > 1e10) {
        // the model promises next to nothing: that is an optimum, up to rounding
        status =
          -(step.linear + 0.5 * step.quadratic) <= tolerance * (1 + Math.abs(cost)) ? "converged" : "stuck";
        break;
      }
      continue;
    }
    lower();
    const gained = cost - better.cost;
    ({ states, inputs, cost } = better);
    expansion = null;
    history.push(cost);
    if (gained < tolerance * (1 + Math.abs(cost))) {
      status = "converged";
      break;
    }
  }
  // the law belongs to the last trajectory, not to the one before
  const last = backward(problem.expand(states, inputs), inputs, damping, limits);
  return new Optimized(
    { status, states, inputs, dt, cost, history, gains: (last?.K ?? gains).map(toRows) },
    system,
  );
}

/** A result that shows itself as curves. */
class Optimized implements IlqrResult {
  declare readonly status: IlqrResult["status"];
  declare readonly states: number[][];
  declare readonly inputs: number[][];
  declare readonly dt: number;
  declare readonly cost: number;
  declare readonly history: readonly number[];
  declare readonly gains: number[][][];

  constructor(result: IlqrResult, system: System) {
    Object.assign(this, result);
    Object.defineProperty(this, Symbol.for("Jupyter.display"), {
      value: (): MimeBundle =>
        trajectoryDisplay(result, {
          stateNames: system.states,
          inputNames: system.inputs,
          title: `${system.name}, cost ${result.cost.toPrecision(5)} after ${result.history.length - 1} iterations`,
        }),
    });
  }
}

/** Cost and its derivatives, over all steps at once. */
class Problem {
  constructor(
    private readonly system: System,
    private readonly options: IlqrOptions,
  ) {}

  cost(states: readonly number[][], inputs: readonly number[][]): number {
    const { cost, finalCost } = this.options;
    return tidy(() => {
      const [X, U, last] = this.tensors(states, inputs);
      const steps = vmap(cost)(X, U);
      if (steps.ndim !== 1)
        throw new ShapeError(`ilqr: the cost of a step is a scalar, got (${steps.shape.slice(1)})`);
      return steps.sum().item() + finalCost(last).item();
    });
  }

  expand(states: readonly number[][], inputs: readonly number[][]) {
    const { cost, finalCost, dt } = this.options;
    const [n, m, count] = [this.system.states.length, this.system.inputs.length, inputs.length];
    const linear = this.system.linearizations(states.slice(0, count), inputs, dt);
    const double = (t: Tensor): Float64Array => Float64Array.from(t.toTypedArray() as Float64Array);
    return tidy(() => {
      const [X, U, last] = this.tensors(states, inputs);
      const all = vmap((x: Tensor, u: Tensor) => [
        grad(cost)(x, u),
        grad(cost, { argnums: 1 })(x, u),
        hessian(cost)(x, u),
        hessian(cost, { argnum: 1 })(x, u),
        jacobian(grad(cost, { argnums: 1 }), { mode: "forward" })(x, u),
      ])(X, U);
      const [lx, lu, lxx, luu, lux] = all.map(double);
      const steps = linear.map(
        ({ a, b }, k): Expansion => ({
          A: toMatrix(a, "ilqr: A", { columns: n }),
          B: toMatrix(b, "ilqr: B", { columns: m }),
          lx: lx.slice(k * n, (k + 1) * n),
          lu: lu.slice(k * m, (k + 1) * m),
          lxx: matrix(n, n, lxx.slice(k * n * n, (k + 1) * n * n)),
          luu: matrix(m, m, luu.slice(k * m * m, (k + 1) * m * m)),
          lux: matrix(m, n, lux.slice(k * m * n, (k + 1) * m * n)),
        }),
      );
      return {
        steps,
        gradient: double(grad(finalCost)(last)),
        curvature: matrix(n, n, double(hessian(finalCost)(last))),
      };
    });
  }

  private tensors(states: readonly number[][], inputs: readonly number[][]): [Tensor, Tensor, Tensor] {
    const count = inputs.length;
    const pack = (rows: readonly number[][]): Tensor =>
      tensor(Float64Array.from(rows.flat()), { shape: [rows.length, rows[0].length], dtype: "float64" });
    return [
      pack(states.slice(0, count)),
      pack(inputs),
      tensor(Float64Array.from(states[count]), { dtype: "float64" }),
    ];
  }
}

function rollOut(
  system: System,
  start: number[],
  dt: number,
  steps: number,
  law: (x: number[], k: number) => number[],
): { states: number[][]; inputs: number[][] } {
  const states = [start];
  const inputs: number[][] = [];
  for (let k = 0; k < steps; k++) {
    inputs.push(law(states[k], k));
    states.push(system.step(states[k], inputs[k], dt));
  }
  return { states, inputs };
}

/** Riccati's recursion; `null` if the model is not convex in the inputs at this damping. */
function backward(
  { steps, gradient, curvature }: ReturnType<Problem["expand"]>,
  inputs: readonly number[][],
  damping: number,
  limits: { readonly lower: Float64Array; readonly upper: Float64Array } | undefined,
) {
  const [k, K]: [Float64Array[], Matrix[]] = [[], []];
  let [vx, Vxx] = [gradient, curvature];
  let [linear, quadratic] = [0, 0];
  for (let t = steps.length - 1; t >= 0; t--) {
    const { A, B, lx, lu, lxx, luu, lux } = steps[t];
    const [At, Bt] = [transposed(A), transposed(B)];
    const add = (a: Float64Array, b: Float64Array): Float64Array => a.map((v, i) => v + b[i]);
    const qx = add(lx, apply(At, vx));
    const qu = add(lu, apply(Bt, vx));
    const Qxx = plus(lxx, product(At, Vxx, A));
    const Quu = symmetric(plus(luu, product(Bt, Vxx, B)));
    const Qux = plus(lux, product(Bt, Vxx, A));
    const damped = matrix(
      Quu.rows,
      Quu.rows,
      Quu.values.map((v, i) => (i % (Quu.rows + 1) === 0 ? v + damping : v)),
    );
    const found = boxStep(
      damped,
      qu,
      Qux,
      limits && {
        lower: limits.lower.map((v, i) => v - inputs[t][i]),
        upper: limits.upper.map((v, i) => v - inputs[t][i]),
      },
    );
    if (found === null) return null;
    const { step, gain } = found;
    k[t] = step;
    K[t] = gain;
    const curved = apply(Quu, step);
    linear += step.reduce((sum, v, i) => sum + v * qu[i], 0);
    quadratic += step.reduce((sum, v, i) => sum + v * curved[i], 0);
    const Kt = transposed(gain);
    vx = add(add(qx, apply(Kt, add(curved, qu))), apply(transposed(Qux), step));
    const mixed = times(Kt, Qux);
    Vxx = symmetric(plus(plus(Qxx, product(Kt, Quu, gain)), plus(mixed, transposed(mixed))));
  }
  return { k, K, linear, quadratic };
}
