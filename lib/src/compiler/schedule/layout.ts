/** layout: another order of a buffer's elements. The accesses follow. */
import { type Affine, affine, ceildiv, floordiv, mod } from "../loop/affine.js";
import {
  type Buffer,
  buffersOf,
  type Expr,
  LoopError,
  type LoopKernel,
  mapStmt,
  type Stmt,
} from "../loop/ir.js";
import { simplify } from "./tree.js";

export interface LayoutOptions {
  /** Cuts an axis into pieces of `by` elements: the number of the piece and the place in it become two axes. */
  readonly split?: readonly [axis: number, by: number];
  /** New order of the axes (behind `split`): `[1, 0]` stores columns together. */
  readonly order?: readonly number[];
  /** Elements that each row gets more than it needs, so that columns lie in different memory banks. */
  readonly gap?: number;
}

/**
 * Stores a buffer of the kernel's own in another order. Elements that are kept by thread get the thread's variables first:
 * `split` by what each thread has, then `order`.
 * @throws LoopError if there is no such buffer, it is a parameter, or an axis is wrong.
 */
export function layout(kernel: LoopKernel, name: string, options: LayoutOptions): LoopKernel {
  const where = `layout ${name}`;
  const buffer = buffersOf(kernel).find((b) => b.name === name);
  if (!buffer) throw new LoopError(`${where}: there is no such buffer`);
  if (buffer.scope === "param") throw new LoopError(`${where}: a parameter's layout is its caller's`);
  const { split, order, gap = 0 } = options;
  let { shape } = buffer;
  if (split) {
    const [axis, by] = split;
    if (!(axis in shape) || !Number.isInteger(by) || by < 1)
      throw new LoopError(`${where}: no pieces of ${by} along axis ${axis} of ${shape.length}`);
    shape = [...shape.slice(0, axis), ceildiv(shape[axis], by), affine(by), ...shape.slice(axis + 1)];
  }
  const axes = order ?? shape.map((_, d) => d);
  if ([...axes].sort((a, b) => a - b).join() !== shape.map((_, d) => d).join())
    throw new LoopError(`${where}: [${axes}] is no order of ${shape.length} axes`);
  if (!Number.isInteger(gap) || gap < 0 || (gap > 0 && shape.length === 0))
    throw new LoopError(`${where}: no gap of ${gap} elements`);
  const moved: Buffer = {
    ...buffer,
    shape: axes.map((d, i) => (i === axes.length - 1 ? shape[d].plus(gap) : shape[d])),
  };
  const indices = (old: readonly Affine[]): Affine[] => {
    const [axis, by] = split ?? [0, 1];
    const cut = split
      ? [...old.slice(0, axis), floordiv(old[axis], by), mod(old[axis], by), ...old.slice(axis + 1)]
      : old;
    return axes.map((d) => cut[d]);
  };
  return simplify({ ...kernel, body: redirect(kernel.body, name, moved, indices) });
}

/** Statements with every access of a buffer made one of another, at other indices. */
export function redirect(
  body: readonly Stmt[],
  name: string,
  to: Buffer,
  indices: (old: readonly Affine[]) => readonly Affine[],
): Stmt[] {
  const expr = (e: Expr): Expr =>
    e.kind === "load" && e.buffer.name === name ? { ...e, buffer: to, indices: indices(e.indices) } : e;
  const go = (s: Stmt): Stmt => {
    if (s.kind === "for" || s.kind === "if") return { ...s, body: s.body.map(go) };
    const mapped = mapStmt(s, { expr });
    if (mapped.kind === "alloc") return mapped.buffer.name === name ? { ...mapped, buffer: to } : mapped;
    if ((mapped.kind === "store" || mapped.kind === "reduce") && mapped.buffer.name === name)
      return { ...mapped, buffer: to, indices: indices(mapped.indices) };
    return mapped;
  };
  return body.map(go);
}
