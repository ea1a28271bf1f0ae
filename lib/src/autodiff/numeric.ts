/**
 * Derivatives by differences: numericGrad, and gradCheck, which holds them against reverse mode. Two errors work against
 * each other: the truncated Taylor series gives h (forward) or h² (central), rounding gives ε/h. (Book, chapter 4.)
 */
import type { DType } from "../core/dtype.js";
import { TransformError } from "../core/errors.js";
import { formatType } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { tensor } from "../ops/convert.js";
import { needConcrete } from "../ops/read.js";
import { tidy } from "../ops/tidy.js";
import { grad } from "./grad.js";

export type DifferenceScheme = "forward" | "central";

export interface NumericGradOptions {
  /** "central" (default): (f(x + h) − f(x − h)) / 2h, two runs per element; "forward": (f(x + h) − f(x)) / h. */
  readonly scheme?: DifferenceScheme;
  /** h. Default: where both errors balance, ε^(1/3) for central and ε^(1/2) for forward differences, times max(1, |x|). */
  readonly step?: number;
  /** The argument to differentiate with respect to. Default 0. */
  readonly argnum?: number;
}

/** Spacing of the numbers from 1 on. */
const EPSILON: Partial<Record<DType, number>> = {
  ...{ float64: 2 ** -52, float32: 2 ** -23, float16: 2 ** -10, bfloat16: 2 ** -7 },
};

/**
 * The gradient of a scalar function by differences, element by element: slow and inexact, but it needs no rule. The judge of
 * rules.
 * @returns a function to a tensor like the argument
 * @example numericGrad((x: Tensor) => x.square().sum())(tensor([1, 2], { dtype: "float64" })) // [2, 4]
 * @throws TransformError if the argument is not a tensor of floating point, or the result is not one number.
 */
export function numericGrad<A extends unknown[]>(
  f: (...args: A) => Tensor,
  { scheme = "central", step, argnum = 0 }: NumericGradOptions = {},
): (...args: A) => Tensor {
  return (...args) => {
    const x = args[argnum];
    const epsilon = x instanceof Tensor ? EPSILON[x.dtype] : undefined;
    if (!(x instanceof Tensor) || epsilon === undefined)
      throw new TransformError(
        `numericGrad: argument ${argnum} is ${x instanceof Tensor ? formatType(x) : typeof x}; a tensor of floating point was expected`,
      );
    const at = Float64Array.from(needConcrete(x, "numericGrad").toTypedArray() as Float64Array);
    const valueAt = (values: Float64Array): number =>
      tidy((): number => {
        const shifted = tensor(values, { dtype: x.dtype, shape: x.shape });
        const y = f(...(args.with(argnum, shifted) as A));
        if (!(y instanceof Tensor) || y.size !== 1)
          throw new TransformError(
            `numericGrad: the function must return one number, got ${y instanceof Tensor ? formatType(y) : typeof y}`,
          );
        return Number(y.item());
      });
    const middle = scheme === "forward" ? valueAt(at) : 0;
    const slopes = at.map((value, i) => {
      const h = step ?? epsilon ** (scheme === "central" ? 1 / 3 : 1 / 2) * Math.max(1, Math.abs(value));
      const ahead = valueAt(at.with(i, value + h));
      if (scheme === "forward") return (ahead - middle) / h;
      return (ahead - valueAt(at.with(i, value - h))) / (2 * h);
    });
    return tensor(slopes, { dtype: x.dtype, shape: x.shape });
  };
}

/** Where reverse mode and differences are furthest apart. */
export interface GradCheck {
  /** Largest |reverse − differences| / (1 + |differences|). Not a number if only one of them is. */
  readonly error: number;
  /** Number of the argument, and of the element in it, where that is. */
  readonly argnum: number;
  readonly element: number;
  readonly reverse: number;
  readonly numeric: number;
}

/**
 * Compares the gradients of a scalar function, with respect to each of its tensors of floating point, with central
 * differences. Take float64: an error of 1e-7 and below is what differences are worth, 1e-3 is a wrong rule.
 * @example gradCheck((x: Tensor) => x.sin().sum(), tensor([1, 2], { dtype: "float64" })).error < 1e-8 // true
 * @throws TransformError as `grad` and `numericGrad`.
 */
export function gradCheck<A extends unknown[]>(f: (...args: A) => Tensor, ...args: A): GradCheck {
  const argnums = args.flatMap((x, i) => (x instanceof Tensor && EPSILON[x.dtype] !== undefined ? [i] : []));
  if (argnums.length === 0)
    throw new TransformError("gradCheck: no argument is a tensor of floating point: nothing to compare");
  const reverse = grad(f, { argnums })(...args) as readonly Tensor[];
  let worst: GradCheck = { error: -1, argnum: argnums[0], element: 0, reverse: 0, numeric: 0 };
  argnums.forEach((argnum, k) => {
    const found = reverse[k].toTypedArray();
    Array.from(numericGrad(f, { argnum })(...args).toTypedArray(), Number).forEach((numeric, element) => {
      const value = Number(found[element]);
      const same = Object.is(value, numeric);
      const error = same ? 0 : Math.abs(value - numeric) / (1 + Math.abs(numeric));
      if (!(error <= worst.error)) worst = { error, argnum, element, reverse: value, numeric };
    });
  });
  return worst;
}
