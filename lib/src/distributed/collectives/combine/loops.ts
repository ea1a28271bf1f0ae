/** Combining in plain loops: what the vector kernels are tested against, and what runs where there are none. */
import { bytesPerElement, type DType, dtypeKind, encodingOf, hostView } from "../../../core/dtype.js";
import type { CombineOp } from "../../transport/reduce-op.js";

type Numbers = Record<number, number> & { readonly length: number };

const NUMBERS: Record<CombineOp, (into: Numbers, message: Numbers) => void> = {
  sum(into, message) {
    for (let i = 0; i < into.length; i++) into[i] += message[i];
  },
  product(into, message) {
    for (let i = 0; i < into.length; i++) into[i] *= message[i];
  },
  // Math.min and Math.max give NaN where either is NaN, as NumPy does
  min(into, message) {
    for (let i = 0; i < into.length; i++) into[i] = Math.min(into[i], message[i]);
  },
  max(into, message) {
    for (let i = 0; i < into.length; i++) into[i] = Math.max(into[i], message[i]);
  },
};

/** 64-bit integers wrap around, as in C; a float64 in between would lose the low bits. */
const INTEGERS: Record<CombineOp, (a: bigint, b: bigint) => bigint> = {
  sum: (a, b) => a + b,
  product: (a, b) => a * b,
  // biome-ignore lint/complexity/useMathMinMax: Math.min takes no bigint
  min: (a, b) => (a < b ? a : b),
  // biome-ignore lint/complexity/useMathMinMax: Math.max takes no bigint
  max: (a, b) => (a > b ? a : b),
};

/** The low 32 bits of products that a float64 can't hold. */
function wholeProduct(into: Numbers, message: Numbers): void {
  for (let i = 0; i < into.length; i++) into[i] = Math.imul(into[i], message[i]);
}

/** Booleans: a sum is "any", a product "all". Any byte but 0 is true. */
function logical(into: Uint8Array, message: Uint8Array, op: CombineOp): void {
  const any = op === "sum" || op === "max";
  for (let i = 0; i < into.length; i++) {
    const [a, b] = [into[i] !== 0, message[i] !== 0];
    into[i] = (any ? a || b : a && b) ? 1 : 0;
  }
}

/** `into = op(into, message)`; both hold whole elements of `dtype` and are aligned to them. */
export function combineInLoops(into: Uint8Array, message: Uint8Array, dtype: DType, op: CombineOp): void {
  const length = into.length / bytesPerElement(dtype);
  const encoding = encodingOf(dtype);
  if (dtypeKind(dtype) === "bool") logical(into, message, op);
  else if (dtype === "int64") {
    const a = new BigInt64Array(into.buffer, into.byteOffset, length);
    const b = new BigInt64Array(message.buffer, message.byteOffset, length);
    const combine = INTEGERS[op];
    for (let i = 0; i < length; i++) a[i] = combine(a[i], b[i]);
  } else if (encoding) {
    const a = encoding.decode(into.buffer, into.byteOffset, length);
    NUMBERS[op](a, encoding.decode(message.buffer, message.byteOffset, length));
    encoding.encode(a, into.buffer, into.byteOffset);
  } else {
    const a = hostView(dtype, into.buffer, into.byteOffset, length);
    const b = hostView(dtype, message.buffer, message.byteOffset, length);
    if (dtype === "int32" && op === "product") wholeProduct(a, b);
    else NUMBERS[op](a, b);
  }
}

/** Floating-point elements divided by one number, in place. */
export function divideInLoops(data: Uint8Array, dtype: DType, by: number): void {
  const length = data.length / bytesPerElement(dtype);
  const encoding = encodingOf(dtype);
  const numbers = encoding
    ? encoding.decode(data.buffer, data.byteOffset, length)
    : hostView(dtype, data.buffer, data.byteOffset, length);
  for (let i = 0; i < length; i++) numbers[i] /= by;
  encoding?.encode(numbers, data.buffer, data.byteOffset);
}
