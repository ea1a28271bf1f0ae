/**
 * Writes and launches a kernel that does one thing per item: an element, a row, a product. Sizes, strides and numbers become
 * arguments, so that one text serves all shapes of a rank; operands become pointers.
 */
import type { Layout } from "../../core/layout.js";
import type { KernelArgument } from "../../runtime/cuda/module.js";
import { cuda } from "./device.js";
import { MATH } from "./math.js";
import { type CudaArray, loaded, storedAs, TYPES } from "./types.js";

const THREADS = 256;
/** Blocks at most; a loop does the rest. */
const MOST_BLOCKS = 65536;

export class KernelWriter {
  private readonly parameters: string[] = [];
  private readonly values: KernelArgument[] = [];
  private readonly names = new Map<string, string>();
  private readonly declarations: string[] = [];

  constructor(readonly name: string) {}

  /** An operand that is read: gives the text of an element at a position. */
  input(x: CudaArray): (position: string) => string {
    const name = this.pointer(x, "const ");
    return (position) => loaded(x.dtype, `${name}[${position}]`);
  }

  /** An operand that is written: gives the statement that stores a value at a position. */
  output(x: CudaArray): (position: string, value: string) => string {
    const name = this.pointer(x, "");
    return (position, value) => `${name}[${position}] = ${storedAs(x.dtype, value)};`;
  }

  /** Name of a pointer to the operand's memory. */
  pointer(x: CudaArray, qualifier: "const " | ""): string {
    const name = `p${this.parameters.length}`;
    this.parameters.push(`${qualifier}${TYPES[x.dtype].stored}* ${name}`);
    this.values.push({ kind: "pointer", value: x.handle.address });
    return name;
  }

  /** A whole number as an argument; 0 and 1 are written out, since they make texts simpler. */
  int(value: number): string {
    if (value === 0 || value === 1) return String(value);
    return this.argument("int", "i32", value);
  }

  /** A number of the given arithmetic. */
  number(value: number, type: string): string {
    if (type === "float") return this.argument("float", "f32", value);
    if (type === "double") return this.argument("double", "f64", value);
    if (type === "bool") return value ? "true" : "false";
    return this.argument(type, type === "int" ? "i32" : "i64", value);
  }

  declare(text: string): void {
    if (!this.declarations.includes(text)) this.declarations.push(text);
  }

  /** Statements that take a number apart into coordinates of a shape, and their names. */
  coordinates(shape: readonly number[], number: string, prefix: string): { text: string; at: string[] } {
    const at = shape.map((_, d) => `${prefix}${d}`);
    let text = "";
    let rest = number;
    for (let d = shape.length - 1; d >= 0; d--) {
      if (d === 0) text += `const int ${at[d]} = ${rest}; `;
      else {
        const size = this.int(shape[d]);
        text += `const int ${at[d]} = (${rest}) % ${size}, ${prefix}q${d} = (${rest}) / ${size}; `;
        rest = `${prefix}q${d}`;
      }
    }
    return { text, at };
  }

  /** Position of an element in an operand's memory. */
  position({ shape, strides, offset }: Layout, at: readonly string[]): string {
    const terms = at.flatMap((name, d) => {
      const stride = shape[d] === 1 ? 0 : strides[d];
      if (stride === 0) return [];
      return stride === 1 ? [`(${name})`] : [`(${name}) * ${this.int(stride)}`];
    });
    if (offset !== 0) terms.push(this.int(offset));
    return terms.length > 0 ? terms.join(" + ") : "0";
  }

  /** Launches the kernel; `body` is done for each `int i` below `count`. */
  run(count: number, body: string): void {
    if (count === 0) return;
    const n = this.argument("int", "i32", count);
    const source = `#include "mlsys.cuh"
${MATH}
${this.declarations.join("\n")}
extern "C" __global__ void __launch_bounds__(${THREADS}) ${this.name}(${this.parameters.join(", ")}) {
  for (int i = blockIdx.x * ${THREADS} + threadIdx.x; i < ${n}; i += gridDim.x * ${THREADS}) {
${body}
  }
}
`;
    const grid = [Math.min(MOST_BLOCKS, Math.ceil(count / THREADS))] as const;
    cuda().launch(source, this.name, { grid, block: [THREADS] }, this.values);
  }

  private argument(type: string, kind: "i32" | "i64" | "f32" | "f64", value: number): string {
    const key = `${type} ${Object.is(value, -0) ? "-0" : value}`;
    let name = this.names.get(key);
    if (!name) {
      name = `a${this.parameters.length}`;
      this.parameters.push(`${type} ${name}`);
      this.values.push({ kind, value });
      this.names.set(key, name);
    }
    return name;
  }
}
