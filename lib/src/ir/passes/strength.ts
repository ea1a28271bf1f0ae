/** Strength reduction: a costly op becomes cheaper ones of the same value. (Book, chapter 4; chapter 5 counts the costs.) */
import type { DType } from "../../core/dtype.js";
import { type Rule, rewrite, rules } from "../rewrite/rewrite.js";
import type { Pass } from "./pass.js";

/** Exponents for which a power of two and its reciprocal are both normal numbers. */
const EXPONENTS: Partial<Record<DType, number>> = { float64: 1022, float32: 126, bfloat16: 126, float16: 14 };

/** True if division by `x` equals multiplication with 1/x bit by bit. */
export function isPowerOfTwo(x: number, dtype: DType): boolean {
  const exponent = Math.log2(Math.abs(x));
  return (
    Number.isInteger(exponent) &&
    Math.abs(exponent) <= (EXPONENTS[dtype] ?? -1) &&
    2 ** exponent === Math.abs(x)
  );
}

export const STRENGTH: readonly Rule[] = rules([
  { match: "pow(x, 2)", to: "square(x)", why: "one product, correctly rounded, for exp and log" },
  {
    match: "pow(x, 3)",
    to: ({ values }, { op }) => {
      const x = values.get("x");
      return x ? op("mul", [op("square", [x]), x]) : null;
    },
    needs: ["afn"],
    why: "two products; they round twice",
  },
  {
    match: "pow(x, 4)",
    to: "square(square(x))",
    needs: ["afn"],
    why: "two products; they round twice",
  },
  { match: "pow(x:float, -1)", to: "reciprocal(x)", why: "a division, correctly rounded" },
  {
    match: "pow(x:float, 0.5)",
    to: "sqrt(x)",
    needs: ["ninf", "nsz"],
    why: "pow takes -infinity to infinity and -0 to 0",
  },
  {
    match: "pow(x:float, -0.5)",
    to: "rsqrt(x)",
    needs: ["ninf", "nsz", "afn"],
    why: "as for 0.5, and it rounds twice",
  },
  {
    match: "pow(exp(x), c:const)",
    to: "exp(mul(x, c))",
    needs: ["afn", "ninf"],
    why: "eˣ to the c; the power in between may overflow",
  },
  {
    match: "div(x, c:const)",
    to: ({ values, number }, { op, scalar }, root) => {
      const x = values.get("x");
      return x ? op("mul", [x, scalar(1 / number("c"), root.outputs[0].dtype)]) : null;
    },
    when: ({ number }, root) => isPowerOfTwo(number("c"), root.outputs[0].dtype),
    why: "the reciprocal of a power of two is exact",
  },
  {
    match: "div(x, c:const)",
    to: ({ values, number }, { op, scalar }, root) => {
      const x = values.get("x");
      return x ? op("mul", [x, scalar(1 / number("c"), root.outputs[0].dtype)]) : null;
    },
    when: ({ number }) => number("c") !== 0 && Number.isFinite(number("c")),
    needs: ["arcp"],
    integers: false,
    why: "a product is several times faster than a division, and rounds once more",
  },
  { match: "div(1, x:float)", to: "reciprocal(x)", why: "the same division" },
  {
    match: "div(x, sqrt(y))",
    to: "mul(x, rsqrt(y))",
    needs: ["arcp", "ninf", "nsz"],
    integers: false,
    why: "one function for a root and a division",
  },
  { match: "reciprocal(sqrt(x))", to: "rsqrt(x)", integers: false, why: "the same two steps in one op" },
  { match: "mul(x, x)", to: "square(x)", why: "one operand is read instead of two" },
  {
    match: "sub(exp(x), 1)",
    to: "expm1(x)",
    needs: ["afn"],
    why: "exact near 0, where the difference cancels",
  },
  {
    match: "log(add(x, 1))",
    to: "log1p(x)",
    needs: ["afn"],
    why: "exact near 0, where the sum rounds x away",
  },
  {
    match: "sum(mul(x, c:const)) {axes: a, keepDims: k}",
    to: ({ values, attrs, number }, { op, scalar }, root) => {
      const x = values.get("x");
      const c = values.get("c");
      if (!x || !c || c.shape.length > x.shape.length) return null;
      const sum = op("sum", [x], { axes: attrs.get("a"), keepDims: attrs.get("k") });
      return op("mul", [sum, scalar(number("c"), root.outputs[0].dtype)]);
    },
    when: ({ values }, root) => {
      const wide = values.get("x")?.shape.length === root.inputs[0].shape.length;
      return wide && (values.get("x")?.shape.every((d, i) => d === root.inputs[0].shape[i]) ?? false);
    },
    needs: ["reassoc"],
    integers: false,
    why: "one product instead of one per element",
  },
]);

export const strength: Pass = {
  name: "strength",
  summary: "costly ops become cheaper ones: powers, divisions",
  run: (graph, { fastMath }) => rewrite(graph, STRENGTH, { fastMath }),
};
