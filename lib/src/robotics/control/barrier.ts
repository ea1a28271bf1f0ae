/**
 * Safety filters (安全滤波): a control barrier function h says where it is safe (h ≥ 0); the filter changes the input that a learned
 * policy wants as little as keeps ḣ ≥ −α·h (Ames et al. 2019): the safe set is never left, and approached ever more slowly.
 */

import { jvp } from "../../autodiff/forward.js";
import { grad } from "../../autodiff/grad.js";
import { ShapeError, ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { tensor } from "../../ops/convert.js";
import { zeros } from "../../ops/create.js";
import { tidy } from "../../ops/tidy.js";
import { type MatrixLike, toSymmetric, toVector, type VectorLike } from "./dense.js";
import { activeSet } from "./qp/active-set.js";
import type { System } from "./system.js";

/** A barrier: a scalar of the state, at least 0 where it is safe, differentiable. */
export type Barrier = (x: Tensor) => Tensor;

export interface SafetyFilterOptions {
  readonly barriers: readonly Barrier[];
  /** 1/s: how fast a barrier may be approached. Default 1. */
  readonly rate?: number;
  /** Limits of the inputs. */
  readonly limits?: { readonly lower: VectorLike; readonly upper: VectorLike };
  /** (m, m): what a change of the input costs. Default: the identity. */
  readonly weight?: MatrixLike;
  /** Added to the bound: covers what sampling and model leave out. In units of h per second. Default 0. */
  readonly margin?: number;
}

export interface FilteredInput {
  readonly input: number[];
  /** Distance from what was wanted. */
  readonly change: number;
  /** Barriers that hold the input back, by their place. */
  readonly active: readonly number[];
  /** Value of each barrier now. */
  readonly barriers: readonly number[];
  /** Limits and barriers contradict each other: the input breaks the barriers least, and no promise is kept. */
  readonly infeasible: boolean;
}

/** A filter for a system that is affine in its inputs, ẋ = f(x) + g(x)·u. */
export class SafetyFilter {
  private readonly barriers: readonly Barrier[];
  private readonly rate: number;
  private readonly margin: number;
  private readonly lower: Float64Array;
  private readonly upper: Float64Array;
  private readonly weight: number[][];

  /** @throws ValueError for a system that is not affine in its inputs, or without barriers; ShapeError for wrong sizes */
  constructor(
    readonly system: System,
    { barriers, rate = 1, limits, weight, margin = 0 }: SafetyFilterOptions,
  ) {
    const m = system.inputs.length;
    if (barriers.length === 0) throw new ValueError("SafetyFilter: at least one barrier wanted");
    if (!(rate > 0)) throw new ValueError(`SafetyFilter: a rate above 0 1/s wanted, got ${rate}`);
    this.barriers = barriers;
    this.rate = rate;
    this.margin = margin;
    this.lower = limits
      ? toVector(limits.lower, "SafetyFilter: limits.lower", m)
      : new Float64Array(m).fill(Number.NEGATIVE_INFINITY);
    this.upper = limits
      ? toVector(limits.upper, "SafetyFilter: limits.upper", m)
      : new Float64Array(m).fill(Number.POSITIVE_INFINITY);
    const W = weight === undefined ? null : toSymmetric(weight, "SafetyFilter: weight", m);
    this.weight = Array.from({ length: m }, (_, i) =>
      Array.from({ length: m }, (_, j) => (W ? W.values[i * m + j] : i === j ? 1 : 0)),
    );
    checkAffine(system);
  }

  /** The safe input that is nearest to the wanted one in state `x`. */
  filter(x: VectorLike, wanted: VectorLike): FilteredInput {
    const { system, barriers, rate, margin, lower, upper, weight } = this;
    const [n, m] = [system.states.length, system.inputs.length];
    const state = toVector(x, "SafetyFilter.filter: the state", n);
    const goal = toVector(wanted, "SafetyFilter.filter: the input", m);
    const { a, value: still } = inputDirections(system, state);
    const values: number[] = [];
    const rows: number[][] = [];
    const bounds: number[] = [];
    tidy(() => {
      const point = tensor(state, { dtype: "float64" });
      for (const [i, barrier] of barriers.entries()) {
        const h = barrier(point);
        if (h.size !== 1)
          throw new ShapeError(`SafetyFilter: barrier ${i} gave ${h.type}, a scalar was wanted`);
        const slope = grad((at: Tensor) => barrier(at).sum())(point).toTypedArray() as Float64Array;
        values.push(h.sum().item());
        rows.push(Array.from({ length: m }, (_, j) => slope.reduce((sum, v, k) => sum + v * a[k][j], 0)));
        const drift = slope.reduce((sum, v, k) => sum + v * still[k], 0);
        bounds.push(-rate * values[i] - drift + margin);
      }
    });
    const unit = (j: number): number[] => Array.from({ length: m }, (_, k) => (k === j ? 1 : 0));
    const linear = weight.map((row) => -row.reduce((sum, v, j) => sum + v * goal[j], 0));
    const problem = {
      p: weight,
      q: linear,
      a: [...rows, ...goal.keys()].map((row) => (typeof row === "number" ? unit(row) : row)),
      lower: [...bounds, ...lower],
      upper: [...bounds.map(() => Number.POSITIVE_INFINITY), ...upper],
    };
    const found = activeSet(problem);
    const infeasible = found.status !== "solved";
    const input = infeasible ? this.leastHarm(problem, rows.length) : Array.from(found.x);
    return {
      input,
      change: Math.hypot(...input.map((v, i) => v - goal[i])),
      active: rows.flatMap((row, i) => {
        const slack = row.reduce((sum, v, j) => sum + v * input[j], 0) - bounds[i];
        return slack < 1e-7 * (1 + Math.abs(bounds[i])) ? [i] : [];
      }),
      barriers: values,
      infeasible,
    };
  }

  /** Barriers may be broken at a price so high that it decides before all else; limits hold. */
  private leastHarm(
    problem: { p: number[][]; q: number[]; a: number[][]; lower: number[]; upper: number[] },
    count: number,
  ): number[] {
    const m = problem.q.length;
    const price = 1e6 * Math.max(1, ...problem.p.flat());
    const found = activeSet({
      p: Array.from({ length: m + count }, (_, i) =>
        Array.from({ length: m + count }, (_, j) => (i < m && j < m ? problem.p[i][j] : i === j ? price : 0)),
      ),
      q: [...problem.q, ...new Array<number>(count).fill(0)],
      a: problem.a.map((row, i) => [...row, ...Array.from({ length: count }, (_, k) => (k === i ? 1 : 0))]),
      lower: problem.lower,
      upper: problem.upper,
    });
    return Array.from(found.x.subarray(0, m));
  }
}

/** g(x) as A, f(x) as value. */
function inputDirections(
  system: System,
  x: Float64Array,
): { readonly a: number[][]; readonly value: number[] } {
  const zero = new Float64Array(system.inputs.length);
  return { a: system.linearize(x, zero).b, value: system.rate(x, zero) };
}

/** @throws ValueError unless doubling the inputs doubles their effect */
function checkAffine(system: System): void {
  const x = system.states.map((_, i) => 0.3 + 0.17 * i);
  const u = system.inputs.map((_, i) => 0.4 - 0.11 * i);
  const rate = (factor: number): number[] =>
    system.rate(
      x,
      u.map((v) => factor * v),
    );
  const [none, once, twice] = [rate(0), rate(1), rate(2)];
  none.forEach((v, i) => {
    if (Math.abs(twice[i] - 2 * once[i] + v) > 1e-9 * (1 + Math.abs(twice[i])))
      throw new ValueError(
        `SafetyFilter: ${system.name} is not affine in its inputs: the rate of ${system.states[i]} is not`,
      );
  });
}

/**
 * A barrier on which the inputs act at once, from one on whose second derivative they act (a place, say, of a system that is
 * pushed): ḣ + k·h. Keeping it at 0 or above keeps h so too, if it was (Xiao & Belta 2019).
 * @param k 1/s
 * @example
 * const system = control.doubleIntegrator();
 * const wall = control.higherBarrier(system, (x) => x.slice(0).neg().add(2), 1); // p ≤ 2 m
 * wall(tensor([1, 0.5], { dtype: "float64" })) // 0.5
 */
export function higherBarrier(system: System, barrier: Barrier, k: number): Barrier {
  if (!(k > 0)) throw new ValueError(`higherBarrier: k above 0 1/s wanted, got ${k}`);
  return (x) => {
    const still = zeros([system.inputs.length], { dtype: "float64" });
    const [h, rate] = jvp(barrier, [x], [system.derivative(x, still)]);
    return rate.add(h.mul(k));
  };
}
