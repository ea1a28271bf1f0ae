/**
 * Expressions of loop IR on the vector unit: a block of rows × lanes at once. What does not vary along one of the two is computed
 * once along it: a row, a column, a single number.
 */
import type { Affine } from "../loop/affine.js";
import type { Condition, Expr } from "../loop/ir.js";
import type { ScalarOp } from "../loop/operators.js";
import { printExpr } from "../loop/print.js";
import { typeOf } from "../loop/types.js";
import { NpuError } from "./config.js";
import { ELEMENT_BYTES, FUNCTIONS, instruction, type VectorFunction } from "./isa.js";
import {
  type Emitter,
  elementOf,
  type FixedKernel,
  flat,
  type LoadExpr,
  laneType,
  placeOf,
} from "./kernel.js";

/** What a block covers: values of all loops at its corner, and the variables along rows and lanes (null: none). */
export interface Grid {
  readonly at: ReadonlyMap<string, number>;
  readonly row: string | null;
  readonly lane: string | null;
  readonly rows: number;
  readonly lanes: number;
}

type Lane = "int32" | "float32";

/** A value in the accumulators, or a number. */
export interface Value {
  readonly type: Lane;
  /** First row; null: the number. */
  readonly place: number | null;
  readonly number: number;
  /** Whether it has a row for each row of the block, and a lane for each lane. */
  readonly perRow: boolean;
  readonly perLane: boolean;
}

/** Lanes from … to (exclusive). */
type Window = readonly [number, number];

/** Where loads of some buffer lie already: results of the array. */
export type Resident = (e: LoadExpr) => Value | null;

const NAMES: Partial<Record<ScalarOp, VectorFunction>> = { logicalAnd: "and", logicalOr: "or" };
const COMMUTES: ReadonlySet<string> = new Set([
  "add",
  "mul",
  "maximum",
  "minimum",
  "equal",
  "notEqual",
  "and",
  "or",
]);
const COMPARES: ReadonlySet<string> = new Set(["less", "lessEqual", "equal", "notEqual"]);

/** Evaluates expressions over one block; scratch rows are taken from `base` on. */
export class Evaluator {
  private next: number;
  private readonly loaded = new Map<string, Value>();

  constructor(
    private readonly kernel: FixedKernel,
    private readonly grid: Grid,
    private readonly out: Emitter,
    private readonly base: number,
    private readonly resident: Resident = () => null,
    private readonly names: ReadonlyMap<string, Expr> = new Map(),
  ) {
    this.next = base;
  }

  /** Rows that were taken. */
  get used(): number {
    return this.next - this.base;
  }

  take(perRow: boolean): number {
    const place = this.next;
    this.next += perRow ? this.grid.rows : 1;
    return place;
  }

  evaluate(e: Expr, window: Window = [0, this.grid.lanes]): Value {
    switch (e.kind) {
      case "constant":
        return numberValue(laneType(e.dtype), e.value);
      case "name": {
        const value = this.names.get(e.name);
        if (!value) throw new NpuError(`${this.kernel.name}: no value is named "${e.name}" here`);
        return this.evaluate(value, window);
      }
      case "index": {
        const { row, lane, at } = this.grid;
        const varies = e.of.variables();
        if ((row !== null && varies.has(row)) || (lane !== null && varies.has(lane)))
          throw new NpuError(
            `${this.kernel.name}: ${printExpr(e)}: the vector unit has no values of indices`,
          );
        return numberValue("int32", e.of.evaluate(at));
      }
      case "load":
        return this.load(e, window);
      case "cast":
        return this.cast(e, window);
      case "op": {
        const fn = NAMES[e.op] ?? (e.op as VectorFunction);
        if (!(FUNCTIONS as readonly string[]).includes(fn))
          throw new NpuError(`${this.kernel.name}: ${printExpr(e)}: the vector unit has no ${e.op}`);
        const args = e.args.map((a) => this.evaluate(a, window));
        return args.length === 1
          ? this.unary(fn, args[0], window)
          : this.binary(fn, args[0], args[1], window);
      }
      case "select":
        return this.select(e.args, window);
      case "when":
        return this.when(e, window);
    }
  }

  private load(e: LoadExpr, window: Window): Value {
    const found = this.resident(e);
    if (found) return found;
    const { at, row, lane, rows } = this.grid;
    const index = flat(this.kernel, e.buffer, e.indices);
    const [dx, dl] = [step(index, row), step(index, lane)];
    const place = placeOf(this.kernel, e.buffer.name);
    const type = elementOf(place.dtype);
    const start = index.evaluate(at);
    const key = `${e.buffer.name} ${start} ${dx} ${dl} ${window}`;
    const before = this.loaded.get(key);
    if (before) return before;
    const perRow = dx !== 0 && rows > 1;
    const perLane = dl !== 0 && this.grid.lanes > 1;
    const value: Value = {
      type: laneType(place.dtype),
      place: this.take(perRow),
      number: 0,
      perRow,
      perLane,
    };
    this.out.emit(
      instruction("load", {
        mem: "acc",
        type,
        row: value.place as number,
        lane: perLane ? window[0] : 0,
        nx: perRow ? rows : 1,
        lanes: perLane ? window[1] - window[0] : 1,
        dram: place.offset + (start + (perLane ? window[0] * dl : 0)) * ELEMENT_BYTES[type],
        dx: perRow ? dx : 0,
        dl: perLane ? dl : 1,
      }),
    );
    this.loaded.set(key, value);
    return value;
  }

  private cast(e: Extract<Expr, { kind: "cast" }>, window: Window): Value {
    const from = typeOf(e.of);
    const value = this.evaluate(e.of, window);
    const float = laneType(from) === "float32";
    switch (e.dtype) {
      case "float32":
      case "bfloat16": // only stored: the store rounds
        if (from !== "bfloat16" && e.of.kind === "cast" && e.of.dtype === "bfloat16")
          throw new NpuError(
            `${this.kernel.name}: ${printExpr(e)}: values are rounded to bfloat16 when stored only`,
          );
        return float ? value : this.unary("toFloat", value, window);
      case "int32":
        return float ? this.unary("toInt", value, window) : value;
      case "int8":
      case "uint8": {
        if (from === e.dtype) return value;
        const whole = float ? this.unary("toInt", value, window) : value;
        return this.unary(e.dtype === "int8" ? "wrapInt8" : "wrapUint8", whole, window);
      }
      case "bool": {
        return from === "bool" ? value : this.binary("notEqual", value, numberValue(value.type, 0), window);
      }
      default:
        throw new NpuError(`${this.kernel.name}: ${printExpr(e)}: the accelerator has float32 at the most`);
    }
  }

  private unary(fn: VectorFunction, a: Value, window: Window): Value {
    const source = a.place === null ? this.materialize(a, false, false, window) : a;
    const type: Lane = fn === "toFloat" ? "float32" : fn === "toInt" ? "int32" : a.type;
    const result: Value = { ...source, type, place: this.take(source.perRow) };
    this.emit(fn, a.type, result, source, null, window);
    return result;
  }

  /** A function of two values. */
  binary(fn: VectorFunction, left: Value, right: Value, window: Window = [0, this.grid.lanes]): Value {
    const perRow = left.perRow || right.perRow;
    const perLane = left.perLane || right.perLane;
    let [a, b] = [left, right];
    // The first operand comes from rows; the second may come from a lane or be a number.
    const awkward = (v: Value): boolean => v.place === null || (perLane && !v.perLane);
    if (awkward(a) && !awkward(b) && COMMUTES.has(fn)) [a, b] = [b, a];
    if (awkward(a)) a = this.materialize(a, a.perRow, perLane, window);
    const type = COMPARES.has(fn) ? "int32" : left.type;
    const result: Value = { type, place: this.take(perRow), number: 0, perRow, perLane };
    this.emit(fn, left.type, result, a, b, window);
    return result;
  }

  private select([condition, yes, no]: readonly [Expr, Expr, Expr], window: Window): Value {
    const [c, a, b] = [condition, yes, no].map((e) => this.evaluate(e, window));
    const perRow = c.perRow || a.perRow || b.perRow;
    const perLane = c.perLane || a.perLane || b.perLane;
    const result = this.materialize(c, perRow, perLane, window, true);
    const rows =
      a.place === null || (perLane && !a.perLane) ? this.materialize(a, a.perRow, perLane, window) : a;
    const chosen: Value = { ...result, type: a.type };
    this.emit("choose", a.type, chosen, rows, b, window);
    return chosen;
  }

  private when(e: Extract<Expr, { kind: "when" }>, window: Window): Value {
    const { at, row, lane } = this.grid;
    if (row !== null && e.conditions.some((c) => variesWith(c, row)))
      throw new NpuError(`${this.kernel.name}: ${printExpr(e)} changes from row to row`);
    let [low, high] = window;
    for (const c of e.conditions) {
      const gap = c.right.minus(c.left); // > 0 where it holds
      const start = gap.evaluate(at);
      const slope = lane === null ? 0 : gap.coefficient(lane);
      if (slope === 0) {
        if (start <= 0) high = low;
      } else if (slope > 0) low = Math.max(low, Math.floor(-start / slope) + 1);
      else high = Math.min(high, Math.ceil(start / -slope));
    }
    if (low >= high) return this.evaluate(e.no, window);
    if (low === window[0] && high === window[1]) return this.evaluate(e.yes, window);
    const no = this.evaluate(e.no, window);
    const yes = this.evaluate(e.yes, [low, high]);
    const result = this.materialize(no, no.perRow || yes.perRow, true, window, true);
    const rows =
      yes.place === null || !yes.perLane ? this.materialize(yes, yes.perRow, true, [low, high]) : yes;
    this.emit("copy", yes.type, { ...result, type: yes.type }, rows, null, [low, high]);
    return { ...result, type: yes.type };
  }

  /** The value in rows (and lanes) of its own. `fresh`: that nobody else reads. */
  materialize(
    v: Value,
    perRow: boolean,
    perLane: boolean,
    window: Window = [0, this.grid.lanes],
    fresh = false,
  ): Value {
    const wide = { perRow: v.perRow || perRow, perLane: v.perLane || perLane };
    if (!fresh && v.place !== null && (v.perLane || !wide.perLane)) return v;
    const result: Value = { type: v.type, place: this.take(wide.perRow), number: 0, ...wide };
    if (v.place === null) this.emit("set", v.type, result, null, v, window);
    else if (v.perLane || !wide.perLane) this.emit("copy", v.type, result, v, null, window);
    else {
      this.emit("set", v.type, result, null, numberValue(v.type, 0), window);
      this.emit("add", v.type, result, result, v, window);
    }
    return result;
  }

  /** result = fn(a, b) as an instruction. */
  emit(
    fn: VectorFunction,
    type: Lane,
    result: Value,
    a: Value | null,
    b: Value | null,
    [low, high]: Window,
  ): void {
    const stride = (v: Value | null): number => (v?.perRow ? 1 : 0);
    this.out.emit(
      instruction("vector", {
        fn,
        type,
        dst: result.place as number,
        a: a?.place ?? 0,
        b: b?.place ?? 0,
        from: b === null ? "none" : b.place === null ? "imm" : result.perLane && !b.perLane ? "lane" : "rows",
        imm: b?.place === null ? b.number : 0,
        sd: result.perRow ? 1 : 0,
        sa: stride(a),
        sb: stride(b),
        rows: result.perRow ? this.grid.rows : 1,
        lane: result.perLane ? low : 0,
        lanes: result.perLane ? high - low : 1,
      }),
    );
  }
}

/** A number as a value. */
export function numberValue(type: Lane, x: number): Value {
  return {
    type,
    place: null,
    number: type === "float32" ? Math.fround(x) : x,
    perRow: false,
    perLane: false,
  };
}

/** Elements from one value of a variable to the next. */
export const step = (index: Affine, variable: string | null): number =>
  variable === null ? 0 : index.coefficient(variable);

export const variesWith = ({ left, right }: Condition, variable: string): boolean =>
  left.variables().has(variable) || right.variables().has(variable);
