/**
 * Tensors as text, as NumPy 2 writes arrays: the fewest digits that tell each number from its neighbours, at most 8 behind
 * the point; one width for all; exponents where sizes differ much; the ends of large tensors only.
 */
import { type DType, isFloat } from "../core/dtype.js";
import type { Shape } from "../core/shape.js";
import { type DenseTensor, elementBytes } from "../runtime/dense.js";

/** Most digits behind the point. */
const PRECISION = 8;
/** Tensors of more elements show `EDGE` of them at each end of an axis. */
const THRESHOLD = 1000;
const EDGE = 3;
const LINE_WIDTH = 75;

/** Significant decimal digits that a dtype always keeps. */
const DIGITS: Partial<Record<DType, number>> = { float64: 15, float32: 6, float16: 3, bfloat16: 2 };

/**
 * The elements of `x` in brackets.
 * @param prefix number of characters that stand before the first bracket
 */
export function formatValues(x: DenseTensor, prefix = 0): string {
  const { shape } = x;
  if (x.size === 0) return "[]";
  const summary = x.size > THRESHOLD;
  const places = shownPlaces(shape, summary);
  const texts = textsOf(x, places);
  const next = { at: 0 };
  return brackets(shape, summary, texts, next, 0, " ".repeat(prefix + 1), LINE_WIDTH).replace(/^ +/, "");
}

/** Row-major numbers of the elements that are shown. */
function shownPlaces(shape: Shape, summary: boolean): number[] {
  return shape.reduce<number[]>(
    (places, dim) => {
      const kept = Array.from({ length: dim }, (_, i) => i).filter(
        (i) => !summary || dim <= 2 * EDGE || i < EDGE || i >= dim - EDGE,
      );
      return places.flatMap((p) => kept.map((i) => p * dim + i));
    },
    [0],
  );
}

/** The shown elements as texts of one width. */
function textsOf(x: DenseTensor, places: readonly number[]): string[] {
  const { dtype } = x;
  if (dtype === "int64") {
    const values = new BigInt64Array(elementBytes(x).buffer);
    return aligned(places.map((p) => String(values[p])));
  }
  const data = x.toTypedArray();
  const values = places.map((p) => data[p]);
  if (dtype === "bool") return aligned(values.map((v) => (v ? "true" : "false")));
  return isFloat(dtype) ? formatFloats(values, dtype) : aligned(values.map(String));
}

function aligned(texts: readonly string[]): string[] {
  const width = Math.max(0, ...texts.map((text) => text.length));
  return texts.map((text) => text.padStart(width));
}

function formatFloats(values: readonly number[], dtype: DType): string[] {
  const finite = values.filter(Number.isFinite);
  const sizes = finite.filter((v) => v !== 0).map(Math.abs);
  const [largest, smallest] = [Math.max(...sizes), Math.min(...sizes)];
  const cutoff = 10 ** Math.min(PRECISION, DIGITS[dtype] ?? PRECISION);
  const exponents = sizes.length > 0 && (largest >= cutoff || smallest < 1e-4 || largest / smallest > 1000);
  const parts = finite.map((v) => (exponents ? scientific(v, dtype) : positional(v, dtype)));
  const left = Math.max(0, ...parts.map((p) => p.whole.length));
  const right = Math.max(0, ...parts.map((p) => p.fraction.length));
  const full = exponents ? parts.map((p, i) => filled(p, finite[i], right)) : parts;
  const exponentDigits = Math.max(2, ...parts.map((p) => p.exponent.length - 1));
  const texts = full.map(({ whole, fraction, exponent }) => {
    if (!exponents) return `${whole.padStart(left)}.${fraction.padEnd(right)}`;
    const digits = exponent.slice(1).padStart(exponentDigits, "0");
    return `${whole.padStart(left)}.${fraction}e${exponent[0]}${digits}`;
  });
  const width = Math.max(
    texts[0]?.length ?? 0,
    ...values.filter((v) => !Number.isFinite(v)).map((v) => odd(v).length),
  );
  let next = 0;
  return values.map((v) => (Number.isFinite(v) ? texts[next++] : odd(v)).padStart(width));
}

const odd = (v: number): string => (Number.isNaN(v) ? "nan" : v > 0 ? "inf" : "-inf");

interface NumberText {
  /** With the sign. */
  readonly whole: string;
  /** Digits behind the point, without zeros at the end. */
  readonly fraction: string;
  /** Sign and digits; "" without one. */
  readonly exponent: string;
}

/** With as many digits behind the point as the others have: those of the number itself. */
function filled(part: NumberText, v: number, digits: number): NumberText {
  if (part.fraction.length >= digits) return part;
  const [mantissa, exponent] = rounded(Math.abs(v), (more) => Math.abs(v).toExponential(digits + more)).split(
    "e",
  );
  const [whole, fraction = ""] = mantissa.split(".");
  return { whole: minus(v) + whole, fraction, exponent };
}

/**
 * JavaScript rounds what lies in the middle up, NumPy to the even digit. `digits(1)` is the text with one digit more.
 */
function rounded(size: number, digits: (more: 0 | 1) => string): string {
  const text = digits(0);
  const [more, exponent] = digits(1).split("e");
  const middle = Number(digits(1)) === size && more.endsWith("5");
  if (!middle || /[02468](e|$)/.test(text)) return text;
  return more.slice(0, -1) + (exponent ? `e${exponent}` : "");
}

const minus = (v: number): string => (v < 0 || Object.is(v, -0) ? "-" : "");

function positional(v: number, dtype: DType): NumberText {
  const [, behind = ""] = plain(shortest(v, dtype)).split(".");
  const text =
    behind.length > PRECISION
      ? rounded(Math.abs(v), (more) => Math.abs(v).toFixed(PRECISION + more))
      : plain(shortest(v, dtype));
  const [whole, fraction = ""] = text.split(".");
  return { whole: minus(v) + whole, fraction: fraction.replace(/0+$/, ""), exponent: "" };
}

function scientific(v: number, dtype: DType): NumberText {
  const short = Number(shortest(v, dtype)).toExponential();
  const [digits] = short.split("e");
  const text =
    digits.length - 2 > PRECISION
      ? rounded(Math.abs(v), (more) => Math.abs(v).toExponential(PRECISION + more))
      : short;
  const [mantissa, exponent] = text.split("e");
  const [whole, fraction = ""] = mantissa.split(".");
  return { whole: minus(v) + whole, fraction: fraction.replace(/0+$/, ""), exponent };
}

/** The size of a number in the fewest digits that read back as the same element. */
function shortest(v: number, dtype: DType): string {
  const size = Math.abs(v);
  const enough = DIGITS[dtype] ?? 15;
  if (dtype !== "float64") {
    for (let digits = 1; digits <= enough + 3; digits++) {
      const text = rounded(size, (more) => size.toPrecision(digits + more));
      if (sameElement(Number(text), size, dtype)) return text;
    }
  }
  return String(size);
}

/** True if no other element of the dtype is nearer to `a` than `size`. */
function sameElement(a: number, size: number, dtype: DType): boolean {
  if (dtype === "float32") return Math.fround(a) === size;
  const mantissa = dtype === "float16" ? 10 : 7;
  const lowest = dtype === "float16" ? -14 : -126;
  const step = 2 ** (Math.max(lowest, Math.floor(Math.log2(size))) - mantissa);
  return Math.abs(a - size) < step / 2;
}

/** Digits without an exponent. */
function plain(text: string): string {
  const value = Number(text);
  if (!/e/.test(text) && !/e/.test(String(value))) return String(value);
  return value >= 1 ? BigInt(value).toString() : value.toFixed(20).replace(/0+$/, "");
}

/** NumPy's layout: rows are wrapped, matrices stand below each other, with an empty line more per axis. */
function brackets(
  shape: Shape,
  summary: boolean,
  texts: readonly string[],
  next: { at: number },
  axis: number,
  indent: string,
  width: number,
): string {
  if (axis === shape.length) return texts[next.at++];
  const dim = shape[axis];
  const cut = summary && dim > 2 * EDGE;
  const shown = cut ? 2 * EDGE : dim;
  const words: string[] = [];
  for (let i = 0; i < shown; i++) {
    if (cut && i === EDGE) words.push("...");
    words.push(brackets(shape, summary, texts, next, axis + 1, `${indent} `, width - 1));
  }
  if (axis < shape.length - 1) return `[${words.join(`,${"\n".repeat(shape.length - 1 - axis)}${indent}`)}]`;
  let [done, line] = ["", indent];
  words.forEach((word, i) => {
    if (line.length + word.length > width - 1) {
      done += `${line.trimEnd()}\n`;
      line = indent;
    }
    line += word + (i < words.length - 1 ? ", " : "");
  });
  return `[${(done + line).slice(indent.length)}]`;
}
