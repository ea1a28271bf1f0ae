/**
 * Gauss–Newton and Levenberg–Marquardt over a problem. (Madsen, Nielsen & Tingleff, "Methods for non-linear least squares
 * problems", 2004: gain ratio and damping as there; stopping rules as SciPy's least_squares.)
 */
import { ValueError } from "../../core/errors.js";
import { NormalEquations, RankDeficiencyError } from "./normal-equations.js";
import type { ParameterGroup, Problem } from "./problem.js";

export interface SolveOptions {
  /**
   * "levenberg-marquardt" (default): steps that do not lower the cost are taken back and damped more. "gauss-newton": whole
   * steps, for problems that start near their solution.
   */
  readonly method?: "levenberg-marquardt" | "gauss-newton";
  /** What damping is a multiple of: "marquardt" (default) the diagonal of JᵀJ, so that units do not matter; "levenberg" the identity. */
  readonly scaling?: "marquardt" | "levenberg";
  /** First damping: relative to the largest diagonal element for "levenberg". Default 1e-4. */
  readonly initialDamping?: number;
  /** Groups of which no two blocks share a residual (points): eliminated by the Schur complement. */
  readonly eliminate?: readonly ParameterGroup[];
  /** Default 100. */
  readonly maxIterations?: number;
  /** Ends when an accepted step lowers the cost by less than this part of it. Default 1e-8. */
  readonly costTolerance?: number;
  /** Ends when the step is shorter than this part of the parameters. Default 1e-8. */
  readonly stepTolerance?: number;
  /** Ends when no element of the gradient is larger. Default 1e-8. */
  readonly gradientTolerance?: number;
  /** Called after each iteration. */
  readonly onIteration?: (report: IterationReport) => void;
  /** Ends the solver after the iteration in which it fires; the best values so far are kept. */
  readonly signal?: AbortSignal;
}

export interface IterationReport {
  /** From 1. */
  readonly iteration: number;
  /** Of the values that are kept. */
  readonly cost: number;
  /** Largest element of the gradient where the step began. */
  readonly gradientNorm: number;
  readonly stepNorm: number;
  /** 0 for Gauss–Newton. */
  readonly damping: number;
  /** Decrease of the cost over the decrease that the linear model promised. */
  readonly gainRatio: number;
  readonly accepted: boolean;
  readonly seconds: number;
}

export interface SolveSummary {
  readonly initialCost: number;
  readonly cost: number;
  readonly iterations: readonly IterationReport[];
  /** What ended it. */
  readonly termination: "cost" | "step" | "gradient" | "iterations" | "aborted" | "diverged";
  /** True for "cost", "step" and "gradient". */
  readonly converged: boolean;
  readonly seconds: number;
}

/**
 * Minimizes the cost; the groups of the problem hold the solution afterwards. Between iterations the event loop turns.
 * @example
 * const problem = new robotics.solve.Problem();
 * const x = problem.addParameters("x", [3]);
 * const kind = robotics.solve.autodiffResidual({ name: "root", size: 1, parameters: [1] }, (x) => x.square().sub(2));
 * problem.addResiduals(kind, [[x, [0]]]);
 * await robotics.solve.minimize(problem);
 * x.values // [1.4142]
 * @throws RankDeficiencyError if Gauss–Newton meets a direction that the residuals leave undetermined; ValueError if the
 * residuals are not finite at the start.
 */
export async function minimize(problem: Problem, options: SolveOptions = {}): Promise<SolveSummary> {
  const run = iterate(problem, options);
  for (;;) {
    const next = run.next();
    if (next.done) return next.value;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/**
 * `minimize` in one go, for small problems inside a loop.
 * @example
 * const problem = new robotics.solve.Problem();
 * const x = problem.addParameters("x", [3]);
 * const kind = robotics.solve.autodiffResidual({ name: "root", size: 1, parameters: [1] }, (x) => x.square().sub(2));
 * problem.addResiduals(kind, [[x, [0]]]);
 * robotics.solve.minimizeSync(problem).converged // true
 */
export function minimizeSync(problem: Problem, options: SolveOptions = {}): SolveSummary {
  const run = iterate(problem, options);
  for (;;) {
    const next = run.next();
    if (next.done) return next.value;
  }
}

/** Marquardt's scale stays between these, so that a parameter without effect is damped too. */
const [LEAST_SCALE, MOST_SCALE] = [1e-6, 1e32];
/** Damping beyond this means that no step helps. */
const MOST_DAMPING = 1e32;

function* iterate(problem: Problem, options: SolveOptions): Generator<void, SolveSummary> {
  const {
    method = "levenberg-marquardt",
    scaling = "marquardt",
    initialDamping = 1e-4,
    maxIterations = 100,
    costTolerance = 1e-8,
    stepTolerance = 1e-8,
    gradientTolerance = 1e-8,
    eliminate = [],
    signal,
    onIteration,
  } = options;
  checkOptions(options);
  const began = performance.now();
  const equations = new NormalEquations(problem, eliminate);
  const { blocks } = equations;
  const damped = method === "levenberg-marquardt";
  const iterations: IterationReport[] = [];
  let cost = equations.linearize();
  if (!Number.isFinite(cost)) throw new ValueError(`minimize: the cost at the start is ${cost}`);
  const initialCost = cost;
  const done = (termination: SolveSummary["termination"]): SolveSummary => ({
    initialCost,
    cost,
    iterations,
    termination,
    converged: ["cost", "step", "gradient"].includes(termination),
    seconds: (performance.now() - began) / 1000,
  });
  const scale = new Float64Array(blocks.size).fill(1);
  const rescale = (): void => {
    if (scaling === "levenberg") return;
    equations.diagonal.forEach((x, i) => {
      scale[i] = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, x));
    });
  };
  rescale();
  let damping = 0;
  if (damped) damping = initialDamping * (scaling === "levenberg" ? largest(equations.diagonal) : 1);
  let growth = 2;
  let gradientNorm = largest(equations.gradient);
  if (gradientNorm <= gradientTolerance) return done("gradient");
  for (let iteration = 1; iteration <= maxIterations; iteration++) {
    if (signal?.aborted) return done("aborted");
    const start = performance.now();
    const usedDamping = damping;
    let step: Float64Array | null = null;
    try {
      step = equations.step(damping, scale, damped ? 0 : 1e-12);
    } catch (error) {
      if (!damped || !(error instanceof RankDeficiencyError)) throw error;
    }
    const stepNorm = step ? norm(step) : 0;
    const saved = problem.groups.map((group) => group.values.slice());
    const size = parameterNorm(problem);
    let [newCost, gainRatio] = [Number.POSITIVE_INFINITY, 0];
    if (step?.every(Number.isFinite)) {
      blocks.plus(step);
      newCost = problem.cost();
      let promised = 0;
      for (let i = 0; i < step.length; i++)
        promised += 0.5 * step[i] * (damping * scale[i] * step[i] - equations.gradient[i]);
      gainRatio = promised > 0 ? (cost - newCost) / promised : 0;
    }
    const accepted = damped ? newCost < cost && gainRatio > 0 : Number.isFinite(newCost);
    if (!accepted) for (const [g, group] of problem.groups.entries()) group.values.set(saved[g]);
    const decrease = cost - newCost;
    if (accepted) cost = newCost;
    if (damped && accepted) {
      damping *= Math.max(1 / 3, 1 - (2 * gainRatio - 1) ** 3);
      growth = 2;
    } else if (damped) {
      damping *= growth;
      growth *= 2;
    }
    const usedGradient = gradientNorm;
    if (accepted) {
      equations.linearize();
      rescale();
      gradientNorm = largest(equations.gradient);
    }
    const seconds = (performance.now() - start) / 1000;
    const report: IterationReport = {
      iteration,
      cost,
      gradientNorm: usedGradient,
      stepNorm,
      damping: usedDamping,
      gainRatio,
      accepted,
      seconds,
    };
    iterations.push(report);
    onIteration?.(report);
    if (!damped && !accepted) return done("diverged");
    if (accepted && gradientNorm <= gradientTolerance) return done("gradient");
    if (accepted && Math.abs(decrease) <= costTolerance * cost) return done("cost");
    if (step && stepNorm <= stepTolerance * (size + stepTolerance)) return done("step");
    if (damping > MOST_DAMPING) return done("diverged");
    yield;
  }
  return done("iterations");
}

function checkOptions({ maxIterations = 1, initialDamping = 1, ...rest }: SolveOptions): void {
  if (!Number.isInteger(maxIterations) || maxIterations < 0)
    throw new ValueError(`minimize: maxIterations is a whole number from 0, got ${maxIterations}`);
  if (!(initialDamping > 0))
    throw new ValueError(`minimize: initialDamping is above 0, got ${initialDamping}`);
  for (const name of ["costTolerance", "stepTolerance", "gradientTolerance"] as const) {
    const value = rest[name];
    if (value !== undefined && !(value >= 0))
      throw new ValueError(`minimize: ${name} is 0 or more, got ${value}`);
  }
}

function largest(values: Float64Array): number {
  let most = 0;
  for (const x of values) most = Math.max(most, Math.abs(x));
  return most;
}

function norm(values: Float64Array): number {
  let sum = 0;
  for (const x of values) sum += x * x;
  return Math.sqrt(sum);
}

function parameterNorm(problem: Problem): number {
  let sum = 0;
  for (const group of problem.groups) sum += norm(group.values) ** 2;
  return Math.sqrt(sum);
}
