/** Primitives for loops whose last round is shorter: guard asks in each iteration, pad lets it run on. */
import { Affine, affine, floordiv } from "../loop/affine.js";
import { implied } from "../loop/constraints.js";
import {
  type Buffer,
  type For,
  findLoop,
  LoopError,
  type LoopKernel,
  mapStmt,
  type Stmt,
  walk,
} from "../loop/ir.js";
import { known } from "../loop/verify.js";
import { Pair, touchesOf } from "./dependence.js";
import { boundsOf, capOf, replaceLoop, simplify } from "./tree.js";

/**
 * Lets a loop run to its constant bound, and asks inside, as far in as the nest goes, whether the iteration is one: loops
 * of constant length are cut and exchanged without a trace.
 * @throws LoopError if it has no constant bound.
 */
export function guard(kernel: LoopKernel, variable: string): LoopKernel {
  const { loop } = findLoop(kernel, variable);
  const cap = capOf(loop);
  if (cap === null) throw new LoopError(`guard "${variable}": it has no constant bound to run to`);
  const to = loop.from.plus(cap);
  if (to.equals(loop.to)) return kernel;
  const condition = { left: affine(variable), right: loop.to };
  const into = (body: readonly Stmt[]): Stmt[] => {
    const [only] = body;
    if (body.length === 1 && only.kind === "for") return [{ ...only, body: into(only.body) }];
    if (body.length === 1 && only.kind === "if")
      return [{ ...only, conditions: [condition, ...only.conditions] }];
    return [{ kind: "if", conditions: [condition], body }];
  };
  return simplify(replaceLoop(kernel, variable, () => [{ ...loop, to, body: into(loop.body) }]));
}

/**
 * Lets the last round of a split run to its full length, on padding, or drops a guard's question: legal where the further
 * iterations write only elements of local buffers that nothing else touches, and read inside their buffers. With
 * `multiple` the loop runs to the next multiple of that, and the local buffers that it fills grow with it.
 * @throws LoopError saying which access forbids it.
 */
export function pad(given: LoopKernel, variable: string, multiple = 1): LoopKernel {
  const where = `pad "${variable}"`;
  if (!Number.isSafeInteger(multiple) || multiple < 1)
    throw new LoopError(`${where}: a multiple is a whole number from 1, not ${multiple}`);
  const least = capOf(findLoop(given, variable).loop);
  if (least === null) throw new LoopError(`${where}: it has no constant bound to be padded to`);
  const cap = Math.ceil(least / multiple) * multiple;
  const kernel = unguarded(cap > least ? withRoom(given, variable, cap) : given, variable, where);
  const { loop, around } = findLoop(kernel, variable);
  const full: For = { ...loop, to: loop.from.plus(cap) };
  if (full.to.equals(loop.to)) return kernel;
  const v = affine(variable);
  const outside = factsOf(kernel, around);
  const ends = minimumParts(loop.to).filter((end) => !implied(end.minus(full.to), outside));
  const behind = ends.length === 1 ? [v.minus(ends[0])] : []; // what is less than the full length is the end
  const beyond = [v.minus(loop.from), v.minus(loop.to), ...behind, full.to.minus(v).minus(1), ...outside];
  checkHarmless(kernel, loop.body, beyond, where);
  return simplify(replaceLoop(kernel, variable, () => [full]));
}

/** The kernel without what a guard asks of the loop's variable, if the loop has one. */
function unguarded(kernel: LoopKernel, variable: string, where: string): LoopKernel {
  const { loop, around } = findLoop(kernel, variable);
  const nest: For[] = [loop];
  let [at] = loop.body;
  while (at?.kind === "for" && at.body.length === 1) {
    nest.push(at);
    [at] = at.body;
  }
  if (nest[nest.length - 1].body.length !== 1 || at?.kind !== "if") return kernel;
  const asked = at;
  const mine = asked.conditions.filter((c) => c.right.minus(c.left).variables().has(variable));
  if (mine.length === 0) return kernel;
  for (const { left, right } of mine)
    checkHarmless(kernel, asked.body, [left.minus(right), ...factsOf(kernel, [...around, ...nest])], where);
  const conditions = asked.conditions.filter((c) => !mine.includes(c));
  const last = nest[nest.length - 1].variable;
  return simplify(
    replaceLoop(kernel, last, (l) => [
      { ...l, body: conditions.length > 0 ? [{ ...asked, conditions }] : asked.body },
    ]),
  );
}

function factsOf(kernel: LoopKernel, around: readonly Stmt[]): Affine[] {
  return [
    ...kernel.sizes.map((name) => affine(name)),
    ...around.flatMap((s) =>
      s.kind === "for"
        ? [affine(s.variable).minus(s.from), s.to.minus(affine(s.variable)).minus(1)]
        : s.kind === "if"
          ? s.conditions.map(known)
          : [],
    ),
  ];
}

/** @throws LoopError unless iterations of which `beyond` holds do no harm: they touch what nothing else looks at. */
function checkHarmless(
  kernel: LoopKernel,
  body: readonly Stmt[],
  beyond: readonly Affine[],
  where: string,
): void {
  const inside = touchesOf(body, beyond);
  for (const t of inside) {
    const name = t.buffer.name;
    if (t.writes && (t.buffer.scope === "param" || t.buffer.scope === "shared"))
      throw new LoopError(`${where}: "${name}" is written there, and is not a local buffer`);
    t.indices.forEach((index, axis) => {
      if (!implied(index, t.when) || !implied(t.buffer.shape[axis].minus(index).minus(1), t.when))
        throw new LoopError(
          `${where}: index ${axis} of "${name}", ${index}, would leave its size ${t.buffer.shape[axis]}`,
        );
    });
  }
  const sizes = kernel.sizes.map((name) => affine(name));
  const written = new Set(inside.filter((t) => t.writes).map((t) => t.buffer.name));
  // Elements that the further iterations write must be read by nothing else in the buffer's life.
  walk(kernel.body, (s, above) => {
    if (s.kind !== "alloc" || !written.has(s.buffer.name)) return;
    const shared = new Set([
      ...kernel.sizes,
      ...above.flatMap((a) => (a.kind === "for" ? [a.variable] : [])),
    ]);
    const parent = above[above.length - 1];
    const life = parent?.kind === "for" || parent?.kind === "if" ? parent.body : kernel.body;
    const others = touchesOf(life, sizes, true).filter(
      (t) =>
        t.buffer.name === s.buffer.name && // what only sets an element does not see it
        (!t.writes || t.reduction !== null),
    );
    for (const mine of inside.filter((t) => t.writes && t.buffer.name === s.buffer.name)) {
      for (const other of others) {
        if (new Pair(mine, other, shared, []).meets([]))
          throw new LoopError(
            `${where}: an iteration beyond the end would write elements of "${s.buffer.name}" that are used`,
          );
      }
    }
  });
}

/** What an end is the least of; also inside a quotient: ⌊min(a, b) / d⌋ is the lesser quotient. */
function minimumParts(e: Affine): Affine[] {
  for (const { atom, coefficient, key } of e.terms) {
    if (coefficient !== 1 || atom.kind !== "floordiv") continue;
    const parts = boundsOf(atom.of, "min");
    const rest = e.minus(new Affine([{ key, atom, coefficient }], 0));
    if (parts.length > 1) return parts.flatMap((p) => minimumParts(rest.plus(floordiv(p, atom.by))));
  }
  return boundsOf(e, "min");
}

/** The kernel with local buffers that the loop fills along an axis made as long as `cap` there. */
function withRoom(kernel: LoopKernel, variable: string, cap: number): LoopKernel {
  const longer = new Map<string, Buffer>();
  walk(findLoop(kernel, variable).loop.body, (s) => {
    if (s.kind !== "store" && s.kind !== "reduce") return;
    const { buffer, indices } = s;
    if (buffer.scope === "param" || buffer.scope === "shared") return;
    const shape = buffer.shape.map((size, d) =>
      indices[d].toString() === variable && size.isConstant && size.constant < cap ? affine(cap) : size,
    );
    if (buffer.strides === null && shape.some((size, d) => size !== buffer.shape[d]))
      longer.set(buffer.name, { ...buffer, shape });
  });
  const buffer = (b: Buffer): Buffer => longer.get(b.name) ?? b;
  return { ...kernel, body: kernel.body.map((s) => mapStmt(s, { buffer })) };
}
