/**
 * A compute shader being written for certain arrays: bindings with functions that read and write elements of any dtype
 * that the device stores, and numbers that go into its uniform, so that arrays of other sizes share the shader.
 */
import type { DType } from "../../core/dtype.js";
import { sizeOf } from "../../core/shape.js";
import type { DeviceArray, RemoteType } from "../../runtime/remote.js";
import { floatBits, type GpuBuffer } from "../../runtime/webgpu/queue.js";
import { commands } from "./commands.js";

export type GpuArray = DeviceArray<GpuBuffer>;

/** What elements are while a shader computes. */
export type Computed = "f32" | "i32" | "bool";

interface Stored {
  readonly computed: Computed;
  /** Elements in a 32-bit word. */
  readonly perWord: number;
  /** The k-th element of a word `w`, for elements of less than a word. */
  readonly unpack?: (word: string, k: string) => string;
  /** Four elements `v` as one word. */
  readonly pack?: string;
}

/** How dtypes lie in buffers: as in the host's memory. */
const STORED: Partial<Record<DType, Stored>> = {
  float32: { computed: "f32", perWord: 1 },
  int32: { computed: "i32", perWord: 1 },
  bool: {
    computed: "bool",
    perWord: 4,
    unpack: (w, k) => `(((${w} >> ((${k}) * 8u)) & 255u) != 0u)`,
    pack: "dot(select(vec4u(0u), vec4u(1u, 256u, 65536u, 16777216u), v), vec4u(1u))",
  },
  uint8: {
    computed: "i32",
    perWord: 4,
    unpack: (w, k) => `i32((${w} >> ((${k}) * 8u)) & 255u)`,
    pack: "dot((vec4u(v) & vec4u(255u)) << vec4u(0u, 8u, 16u, 24u), vec4u(1u))",
  },
  int8: {
    computed: "i32",
    perWord: 4,
    unpack: (w, k) => `extractBits(i32(${w}), (${k}) * 8u, 8u)`,
    pack: "dot((vec4u(v) & vec4u(255u)) << vec4u(0u, 8u, 16u, 24u), vec4u(1u))",
  },
};

/** True if the device's own kernels take this dtype. */
export const isStored = ({ dtype }: { dtype: DType }): boolean => STORED[dtype] !== undefined;

export const computedAs = (dtype: DType): Computed => (STORED[dtype] as Stored).computed;

/** Invocations of a workgroup where nothing else is said. */
export const GROUP = 64;

/** Elements of all arrays that shaders address by 32 bits. */
const MOST_ELEMENTS = 2 ** 31;

/** True for arrays that shaders can be bound to. */
export const fitsBinding = (x: RemoteType): boolean => isStored(x) && sizeOf(x.shape) < MOST_ELEMENTS;

export class ShaderWriter {
  private readonly words: number[] = [];
  private readonly declarations: string[] = [];
  private readonly functions: string[] = [];
  private readonly buffers: GpuBuffer[] = [];
  private bindings = "";

  constructor(
    /** The op, for messages and profiles. */
    readonly label: string,
  ) {}

  /** An integer of the uniform (u32; negative ones wrap around, as sums and products with them do). */
  int(value: number): string {
    return this.word(value | 0);
  }

  /** A number of the uniform (f32). */
  float(value: number): string {
    return `bitcast<f32>(${this.word(floatBits(value))})`;
  }

  /** A number of the uniform as the dtype is computed. */
  number(value: number, type: Computed): string {
    if (type === "f32") return this.float(value);
    return type === "i32" ? `bitcast<i32>(${this.int(value)})` : `(${this.int(value ? 1 : 0)} != 0u)`;
  }

  private word(value: number): string {
    const i = this.words.push(value) - 1;
    return `U[${i >> 2}].${"xyzw"[i & 3]}`;
  }

  /** Adds functions or declarations. */
  declare(text: string): void {
    if (!this.functions.includes(text)) this.functions.push(text);
  }

  /**
   * Binds an array to be read. `element(p)` is the element at position p of the buffer, `vector(p)` the four from 4·p on.
   */
  input(x: GpuArray): { readonly element: (p: string) => string; readonly vector: (p: string) => string } {
    const { computed, unpack } = STORED[x.dtype] as Stored;
    const name = `x${this.buffers.push(x.handle) - 1}`;
    this.bindings += "r";
    const at = this.bindings.length - 1;
    const bind = (type: string): void => {
      this.declarations[at] = `@group(0) @binding(${at}) var<storage, read> ${name}: array<${type}>;`;
    };
    if (unpack) {
      bind("u32");
      return {
        element: (p) => unpack(`${name}[(${p}) >> 2u]`, `(${p}) & 3u`),
        vector: (p) =>
          `vec4<${computed}>(${[0, 1, 2, 3].map((k) => unpack(`${name}[${p}]`, `${k}u`)).join(", ")})`,
      };
    }
    let vectors = false;
    let elements = false;
    const check = (): void => {
      if (vectors && elements) throw new Error(`${this.label}: ${name} is read by elements and by vectors`);
    };
    return {
      element: (p) => {
        elements = true;
        check();
        bind(computed);
        return `${name}[${p}]`;
      },
      vector: (p) => {
        vectors = true;
        check();
        bind(`vec4<${computed}>`);
        return `${name}[${p}]`;
      },
    };
  }

  /** Binds an array to be written. `vector(p, v)` writes the four elements from 4·p on; `element(p, v)` one, of dtypes of a whole word. */
  output(y: GpuArray): {
    readonly vector: (p: string, v: string) => string;
    readonly element: (p: string, v: string) => string;
  } {
    const { computed, pack } = STORED[y.dtype] as Stored;
    const name = `y${this.buffers.push(y.handle) - 1}`;
    this.bindings += "w";
    const at = this.bindings.length - 1;
    const bind = (type: string): void => {
      this.declarations[at] = `@group(0) @binding(${at}) var<storage, read_write> ${name}: array<${type}>;`;
    };
    return {
      vector: (p, v) => {
        bind(pack ? "u32" : `vec4<${computed}>`);
        return pack ? `{ let v = ${v}; ${name}[${p}] = ${pack}; }` : `${name}[${p}] = ${v};`;
      },
      element: (p, v) => {
        bind(computed);
        return `${name}[${p}] = ${v};`;
      },
    };
  }

  /** Declares `checked(index, size) -> u32`: an index counted from the front. One outside is told to who reads next, and 0 taken. */
  guardIndices(): void {
    if (this.guarding) return;
    this.guarding = true;
    const { buffer, number } = commands.guard(this.label);
    const name = this.bindWords(buffer);
    this.declare(`fn checked(index: i32, size: i32) -> u32 {
  let at = select(index, index + size, index < 0);
  if (at >= 0 && at < size) { return u32(at); }
  if (atomicAdd(&${name}[0], 1u) == 0u) {
    atomicStore(&${name}[1], ${this.int(number)}); atomicStore(&${name}[2], bitcast<u32>(index)); atomicStore(&${name}[3], u32(size));
  }
  return 0u;
}`);
  }
  guarding = false;

  /** Binds an array of a dtype that shaders see as words. @returns the element at a position */
  raw(x: GpuArray, type: string): (p: string) => string {
    const name = `x${this.buffers.push(x.handle) - 1}`;
    this.bindings += "r";
    const at = this.bindings.length - 1;
    this.declarations[at] = `@group(0) @binding(${at}) var<storage, read> ${name}: array<${type}>;`;
    return (p) => `${name}[${p}]`;
  }

  /** Binds such an array to be written. @returns the statement that writes one element */
  rawOutput(y: GpuArray, type: string, p: string, value: string): string {
    const name = `y${this.buffers.push(y.handle) - 1}`;
    this.bindings += "w";
    const at = this.bindings.length - 1;
    this.declarations[at] = `@group(0) @binding(${at}) var<storage, read_write> ${name}: array<${type}>;`;
    return `${name}[${p}] = ${value};`;
  }

  /** Binds an array to be added to by many invocations at once. @returns the name of its words (`array<atomic<u32>>`) */
  atomic(y: GpuArray): string {
    return this.bindWords(y.handle);
  }

  private bindWords(buffer: GpuBuffer): string {
    const name = `y${this.buffers.push(buffer) - 1}`;
    this.bindings += "w";
    const at = this.bindings.length - 1;
    this.declarations[at] = `@group(0) @binding(${at}) var<storage, read_write> ${name}: array<atomic<u32>>;`;
    return name;
  }

  /**
   * Position in its buffer of an element that lies at the coordinates `at` (u32 each) of an array: strides of 0 and axes
   * of size 1 are left out.
   */
  position({ shape, strides, offset }: RemoteType, at: readonly string[]): string {
    const terms = [offset === 0 ? [] : [this.int(offset)]].flat();
    for (const [d, name] of at.entries()) {
      if (shape[d] === 1 || strides[d] === 0) continue;
      terms.push(strides[d] === 1 ? name : `${name} * ${this.int(strides[d])}`);
    }
    return terms.length > 0 ? terms.join(" + ") : "0u";
  }

  /** Statements that take a row-major index `i` apart into coordinates `NAME0`, `NAME1` …; @returns them and the names */
  coordinates(shape: readonly number[], i: string, name: string): { text: string; at: string[] } {
    let text = `var ${name}_i = ${i};`;
    const at = shape.map((_, d) => `${name}${d}`);
    for (let d = shape.length - 1; d >= 0; d--) {
      if (shape[d] === 1) text += ` let ${at[d]} = 0u;`;
      else if (d === 0) text += ` let ${at[d]} = ${name}_i;`;
      else {
        const n = this.int(shape[d]);
        text += ` let ${at[d]} = ${name}_i % ${n}; ${name}_i /= ${n};`;
      }
    }
    return { text, at };
  }

  /** Runs a body once per item: `i` (u32) is its number. */
  runItems(items: number, body: string, group = GROUP): void {
    if (items === 0) return;
    const groups = Math.ceil(items / group);
    const width = Math.min(groups, 32768);
    const count = this.int(items);
    this.run(
      `@compute @workgroup_size(${group}) fn main(@builtin(global_invocation_id) g: vec3u) {
  let i = g.x + g.y * ${width * group}u;
  if (i >= ${count}) { return; }
  ${body}
}`.replace(`${width * group}u`, groups > width ? `${width * group}u` : "0u"),
      [width, Math.ceil(groups / width)],
    );
  }

  /** Runs a whole entry point `main` on so many workgroups. */
  run(main: string, groups: readonly number[], head = ""): void {
    let bindings = this.bindings;
    const { declarations } = this;
    const texts = declarations.slice();
    if (this.words.length > 0) {
      texts.push(
        `@group(0) @binding(${bindings.length}) var<uniform> U: array<vec4u, ${Math.ceil(this.words.length / 4)}>;`,
      );
      bindings += "u";
    }
    const wgsl = [head, ...texts, ...this.functions, main].join("\n");
    commands.dispatch({ label: this.label, wgsl, bindings }, this.buffers, this.words, groups);
  }
}

/** A vector of four values of a type, made of four texts. */
export const vectorOf = (type: Computed, values: readonly string[]): string =>
  `vec4<${type}>(${values.join(", ")})`;

/**
 * Computes each element of `out` from its number: `element(i)` is the text of its value (i: u32). Four elements to an
 * invocation, since narrow dtypes share words.
 */
export function runElements(
  w: ShaderWriter,
  out: GpuArray,
  prepare: string,
  element: (i: string) => string,
): void {
  const type = computedAs(out.dtype);
  const target = w.output(out);
  // What lies behind the last element is no index.
  const ends = w.guarding ? `if (i >= ${w.int(sizeOf(out.shape))}) { return ${type}(0); }\n  ` : "";
  w.declare(`fn element(i: u32) -> ${type} {\n  ${ends}${prepare}\n  return ${element("i")};\n}`);
  const values = [0, 1, 2, 3].map((k) => `element(i * 4u + ${k}u)`);
  w.runItems(Math.ceil(sizeOf(out.shape) / 4), target.vector("i", vectorOf(type, values)));
}
