/** A kernel as the accelerator's compiler sees it: sizes are numbers, every buffer has a place in outer memory. */
import { bytesPerElement } from "../../core/dtype.js";
import { type Affine, affine } from "../loop/affine.js";
import {
  type Buffer,
  buffersOf,
  type Expr,
  type LoopKernel,
  type LoopType,
  mapStmt,
  type Stmt,
} from "../loop/ir.js";
import { NpuError } from "./config.js";
import type { Element, Instruction } from "./isa.js";

/** A buffer's place in outer memory. */
export interface Placed {
  readonly name: string;
  readonly dtype: LoopType;
  /** Byte address. */
  readonly offset: number;
  readonly elements: number;
  /** Elements from one index to the next, per axis. */
  readonly strides: readonly number[];
  readonly role: "input" | "output" | "temporary";
}

export interface FixedKernel {
  readonly name: string;
  readonly body: readonly Stmt[];
  readonly buffers: ReadonlyMap<string, Placed>;
  /** Of outer memory. */
  readonly bytes: number;
}

const LINE = 64; // bytes: where buffers begin

/**
 * Sizes put in, buffers placed: parameters first, then temporaries.
 * @throws NpuError for a size that is missing, or float64, which the accelerator does not have.
 */
export function fixKernel(kernel: LoopKernel, sizes: Readonly<Record<string, number>>): FixedKernel {
  const values = new Map<string, Affine>();
  for (const name of kernel.sizes) {
    const value = sizes[name];
    if (!Number.isInteger(value) || value < 0)
      throw new NpuError(`${kernel.name}: the size "${name}" is ${value}, not a whole number from 0`);
    values.set(name, affine(value));
  }
  const buffers = new Map<string, Placed>();
  let bytes = 0;
  for (const b of buffersOf(kernel)) {
    if (b.dtype === "float64")
      throw new NpuError(`${kernel.name}: "${b.name}" is float64; the accelerator has float32 at the most`);
    const shape = b.shape.map((d) => number(d, values));
    const strides = b.strides ? b.strides.map((d) => number(d, values)) : rowMajor(shape);
    const elements = shape.includes(0) ? 0 : 1 + shape.reduce((sum, d, i) => sum + (d - 1) * strides[i], 0);
    const role = b.scope !== "param" ? "temporary" : b.output ? "output" : "input";
    buffers.set(b.name, { name: b.name, dtype: b.dtype, offset: bytes, elements, strides, role });
    bytes += Math.ceil((elements * bytesPerElement(b.dtype)) / LINE) * LINE;
  }
  const body = kernel.body.map((s) => mapStmt(s, { index: (i) => i.substitute(values) }));
  return { name: kernel.name, body, buffers, bytes };
}

const number = (d: Affine, values: ReadonlyMap<string, Affine>): number =>
  d.substitute(values).evaluate(new Map());

function rowMajor(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

/** Elements from the beginning of the buffer to the element at these indices. */
export function flat(kernel: FixedKernel, buffer: Buffer, indices: readonly Affine[]): Affine {
  const { strides } = placeOf(kernel, buffer.name);
  return indices.reduce((sum, index, axis) => sum.plus(index.times(strides[axis])), affine(0));
}

export function placeOf(kernel: FixedKernel, name: string): Placed {
  const found = kernel.buffers.get(name);
  if (!found) throw new NpuError(`${kernel.name}: the buffer "${name}" is not declared`);
  return found;
}

/** How a buffer's elements lie outside. */
export function elementOf(dtype: LoopType): Element {
  return dtype === "bool" ? "uint8" : (dtype as Exclude<LoopType, "bool" | "float64">);
}

const FLOATS: ReadonlySet<string> = new Set(["float32", "bfloat16", "float16"]);

/** Type of such an element in the accumulators. */
export const laneType = (dtype: LoopType): "int32" | "float32" => (FLOATS.has(dtype) ? "float32" : "int32");

export type LoadExpr = Extract<Expr, { kind: "load" }>;

/** Instructions in the order of their meaning; tokens come later. */
export class Emitter {
  readonly program: Instruction[] = [];

  emit(i: Instruction): void {
    if (this.program.length >= MOST)
      throw new NpuError(
        `more than ${MOST} instructions: the kernel is too large for a program without loops`,
      );
    this.program.push(i);
  }
}

const MOST = 2_000_000;
