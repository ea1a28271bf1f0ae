/** Which vectorized loops become vectors of how many lanes, and which register buffers are kept as vectors. */

import { bytesPerElement } from "../../core/dtype.js";
import { type Affine, affine } from "../loop/affine.js";
import {
  type Buffer,
  type Condition,
  type For,
  type LoopKernel,
  type LoopType,
  type Stmt,
  statementValue,
  walk,
  walkExpr,
} from "../loop/ir.js";
import type { ScalarOp } from "../loop/operators.js";
import { isStored, typeOf } from "../loop/types.js";
import { capOf } from "../schedule/tree.js";
import type { Target } from "./target.js";

export interface VectorPlan {
  /** Lanes of each vectorized loop that becomes vectors. */
  readonly lanes: ReadonlyMap<string, number>;
  /** Lanes of each register buffer that is kept in vectors along its last axis. */
  readonly registers: ReadonlyMap<string, number>;
}

interface Body {
  readonly types: Set<LoopType>;
  readonly ops: Set<ScalarOp>;
  /** Register buffers that are indexed by the loop's variable, and how. */
  readonly registers: { readonly buffer: Buffer; readonly indices: readonly Affine[] }[];
  /** Something in it cannot be a vector. */
  readonly blocked: boolean;
  readonly conditional: boolean;
}

export function planVectors(kernel: LoopKernel, target: Target<unknown>): VectorPlan {
  const lanes = new Map<string, number>();
  const loops: { readonly loop: For; readonly body: Body }[] = [];
  walk(kernel.body, (s, around) => {
    if (s.kind !== "for" || s.loop !== "vectorized") return;
    if (around.some((a) => a.kind === "for" && a.loop === "vectorized")) return; // the outer one is the vector
    if (!(s.from.isConstant && s.from.constant === 0)) return;
    const body = inspect(s);
    loops.push({ loop: s, body });
    const widest = Math.max(
      4,
      ...[...body.types].map((t) => (isStored(t) || t === "bool" ? 1 : bytesPerElement(t))),
    );
    const cap = capOf(s) ?? 0;
    const count = lanesFor(cap, target.vectorBytes / widest);
    const masked = touchesRegisters(s) && body.conditional;
    // Register vectors are whole: what the loop leaves of its last one is masked.
    const whole = body.registers.every(
      ({ buffer: { shape } }) => shape[shape.length - 1].constant % count === 0,
    );
    const long = cap >= count || (cap > 0 && body.registers.length > 0); // a short one of registers is masked
    if (long && !body.blocked && !masked && whole && target.supports(count, body.types, body.ops))
      lanes.set(s.variable, count);
  });
  const registers = new Map<string, number>();
  for (let changed = true; changed; ) {
    changed = false;
    registers.clear();
    const refused = new Set<string>();
    for (const { loop, body } of loops) {
      const count = lanes.get(loop.variable) ?? 1;
      for (const { buffer, indices } of body.registers) {
        const along = indices.every((index, d) =>
          d === indices.length - 1
            ? index.coefficient(loop.variable) === 1
            : index.coefficient(loop.variable) === 0,
        );
        const last = buffer.shape[buffer.shape.length - 1];
        const before = registers.get(buffer.name);
        if (
          !along ||
          count === 1 ||
          last.constant % count !== 0 ||
          (before !== undefined && before !== count)
        )
          refused.add(buffer.name);
        else registers.set(buffer.name, count);
      }
    }
    for (const name of refused) registers.delete(name);
    for (const { loop, body } of loops) {
      if (lanes.has(loop.variable) && body.registers.some(({ buffer }) => refused.has(buffer.name))) {
        lanes.delete(loop.variable);
        changed = true;
      }
    }
  }
  return { lanes, registers };
}

/** As many lanes as a register has; for a shorter loop of 4, 8 … iterations as many as those. */
function lanesFor(cap: number, most: number): number {
  const short = cap >= 4 && cap < most && Number.isInteger(Math.log2(cap));
  return short ? cap : most;
}

function inspect(loop: For): Body {
  const types = new Set<LoopType>();
  const ops = new Set<ScalarOp>();
  const registers: Body["registers"] = [];
  let blocked = false;
  let conditional = false;
  const v = loop.variable;
  const touch = (buffer: Buffer, indices: readonly Affine[]): void => {
    types.add(buffer.dtype);
    if (indices.some((i) => !i.isAffineIn(v))) blocked = true;
    if (buffer.scope === "register" && indices.some((i) => i.variables().has(v)))
      registers.push({ buffer, indices });
  };
  const own = new Set<string>();
  walk(loop.body, (s: Stmt) => {
    if (s.kind === "alloc") blocked = true;
    if (s.kind === "for" && [...s.from.variables(), ...s.to.variables()].includes(v)) blocked = true;
    if (s.kind === "if" && s.conditions.some((c) => c.left.minus(c.right).variables().has(v))) blocked = true;
    if (s.kind === "let") own.add(s.name);
    if (s.kind === "store" || s.kind === "reduce") {
      touch(s.buffer, s.indices);
      if (!s.indices.some((i) => i.variables().has(v))) blocked = true;
    }
    if (s.kind === "reduce") ops.add(s.op);
    const value = statementValue(s);
    if (!value) return;
    walkExpr(value, (e) => {
      types.add(typeOf(e));
      if (e.kind === "load") touch(e.buffer, e.indices);
      else if (e.kind === "op") ops.add(e.op);
      else if (e.kind === "index" && !e.of.isAffineIn(v)) blocked = true;
      else if (e.kind === "when") {
        for (const c of e.conditions) {
          const gap = c.right.minus(c.left);
          if (!gap.isAffineIn(v)) blocked = true;
          else if (gap.coefficient(v) !== 0) conditional = true;
        }
      }
    });
  });
  return { types, ops, registers, blocked, conditional };
}

/** What must hold for the lanes to be alike: every condition on the variable at its worst value. */
export function allLanes(
  s: For,
  cap: number,
  values: ReadonlyMap<string, Affine>,
): { needed: Condition[]; assumed: Set<string> } {
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
          const worst = new Map([...values, [v, affine(slope < 0 ? cap - 1 : 0)]]);
          const condition = { left: left.substitute(worst), right: right.substitute(worst) };
          needed.set(`${condition.left} < ${condition.right}`, condition);
        }
      });
  });
  if (inside) return { needed: [{ left: affine(0), right: affine(0) }], assumed }; // differs from round to round inside: no vectors
  return { needed: [...needed.values()], assumed };
}

/** True if something in the loop is kept in register buffers. */
export function touchesRegisters(s: For): boolean {
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
