/**
 * From loop IR to a target's statements: unrolled loops are written out, vectorized ones become groups of lanes (with a
 * scalar or masked version for the last, shorter round), register buffers become variables.
 */
import { type Affine, affine } from "../loop/affine.js";
import {
  type Buffer,
  type Condition,
  type Expr,
  type For,
  LoopError,
  type LoopKernel,
  type LoopType,
  type Stmt,
  statementValue,
  walk,
  walkExpr,
} from "../loop/ir.js";
import { typeOf } from "../loop/types.js";
import { capOf } from "../schedule/tree.js";
import { offsetOf } from "./address.js";
import { fusable, type Lanes, ownsRegisters, placeOf } from "./places.js";
import type { Cell, Target } from "./target.js";
import { planVectors, type VectorPlan } from "./vectors.js";

const MAX_UNROLLED = 20_000; // statements: a schedule beyond that is a mistake

interface Registers<E> {
  readonly lanes: number;
  readonly cells: Map<number, Cell<E>>;
}

interface Named<E> {
  readonly value: E;
  readonly dtype: LoopType;
  readonly lanes: number;
}

interface Context<E> {
  readonly values: ReadonlyMap<string, Affine>;
  readonly lanes: Lanes | null;
  readonly names: Map<string, Named<E>>;
}

export class Walker<E> {
  private readonly plan: VectorPlan;
  private readonly registers = new Map<string, Registers<E>>();
  private written = 0;
  /** Elements in variables, by what they were read from: of the straight piece of code being written. */
  private kept = new Map<string, { readonly buffer: string; readonly value: E }>();

  constructor(
    private readonly kernel: LoopKernel,
    private readonly target: Target<E>,
  ) {
    this.plan = planVectors(kernel, target as Target<unknown>);
  }

  /** Writes statements; loop variables around them are the target's. */
  block(body: readonly Stmt[]): void {
    this.statements(body, { values: new Map(), lanes: null, names: new Map() });
  }

  /** Writes code that may run often or not at all: what is read in it is not known outside. */
  private apart(write: () => void): void {
    const { kept } = this;
    this.kept = new Map();
    write();
    this.kept = kept;
  }

  private statements(body: readonly Stmt[], context: Context<E>): void {
    const inner = { ...context, names: new Map(context.names) };
    for (const s of body) this.statement(s, inner);
  }

  private statement(s: Stmt, context: Context<E>): void {
    if (++this.written > MAX_UNROLLED)
      throw new LoopError(`${this.kernel.name}: more than ${MAX_UNROLLED} statements when unrolled`);
    const { target } = this;
    const at = (i: Affine): Affine => i.substitute(context.values);
    switch (s.kind) {
      case "for":
        this.loop(s, context);
        break;
      case "if":
        this.guarded(
          s.conditions.map((c) => ({ left: at(c.left), right: at(c.right) })),
          () => this.statements(s.body, context),
        );
        this.forget(s.body);
        break;
      case "let": {
        const dtype = typeOf(s.value);
        const lanes = context.lanes?.count ?? 1;
        const cell = target.cell(s.name, dtype, lanes);
        cell.set(this.value(s.value, context));
        context.names.set(s.name, { value: cell.get(), dtype, lanes });
        break;
      }
      case "alloc":
        if (s.buffer.scope === "register")
          this.registers.set(s.buffer.name, {
            lanes: this.plan.registers.get(s.buffer.name) ?? 1,
            cells: new Map(),
          });
        else if (s.buffer.scope === "local") {
          if (!s.buffer.shape.every((d) => d.isConstant))
            throw new LoopError(
              `${this.kernel.name}: the local buffer "${s.buffer.name}" has the shape [${s.buffer.shape.join(", ")}]; a thread's memory needs a constant one`,
            );
          target.local(s.buffer);
        }
        break;
      case "store":
        this.write(s.buffer, s.indices.map(at), this.value(s.value, context), context);
        break;
      case "reduce": {
        const indices = s.indices.map(at);
        const lanes = context.lanes?.count ?? 1;
        const old = this.read(s.buffer, indices, context);
        const { value } = s;
        const fused =
          s.op === "add" && value.kind === "op" && value.op === "mul" && s.buffer.dtype !== "int32";
        const sum = fused
          ? target.multiplyAdd(
              this.value(value.args[0], context),
              this.value(value.args[1], context),
              old,
              s.buffer.dtype,
              lanes,
            )
          : target.op(s.op, s.buffer.dtype, [old, this.value(value, context)], lanes);
        this.write(s.buffer, indices, sum, context);
      }
    }
  }

  private loop(s: For, context: Context<E>): void {
    const from = s.from.substitute(context.values);
    const to = s.to.substitute(context.values);
    const lanes = context.lanes === null ? this.plan.lanes.get(s.variable) : undefined;
    if (s.loop === "vectorized" && lanes !== undefined) this.vectors(s, to, lanes, context);
    else if (s.loop === "unrolled" || (s.loop === "vectorized" && this.touchesRegisters(s)))
      this.unrolled(s, from, to, 0, context);
    else {
      const body = (): void => this.statements(s.body, context);
      const registers = context.names.size === 0 && context.lanes === null && ownsRegisters(s.body);
      this.forget(s.body);
      this.apart(() =>
        this.target.loop(s.variable, from, to, registers ? () => this.target.outline(body) : body),
      );
    }
  }

  /** Iterations from `first` on, one after the other. */
  private unrolled(s: For, from: Affine, to: Affine, first: number, context: Context<E>): void {
    const cap = capOf({ from, to }) ?? capOf(s);
    if (cap === null) throw new LoopError(`${this.kernel.name}: "${s.variable}" has no constant bound`);
    for (let k = first; k < cap; k++) {
      const value = from.plus(k);
      const inner = { ...context, values: new Map([...context.values, [s.variable, value]]) };
      this.guarded([{ left: value, right: to }], () => this.statements(s.body, inner));
      if (!to.isConstant) this.forget(s.body);
    }
  }

  private vectors(s: For, to: Affine, lanes: number, context: Context<E>): void {
    const cap = capOf(s) as number;
    const groups = cap - (cap % lanes);
    const { needed, assumed } = this.allLanes(s, cap, context);
    const whole = (existing: (first: number) => Affine | null, known: ReadonlySet<string>) => {
      for (let first = 0; first < groups; first += lanes) {
        const count = existing(first);
        const inner: Context<E> = {
          ...context,
          lanes: { variable: s.variable, first, count: lanes, existing: count, assumed: known },
        };
        if (count) {
          this.guarded([{ left: affine(0), right: count }], () => this.statements(s.body, inner));
          this.forget(s.body);
        } else this.statements(s.body, inner);
      }
    };
    const full = () => {
      whole(() => null, assumed);
      if (groups < cap) this.unrolled(s, affine(0), affine(cap), groups, context);
    };
    const conditions = [
      ...(to.isConstant && to.constant === cap ? [] : [{ left: affine(cap - 1), right: to }]),
      ...needed,
    ];
    if (conditions.length === 0) full();
    else {
      const masked = this.touchesRegisters(s);
      this.forget(s.body);
      this.target.if(
        conditions,
        () => this.apart(full),
        () =>
          this.apart(() => {
            if (masked) whole((first) => to.minus(first), new Set());
            else this.target.loop(s.variable, affine(0), to, () => this.statements(s.body, context));
          }),
      );
    }
  }

  /** What must hold for the lanes to be alike: every condition on the variable at its worst value. */
  private allLanes(s: For, cap: number, context: Context<E>): { needed: Condition[]; assumed: Set<string> } {
    const needed = new Map<string, Condition>();
    const assumed = new Set<string>();
    const v = s.variable;
    let inside = false;
    const inner = new Set<string>();
    walk(s.body, (x) => {
      if (x.kind === "for") inner.add(x.variable);
      const value = statementValue(x);
      if (value)
        walkExpr(value, (e) => {
          if (e.kind !== "when") return;
          for (const { left, right } of e.conditions) {
            const gap = right.minus(left);
            const slope = gap.coefficient(v);
            if (slope === 0) continue;
            if ([...gap.variables()].some((name) => inner.has(name))) inside = true;
            assumed.add(`${left} < ${right}`);
            const worst = new Map([...context.values, [v, affine(slope < 0 ? cap - 1 : 0)]]);
            const condition = { left: left.substitute(worst), right: right.substitute(worst) };
            needed.set(`${condition.left} < ${condition.right}`, condition);
          }
        });
    });
    if (inside) return { needed: [{ left: affine(0), right: affine(0) }], assumed }; // differs from round to round inside: no vectors
    return { needed: [...needed.values()], assumed };
  }

  private touchesRegisters(s: For): boolean {
    let found = false;
    const check = (b: Buffer): void => {
      if (b.scope === "register") found = true;
    };
    walk(s.body, (x) => {
      if (x.kind === "store" || x.kind === "reduce") check(x.buffer);
      const value = statementValue(x);
      if (value) walkExpr(value, (e) => e.kind === "load" && check(e.buffer));
    });
    return found;
  }

  /** Runs `body` under conditions; those that are certain are not asked. */
  private guarded(conditions: readonly Condition[], body: () => void): void {
    const open: Condition[] = [];
    for (const { left, right } of conditions) {
      const gap = right.minus(left);
      if (gap.isConstant && gap.constant <= 0) return;
      if (!gap.isConstant) open.push({ left, right });
    }
    if (open.length === 0) body();
    else this.target.if(open, () => this.apart(body));
  }

  /** Elements that statements elsewhere write are to be read again. */
  private forget(body: readonly Stmt[]): void {
    walk(body, (s) => {
      if (s.kind === "store" || s.kind === "reduce") this.forgetBuffer(s.buffer.name);
    });
  }

  private forgetBuffer(name: string): void {
    for (const [key, { buffer }] of this.kept) if (buffer === name) this.kept.delete(key);
  }

  private value(e: Expr, context: Context<E>): E {
    const { target } = this;
    const lanes = context.lanes?.count ?? 1;
    const at = (i: Affine): Affine => i.substitute(context.values);
    switch (e.kind) {
      case "constant":
        return target.constant(e.dtype, e.value, lanes);
      case "name": {
        const named = context.names.get(e.name);
        if (!named) throw new LoopError(`${this.kernel.name}: no value is named "${e.name}"`);
        return named.lanes === lanes ? named.value : target.splat(named.value, named.dtype, lanes);
      }
      case "load":
        return this.read(e.buffer, e.indices.map(at), context);
      case "index": {
        const base = at(e.of);
        if (!context.lanes) return target.index(base, 0, 1);
        const { variable, first } = context.lanes;
        return target.index(
          base.substitute(new Map([[variable, affine(first)]])),
          base.coefficient(variable),
          lanes,
        );
      }
      case "op": {
        const type = typeOf(e.args[0]);
        const product = fusable(e, type);
        if (product) {
          const [a, b] = product.args;
          return target.multiplyAdd(
            this.value(a, context),
            this.value(b, context),
            this.value(product.addend, context),
            type,
            lanes,
          );
        }
        return target.op(
          e.op,
          type,
          e.args.map((a) => this.value(a, context)),
          lanes,
        );
      }
      case "select": {
        const [c, a, b] = e.args.map((x) => this.value(x, context));
        return target.select(c, a, b, typeOf(e), lanes);
      }
      case "cast":
        return target.cast(this.value(e.of, context), typeOf(e.of), e.dtype, lanes);
      case "when": {
        const open = e.conditions
          .filter((c) => !context.lanes?.assumed.has(`${c.left} < ${c.right}`))
          .map((c) => ({ left: at(c.left), right: at(c.right) }))
          .filter(({ left, right }) => !(right.minus(left).isConstant && right.minus(left).constant > 0));
        if (open.some(({ left, right }) => right.minus(left).isConstant)) return this.value(e.no, context);
        if (open.length === 0) return this.value(e.yes, context);
        const branch = (x: Expr) => (): E => {
          let out: E | undefined;
          this.apart(() => {
            out = this.value(x, context);
          });
          return out as E;
        };
        return target.when(open, branch(e.yes), branch(e.no), typeOf(e), lanes);
      }
    }
  }

  private read(buffer: Buffer, indices: readonly Affine[], context: Context<E>): E {
    const { target } = this;
    const { lanes } = context;
    const count = lanes?.count ?? 1;
    if (buffer.scope !== "register") {
      const place = placeOf(buffer, indices, lanes);
      const existing = place.lie === "same" ? null : (lanes?.existing ?? null);
      if (!target.keepsLoads) return target.load(place, count, existing);
      const key = `${buffer.name} ${place.offset.key()} ${place.lie} ${place.step.key()} ${count} ${existing}`;
      let kept = this.kept.get(key);
      if (!kept) {
        const cell = target.cell("x", buffer.dtype, count);
        cell.set(target.load(place, count, existing));
        kept = { buffer: buffer.name, value: cell.get() };
        this.kept.set(key, kept);
      }
      return kept.value;
    }
    const { cell, lane, width } = this.register(buffer, indices, lanes);
    if (lane === null) return cell.get();
    const one = width === 1 ? cell.get() : target.lane(cell.get(), lane, buffer.dtype, width);
    return count === 1 ? one : target.splat(one, buffer.dtype, count);
  }

  private write(buffer: Buffer, indices: readonly Affine[], value: E, context: Context<E>): void {
    const { target } = this;
    const { lanes } = context;
    const count = lanes?.count ?? 1;
    if (buffer.scope !== "register") {
      target.store(placeOf(buffer, indices, lanes), value, count, lanes?.existing ?? null);
      this.forgetBuffer(buffer.name);
      return;
    }
    const { cell, lane, width } = this.register(buffer, indices, lanes);
    if (lane === null)
      cell.set(
        lanes?.existing ? target.blend(lanes.existing, value, cell.get(), buffer.dtype, count) : value,
      );
    else if (width === 1) cell.set(value);
    else cell.set(target.withLane(cell.get(), lane, value, buffer.dtype, width));
  }

  /** The variable that holds an element of a register buffer; `lane` null: the whole vector is meant. */
  private register(
    buffer: Buffer,
    indices: readonly Affine[],
    lanes: Lanes | null,
  ): { cell: Cell<E>; lane: number | null; width: number } {
    const file = this.registers.get(buffer.name);
    if (!file)
      throw new LoopError(`${this.kernel.name}: the register buffer "${buffer.name}" is not declared here`);
    const along = lanes !== null && indices.some((i) => i.coefficient(lanes.variable) !== 0);
    const fixed = lanes
      ? indices.map((i) => i.substitute(new Map([[lanes.variable, affine(lanes.first)]])))
      : indices;
    const offset = offsetOf(buffer, fixed).number;
    if (offset === null)
      throw new LoopError(
        `${this.kernel.name}: the index [${indices.join(", ")}] of the register buffer "${buffer.name}" is not constant; unroll its loops`,
      );
    const slot = Math.floor(offset / file.lanes);
    let cell = file.cells.get(slot);
    if (!cell) {
      cell = this.target.cell(`${buffer.name}_${slot}`, buffer.dtype, file.lanes);
      file.cells.set(slot, cell);
    }
    if (along && (lanes.count !== file.lanes || offset % file.lanes !== 0))
      throw new LoopError(`${this.kernel.name}: "${buffer.name}" is not kept in vectors of ${lanes.count}`);
    return { cell, lane: along ? null : file.lanes === 1 ? 0 : offset % file.lanes, width: file.lanes };
  }
}
