/**
 * Loop nests on the vector unit. Two loops of a nest become rows and lanes of a block, the others are gone through when the
 * program is made (programs have no loops). Any kernel of float32, int32 and the stored types comes through here, some slowly:
 * where the order of the iterations matters, one at a time.
 */
import { type Affine, type Ranges, rangeOf } from "../loop/affine.js";
import { type Condition, type Expr, type For, mapExpr, type Stmt, walkExpr } from "../loop/ir.js";
import { printBlock } from "../loop/print.js";
import { type NpuConfig, NpuError } from "./config.js";
import { Evaluator, type Grid, step, type Value, variesWith } from "./expressions.js";
import { ELEMENT_BYTES, instruction } from "./isa.js";
import { Emitter, elementOf, type FixedKernel, flat, type LoadExpr, placeOf } from "./kernel.js";

type Write = Extract<Stmt, { kind: "store" | "reduce" }>;
type Values = ReadonlyMap<string, number>;

/** Emits statements for the vector unit. `rows`: the accumulators' rows that may be used. */
export class VectorCompiler {
  private half = 0;

  constructor(
    private readonly config: NpuConfig,
    private readonly kernel: FixedKernel,
    private readonly out: Emitter,
    private readonly scratch: { readonly base: number; readonly rows: number },
  ) {}

  /** Statements, with values for the loops around them. */
  block(body: readonly Stmt[], at: Values = new Map(), names: ReadonlyMap<string, Expr> = new Map()): void {
    const here = new Map(names);
    for (const s of body) {
      switch (s.kind) {
        case "alloc":
          break; // every buffer has a place outside already
        case "let":
          here.set(s.name, inlined(s.value, here));
          break;
        case "if":
          if (s.conditions.every((c) => holds(c, at))) this.block(s.body, at, here);
          break;
        case "store":
        case "reduce":
          this.nest([], s, at, here);
          break;
        case "for": {
          const perfect = perfectNest(s);
          if (perfect) this.nest(perfect.loops, perfect.write, at, here);
          else
            for (let v = s.from.evaluate(at), end = s.to.evaluate(at); v < end; v++)
              this.block(s.body, new Map([...at, [s.variable, v]]), here);
        }
      }
    }
  }

  /** One store or accumulation inside a perfect nest. */
  private nest(loops: readonly For[], plain: Write, at: Values, names: ReadonlyMap<string, Expr>): void {
    const write: Write = { ...plain, value: inlined(plain.value, names) };
    const { row, lane, summed } = chooseAxes(this.kernel, loops, write, this.config.columns);
    // What the bounds of rows and lanes need must have a value before a block begins.
    const first = boundVariables(loops, [row, lane]);
    const inner = (summed ? loopsOver(this.kernel, loops, write) : [])
      .filter((v) => v !== row?.variable && v !== lane?.variable && !first.has(v))
      .map((v) => loops.find((l) => l.variable === v) as For);
    const outer = loops.filter((l) => l !== row && l !== lane && !inner.includes(l));
    each(outer, at, (values) => this.blocks(write, values, row, lane, inner));
  }

  /** Blocks of rows × lanes that cover two loops. */
  private blocks(write: Write, at: Values, row: For | null, lane: For | null, inner: readonly For[]): void {
    const [rowFrom, rowTo] = boundsOfLoop(row, at);
    const [laneFrom, laneTo] = boundsOfLoop(lane, at);
    const { columns } = this.config;
    for (let l = laneFrom; l < laneTo; l += columns) {
      const lanes = Math.min(columns, laneTo - l);
      for (let r = rowFrom; r < rowTo; ) {
        const make = (rows: number): Grid => ({
          at: new Map([
            ...at,
            ...(row ? [[row.variable, r] as const] : []),
            ...(lane ? [[lane.variable, l] as const] : []),
          ]),
          row: row?.variable ?? null,
          lane: lane?.variable ?? null,
          rows,
          lanes,
        });
        const rows = Math.min(rowTo - r, this.rowsThatFit(write, make(Math.min(2, rowTo - r)), inner));
        this.one(write, make(rows), inner, this.out, this.place());
        r += rows;
      }
    }
  }

  /** Where the next block's scratch rows begin: halves in turn, so that one is loaded while the other is worked on. */
  private place(): number {
    this.half = 1 - this.half;
    return this.scratch.base + this.half * Math.floor(this.scratch.rows / 2);
  }

  /** Rows of a block whose values fit into half of the scratch rows. */
  private rowsThatFit(write: Write, grid: Grid, inner: readonly For[]): number {
    const at = new Map(grid.at);
    for (const l of inner) at.set(l.variable, l.from.evaluate(at)); // the first round stands for all
    const used = this.one(write, { ...grid, at }, [], new Emitter(), 0);
    const most = Math.floor(this.scratch.rows / 2);
    const each = Math.max(1, Math.ceil(used / grid.rows));
    const fit = Math.floor(most / each);
    if (fit < 1 || used > most)
      throw new NpuError(
        `${this.kernel.name}: ${printBlock([write]).trim()} needs ${used} rows of accumulators at once; there are ${most}`,
      );
    return Math.min(fit, 4095);
  }

  /** One block; the rows that it took. */
  private one(write: Write, grid: Grid, inner: readonly For[], out: Emitter, base: number): number {
    const target = placeOf(this.kernel, write.buffer.name);
    const index = flat(this.kernel, write.buffer, write.indices);
    const [dx, dl] = [step(index, grid.row), step(index, grid.lane)];
    const type = elementOf(target.dtype);
    const ev = new Evaluator(this.kernel, grid, out, base);
    const perLane = dl !== 0 && grid.lanes > 1;
    let result: Value;
    if (write.kind === "store") result = ev.materialize(ev.evaluate(write.value), grid.rows > 1, perLane);
    else {
      const self: LoadExpr = { kind: "load", buffer: write.buffer, indices: write.indices };
      const before = ev.evaluate(self);
      const mark = ev.used;
      let most = mark;
      each(inner, grid.at, (at) => {
        // Each round has its own values, in the same rows.
        const round = new Evaluator(this.kernel, { ...grid, at }, out, base + mark);
        accumulate(write.op, round, out, grid, before, round.evaluate(write.value), perLane);
        most = Math.max(most, mark + round.used);
      });
      result = before;
      this.emitStore(out, result, grid, index, dx, dl, type, target.offset, perLane);
      return most;
    }
    this.emitStore(out, result, grid, index, dx, dl, type, target.offset, perLane);
    return ev.used;
  }

  private emitStore(
    out: Emitter,
    v: Value,
    grid: Grid,
    index: Affine,
    dx: number,
    dl: number,
    type: ReturnType<typeof elementOf>,
    offset: number,
    perLane: boolean,
  ): void {
    out.emit(
      instruction("store", {
        type,
        row: v.place as number,
        nx: grid.rows,
        sx: v.perRow ? 1 : 0,
        lanes: perLane ? grid.lanes : 1,
        dram: offset + index.evaluate(grid.at) * ELEMENT_BYTES[type],
        dx,
        dl: perLane ? dl : 1,
      }),
    );
  }
}

/** sum = op(sum, value): lane by lane, or all lanes of the value into one. */
function accumulate(
  op: "add" | "mul" | "maximum" | "minimum",
  ev: Evaluator,
  out: Emitter,
  grid: Grid,
  sum: Value,
  value: Value,
  perLane: boolean,
): void {
  if (perLane || grid.lanes === 1) {
    ev.emit(op, sum.type, sum, sum, value, [0, grid.lanes]);
    return;
  }
  // Lanes are summed: a value that does not vary along them counts as often as there are lanes.
  const rows = ev.materialize(value, sum.perRow, true);
  out.emit(
    instruction("reduce", {
      fn: op,
      type: sum.type,
      dst: sum.place as number,
      a: rows.place as number,
      sd: sum.perRow ? 1 : 0,
      sa: rows.perRow ? 1 : 0,
      rows: sum.perRow ? grid.rows : 1,
      lanes: grid.lanes,
      accumulate: 1,
    }),
  );
}

interface Axes {
  readonly row: For | null;
  readonly lane: For | null;
  /** The loops that are summed over run inside of a block. */
  readonly summed: boolean;
}

/** Which loops become rows and lanes; none where the order of the iterations matters. */
function chooseAxes(kernel: FixedKernel, loops: readonly For[], write: Write, columns: number): Axes {
  const none: Axes = { row: null, lane: null, summed: false };
  const target = flat(kernel, write.buffer, write.indices);
  const loads: Affine[] = [];
  let self = false;
  walkExpr(write.value, (e) => {
    if (e.kind !== "load") return;
    const index = flat(kernel, e.buffer, e.indices);
    if (e.buffer.name !== write.buffer.name) loads.push(index);
    else if (!index.equals(target) || write.kind === "reduce") self = true;
  });
  if (self) return none;
  const conditions = conditionsIn(write.value);
  const affineIn = (v: string): boolean =>
    [...loads, target].every((i) => i.isAffineIn(v)) && !hasIndex(write.value, v);
  const free = loops.filter((l) => affineIn(l.variable) && !bounds(loops, l.variable));
  const over = new Set(loopsOver(kernel, loops, write));
  // What sums may run in another order; what stores may not leave two values for one element.
  const usable = free.filter(
    (l) => target.coefficient(l.variable) !== 0 || (write.kind === "reduce" && over.has(l.variable)),
  );
  const extent = (l: For): number => {
    const [low, high] = rangeOf(l.to.minus(l.from), NOTHING);
    return Number.isFinite(high) ? high : Math.max(low, 1);
  };
  const near = (l: For): number =>
    [target, ...loads].filter((i) => Math.abs(i.coefficient(l.variable)) === 1).length * 4 +
    Math.min(3, Math.log2(Math.max(1, Math.min(columns, extent(l)))));
  const lanes = usable.filter((l) => conditions.every((c) => conditionAffine(c, l.variable)));
  const lane = lanes.reduce<For | null>(
    (best, l) => (best === null || near(l) >= near(best) ? l : best),
    null,
  );
  const rows = usable.filter(
    (l) => l !== lane && !over.has(l.variable) && !conditions.some((c) => variesWith(c, l.variable)),
  );
  const row = rows.reduce<For | null>(
    (best, l) => (best === null || extent(l) >= extent(best) ? l : best),
    null,
  );
  // Two iterations that store one element must not lie in one block.
  const collide =
    lane !== null &&
    row !== null &&
    !over.has(lane.variable) &&
    Math.abs(target.coefficient(row.variable)) <
      Math.abs(target.coefficient(lane.variable)) * Math.min(columns, extent(lane)) &&
    Math.abs(target.coefficient(lane.variable)) < Math.abs(target.coefficient(row.variable)) * extent(row);
  return { row: collide ? null : row, lane, summed: write.kind === "reduce" };
}

const NOTHING: Ranges = new Map();

/** Loops of the nest that a reduction sums over, whose bounds nothing outside of them depends on. */
function loopsOver(kernel: FixedKernel, loops: readonly For[], write: Write): string[] {
  if (write.kind !== "reduce") return [];
  const used = flat(kernel, write.buffer, write.indices).variables();
  const names = loops.map((l) => l.variable);
  return names.filter(
    (v) =>
      !used.has(v) &&
      loops.every((l) => !(used.has(l.variable) && (l.from.variables().has(v) || l.to.variables().has(v)))),
  );
}

/** Variables that the bounds of these loops need, and the bounds of theirs. */
function boundVariables(loops: readonly For[], of: readonly (For | null)[]): Set<string> {
  const out = new Set<string>();
  const add = (l: For | null | undefined): void => {
    if (!l) return;
    for (const v of [...l.from.variables(), ...l.to.variables()]) {
      if (out.has(v)) continue;
      out.add(v);
      add(loops.find((x) => x.variable === v));
    }
  };
  for (const l of of) add(l);
  return out;
}

/** A loop whose variable another loop's bounds need: it can't run inside of that one. */
const bounds = (loops: readonly For[], v: string): boolean =>
  loops.some((l) => l.from.variables().has(v) || l.to.variables().has(v));

function conditionsIn(e: Expr): Condition[] {
  const out: Condition[] = [];
  walkExpr(e, (x) => {
    if (x.kind === "when") out.push(...x.conditions);
  });
  return out;
}

const conditionAffine = ({ left, right }: Condition, v: string): boolean =>
  left.isAffineIn(v) && right.isAffineIn(v);

function hasIndex(e: Expr, v: string): boolean {
  let found = false;
  walkExpr(e, (x) => {
    if (x.kind === "index" && x.of.variables().has(v)) found = true;
  });
  return found;
}

const holds = ({ left, right }: Condition, at: Values): boolean => left.evaluate(at) < right.evaluate(at);

function boundsOfLoop(loop: For | null, at: Values): [number, number] {
  return loop === null ? [0, 1] : [loop.from.evaluate(at), loop.to.evaluate(at)];
}

/** Calls `visit` for each iteration of nested loops. */
export function each(loops: readonly For[], at: Values, visit: (at: Values) => void): void {
  if (loops.length === 0) {
    visit(at);
    return;
  }
  const [first, ...rest] = loops;
  for (let v = first.from.evaluate(at), end = first.to.evaluate(at); v < end; v++)
    each(rest, new Map([...at, [first.variable, v]]), visit);
}

/** Loops with nothing but each other and one store or accumulation inside. */
export function perfectNest(outermost: For): { loops: For[]; write: Write } | null {
  const loops: For[] = [];
  for (let at: Stmt = outermost; ; ) {
    if (at.kind === "store" || at.kind === "reduce") return { loops, write: at };
    if (at.kind !== "for" || at.body.length !== 1) return null;
    loops.push(at);
    [at] = at.body;
  }
}

/** The expression with the values of names in their places. */
function inlined(e: Expr, names: ReadonlyMap<string, Expr>): Expr {
  if (names.size === 0) return e;
  const go = (x: Expr): Expr => {
    if (x.kind === "name") return names.get(x.name) ?? x;
    return mapExpr(x, go, (i) => i);
  };
  return go(e);
}
