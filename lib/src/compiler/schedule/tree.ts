/** Editing of loop nests: replacing a loop where it stands, new values for variables, simpler indices, fresh names. */
import { Affine, affine, floordiv, maximum, minimum, mod, type Ranges, rangeOf } from "../loop/affine.js";
import {
  buffersOf,
  type Condition,
  type For,
  findLoop,
  LoopError,
  type LoopKernel,
  loopNames,
  mapStmt,
  type Stmt,
  walk,
} from "../loop/ir.js";
import { printConditions } from "../loop/print.js";

/** The kernel with one loop replaced by other statements. */
export function replaceLoop(
  kernel: LoopKernel,
  variable: string,
  make: (loop: For) => readonly Stmt[],
): LoopKernel {
  findLoop(kernel, variable);
  const go = (body: readonly Stmt[]): Stmt[] =>
    body.flatMap((s): readonly Stmt[] => {
      if (s.kind === "for" && s.variable === variable) return make(s);
      return s.kind === "for" || s.kind === "if" ? [{ ...s, body: go(s.body) }] : [s];
    });
  return { ...kernel, body: go(kernel.body) };
}

/** Statements with other values for loop variables. */
export function substituteAll(body: readonly Stmt[], values: ReadonlyMap<string, Affine>): Stmt[] {
  return body.map((s) => mapStmt(s, { index: (i) => i.substitute(values) }));
}

/** The greatest number of iterations if that is known when compiling. */
export function capOf({ from, to }: Pick<For, "from" | "to">): number | null {
  const [, most] = rangeOf(to.minus(from), NOTHING_KNOWN);
  return Number.isFinite(most) ? Math.max(0, most) : null;
}

const NOTHING_KNOWN: Ranges = new Map();

/** An upper bound of the iterations: a constant where there is one, else the loop's own. */
export function extentBound(loop: Pick<For, "from" | "to">): Affine {
  const cap = capOf(loop);
  return cap === null ? loop.to.minus(loop.from) : affine(cap);
}

/** The operands of a top-level min or max (plus a constant or an expression); the expression itself otherwise. */
export function boundsOf(e: Affine, kind: "min" | "max"): Affine[] {
  for (const { atom, coefficient, key } of e.terms) {
    if (coefficient === 1 && atom.kind === kind) {
      const rest = e.minus(new Affine([{ key, atom, coefficient }], 0));
      return atom.of.flatMap((p) => boundsOf(p.plus(rest), kind));
    }
  }
  return [e];
}

/** Name that no loop, buffer or size of the kernel has: the wish, or the wish with a number. */
export function freshName(kernel: LoopKernel, wish: string, also: readonly string[] = []): string {
  const taken = new Set([
    ...kernel.sizes,
    ...loopNames(kernel),
    ...buffersOf(kernel).map((b) => b.name),
    ...also,
  ]);
  if (!taken.has(wish)) return wish;
  for (let i = 1; ; i++) if (!taken.has(`${wish}${i}`)) return `${wish}${i}`;
}

/** @throws LoopError if a name is taken. */
export function checkFree(kernel: LoopKernel, names: readonly string[], where: string): void {
  for (const [i, name] of names.entries()) {
    if (!/^[A-Za-z_]\w*$/.test(name)) throw new LoopError(`${where}: "${name}" is no name`);
    if (freshName(kernel, name, names.slice(0, i)) !== name)
      throw new LoopError(`${where}: the name "${name}" is taken`);
  }
}

/** The kernel with indices written as simply as the loops' constant bounds allow, and empty or certain conditions gone. */
export function simplify(kernel: LoopKernel): LoopKernel {
  const go = (body: readonly Stmt[], ranges: Ranges): Stmt[] => {
    const index = (i: Affine): Affine => simplifyIndex(i, ranges);
    return joined(
      body.flatMap((s): Stmt[] => {
        if (s.kind === "for") {
          const from = index(s.from);
          const to = index(s.to);
          const [low] = rangeOf(from, ranges);
          const [, high] = rangeOf(to, ranges);
          if (high <= low) return [];
          const inner = new Map([...ranges, [s.variable, [low, high - 1] as const]]);
          const inside = go(s.body, inner);
          return inside.length > 0 ? [{ ...s, from, to, body: inside }] : [];
        }
        if (s.kind === "if") {
          const conditions = openConditions(s.conditions, index, ranges);
          if (conditions === null) return [];
          const inside = go(s.body, ranges);
          if (conditions.length === 0) return inside;
          return inside.length > 0 ? [{ ...s, conditions, body: inside }] : [];
        }
        const expr = (e: Parameters<NonNullable<Parameters<typeof mapStmt>[1]["expr"]>>[0]) => {
          if (e.kind !== "when") return e;
          const conditions = openConditions(e.conditions, (i) => i, ranges);
          if (conditions === null) return e.no;
          return conditions.length === 0 ? e.yes : { ...e, conditions };
        };
        return [mapStmt(s, { index, expr })];
      }),
    );
  };
  const sizes: Ranges = new Map(kernel.sizes.map((name) => [name, [0, Number.POSITIVE_INFINITY] as const]));
  return { ...kernel, body: go(kernel.body, sizes) };
}

/** Neighbours under the same conditions, which no statement changes, made one. */
function joined(body: readonly Stmt[]): Stmt[] {
  const out: Stmt[] = [];
  for (const s of body) {
    const last = out[out.length - 1];
    if (
      s.kind === "if" &&
      last?.kind === "if" &&
      printConditions(s.conditions) === printConditions(last.conditions)
    )
      out[out.length - 1] = { ...last, body: [...last.body, ...s.body] };
    else out.push(s);
  }
  return out;
}

/** Conditions that may hold or not; `null` if one never holds. */
function openConditions(
  conditions: readonly Condition[],
  index: (i: Affine) => Affine,
  ranges: Ranges,
): Condition[] | null {
  const open: Condition[] = [];
  for (const c of conditions) {
    const [left, right] = [index(c.left), index(c.right)];
    const [low, high] = rangeOf(right.minus(left), ranges);
    if (high <= 0) return null;
    if (low < 1) open.push({ left, right });
  }
  return open;
}

export function simplifyIndex(e: Affine, ranges: Ranges): Affine {
  let sum = affine(e.constant);
  for (const { atom, coefficient, key } of e.terms) {
    let value: Affine;
    if (atom.kind === "var") {
      const range = ranges.get(atom.name);
      const only = range && range[0] === range[1] ? range[0] : null; // a loop of one iteration
      value = only === null ? new Affine([{ atom, key, coefficient: 1 }], 0) : affine(only);
    } else if (atom.kind === "floordiv") value = floordiv(simplifyIndex(atom.of, ranges), atom.by, ranges);
    else if (atom.kind === "mod") value = mod(simplifyIndex(atom.of, ranges), atom.by, ranges);
    else {
      const parts = atom.of.map((p) => simplifyIndex(p, ranges));
      const all = parts.map((p) => rangeOf(p, ranges));
      const kept = parts.filter((p, i) =>
        parts.every((q, j) => {
          if (i === j || p.equals(q)) return true;
          const beyond = atom.kind === "min" ? all[i][0] >= all[j][1] : all[i][1] <= all[j][0];
          return !beyond || (j > i && all[i][0] === all[j][1] && all[i][1] === all[j][0]);
        }),
      );
      const of = kept.length > 0 ? kept : parts;
      value = atom.kind === "min" ? minimum(...of) : maximum(...of);
    }
    sum = sum.plus(value.times(coefficient));
  }
  return sum;
}

/** Loops inside `body`, outermost first. */
export function loopsInside(body: readonly Stmt[]): For[] {
  const out: For[] = [];
  walk(body, (s) => {
    if (s.kind === "for") out.push(s);
  });
  return out;
}
