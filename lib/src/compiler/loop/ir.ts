/**
 * Loop IR: what a kernel does, loop by loop. Buffers are typed and strided; indices are affine; a loop says how it is to
 * run (one iteration after another, on several threads, in the lanes of vectors, unrolled, or as the blocks and threads of a
 * GPU). Plain immutable data:
 * schedules rewrite it, code generators read it. (Book, chapter 5: operator compilers.)
 */
import type { DType } from "../../core/dtype.js";
import { MlsysError } from "../../core/errors.js";
import type { Affine } from "./affine.js";
import type { ScalarOp } from "./operators.js";

/** Element types of buffers. Values of `int8`, `uint8`, `bfloat16` and `float16` are only stored: expressions cast them first. */
export type LoopType = Extract<
  DType,
  "float32" | "float64" | "int32" | "int8" | "uint8" | "bfloat16" | "float16" | "bool"
>;

export const LOOP_TYPES: readonly LoopType[] = [
  "float32",
  "float64",
  "int32",
  "int8",
  "uint8",
  "bfloat16",
  "float16",
  "bool",
];

/**
 * Where a buffer lies: `param` is given by the caller; `shared` is temporary memory that all threads see (declared at the
 * top only); `workgroup` is memory that the threads of one block share; `local` is memory of one thread; `register` values
 * stay in registers (constant indices once unrolled). A local or register buffer that is declared in a block outside its
 * thread loops, and indexed first by their variables, holds what each thread keeps from one of them to the next.
 */
export type Scope = "param" | "shared" | "workgroup" | "local" | "register";

export interface Buffer {
  readonly name: string;
  readonly dtype: LoopType;
  /** Sizes: numbers or expressions over the kernel's sizes. */
  readonly shape: readonly Affine[];
  /** Elements from one index to the next, per axis; `null`: row-major without gaps. */
  readonly strides: readonly Affine[] | null;
  readonly scope: Scope;
  /** The kernel writes it (params). */
  readonly output: boolean;
}

/**
 * `block` loops are a GPU's grid, `thread` loops inside them the threads of one block: parallel loops whose iterations are
 * independent, so that running them one after the other is right too. One thread loop of a block behind another sees what
 * all threads did before: code generators put barriers where that matters.
 */
export type LoopKind = "serial" | "parallel" | "vectorized" | "unrolled" | "block" | "thread";
export const LOOP_KINDS: readonly LoopKind[] = [
  "serial",
  "parallel",
  "vectorized",
  "unrolled",
  "block",
  "thread",
];

/** left < right. */
export interface Condition {
  readonly left: Affine;
  readonly right: Affine;
}

export type Expr =
  | { readonly kind: "constant"; readonly dtype: LoopType; readonly value: number }
  | { readonly kind: "load"; readonly buffer: Buffer; readonly indices: readonly Affine[] }
  /** A value named by `let`. */
  | { readonly kind: "name"; readonly name: string; readonly dtype: LoopType }
  /** An index as an int32 value. */
  | { readonly kind: "index"; readonly of: Affine }
  | { readonly kind: "op"; readonly op: ScalarOp; readonly args: readonly Expr[] }
  | { readonly kind: "select"; readonly args: readonly [condition: Expr, yes: Expr, no: Expr] }
  | { readonly kind: "cast"; readonly dtype: LoopType; readonly of: Expr }
  /** `yes` where all conditions hold, else `no`; only that one is evaluated (loads of padded borders). */
  | {
      readonly kind: "when";
      readonly conditions: readonly Condition[];
      readonly yes: Expr;
      readonly no: Expr;
    };

export type Reduction = "add" | "mul" | "maximum" | "minimum";

export type Stmt =
  /** `for (v = from; v < to; v++)` */
  | {
      readonly kind: "for";
      readonly variable: string;
      readonly from: Affine;
      readonly to: Affine;
      readonly loop: LoopKind;
      readonly body: readonly Stmt[];
    }
  | {
      readonly kind: "store";
      readonly buffer: Buffer;
      readonly indices: readonly Affine[];
      readonly value: Expr;
    }
  /** buffer[indices] = op(buffer[indices], value); its order may be changed. */
  | {
      readonly kind: "reduce";
      readonly op: Reduction;
      readonly buffer: Buffer;
      readonly indices: readonly Affine[];
      readonly value: Expr;
    }
  | { readonly kind: "let"; readonly name: string; readonly value: Expr }
  | { readonly kind: "if"; readonly conditions: readonly Condition[]; readonly body: readonly Stmt[] }
  /** A buffer for the statements behind it in this block; its contents are undefined. */
  | { readonly kind: "alloc"; readonly buffer: Buffer };

export type For = Extract<Stmt, { kind: "for" }>;
export type Access = Extract<Stmt, { kind: "store" | "reduce" }> | Extract<Expr, { kind: "load" }>;

/** A kernel: sizes that are known when it is called, buffers, and what is done with them. */
export interface LoopKernel {
  readonly name: string;
  readonly sizes: readonly string[];
  readonly params: readonly Buffer[];
  readonly body: readonly Stmt[];
}

/** Loop IR that breaks a rule; the message names the kernel, the statement and the rule. */
export class LoopError extends MlsysError {
  override name = "LoopError";
}

/** The same statement with each expression and index replaced; statements inside too. */
export function mapStmt(
  stmt: Stmt,
  f: {
    readonly expr?: (e: Expr) => Expr;
    readonly index?: (i: Affine) => Affine;
    readonly buffer?: (b: Buffer) => Buffer;
  },
): Stmt {
  const index = f.index ?? ((i: Affine) => i);
  const buffer = f.buffer ?? ((b: Buffer) => b);
  const expr = (e: Expr): Expr => {
    const inner = mapExpr(e, expr, index, buffer);
    return f.expr ? f.expr(inner) : inner;
  };
  const conditions = (list: readonly Condition[]): Condition[] =>
    list.map(({ left, right }) => ({ left: index(left), right: index(right) }));
  const go = (s: Stmt): Stmt => {
    switch (s.kind) {
      case "for":
        return { ...s, from: index(s.from), to: index(s.to), body: s.body.map(go) };
      case "if":
        return { ...s, conditions: conditions(s.conditions), body: s.body.map(go) };
      case "store":
      case "reduce":
        return { ...s, buffer: buffer(s.buffer), indices: s.indices.map(index), value: expr(s.value) };
      case "let":
        return { ...s, value: expr(s.value) };
      case "alloc":
        return { ...s, buffer: buffer(s.buffer) };
    }
  };
  return go(stmt);
}

/** The expression with its operands, indices and buffers replaced. */
export function mapExpr(
  e: Expr,
  expr: (e: Expr) => Expr,
  index: (i: Affine) => Affine,
  buffer: (b: Buffer) => Buffer = (b) => b,
): Expr {
  switch (e.kind) {
    case "constant":
    case "name":
      return e;
    case "load":
      return { ...e, buffer: buffer(e.buffer), indices: e.indices.map(index) };
    case "index":
      return { ...e, of: index(e.of) };
    case "op":
      return { ...e, args: e.args.map(expr) };
    case "select":
      return { ...e, args: [expr(e.args[0]), expr(e.args[1]), expr(e.args[2])] };
    case "cast":
      return { ...e, of: expr(e.of) };
    case "when":
      return {
        ...e,
        conditions: e.conditions.map(({ left, right }) => ({ left: index(left), right: index(right) })),
        yes: expr(e.yes),
        no: expr(e.no),
      };
  }
}

/** Calls `visit` for each statement, outermost first, with the statements around it. */
export function walk(
  body: readonly Stmt[],
  visit: (s: Stmt, around: readonly Stmt[]) => void,
  around: readonly Stmt[] = [],
): void {
  for (const s of body) {
    visit(s, around);
    if (s.kind === "for" || s.kind === "if") walk(s.body, visit, [...around, s]);
  }
}

/** Calls `visit` for each expression inside `e`, `e` first. `under`: conditions of the `when`s around it. */
export function walkExpr(
  e: Expr,
  visit: (e: Expr, under: readonly Condition[]) => void,
  under: readonly Condition[] = [],
): void {
  visit(e, under);
  if (e.kind === "op" || e.kind === "select") for (const a of e.args) walkExpr(a, visit, under);
  else if (e.kind === "cast") walkExpr(e.of, visit, under);
  else if (e.kind === "when") {
    walkExpr(e.yes, visit, [...under, ...e.conditions]);
    walkExpr(e.no, visit, under);
  }
}

/** The expression that a statement evaluates, if it has one. */
export function statementValue(s: Stmt): Expr | null {
  return s.kind === "store" || s.kind === "reduce" || s.kind === "let" ? s.value : null;
}

/** Loops around and the loop itself, by variable. */
export function findLoop(kernel: LoopKernel, variable: string): { loop: For; around: readonly Stmt[] } {
  let found: { loop: For; around: readonly Stmt[] } | undefined;
  walk(kernel.body, (s, around) => {
    if (s.kind === "for" && s.variable === variable) found = { loop: s, around };
  });
  if (!found) {
    throw new LoopError(
      `${kernel.name}: there is no loop "${variable}"; its loops: ${loopNames(kernel).join(", ") || "none"}`,
    );
  }
  return found;
}

export function loopNames(kernel: LoopKernel): string[] {
  const names: string[] = [];
  walk(kernel.body, (s) => {
    if (s.kind === "for") names.push(s.variable);
  });
  return names;
}

/** Every buffer: parameters first, then those that are declared inside. */
export function buffersOf(kernel: LoopKernel): Buffer[] {
  const all = [...kernel.params];
  walk(kernel.body, (s) => {
    if (s.kind === "alloc") all.push(s.buffer);
  });
  return all;
}
