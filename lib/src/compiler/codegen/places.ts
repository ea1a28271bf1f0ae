/** What the walker asks of statements: where elements lie, lane by lane, and which shapes of expression it knows. */
import { type Affine, affine } from "../loop/affine.js";
import {
  type Buffer,
  type Expr,
  type For,
  LoopError,
  type LoopType,
  type Stmt,
  statementValue,
  walk,
  walkExpr,
} from "../loop/ir.js";
import { offsetOf, Polynomial } from "./address.js";
import type { Place } from "./target.js";

/** The lanes that are being written: `variable` is first + lane. */
export interface Lanes {
  readonly variable: string;
  readonly first: number;
  readonly count: number;
  /** Lanes that exist, if not all. */
  readonly existing: Affine | null;
  /** Conditions known to hold in all lanes. */
  readonly assumed: ReadonlySet<string>;
}

/** True if statements declare register buffers, and use no others. */
export function ownsRegisters(body: readonly Stmt[]): boolean {
  const own = new Set<string>();
  let foreign = false;
  const use = (b: Buffer): void => {
    if (b.scope === "register" && !own.has(b.name)) foreign = true;
  };
  walk(body, (s) => {
    if (s.kind === "alloc" && s.buffer.scope === "register") own.add(s.buffer.name);
    if (s.kind === "store" || s.kind === "reduce") use(s.buffer);
    const value = statementValue(s);
    if (value) walkExpr(value, (e) => e.kind === "load" && use(e.buffer));
  });
  return !foreign && body.some((s) => s.kind === "alloc" && s.buffer.scope === "register");
}

/** a · b + c, if the sum is one. */
export function fusable(
  e: Extract<Expr, { kind: "op" }>,
  type: LoopType,
): { args: readonly Expr[]; addend: Expr } | null {
  if (e.op !== "add" || (type !== "float32" && type !== "float64")) return null;
  for (const [i, x] of e.args.entries())
    if (x.kind === "op" && x.op === "mul") return { args: x.args, addend: e.args[1 - i] };
  return null;
}

export function placeOf(buffer: Buffer, indices: readonly Affine[], lanes: Lanes | null): Place {
  const offset = offsetOf(buffer, indices);
  const none = Polynomial.of(affine(0));
  if (!lanes) return { buffer, offset, step: none, lie: "same" };
  const step = offset.slope(lanes.variable);
  if (step === null)
    throw new LoopError(
      `the index [${indices.join(", ")}] of "${buffer.name}" is not affine in "${lanes.variable}"`,
    );
  const number = step.number;
  return {
    buffer,
    offset: offset.substitute(lanes.variable, affine(lanes.first)),
    step,
    lie: number === 0 ? "same" : number === 1 ? "unit" : "strided",
  };
}

/** Bytes of a group whose products one lane of a dot product sums up. */
export const DOT_GROUP = 4;

/** acc += Σ a[r] · b[lane][r] over a group: one number per lane, a's group in every lane. */
export interface DotProduct {
  readonly sum: Extract<Stmt, { kind: "reduce" }>;
  readonly a: Place;
  readonly b: Place;
}

/**
 * A loop over four 8-bit products that are summed in int32, if it is one that dot-product instructions do: in each lane the
 * factors lie side by side, and one of them is the same in all lanes.
 * @param at indices with the values of the loops around
 */
export function dotOf(s: For, lanes: Lanes, at: (i: Affine) => Affine): DotProduct | null {
  const [sum] = s.body;
  const four = s.from.isConstant && s.from.constant === 0 && s.to.isConstant && s.to.constant === DOT_GROUP;
  if (!four || s.body.length !== 1 || sum.kind !== "reduce" || sum.op !== "add" || lanes.existing)
    return null;
  const { value } = sum;
  if (sum.buffer.dtype !== "int32" || sum.indices.some((i) => i.variables().has(s.variable))) return null;
  if (value.kind !== "op" || value.op !== "mul") return null;
  const places = value.args.map((factor) => {
    if (factor.kind !== "cast" || factor.of.kind !== "load") return null;
    const { buffer, indices } = factor.of;
    if ((buffer.dtype !== "int8" && buffer.dtype !== "uint8") || buffer.scope === "register") return null;
    const placed = indices.map(at);
    if (placed.some((i) => !i.isAffineIn(s.variable) || !i.isAffineIn(lanes.variable))) return null;
    const offset = offsetOf(buffer, placed);
    if (offset.slope(s.variable)?.number !== 1) return null;
    const first = placed.map((i) => i.substitute(new Map([[s.variable, affine(0)]])));
    return placeOf(buffer, first, lanes);
  });
  const a = places.find((place) => place?.lie === "same");
  const b = places.find((place) => place?.step.number === DOT_GROUP);
  return a && b ? { sum, a, b } : null;
}

/** A loop that reduces all elements of a register buffer into one element, if it is one. */
export function sumOfLanes(s: For): { sum: DotProduct["sum"]; parts: Buffer } | null {
  const [sum] = s.body;
  if (s.loop !== "unrolled" || s.body.length !== 1 || sum.kind !== "reduce" || sum.value.kind !== "load")
    return null;
  const { buffer: parts, indices } = sum.value;
  const whole =
    s.from.toString() === "0" && indices.length === 1 && s.to.toString() === parts.shape[0].toString();
  if (!whole || parts.scope !== "register" || indices[0].toString() !== s.variable) return null;
  return sum.indices.some((i) => i.variables().has(s.variable)) ? null : { sum, parts };
}
