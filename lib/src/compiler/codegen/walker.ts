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
} from "../loop/ir.js";
import { typeOf } from "../loop/types.js";
import { capOf } from "../schedule/tree.js";
import { Elements } from "./elements.js";
import { type DotProduct, dotOf, fusable, type Lanes, ownsRegisters, sumOfLanes } from "./places.js";
import type { Place, Target } from "./target.js";
import { allLanes, planVectors, touchesRegisters, type VectorPlan } from "./vectors.js";

const MAX_UNROLLED = 20_000; // statements: a schedule beyond that is a mistake

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
  private readonly elements: Elements<E>;
  private written = 0;

  constructor(
    private readonly kernel: LoopKernel,
    private readonly target: Target<E>,
  ) {
    this.plan = planVectors(kernel, target as Target<unknown>);
    this.elements = new Elements(kernel.name, target);
  }

  /** Writes statements; loop variables around them are the target's. */
  block(body: readonly Stmt[]): void {
    this.statements(body, { values: new Map(), lanes: null, names: new Map() });
  }

  /** A piece of a larger program: what it reads is not known to the pieces behind it. */
  piece(body: readonly Stmt[]): void {
    this.elements.apart(() => this.block(body));
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
        this.elements.forget(s.body);
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
          this.elements.declare(s.buffer, this.plan.registers.get(s.buffer.name) ?? 1);
        else if (s.buffer.scope === "local" || s.buffer.scope === "workgroup") {
          if (!s.buffer.shape.every((d) => d.isConstant))
            throw new LoopError(
              `${this.kernel.name}: the ${s.buffer.scope} buffer "${s.buffer.name}" has the shape [${s.buffer.shape.join(", ")}]; a thread's memory needs a constant one`,
            );
          target.local(s.buffer);
        }
        break;
      case "store":
        this.elements.write(s.buffer, s.indices.map(at), this.value(s.value, context), context.lanes);
        break;
      case "reduce": {
        const indices = s.indices.map(at);
        const lanes = context.lanes?.count ?? 1;
        const old = this.elements.read(s.buffer, indices, context.lanes);
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
        this.elements.write(s.buffer, indices, sum, context.lanes);
      }
    }
  }

  private loop(s: For, context: Context<E>): void {
    const from = s.from.substitute(context.values);
    const to = s.to.substitute(context.values);
    const lanes = context.lanes === null ? this.plan.lanes.get(s.variable) : undefined;
    const dot =
      context.lanes && this.target.dot ? dotOf(s, context.lanes, (i) => i.substitute(context.values)) : null;
    const sideways = context.lanes ? null : sumOfLanes(s);
    const vectors = sideways && this.elements.vectors(sideways.parts);
    if (dot) this.dot(dot, context);
    else if (sideways && vectors) this.sumLanes(sideways.sum, vectors, sideways.parts, context);
    else if (s.loop === "vectorized" && lanes !== undefined) this.vectors(s, to, lanes, context);
    else if (s.loop === "unrolled" || (s.loop === "vectorized" && touchesRegisters(s)))
      this.unrolled(s, from, to, 0, context);
    else {
      const body = (): void => this.statements(s.body, context);
      const registers = context.names.size === 0 && context.lanes === null && ownsRegisters(s.body);
      this.elements.forget(s.body);
      this.elements.apart(() =>
        this.target.loop(s.variable, from, to, registers ? () => this.target.outline(body) : body),
      );
    }
  }

  /** All elements of a buffer that is kept in vectors, into one: vectors first, then lanes, each as a tree. */
  private sumLanes(
    { op, buffer, indices }: DotProduct["sum"],
    vectors: readonly E[],
    { dtype, shape }: Buffer,
    context: Context<E>,
  ): void {
    const { target, elements } = this;
    const lanes = shape[0].constant / vectors.length;
    const tree = (values: readonly E[], count: number): E => {
      if (values.length === 1) return values[0];
      const half = values.length >> 1;
      return target.op(
        op,
        dtype,
        [tree(values.slice(0, half), count), tree(values.slice(half), count)],
        count,
      );
    };
    const cell = target.cell("all", dtype, lanes);
    cell.set(tree(vectors, lanes));
    const each = Array.from({ length: lanes }, (_, i) => target.lane(cell.get(), i, dtype, lanes));
    const at = indices.map((i) => i.substitute(context.values));
    const old = elements.read(buffer, at, null);
    elements.write(buffer, at, target.op(op, dtype, [old, tree(each, 1)], 1), null);
  }

  private dot({ sum, a, b }: DotProduct, context: Context<E>): void {
    const dot = this.target.dot as NonNullable<Target<E>["dot"]>;
    const lanes = context.lanes?.count as number;
    const indices = sum.indices.map((i) => i.substitute(context.values));
    const old = this.elements.read(sum.buffer, indices, context.lanes);
    const signs = { a: a.buffer.dtype === "int8", b: b.buffer.dtype === "int8" };
    const parts = (place: Place, how: "spread" | "load", signed: boolean): E[] =>
      Array.from({ length: dot.parts }, (_, part) => {
        const key = `${how} ${part} ${place.buffer.name} ${place.offset.key()} ${lanes}`;
        const kept = { name: place.buffer.name, dtype: "int32" } as const;
        return this.elements.keep(key, kept, lanes, () => dot[how](place, part, signed, lanes));
      });
    const [x, y] = [parts(a, "spread", signs.a), parts(b, "load", signs.b)];
    this.elements.write(sum.buffer, indices, dot.add(old, x, y, signs, lanes), context.lanes);
  }

  /** Iterations from `first` on, one after the other. */
  private unrolled(s: For, from: Affine, to: Affine, first: number, context: Context<E>): void {
    const cap = capOf({ from, to }) ?? capOf(s);
    if (cap === null) throw new LoopError(`${this.kernel.name}: "${s.variable}" has no constant bound`);
    for (let k = first; k < cap; k++) {
      const value = from.plus(k);
      const inner = { ...context, values: new Map([...context.values, [s.variable, value]]) };
      this.guarded([{ left: value, right: to }], () => this.statements(s.body, inner));
      if (!to.isConstant) this.elements.forget(s.body);
    }
  }

  private vectors(s: For, to: Affine, lanes: number, context: Context<E>): void {
    const cap = capOf(s) as number;
    const groups = cap - (cap % lanes);
    const { needed, assumed } = allLanes(s, cap, context.values);
    const group = (first: number, existing: Affine | null, known: ReadonlySet<string>): void => {
      const inner: Context<E> = {
        ...context,
        lanes: { variable: s.variable, first, count: lanes, existing, assumed: known },
      };
      if (existing) {
        this.guarded([{ left: affine(0), right: existing }], () => this.statements(s.body, inner));
        this.elements.forget(s.body);
      } else this.statements(s.body, inner);
    };
    const whole = (existing: (first: number) => Affine | null, known: ReadonlySet<string>) => {
      for (let first = 0; first < cap; first += lanes) group(first, existing(first), known);
    };
    const full = () => {
      for (let first = 0; first < groups; first += lanes) group(first, null, assumed);
      if (groups === cap) return;
      if (touchesRegisters(s)) group(groups, affine(cap - groups), assumed);
      else this.unrolled(s, affine(0), affine(cap), groups, context);
    };
    const conditions = [
      ...(to.isConstant && to.constant === cap ? [] : [{ left: affine(cap - 1), right: to }]),
      ...needed,
    ];
    if (conditions.length === 0) full();
    else {
      const masked = touchesRegisters(s);
      this.elements.forget(s.body);
      this.target.if(
        conditions,
        () => this.elements.apart(full),
        () =>
          this.elements.apart(() => {
            if (masked) whole((first) => to.minus(first), new Set());
            else this.target.loop(s.variable, affine(0), to, () => this.statements(s.body, context));
          }),
      );
    }
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
    else this.target.if(open, () => this.elements.apart(body));
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
        return this.elements.read(e.buffer, e.indices.map(at), context.lanes);
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
          this.elements.apart(() => {
            out = this.value(x, context);
          });
          return out as E;
        };
        return target.when(open, branch(e.yes), branch(e.no), typeOf(e), lanes);
      }
    }
  }
}
