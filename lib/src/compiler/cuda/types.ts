/** How dtypes are stored in device memory and computed with. */
import type { DType } from "../../core/dtype.js";
import { sizeOf } from "../../core/shape.js";
import type { Block } from "../../runtime/cuda/allocator.js";
import type { DeviceArray, RemoteKernel, RemoteType } from "../../runtime/remote.js";

export type CudaArray = DeviceArray<Block>;
export type CudaOp<A = never> = RemoteKernel<Block, A>;

interface Row {
  /** C type in memory. */
  readonly stored: string;
  /** C type of the arithmetic. */
  readonly computed: "float" | "double" | "int" | "long long" | "bool";
  /** Values of the arithmetic as the dtype holds them, where it holds fewer. */
  readonly narrow?: (x: string) => string;
}

const half = (stored: string): Row => ({
  stored,
  computed: "float",
  narrow: (x) => `to_float(from_float<${stored}>(${x}))`,
});

export const TYPES: Readonly<Record<DType, Row>> = {
  float64: { stored: "double", computed: "double" },
  float32: { stored: "float", computed: "float" },
  float16: half("f16"),
  bfloat16: half("bf16"),
  int64: { stored: "long long", computed: "long long" },
  int32: { stored: "int", computed: "int" },
  int16: { stored: "short", computed: "int", narrow: (x) => `(int)(short)(${x})` },
  int8: { stored: "signed char", computed: "int", narrow: (x) => `(int)(signed char)(${x})` },
  uint8: { stored: "unsigned char", computed: "int", narrow: (x) => `(int)(unsigned char)(${x})` },
  bool: { stored: "unsigned char", computed: "bool" },
};

export const computed = (dtype: DType): Row["computed"] => TYPES[dtype].computed;

/** The element at an address expression, as a value of the arithmetic. */
export function loaded(dtype: DType, element: string): string {
  if (dtype === "bool") return `(${element} != 0)`;
  return dtype === "float16" || dtype === "bfloat16" ? `to_float(${element})` : element;
}

/** A value of the arithmetic, as it is stored. */
export function storedAs(dtype: DType, value: string): string {
  if (dtype === "bool") return `(unsigned char)(${value})`;
  const { stored } = TYPES[dtype];
  return dtype === "float16" || dtype === "bfloat16"
    ? `from_float<${stored}>(${value})`
    : `(${stored})(${value})`;
}

/** Kernels count elements in 32 bits. */
export const fits = (arrays: readonly RemoteType[]): boolean =>
  arrays.every(({ shape, strides, offset }) => {
    let most = Math.abs(offset);
    for (const [d, n] of shape.entries()) most += Math.abs(strides[d]) * Math.max(0, n - 1);
    return most < 2 ** 31 && sizeOf(shape) < 2 ** 31;
  });
