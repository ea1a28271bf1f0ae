/**
 * WGSL. Storage is made of 32-bit words: 8-bit types lie four, 16-bit types two to a word. A buffer whose vectors are aligned
 * is declared as vectors. (W3C, WebGPU Shading Language.)
 */
import { bytesPerElement } from "../../../core/dtype.js";
import type { Buffer, LoopType } from "../../loop/ir.js";
import type { ScalarOp } from "../../loop/operators.js";
import { Polynomial } from "../address.js";
import { type Dialect, FOLD, type GpuBuffer, type GpuEntry } from "./dialect.js";
import { elementsOf } from "./private.js";
import { LANES } from "./storage.js";
import { GpuTarget } from "./target.js";
import { RESERVED, wgslHelpers } from "./wgsl-prelude.js";

const SCALARS: Record<LoopType, string> = {
  float32: "f32",
  float64: "f64",
  int32: "i32",
  int8: "i32",
  uint8: "i32",
  bfloat16: "u32",
  float16: "u32",
  bool: "bool",
};

const nameOf = (name: string): string => (RESERVED.has(name) || name.startsWith("__") ? `v_${name}` : name);
const isPacked = (b: Buffer): boolean => isGlobal(b) && bytesPerElement(b.dtype) < 4;
const isGlobal = (b: Buffer): boolean => b.scope === "param" || b.scope === "shared";

class WgslTarget extends GpuTarget {
  readonly keepsLoads = true;
  protected readonly readsAnywhere = true; // indices are clamped

  name(name: string): string {
    return nameOf(name);
  }

  type(dtype: LoopType, lanes: number): string {
    if (dtype === "float64") this.refuse("WGSL has no float64");
    return lanes === 1 ? SCALARS[dtype] : `vec${lanes}<${SCALARS[dtype]}>`;
  }

  declaration(name: string, type: string): string {
    return `var ${name}: ${type};`;
  }

  definition(name: string, _type: string, value: string): string {
    return `let ${name} = ${value};`;
  }

  forHead(variable: string, from: string, to: string): string {
    return `for (var ${variable}: i32 = ${from}; ${variable} < ${to}; ${variable}++) {`;
  }

  array(name: string, dtype: LoopType, count: number): string {
    return `var ${name}: array<${this.type(dtype, 1)}, ${count}>;`;
  }

  literal(dtype: LoopType, value: number): string {
    if (dtype === "bool") return value ? "true" : "false";
    if (dtype === "bfloat16" || dtype === "float16") return `${value}u`;
    if (dtype !== "float32")
      return value === -(2 ** 31) ? "i32(-2147483648)" : value < 0 ? `(${value}i)` : `${value}i`;
    if (Number.isNaN(value)) return this.special0("nan");
    if (!Number.isFinite(value)) return value < 0 ? `(-${this.special0("inf")})` : this.special0("inf");
    const text = `${Object.is(value, -0) ? "-0" : Math.fround(value)}f`;
    return text.startsWith("-") ? `(${text})` : text;
  }

  /** Constants that the language has no literals for. */
  private special0(name: "nan" | "inf"): string {
    this.helpers.add(`${name} float32 1`);
    return `mls_${name}_f32()`;
  }

  vector(dtype: LoopType, elements: readonly string[]): string {
    return `${this.type(dtype, elements.length)}(${elements.join(", ")})`;
  }

  splat(value: string, dtype: LoopType, lanes: number): string {
    return lanes === 1 ? value : `${this.type(dtype, lanes)}(${value})`;
  }

  select(condition: string, yes: string, no: string): string {
    return `select(${no}, ${yes}, ${condition})`;
  }

  protected choose(condition: string, yes: string, no: string): string {
    return `select(${no}, ${yes}, ${condition})`;
  }

  multiplyAdd(a: string, b: string, c: string, dtype: LoopType): string {
    return dtype === "float32" ? `fma(${a}, ${b}, ${c})` : `(${a} * ${b} + ${c})`;
  }

  intCall(name: "min" | "max" | "floordiv" | "mod", a: string, b: string): string {
    return name === "min" || name === "max" ? `${name}(${a}, ${b})` : `mls_${name}_i32(${a}, ${b})`;
  }

  protected override shift(by: number): string {
    return `${by}u`;
  }

  protected special(
    name: ScalarOp,
    dtype: LoopType,
    [a, b]: readonly string[],
    lanes: number,
  ): string | null {
    const whole = dtype === "int32";
    const zero = this.constant(dtype, 0, lanes);
    switch (name) {
      case "maximum":
        return whole ? `max(${a}, ${b})` : null;
      case "minimum":
        return whole ? `min(${a}, ${b})` : null;
      case "notEqual": // not by its own sign, which may take NaN for equal
        return whole ? null : `!(${a} == ${b})`;
      case "relu":
        return whole ? `max(${a}, ${zero})` : null;
      case "abs":
      case "sqrt":
      case "floor":
        return `${name}(${a})`;
      default:
        return null;
    }
  }

  cast(value: string, from: LoopType, to: LoopType, lanes: number): string {
    if (from === to) return value;
    const of = (dtype: LoopType, x: string): string => `${this.type(dtype, lanes)}(${x})`;
    const amount = (n: number): string => (lanes === 1 ? `${n}u` : `vec${lanes}<u32>(${n}u)`);
    if (from === "bfloat16") {
      const real = `bitcast<${this.type("float32", lanes)}>(${value} << ${amount(16)})`;
      return this.cast(real, "float32", to, lanes);
    }
    if (from === "float16")
      return this.cast(`${this.need("from_f16", "float32", lanes)}(${value})`, "float32", to, lanes);
    switch (to) {
      case "float32":
        return of("float32", value);
      case "bfloat16":
      case "float16": {
        const narrow = to === "float16" ? "to_f16" : "to_bf16";
        return `${this.need(narrow, "float32", lanes)}(${this.cast(value, from, "float32", lanes)})`;
      }
      case "bool":
        return from === "float32"
          ? `!(${value} == ${this.constant(from, 0, lanes)})`
          : `(${value} != ${this.constant(from, 0, lanes)})`;
      case "int32":
        return from === "float32"
          ? `${this.need("truncate", "float32", lanes)}(${value})`
          : of("int32", value);
      case "int8":
        return `((${this.cast(value, from, "int32", lanes)} << ${amount(24)}) >> ${amount(24)})`;
      case "uint8":
        return `(${this.cast(value, from, "int32", lanes)} & ${this.constant("int32", 255, lanes)})`;
      default:
        return this.refuse("WGSL has no float64");
    }
  }

  protected readElement(buffer: Buffer, at: Polynomial): string {
    const name = nameOf(buffer.name);
    if (isPacked(buffer)) return this.unpack(buffer, at);
    if (!this.asVectors(buffer)) return `${name}[${this.polynomial(at)}]`;
    const rest = lowPart(at);
    return rest === null
      ? `${name}[(${this.polynomial(at)}) >> 2u][(${this.polynomial(at)}) & 3]`
      : `${name}[${this.quarter(at)}].${"xyzw"[rest]}`;
  }

  protected writeElement(buffer: Buffer, at: Polynomial, value: string): void {
    if (isPacked(buffer)) this.pack(buffer, at, value);
    else if (this.asVectors(buffer))
      this.line(
        `${nameOf(buffer.name)}[(${this.polynomial(at)}) >> 2u][(${this.polynomial(at)}) & 3] = ${value};`,
      );
    else this.line(`${nameOf(buffer.name)}[${this.polynomial(at)}] = ${value};`);
  }

  protected readVector(buffer: Buffer, at: Polynomial): string | null {
    const name = nameOf(buffer.name);
    if (this.asVectors(buffer)) return `${name}[${this.quarter(at)}]`;
    if (!isPacked(buffer) || this.isAtomic(buffer) || bytesPerElement(buffer.dtype) === 2) return null;
    return `${this.need("unpack", buffer.dtype, LANES)}(${name}[${this.quarter(at)}])`;
  }

  protected writeVector(buffer: Buffer, at: Polynomial, value: string): boolean {
    const name = nameOf(buffer.name);
    if (this.asVectors(buffer)) this.line(`${name}[${this.quarter(at)}] = ${value};`);
    else if (isPacked(buffer) && !this.isAtomic(buffer) && bytesPerElement(buffer.dtype) === 1)
      this.line(`${name}[${this.quarter(at)}] = ${this.need("pack", buffer.dtype, LANES)}(${value});`);
    else return false;
    return true;
  }

  /** True for buffers that are declared as vectors: a vector is written by one thread only. */
  asVectors(buffer: Buffer): boolean {
    const all = this.accesses.get(buffer.name);
    const inBlock = buffer.scope === "workgroup" && elementsOf(buffer) % LANES === 0;
    const wide = buffer.dtype === "float32" || buffer.dtype === "int32";
    return wide && (isGlobal(buffer) || inBlock) && all?.vectors === true && !all.singleWrites;
  }

  /** True for words that several threads may write parts of. */
  isAtomic(buffer: Buffer): boolean {
    return isPacked(buffer) && this.accesses.get(buffer.name)?.singleWrites === true;
  }

  private quarter(at: Polynomial): string {
    const rest = lowPart(at);
    return rest === null
      ? `(${this.polynomial(at)}) >> 2u`
      : this.polynomial(at.plus(Polynomial.constant(-rest)).dividedBy(LANES));
  }

  /** The word of an element, and the place of its bits in it. */
  private word(buffer: Buffer, at: Polynomial): { word: string; shift: string; bits: number } {
    const index = this.polynomial(at);
    const bits = 8 * bytesPerElement(buffer.dtype);
    const [log, mask] = bits === 8 ? [2, 3] : [1, 1];
    return {
      word: `${nameOf(buffer.name)}[(${index}) >> ${log}u]`,
      shift: `u32(((${index}) & ${mask}) * ${bits})`,
      bits,
    };
  }

  private unpack(buffer: Buffer, at: Polynomial): string {
    const { word, shift, bits } = this.word(buffer, at);
    const loaded = this.isAtomic(buffer) ? `atomicLoad(&${word})` : word;
    if (buffer.dtype === "int8") return `extractBits(bitcast<i32>(${loaded}), ${shift}, ${bits}u)`;
    const value = `extractBits(${loaded}, ${shift}, ${bits}u)`;
    if (buffer.dtype === "bool") return `(${value} != 0u)`;
    return buffer.dtype === "uint8" ? `i32(${value})` : value;
  }

  private pack(buffer: Buffer, at: Polynomial, value: string): void {
    const { word, shift, bits } = this.word(buffer, at);
    const number = `u32(${value})`;
    if (!this.isAtomic(buffer)) {
      this.line(`${word} = insertBits(${word}, ${number}, ${shift}, ${bits}u);`);
      return;
    }
    // Neighbours in the word are other threads': bits are taken out, then put in.
    this.line(`atomicAnd(&${word}, ~(${2 ** bits - 1}u << ${shift}));`);
    this.line(`atomicOr(&${word}, (${number} & ${2 ** bits - 1}u) << ${shift});`);
  }

  /** The type of the array that holds a buffer. */
  arrayType(buffer: Buffer): string {
    if (this.isAtomic(buffer)) return "atomic<u32>";
    if (isPacked(buffer)) return "u32";
    return this.type(buffer.dtype, this.asVectors(buffer) ? LANES : 1);
  }
}

/** The remainder by four, if it is one number. */
function lowPart(at: Polynomial): number | null {
  for (const [key, { coefficient }] of at.terms) if (key !== "" && coefficient % LANES !== 0) return null;
  return ((at.constant % LANES) + LANES) % LANES;
}

function entryText({ name, threads, target }: GpuEntry): string {
  const lines = [...target.declarations.map((d) => `  ${d}`), ...target.lines];
  if (lines.some((line) => /\bthread_\b/.test(line))) lines.unshift("  let thread_ = i32(index_);");
  return `
@compute @workgroup_size(${threads})
fn ${name}(@builtin(workgroup_id) block_: vec3<u32>, @builtin(local_invocation_index) index_: u32) {
${lines.join("\n")}
}
`;
}

function module(
  buffers: readonly GpuBuffer[],
  sizes: readonly string[],
  entries: readonly GpuEntry[],
): string {
  const target = entries[0].target as WgslTarget;
  const bindings = buffers.map(({ buffer, accesses }, i) => {
    const mode = accesses.written ? "read_write" : "read";
    return `@group(0) @binding(${i}) var<storage, ${mode}> ${nameOf(buffer.name)}: array<${target.arrayType(buffer)}>;\n`;
  });
  if (sizes.length > 0) {
    const fields = sizes.map((size) => `${nameOf(size)}: i32`).join(", ");
    bindings.push(
      `struct Sizes_ { ${fields} }\n@group(0) @binding(${buffers.length}) var<uniform> sizes_: Sizes_;\n`,
    );
  }
  const shared = new Map(entries.flatMap((e) => [...e.target.workgroup]));
  for (const [name, buffer] of shared) {
    const vectors = target.asVectors(buffer);
    const count = vectors ? elementsOf(buffer) / LANES : elementsOf(buffer);
    bindings.push(
      `var<workgroup> ${nameOf(name)}: array<${target.type(buffer.dtype, vectors ? LANES : 1)}, ${count}>;\n`,
    );
  }
  const helpers = wgslHelpers(new Set(entries.flatMap((e) => [...e.target.helpers])));
  return `${bindings.join("")}${helpers}${entries.map(entryText).join("")}`;
}

export const wgsl: Dialect = {
  name: "wgsl",
  target: (kernel, accesses, multiples, sizes) => new WgslTarget(kernel, accesses, multiples, sizes),
  block: (axis) => `i32(block_.${"xyz"[axis]})`,
  foldedBlock: `i32(block_.x + block_.y * ${FOLD}u)`,
  thread: "thread_",
  barrier: ({ storage, workgroup }) =>
    [
      ...(storage ? ["storageBarrier();"] : []),
      ...(workgroup || storage ? ["workgroupBarrier();"] : []),
    ].join(" "),
  module,
  bytes: () => 4,
};
