/** What a machine target (WebAssembly, C) must be able to say; `walker.ts` says it in the order of the loops. */
import type { Affine } from "../loop/affine.js";
import type { Buffer, Condition, LoopType } from "../loop/ir.js";
import type { ScalarOp } from "../loop/operators.js";
import type { Polynomial } from "./address.js";

/** How the elements of a vector lie in memory. */
export type Lie = "unit" | "same" | "strided";

export interface Place {
  readonly buffer: Buffer;
  /** Elements from the buffer's beginning, of lane 0. */
  readonly offset: Polynomial;
  /** Elements from lane to lane. */
  readonly step: Polynomial;
  readonly lie: Lie;
}

/** A variable of the target that holds a value. */
export interface Cell<E> {
  get(): E;
  set(value: E): void;
}

/** Groups of four bytes as 32-bit lanes; operands are held in so many `parts` (values of the target). */
export interface DotInstructions<E> {
  readonly parts: number;
  /** One group in every lane. `signed`: the bytes have signs. */
  spread(place: Place, part: number, signed: boolean, lanes: number): E;
  /** A group per lane, side by side. */
  load(place: Place, part: number, signed: boolean, lanes: number): E;
  /** acc + Σ a · b, wrapping round. */
  add(
    acc: E,
    a: readonly E[],
    b: readonly E[],
    signs: { readonly a: boolean; readonly b: boolean },
    lanes: number,
  ): E;
}

/** Values of one element have `lanes` 1. `count`: only so many lanes, from the first on, exist. */
export interface Target<E> {
  /** The compiler behind it does not see that an element is read twice: it is then kept in a variable. */
  readonly keepsLoads: boolean;
  /** Bytes of a vector. */
  readonly vectorBytes: number;
  /** Whether a vectorized body of so many lanes, with values of these types and these operators, can be emitted. */
  supports(lanes: number, types: ReadonlySet<LoopType>, ops: ReadonlySet<ScalarOp>): boolean;
  loop(variable: string, from: Affine, to: Affine, body: () => void): void;
  if(conditions: readonly Condition[], then: () => void, otherwise?: () => void): void;
  constant(dtype: LoopType, value: number, lanes: number): E;
  /** base + lane · step as int32. */
  index(base: Affine, step: number, lanes: number): E;
  load(place: Place, lanes: number, count: Affine | null): E;
  store(place: Place, value: E, lanes: number, count: Affine | null): void;
  op(name: ScalarOp, dtype: LoopType, args: readonly E[], lanes: number): E;
  /** a · b + c */
  multiplyAdd(a: E, b: E, c: E, dtype: LoopType, lanes: number): E;
  /** Instructions for products of 8-bit integers, four summed in each int32 lane; `null`: it has none. */
  readonly dot: DotInstructions<E> | null;
  select(condition: E, yes: E, no: E, dtype: LoopType, lanes: number): E;
  cast(value: E, from: LoopType, to: LoopType, lanes: number): E;
  when(conditions: readonly Condition[], yes: () => E, no: () => E, dtype: LoopType, lanes: number): E;
  cell(name: string, dtype: LoopType, lanes: number): Cell<E>;
  splat(value: E, dtype: LoopType, lanes: number): E;
  lane(vector: E, lane: number, dtype: LoopType, lanes: number): E;
  withLane(vector: E, lane: number, value: E, dtype: LoopType, lanes: number): E;
  /** The first `count` lanes of `fresh`, the others of `old`. */
  blend(count: Affine, fresh: E, old: E, dtype: LoopType, lanes: number): E;
  /** Writes `body`, which has register buffers of its own, as a function apart if that serves the target. */
  outline(body: () => void): void;
  /** Memory of the thread for a local buffer; the copies of an unrolled loop come one after the other and share it. */
  local(buffer: Buffer): void;
}
