/**
 * Model predictive control (模型预测控制): at every sample the best inputs of the next N steps under constraints, of which the
 * first is applied. The program is the same each time but for its vectors, so its factors are kept, and each solve
 * starts from the plan before.
 */
import { ValueError } from "../../core/errors.js";
import { apply, type MatrixLike, toSymmetric, toVector, type VectorLike } from "./dense.js";
import { buildProgram, type HorizonProgram, type MpcModel } from "./mpc-program.js";
import { AdmmSolver } from "./qp/admm.js";
import type { QpResult } from "./qp/problem.js";
import { checkProblem, discreteRiccati } from "./riccati.js";
import { trajectoryDisplay } from "./trajectory-display.js";

/** Bounds of each element; one number serves all; ±∞ for none. */
export interface Bounds {
  readonly lower?: number | VectorLike;
  readonly upper?: number | VectorLike;
}

export interface MpcOptions {
  /** xₖ₊₁ = A·xₖ + B·uₖ: (n, n). */
  readonly a: MatrixLike;
  /** (n, m). */
  readonly b: MatrixLike;
  /** Weight of the state's error, (n, n). */
  readonly q: MatrixLike;
  /** Weight of the input, (m, m), positive definite. */
  readonly r: MatrixLike;
  /** Steps that are planned. */
  readonly horizon: number;
  /** Weight of the last state's error. Default: the regulator's cost (`dare`), so that without active constraints the law is `dlqr`'s. */
  readonly final?: MatrixLike;
  readonly inputBounds?: Bounds;
  /** Of the planned states x₁ … x_N. */
  readonly stateBounds?: Bounds;
  /** Of uₖ − uₖ₋₁. */
  readonly rateBounds?: Bounds;
  /**
   * Bounds of states may be broken at a price: linear·s + quadratic·s² for a violation s, per state and step. A large
   * linear price keeps them wherever they can be kept. Default: they are hard.
   */
  readonly soft?: { readonly linear: number; readonly quadratic?: number };
  /** "sparse": states are unknowns too and the factors banded: for long horizons; "condensed": inputs alone, dense. Default "sparse". */
  readonly formulation?: "sparse" | "condensed";
  /** Of the solver; default 1e-6. */
  readonly tolerance?: number;
  readonly maxIterations?: number;
}

/** What the states and inputs should be: one for all steps, or one per step (states x₁ … x_N, inputs u₀ … u_{N−1}). */
export interface MpcReference {
  readonly state?: VectorLike | readonly VectorLike[];
  readonly input?: VectorLike | readonly VectorLike[];
}

export interface MpcPlan {
  /** As of `QpResult`; an infeasible plan has no inputs. */
  readonly status: QpResult["status"];
  /** The input to apply now, (m,); `null` if there is none. */
  readonly input: number[] | null;
  /** N inputs and N + 1 states, the present one first. */
  readonly inputs: number[][];
  readonly states: number[][];
  /** Cost of the plan, the price of violations included. */
  readonly cost: number;
  /** Largest violation of a soft bound. */
  readonly violation: number;
  readonly iterations: number;
  /** The bounds that contradict each other when no plan exists. */
  readonly conflict: readonly string[];
}

/** A controller of a linear system. */
export class Mpc {
  readonly horizon: number;
  private readonly model: MpcModel;
  private readonly program: HorizonProgram;
  private readonly solver: AdmmSolver;
  private last: Float64Array | null = null;

  /** @throws ShapeError, ValueError for sizes, weights or bounds that do not fit */
  constructor(options: MpcOptions) {
    const { a, b, q, r, horizon, formulation = "sparse", soft, tolerance, maxIterations } = options;
    if (!Number.isInteger(horizon) || horizon < 1)
      throw new ValueError(`Mpc: a horizon of at least one step wanted, got ${horizon}`);
    if (soft && !(soft.linear >= 0 && (soft.quadratic ?? 0) >= 0))
      throw new ValueError("Mpc: prices of violations are at least 0");
    const checked = checkProblem({ a, b, q, r }, "Mpc");
    const { A, B, Q, R } = checked;
    const final =
      options.final === undefined
        ? discreteRiccati(checked, "Mpc: the final weight")
        : toSymmetric(options.final, "Mpc: the final weight", A.rows);
    const bounds = (given: Bounds | undefined, size: number, what: string) => ({
      lower: bound(given?.lower, size, Number.NEGATIVE_INFINITY, `Mpc: ${what}.lower`),
      upper: bound(given?.upper, size, Number.POSITIVE_INFINITY, `Mpc: ${what}.upper`),
    });
    this.horizon = horizon;
    this.model = {
      A,
      B,
      Q,
      R,
      final,
      horizon,
      input: bounds(options.inputBounds, B.columns, "inputBounds"),
      state: bounds(options.stateBounds, A.rows, "stateBounds"),
      rate: bounds(options.rateBounds, B.columns, "rateBounds"),
      soft: soft ? { linear: soft.linear, quadratic: soft.quadratic ?? 0 } : null,
    };
    this.program = buildProgram(this.model, formulation);
    const { p, rows } = this.program;
    this.solver = new AdmmSolver(
      {
        p,
        q: new Float64Array(p.rows),
        a: rows,
        ...this.program.vectors(
          new Float64Array(A.rows),
          noReference(this.model),
          new Float64Array(B.columns),
        ).bounds,
      },
      { tolerance, maxIterations },
    );
  }

  /** Number of unknowns and of rows of the program. */
  get size(): { readonly unknowns: number; readonly rows: number } {
    return { unknowns: this.program.p.rows, rows: this.program.rows.rows };
  }

  /**
   * The plan from state `x`.
   * @param reference what to follow. Default: zero
   * @param previous the input applied before, which `rateBounds` starts from. Default: that of the last plan, or zero
   */
  plan(x: VectorLike, reference: MpcReference = {}, previous?: VectorLike): MpcPlan {
    const { A, B, horizon } = this.model;
    const [n, m] = [A.rows, B.columns];
    const start = toVector(x, "Mpc.plan: the state", n);
    const before =
      previous === undefined
        ? (this.last ?? new Float64Array(m))
        : toVector(previous, "Mpc.plan: the previous input", m);
    const wanted = {
      states: series(reference.state, horizon, n, "Mpc.plan: reference.state"),
      inputs: series(reference.input, horizon, m, "Mpc.plan: reference.input"),
    };
    const { q, bounds, constant } = this.program.vectors(start, wanted, before);
    const found = this.solver.update({ q, ...bounds }).solve();
    const base = { status: found.status, iterations: found.iterations };
    if (found.status === "infeasible" || found.status === "unbounded") {
      this.last = null;
      const conflict = Array.from(found.y, (v, i) => [Math.abs(v), i, v] as const)
        .filter(([size]) => size > 1e-3)
        .sort(([a], [b]) => b - a)
        .flatMap(([, row, v]) => this.program.describe(row, v > 0 ? "upper" : "lower") ?? []);
      return {
        ...base,
        input: null,
        inputs: [],
        states: [],
        cost: Number.POSITIVE_INFINITY,
        violation: Number.POSITIVE_INFINITY,
        conflict,
      };
    }
    const inputs = this.program.inputsOf(found.x);
    const states = [Array.from(start)];
    for (const u of inputs) {
      const [free, driven] = [apply(A, states[states.length - 1]), apply(B, u)];
      states.push(Array.from(free, (v, i) => v + driven[i]));
    }
    this.last = Float64Array.from(inputs[0]);
    return new Plan({
      ...base,
      input: inputs[0],
      inputs,
      states,
      cost: found.objective + constant,
      violation: this.program.violationOf(found.x),
      conflict: [],
    });
  }

  /** Forgets the plan before: the next one starts cold. */
  reset(): void {
    this.last = null;
    const { p, rows } = this.program;
    this.solver.warmStart(new Float64Array(p.rows), new Float64Array(rows.rows));
  }
}

/** A plan that shows itself as curves. */
class Plan implements MpcPlan {
  declare readonly status: MpcPlan["status"];
  declare readonly input: number[] | null;
  declare readonly inputs: number[][];
  declare readonly states: number[][];
  declare readonly cost: number;
  declare readonly violation: number;
  declare readonly iterations: number;
  declare readonly conflict: readonly string[];

  constructor(plan: MpcPlan) {
    Object.assign(this, plan);
    Object.defineProperty(this, Symbol.for("Jupyter.display"), {
      value: () => trajectoryDisplay({ states: plan.states, inputs: plan.inputs, dt: 1 }, { xLabel: "step" }),
    });
  }
}

const noReference = ({ horizon, A, B }: MpcModel) => ({
  states: Array.from({ length: horizon }, () => new Float64Array(A.rows)),
  inputs: Array.from({ length: horizon }, () => new Float64Array(B.columns)),
});

function bound(
  given: number | VectorLike | undefined,
  size: number,
  open: number,
  what: string,
): Float64Array {
  if (given === undefined) return new Float64Array(size).fill(open);
  return typeof given === "number" ? new Float64Array(size).fill(given) : toVector(given, what, size);
}

/** One vector for all steps, or one per step. */
function series(
  given: VectorLike | readonly VectorLike[] | undefined,
  horizon: number,
  size: number,
  what: string,
): Float64Array[] {
  if (given === undefined) return Array.from({ length: horizon }, () => new Float64Array(size));
  if (Array.isArray(given) && typeof given[0] !== "number") {
    if (given.length !== horizon)
      throw new ValueError(`${what}: one per step, ${horizon}, wanted, got ${given.length}`);
    return given.map((each, k) => toVector(each as VectorLike, `${what}[${k}]`, size));
  }
  const one = toVector(given as VectorLike, what, size);
  return Array.from({ length: horizon }, () => one);
}
