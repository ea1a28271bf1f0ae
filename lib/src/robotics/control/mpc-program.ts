/**
 * The quadratic programs of a horizon. Sparse: unknowns u₀ x₁ s₁ u₁ x₂ s₂ …, the dynamics are equations. Condensed: the
 * states are written as functions of the inputs, x = Φ·x₀ + Γ·u.
 */
import { ValueError } from "../../core/errors.js";
import { apply, type Matrix, matrix, times, transposed } from "./dense.js";
import { SparseRows } from "./qp/problem.js";

export interface VectorBounds {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

export interface MpcModel {
  readonly A: Matrix;
  readonly B: Matrix;
  readonly Q: Matrix;
  readonly R: Matrix;
  readonly final: Matrix;
  readonly horizon: number;
  readonly input: VectorBounds;
  readonly state: VectorBounds;
  readonly rate: VectorBounds;
  readonly soft: { readonly linear: number; readonly quadratic: number } | null;
}

/** States x₁ … x_N and inputs u₀ … u_{N−1} to follow. */
export interface ReferenceSeries {
  readonly states: readonly Float64Array[];
  readonly inputs: readonly Float64Array[];
}

export interface HorizonProgram {
  readonly p: SparseRows;
  readonly rows: SparseRows;
  /** What changes from sample to sample; `constant` completes the cost. */
  vectors(
    x: Float64Array,
    reference: ReferenceSeries,
    previous: Float64Array,
  ): { readonly q: Float64Array; readonly bounds: VectorBounds; readonly constant: number };
  inputsOf(solution: Float64Array): number[][];
  violationOf(solution: Float64Array): number;
  /** A bound in words; `null` for an equation of the dynamics. */
  describe(row: number, side: "lower" | "upper"): string | null;
}

/** A row of the program: its entries and where its bounds come from. */
interface Row {
  readonly entries: readonly (readonly [number, number])[];
  readonly kind: "dynamics" | "input" | "state" | "rate" | "slack";
  readonly step: number;
  readonly element: number;
  /** Soft bounds are one row per side. */
  readonly side?: "lower" | "upper";
}

const finite = (bounds: VectorBounds, i: number): boolean =>
  Number.isFinite(bounds.lower[i]) || Number.isFinite(bounds.upper[i]);

export function buildProgram(model: MpcModel, formulation: "sparse" | "condensed"): HorizonProgram {
  if (formulation !== "sparse" && formulation !== "condensed")
    throw new ValueError(`Mpc: formulation is "sparse" or "condensed", got ${JSON.stringify(formulation)}`);
  return formulation === "sparse" ? sparseProgram(model) : condensedProgram(model);
}

/** The states that have bounds; one slack each where they are soft. */
const boundedStates = ({ A, state }: MpcModel): number[] =>
  Array.from({ length: A.rows }, (_, i) => i).filter((i) => finite(state, i));

const weightOf = ({ Q, final, horizon }: MpcModel, step: number): Matrix => (step === horizon ? final : Q);

/** Rows of bounds on inputs, their rates and, by `stateEntries`, states. */
function boundRows(
  model: MpcModel,
  places: {
    input(step: number, i: number): number;
    slack(step: number, which: number): number;
    /** Entries of xₖ's element i. */
    state(step: number, i: number): readonly (readonly [number, number])[];
  },
): Row[] {
  const { horizon, input, rate, state, soft, B } = model;
  const rows: Row[] = [];
  for (let k = 0; k < horizon; k++) {
    for (let i = 0; i < B.columns; i++) {
      if (finite(input, i))
        rows.push({ entries: [[places.input(k, i), 1]], kind: "input", step: k, element: i });
      if (finite(rate, i)) {
        const change: [number, number][] = [[places.input(k, i), 1]];
        if (k > 0) change.push([places.input(k - 1, i), -1]);
        rows.push({ entries: change, kind: "rate", step: k, element: i });
      }
    }
    boundedStates(model).forEach((i, which) => {
      const entries = places.state(k + 1, i);
      const common = { kind: "state", step: k + 1, element: i } as const;
      if (!soft) {
        rows.push({ entries, ...common });
        return;
      }
      const slack = places.slack(k + 1, which);
      if (Number.isFinite(state.lower[i]))
        rows.push({ entries: [...entries, [slack, 1]], ...common, side: "lower" });
      if (Number.isFinite(state.upper[i]))
        rows.push({ entries: [...entries, [slack, -1]], ...common, side: "upper" });
      rows.push({ entries: [[slack, 1]], kind: "slack", step: k + 1, element: i });
    });
  }
  return rows;
}

/** Bounds of all rows; `offset(row)` is the part of the row that is no unknown. */
function boundsOf(
  model: MpcModel,
  rows: readonly Row[],
  previous: Float64Array,
  offset: (row: Row) => number,
): VectorBounds {
  const lower = new Float64Array(rows.length).fill(Number.NEGATIVE_INFINITY);
  const upper = new Float64Array(rows.length).fill(Number.POSITIVE_INFINITY);
  rows.forEach((row, at) => {
    const { kind, element, side, step } = row;
    if (kind === "slack") lower[at] = 0;
    else if (kind === "dynamics") lower[at] = upper[at] = -offset(row);
    else {
      const shift = kind === "state" ? -offset(row) : kind === "rate" && step === 0 ? previous[element] : 0;
      const bounds = kind === "input" ? model.input : kind === "rate" ? model.rate : model.state;
      if (side !== "upper") lower[at] = bounds.lower[element] + shift;
      if (side !== "lower") upper[at] = bounds.upper[element] + shift;
    }
  });
  return { lower, upper };
}

const NAMES = { input: "input", state: "state", rate: "rate of input", slack: "slack" } as const;

function describeRow(model: MpcModel, row: Row, side: "lower" | "upper"): string | null {
  if (row.kind === "dynamics" || row.kind === "slack") return null;
  const bounds = row.kind === "input" ? model.input : row.kind === "rate" ? model.rate : model.state;
  const sign = side === "upper" ? "≤" : "≥";
  return `${NAMES[row.kind]} ${row.element} ${sign} ${bounds[side][row.element]} at step ${row.step}`;
}

const quadratic = (weight: Matrix, x: Float64Array): number =>
  apply(weight, x).reduce((sum, v, i) => sum + v * x[i], 0);

/** Cost of the references themselves, which the unknowns do not change. */
function referenceCost(model: MpcModel, { states, inputs }: ReferenceSeries): number {
  let sum = 0;
  states.forEach((x, k) => {
    sum += 0.5 * quadratic(weightOf(model, k + 1), x);
  });
  for (const u of inputs) sum += 0.5 * quadratic(model.R, u);
  return sum;
}

function sparseProgram(model: MpcModel): HorizonProgram {
  const { A, B, R, horizon, soft } = model;
  const [n, m] = [A.rows, B.columns];
  const slacks = soft ? boundedStates(model).length : 0;
  const stage = m + n + slacks;
  const input = (k: number, i: number): number => k * stage + i;
  const state = (k: number, i: number): number => (k - 1) * stage + m + i;
  const slack = (k: number, which: number): number => (k - 1) * stage + m + n + which;
  const weights: [number, number][][] = Array.from({ length: horizon * stage }, () => []);
  for (let k = 0; k < horizon; k++) {
    const Q = weightOf(model, k + 1);
    for (let i = 0; i < m; i++)
      for (let j = 0; j < m; j++) weights[input(k, i)].push([input(k, j), R.values[i * m + j]]);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) weights[state(k + 1, i)].push([state(k + 1, j), Q.values[i * n + j]]);
    if (soft)
      for (let s = 0; s < slacks; s++) weights[slack(k + 1, s)].push([slack(k + 1, s), 2 * soft.quadratic]);
  }
  const dynamics: Row[] = [];
  for (let k = 0; k < horizon; k++) {
    for (let i = 0; i < n; i++) {
      const entries: [number, number][] = [[state(k + 1, i), -1]];
      for (let j = 0; j < m; j++) entries.push([input(k, j), B.values[i * m + j]]);
      if (k > 0) for (let j = 0; j < n; j++) entries.push([state(k, j), A.values[i * n + j]]);
      dynamics.push({ entries, kind: "dynamics", step: k, element: i });
    }
  }
  const rows = [...dynamics, ...boundRows(model, { input, slack, state: (k, i) => [[state(k, i), 1]] })];
  return {
    p: SparseRows.from(horizon * stage, weights),
    rows: SparseRows.from(
      horizon * stage,
      rows.map((row) => row.entries),
    ),
    vectors: (x, reference, previous) => {
      const q = new Float64Array(horizon * stage);
      for (let k = 0; k < horizon; k++) {
        apply(R, reference.inputs[k]).forEach((v, i) => {
          q[input(k, i)] = -v;
        });
        apply(weightOf(model, k + 1), reference.states[k]).forEach((v, i) => {
          q[state(k + 1, i)] = -v;
        });
        if (soft) for (let s = 0; s < slacks; s++) q[slack(k + 1, s)] = soft.linear;
      }
      const first = apply(A, x);
      const offset = ({ kind, step, element }: Row): number =>
        kind === "dynamics" && step === 0 ? first[element] : 0;
      return {
        q,
        bounds: boundsOf(model, rows, previous, offset),
        constant: referenceCost(model, reference),
      };
    },
    inputsOf: (solution) =>
      Array.from({ length: horizon }, (_, k) => Array.from(solution.subarray(k * stage, k * stage + m))),
    violationOf: (solution) => {
      let most = 0;
      for (let k = 1; k <= horizon; k++)
        for (let s = 0; s < slacks; s++) most = Math.max(most, solution[slack(k, s)]);
      return most;
    },
    describe: (row, side) => describeRow(model, rows[row], side),
  };
}

function condensedProgram(model: MpcModel): HorizonProgram {
  const { A, B, R, horizon, soft } = model;
  const [n, m] = [A.rows, B.columns];
  const slacks = soft ? boundedStates(model).length : 0;
  const moves = horizon * m;
  const unknowns = moves + horizon * slacks;
  // powers[k] = Aᵏ, response[k] = Aᵏ·B
  const powers = [
    matrix(
      n,
      n,
      Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
    ),
  ];
  for (let k = 0; k < horizon; k++) powers.push(times(A, powers[k]));
  const response = powers.slice(0, horizon).map((power) => times(power, B));
  /** Γₖ: how xₖ follows from the inputs, (n, moves). */
  const effects = Array.from({ length: horizon }, (_, at) => {
    const effect = matrix(n, moves);
    for (let j = 0; j <= at; j++)
      for (let r = 0; r < n; r++)
        for (let c = 0; c < m; c++) effect.values[r * moves + j * m + c] = response[at - j].values[r * m + c];
    return effect;
  });
  const weighted = effects.map((effect, at) => times(transposed(effect), weightOf(model, at + 1))); // Γᵀ·Q, (moves, n)
  const hessian = matrix(unknowns, unknowns);
  effects.forEach((effect, at) => {
    const term = times(weighted[at], effect);
    for (let i = 0; i < moves; i++)
      for (let j = 0; j < moves; j++) hessian.values[i * unknowns + j] += term.values[i * moves + j];
  });
  for (let k = 0; k < horizon; k++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < m; j++) hessian.values[(k * m + i) * unknowns + k * m + j] += R.values[i * m + j];
  if (soft) for (let s = moves; s < unknowns; s++) hessian.values[s * unknowns + s] = 2 * soft.quadratic;
  const input = (k: number, i: number): number => k * m + i;
  const slack = (k: number, which: number): number => moves + (k - 1) * slacks + which;
  const rows = boundRows(model, {
    input,
    slack,
    state: (k, i) =>
      Array.from({ length: moves }, (_, j) => [j, effects[k - 1].values[i * moves + j]] as const).filter(
        ([, v]) => v !== 0,
      ),
  });
  return {
    p: SparseRows.fromDense(hessian),
    rows: SparseRows.from(
      unknowns,
      rows.map((row) => row.entries),
    ),
    vectors: (x, reference, previous) => {
      const free = powers.slice(1).map((power) => apply(power, x));
      const q = new Float64Array(unknowns);
      let constant = referenceCost(model, reference);
      free.forEach((state, at) => {
        const error = state.map((v, i) => v - reference.states[at][i]);
        apply(weighted[at], error).forEach((v, j) => {
          q[j] += v;
        });
        const weight = weightOf(model, at + 1);
        constant += 0.5 * (quadratic(weight, error) - quadratic(weight, reference.states[at]));
        apply(R, reference.inputs[at]).forEach((v, i) => {
          q[input(at, i)] -= v;
        });
      });
      if (soft) q.fill(soft.linear, moves);
      const offset = ({ kind, step, element }: Row): number =>
        kind === "state" ? free[step - 1][element] : 0;
      return { q, bounds: boundsOf(model, rows, previous, offset), constant };
    },
    inputsOf: (solution) =>
      Array.from({ length: horizon }, (_, k) => Array.from(solution.subarray(k * m, (k + 1) * m))),
    violationOf: (solution) => solution.subarray(moves).reduce((most, v) => Math.max(most, v), 0),
    describe: (row, side) => describeRow(model, rows[row], side),
  };
}
