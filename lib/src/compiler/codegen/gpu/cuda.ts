/**
 * CUDA C++, as NVRTC compiles it without headers. Aligned vectors of four are one load or store of 16 bytes (4, 8 for
 * smaller types). (NVIDIA, CUDA C++ Programming Guide.)
 */
import { bytesPerElement } from "../../../core/dtype.js";
import type { Buffer, LoopType } from "../../loop/ir.js";
import type { ScalarOp } from "../../loop/operators.js";
import type { Polynomial } from "../address.js";
import { CUDA_RESERVED, cudaHelpers } from "./cuda-prelude.js";
import type { Dialect, GpuBuffer, GpuEntry } from "./dialect.js";
import { elementsOf } from "./private.js";
import { GpuTarget } from "./target.js";

/** Values, as they are computed with. */
const SCALARS: Record<LoopType, string> = {
  float32: "float",
  float64: "double",
  int32: "int",
  int8: "int",
  uint8: "int",
  bfloat16: "unsigned",
  float16: "unsigned",
  bool: "bool",
};
const VECTORS: Record<LoopType, string> = {
  float32: "float4",
  float64: "double4",
  int32: "int4",
  int8: "int4",
  uint8: "int4",
  bfloat16: "uint4",
  float16: "uint4",
  bool: "int4",
};
/** Elements, as they are stored. */
const STORED: Record<LoopType, string> = {
  float32: "float",
  float64: "double",
  int32: "int",
  int8: "signed char",
  uint8: "unsigned char",
  bfloat16: "unsigned short",
  float16: "unsigned short",
  bool: "unsigned char",
};

const nameOf = (name: string): string =>
  CUDA_RESERVED.has(name) || name.startsWith("__") ? `v_${name}` : name;

class CudaTarget extends GpuTarget {
  readonly keepsLoads = false; // the compiler sees what is read twice
  protected readonly readsAnywhere = false;

  name(name: string): string {
    return nameOf(name);
  }

  type(dtype: LoopType, lanes: number): string {
    if (lanes > 1) this.helpers.add("vectors float32 4");
    return (lanes === 1 ? SCALARS : VECTORS)[dtype];
  }

  declaration(name: string, type: string): string {
    return `${type} ${name};`;
  }

  definition(name: string, type: string, value: string): string {
    return `const ${type} ${name} = ${value};`;
  }

  forHead(variable: string, from: string, to: string): string {
    return `for (int ${variable} = ${from}; ${variable} < ${to}; ${variable}++) {`;
  }

  array(name: string, dtype: LoopType, count: number): string {
    return `__align__(16) ${STORED[dtype]} ${name}[${count}];`;
  }

  literal(dtype: LoopType, value: number): string {
    if (dtype === "bool") return value ? "true" : "false";
    if (dtype === "bfloat16" || dtype === "float16") return `${value}u`;
    const single = dtype === "float32";
    if (!single && dtype !== "float64")
      return value === -(2 ** 31) ? "(-2147483647 - 1)" : value < 0 ? `(${value})` : `${value}`;
    const bits = (high: string): string =>
      single ? `__int_as_float(0x${high}0000)` : `__longlong_as_double(0x${high}000000000000ll)`;
    if (Number.isNaN(value)) return bits(single ? "7fc0" : "7ff8");
    if (!Number.isFinite(value)) {
      const infinity = bits(single ? "7f80" : "7ff0");
      return value < 0 ? `(-${infinity})` : infinity;
    }
    const number = single ? Math.fround(value) : value;
    const digits = Object.is(number, -0)
      ? "-0.0"
      : Number.isInteger(number) && Math.abs(number) < 1e15
        ? `${number}.0`
        : String(number);
    const text = single ? `${digits}f` : digits;
    return digits.startsWith("-") ? `(${text})` : text;
  }

  vector(dtype: LoopType, elements: readonly string[]): string {
    return `make_${this.type(dtype, elements.length)}(${elements.join(", ")})`;
  }

  splat(value: string, dtype: LoopType, lanes: number): string {
    return lanes === 1 ? value : `${this.need("splat", dtype, lanes)}(${value})`;
  }

  select(condition: string, yes: string, no: string, dtype: LoopType, lanes: number): string {
    if (lanes === 1) return `(${condition} ? ${yes} : ${no})`;
    return `${this.need("select", dtype, lanes)}(${condition}, ${yes}, ${no})`;
  }

  protected choose(condition: string, yes: string, no: string): string {
    return `(${condition} ? ${yes} : ${no})`;
  }

  multiplyAdd(a: string, b: string, c: string, dtype: LoopType, lanes: number): string {
    if (dtype === "int32") return this.op("add", dtype, [this.op("mul", dtype, [a, b], lanes), c], lanes);
    if (lanes > 1) return `${this.need("fma", dtype, lanes)}(${a}, ${b}, ${c})`;
    return dtype === "float32" ? `fmaf(${a}, ${b}, ${c})` : `fma(${a}, ${b}, ${c})`;
  }

  intCall(name: "min" | "max" | "floordiv" | "mod", a: string, b: string): string {
    return name === "min" || name === "max" ? `${name}(${a}, ${b})` : `mls_${name}_i32(${a}, ${b})`;
  }

  protected special(name: ScalarOp, dtype: LoopType, args: readonly string[], lanes: number): string | null {
    if (lanes > 1) {
      if (name === "logicalAnd" || name === "logicalOr" || name === "square") return null;
      return null;
    }
    const [a, b] = args;
    if (dtype === "int32") {
      // 32-bit arithmetic wraps round, which signed numbers of the language do not promise.
      const sign = WRAPS[name];
      if (sign) return `(int)((unsigned)${a} ${sign} (unsigned)${b})`;
      if (name === "neg") return `(int)(0u - (unsigned)${a})`;
      if (name === "square") return `(int)((unsigned)${a} * (unsigned)${a})`;
      if (name === "maximum") return `max(${a}, ${b})`;
      if (name === "minimum") return `min(${a}, ${b})`;
      if (name === "abs") return `abs(${a})`;
      if (name === "relu") return `max(${a}, 0)`;
      return null;
    }
    const f = dtype === "float32" ? "f" : "";
    if (name === "abs") return `fabs${f}(${a})`;
    if (name === "sqrt" || name === "floor" || name === "exp" || name === "log" || name === "tanh")
      return `${name}${f}(${a})`;
    return null;
  }

  cast(value: string, from: LoopType, to: LoopType, lanes: number): string {
    if (from === to) return value;
    if (from === "float16")
      return this.cast(`${this.need("from_f16", "float32", lanes)}(${value})`, "float32", to, lanes);
    if (to === "float16")
      return `${this.need("to_f16", "float32", lanes)}(${this.cast(value, from, "float32", lanes)})`;
    if (from === "bfloat16")
      return this.cast(`${this.need("from_bf16", "float32", lanes)}(${value})`, "float32", to, lanes);
    if (to === "bfloat16")
      return `${this.need("to_bf16", "float32", lanes)}(${this.cast(value, from, "float32", lanes)})`;
    const real = from === "float32" || from === "float64";
    if (to === "bool")
      return lanes === 1 ? `(${value} != 0)` : `(${value} != ${this.constant(from, 0, lanes)})`;
    if (to === "float32" || to === "float64")
      return lanes === 1
        ? `(${SCALARS[to]})(${value})`
        : `${this.need("to_float", "int32", lanes)}(${value})`;
    const whole = real
      ? `${this.need("truncate", from, lanes)}(${value})`
      : lanes === 1
        ? `(int)(${value})`
        : value;
    if (to === "int32") return whole;
    return `${this.need(to === "int8" ? "narrow" : "byte", "int32", lanes)}(${whole})`;
  }

  protected readElement(buffer: Buffer, at: Polynomial): string {
    const element = `${nameOf(buffer.name)}[${this.polynomial(at)}]`;
    if (buffer.dtype === "bool") return `(${element} != 0)`;
    return buffer.dtype === "float32" || buffer.dtype === "int32" || buffer.dtype === "float64"
      ? element
      : `(${SCALARS[buffer.dtype]})${element}`;
  }

  protected writeElement(buffer: Buffer, at: Polynomial, value: string): void {
    const cast = STORED[buffer.dtype] === SCALARS[buffer.dtype] ? "" : `(${STORED[buffer.dtype]})`;
    this.line(`${nameOf(buffer.name)}[${this.polynomial(at)}] = ${cast}${cast ? `(${value})` : value};`);
  }

  protected readVector(buffer: Buffer, at: Polynomial): string | null {
    const { dtype } = buffer;
    const address = `&${nameOf(buffer.name)}[${this.polynomial(at)}]`;
    this.type(dtype, 4);
    if (dtype === "float32" || dtype === "int32") return `*(const ${VECTORS[dtype]} *)(${address})`;
    return `${this.need("load", dtype, 4)}(${address})`;
  }

  protected writeVector(buffer: Buffer, at: Polynomial, value: string): boolean {
    const { dtype } = buffer;
    const address = `&${nameOf(buffer.name)}[${this.polynomial(at)}]`;
    this.type(dtype, 4);
    if (dtype === "float32" || dtype === "int32") this.line(`*(${VECTORS[dtype]} *)(${address}) = ${value};`);
    else this.line(`${this.need("store", dtype, 4)}(${address}, ${value});`);
    return true;
  }
}

const WRAPS: Partial<Record<ScalarOp, string>> = { add: "+", sub: "-", mul: "*" };

function entryText(buffers: readonly GpuBuffer[], sizes: readonly string[], entry: GpuEntry): string {
  const { name, threads, target } = entry;
  const params = [
    ...buffers.map(({ buffer, accesses }) => {
      const type = STORED[buffer.dtype];
      return `${accesses.written ? `${type} *__restrict__` : `const ${type} *__restrict__`} ${nameOf(buffer.name)}`;
    }),
    ...sizes.map((size) => `int ${nameOf(size)}`),
  ];
  const shared = [...target.workgroup.values()].map(
    (b) => `  __shared__ __align__(16) ${STORED[b.dtype]} ${nameOf(b.name)}[${elementsOf(b)}];`,
  );
  const threads_ = target.lines.some((line) => /\bthread_\b/.test(line));
  const number = threads_ ? ["  const int thread_ = (int)threadIdx.x;"] : [];
  const lines = [...shared, ...number, ...target.declarations.map((d) => `  ${d}`), ...target.lines];
  return `
extern "C" __global__ void __launch_bounds__(${threads}) ${name}(${params.join(", ")}) {
${lines.join("\n")}
}
`;
}

export const cuda: Dialect = {
  name: "cuda",
  target: (kernel, accesses, multiples, sizes) => new CudaTarget(kernel, accesses, multiples, sizes),
  block: (axis) => `(int)blockIdx.${"xyz"[axis]}`,
  foldedBlock: "(int)blockIdx.x",
  thread: "thread_",
  barrier: () => "__syncthreads();",
  module: (buffers, sizes, entries) => {
    const helpers = cudaHelpers(new Set(entries.flatMap((e) => [...e.target.helpers])));
    return `${helpers}${entries.map((e) => entryText(buffers, sizes, e)).join("")}`;
  },
  bytes: bytesPerElement,
};
