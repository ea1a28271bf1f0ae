/** grad and valueAndGrad: gradients of scalar functions, by reverse mode. */
import { TransformError } from "../core/errors.js";
import { formatType } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { flatten, leaves as leavesOf, pathsOf, unflatten } from "../core/tree.js";
import { argumentValue, pullBack, type Recording, recordRun } from "./reverse.js";
import { carriesGradient } from "./tape.js";
import { constantLike } from "./trace.js";
import { Variable } from "./variable.js";

export interface GradOptions<N extends number | readonly number[] = number | readonly number[]> {
  /** Which arguments to differentiate with respect to; default the first. A list gives a list of gradients. */
  readonly argnums?: N;
  /** The function returns `[loss, aux]`; aux is passed through with the value. */
  readonly hasAux?: boolean;
  /** Gradients of what the loss does not depend on: zeros (default), or `null` in their place. */
  readonly unused?: "zeros" | "null";
}

/** Gradient of argument `N`, or the list of those of several: trees like the arguments. */
export type Gradient<A extends unknown[], N> = N extends readonly number[]
  ? { -readonly [K in keyof N]: A[N[K] & number] }
  : A[N & number];

/**
 * A function that returns the value of `f` and its gradient with respect to its first argument (see `argnums`): a tree
 * of the same structure. Of modules, the variables that require a gradient are differentiated; the others get zeros.
 * @example
 * const loss = (w: Tensor, x: Tensor) => w.mul(x).sum();
 * const [value, gradient] = valueAndGrad(loss)(tensor([1, 2]), tensor([3, 4]));
 * gradient // [3, 4]
 * @throws TransformError if the result is not one scalar of floating point, or an argument has nothing to differentiate.
 */
export function valueAndGrad<A extends unknown[], T, const N extends number | readonly number[] = 0>(
  f: (...args: A) => T,
  options: GradOptions<N> = {},
): (...args: A) => [value: T, gradient: Gradient<A, N>] {
  return (...args) => differentiate(f, options, args, true);
}

/**
 * The gradient of a scalar function with respect to its first argument (see `argnums`).
 * @example grad((x: Tensor) => x.square().sum())(tensor([1, 2])) // [2, 4]
 * @throws TransformError as `valueAndGrad`.
 */
export function grad<A extends unknown[], T, const N extends number | readonly number[] = 0>(
  f: (...args: A) => T,
  options: GradOptions<N> = {},
): (...args: A) => Gradient<A, N> {
  return (...args) => differentiate(f, options, args, false)[1];
}

function differentiate<A extends unknown[], T, N extends number | readonly number[]>(
  f: (...args: A) => T,
  options: GradOptions<N>,
  args: A,
  keepValue: boolean,
): [value: T, gradient: Gradient<A, N>] {
  const argnums: number | readonly number[] = options.argnums ?? 0;
  const list = typeof argnums === "number" ? [argnums] : argnums;
  const wanted = (i: number, leaf: Tensor): boolean =>
    list.includes(i) && !(leaf instanceof Variable && !leaf.requiresGrad);
  for (const n of list) checkArgument(args, n);
  const recording = recordRun(f as never, args, wanted, "grad");
  const value = unflatten(recording.def, recording.outputs);
  let gradients: (Tensor | null)[];
  try {
    const cotangents = seeds(recording, value, options.hasAux ?? false);
    gradients = pullBack(recording, cotangents, true, true);
    cotangents[0]?.dispose();
  } finally {
    recording.free();
  }
  if (!keepValue) for (const [i, y] of recording.outputs.entries()) if (recording.owned[i]) y.dispose();
  const missing = (leaf: Tensor) => (options.unused === "null" ? null : constantLike(argumentValue(leaf), 0));
  const byArgument = new Map<number, unknown>();
  let next = 0;
  for (let i = 0; i < args.length; i++) {
    if (!list.includes(i)) continue;
    const { leaves, def } = flatten(args[i]);
    const found = leaves.map((leaf) => (wanted(i, leaf) ? gradients[next++] : null) ?? missing(leaf));
    byArgument.set(i, unflatten(def, found));
  }
  const trees = list.map((n) => byArgument.get(n));
  return [value as T, (typeof argnums === "number" ? trees[0] : trees) as Gradient<A, N>];
}

/** 1 for the loss, nothing for the rest. */
function seeds({ outputs }: Recording, value: unknown, hasAux: boolean): (Tensor | null)[] {
  if (hasAux && !(Array.isArray(value) && value.length === 2)) {
    throw new TransformError(
      "grad: with hasAux the function returns [loss, aux]; it returned something else",
    );
  }
  const candidates = hasAux ? leavesOf((value as unknown[])[0]) : outputs;
  const [loss] = candidates;
  if (candidates.length !== 1 || loss.size !== 1 || !carriesGradient(loss)) {
    const got = candidates.map(formatType).join(", ") || "no tensor";
    throw new TransformError(
      `grad: the function must return one floating-point scalar (the loss), got ${got}; reduce it with sum() or mean(), return further values with hasAux, or use vjp or jacobian`,
    );
  }
  const rest = new Array<null>(outputs.length - 1).fill(null);
  return [constantLike(loss, 1), ...rest];
}

function checkArgument(args: readonly unknown[], n: number): void {
  if (!Number.isInteger(n) || n < 0 || n >= args.length) {
    throw new TransformError(
      `grad: argument ${n} was asked for, the function was called with ${args.length} argument(s), counted from 0`,
    );
  }
  const { leaves, def } = flatten(args[n]);
  if (leaves.length === 0) {
    const what = typeof args[n] === "object" && args[n] !== null ? args[n].constructor?.name : typeof args[n];
    throw new TransformError(
      `grad: argument ${n} (${what}) holds no tensor to differentiate with respect to; numbers are constants, make tensors of them with tensor(...)`,
    );
  }
  if (!leaves.some(carriesGradient)) {
    throw new TransformError(
      `grad: argument ${n} holds no floating-point tensor (${pathsOf(def)[0] || "it"} is ${formatType(leaves[0])}); integers have no derivative, cast them to float32 first`,
    );
  }
}
