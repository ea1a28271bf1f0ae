/** Comparison of numbers within a tolerance, with the figures that NumPy's `assert_allclose` reports. */
import { isTensorLike, TensorData } from "../wire/tensor.js";
import { type AnyTypedArray, typedArrayName } from "../wire/typed-arrays.js";
import { show } from "./difference.js";

export interface CloseOptions {
  /** Relative to the expected value. Default 1e-6. */
  rtol?: number;
  /** Absolute. Default 1e-9. */
  atol?: number;
  /** The dtype that `got` must have: a tensor's, or a typed array's such as `float32`. */
  dtype?: string;
}

export interface Numbers {
  shape: number[];
  /** Row-major. */
  values: ArrayLike<number>;
  dtype?: string;
}

/** What is wrong, `undefined` if all is close. */
export function closeFailure(got: unknown, expected: unknown, options: CloseOptions): string | undefined {
  const { rtol = 1e-6, atol = 1e-9 } = options;
  const want = numbersOf(expected);
  let have: Numbers;
  try {
    have = numbersOf(got);
  } catch (error) {
    return `${(error as Error).message}; expected numbers of shape ${shapeText(want.shape)}`;
  }
  if (options.dtype !== undefined && have.dtype !== options.dtype) {
    return `dtypes differ: got ${have.dtype ?? "plain numbers"}, expected ${options.dtype}`;
  }
  if (have.shape.join() !== want.shape.join()) {
    return `shapes differ: got ${shapeText(have.shape)}, expected ${shapeText(want.shape)}\n  got:      ${show(got, 300)}\n  expected: ${show(expected, 300)}`;
  }
  return elementFailure(have, want, rtol, atol, got, expected);
}

/** @throws TypeError for a value that is not numbers of one shape */
export function numbersOf(value: unknown): Numbers {
  if (typeof value === "number") return { shape: [], values: [value] };
  if (typeof value === "object" && value !== null) {
    if (isTensorLike(value)) {
      const { shape, data, dtype } = TensorData.from(value);
      return { shape: [...shape], values: toNumbers(data), dtype };
    }
    const typed = typedArrayName(value);
    if (typed !== undefined) {
      const data = value as AnyTypedArray;
      return {
        shape: [data.length],
        values: toNumbers(data),
        dtype: typed.replace(/(Clamped)?Array$/, "").toLowerCase(),
      };
    }
    if (Array.isArray(value)) return stack(value);
  }
  throw new TypeError(`got ${show(value, 200)}, which is not a number or an array of numbers`);
}

function stack(items: unknown[]): Numbers {
  if (items.length === 0) return { shape: [0], values: [] };
  const parts = items.map(numbersOf);
  const inner = parts[0].shape;
  const odd = parts.findIndex((part) => part.shape.join() !== inner.join());
  if (odd >= 0) {
    throw new TypeError(
      `a ragged array: element 0 has shape ${shapeText(inner)}, element ${odd} has ${shapeText(parts[odd].shape)}`,
    );
  }
  return { shape: [items.length, ...inner], values: parts.flatMap((part) => Array.from(part.values)) };
}

function elementFailure(
  have: Numbers,
  want: Numbers,
  rtol: number,
  atol: number,
  got: unknown,
  expected: unknown,
): string | undefined {
  const total = want.values.length;
  const worst = { absolute: -1, relative: 0, at: 0 };
  let mismatched = 0;
  let firstOdd: number | undefined;
  for (let i = 0; i < total; i++) {
    const [a, b] = [have.values[i], want.values[i]];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    const difference = Math.abs(a - b);
    // Written so that a NaN or an infinity on one side only is a mismatch.
    if (Number.isFinite(b) && difference <= atol + rtol * Math.abs(b)) continue;
    mismatched++;
    if (!Number.isFinite(difference)) firstOdd ??= i;
    else if (difference > worst.absolute) Object.assign(worst, { absolute: difference, at: i });
    if (b !== 0 && Number.isFinite(difference))
      worst.relative = Math.max(worst.relative, difference / Math.abs(b));
  }
  if (mismatched === 0) return undefined;
  const at = firstOdd ?? worst.at;
  const lines = [
    `not equal to tolerance rtol=${rtol}, atol=${atol}`,
    `  mismatched elements: ${mismatched} / ${total} (${((100 * mismatched) / total).toPrecision(3)} %)`,
    `  ${firstOdd === undefined ? "largest" : "first not finite"} difference${want.shape.length > 0 ? ` at ${indexText(at, want.shape)}` : ""}: got ${have.values[at]}, expected ${want.values[at]}`,
  ];
  if (worst.absolute >= 0) {
    lines.push(
      `  max absolute difference: ${worst.absolute.toPrecision(6)}, max relative difference: ${worst.relative.toPrecision(6)}`,
    );
  }
  if (want.shape.length > 0)
    lines.push(`  got:      ${show(got, 300)}`, `  expected: ${show(expected, 300)}`);
  return lines.join("\n");
}

function toNumbers(data: AnyTypedArray): ArrayLike<number> {
  return data instanceof BigInt64Array || data instanceof BigUint64Array ? Array.from(data, Number) : data;
}

function indexText(flat: number, shape: readonly number[]): string {
  const index: number[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index.unshift(flat % shape[axis]);
    flat = Math.floor(flat / shape[axis]);
  }
  return `[${index.join(", ")}]`;
}

function shapeText(shape: readonly number[]): string {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
}
