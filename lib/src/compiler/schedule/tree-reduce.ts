/** treeReduce: the threads of a block each accumulate a part, which are then added up two by two. */
import { affine } from "../loop/affine.js";
import { threadsOf } from "../loop/grid.js";
import {
  type Buffer,
  type Condition,
  type Expr,
  findLoop,
  LoopError,
  type LoopKernel,
  type Stmt,
} from "../loop/ir.js";
import { identity } from "./cache-write.js";
import { checkFree, replaceLoop, simplify } from "./tree.js";

/**
 * Gives each iteration of a loop, which becomes the threads of a block, an accumulator of its own for the reduction inside
 * it; behind the loop a tree of thread loops in workgroup memory brings them together. The tree's loops are `name_1` …,
 * the accumulators `name_own`, their memory `name`.
 * @throws LoopError if the loop is not one nest around one accumulation into an element that does not depend on it.
 */
export function treeReduce(kernel: LoopKernel, variable: string, name: string): LoopKernel {
  const where = `treeReduce "${variable}"`;
  const { loop } = findLoop(kernel, variable);
  const threads = threadsOf(loop);
  if (threads === null || threads < 1)
    throw new LoopError(`${where}: it runs over ${loop.from}..${loop.to}, not from 0 to a constant bound`);
  const own: Buffer = {
    name: `${name}_own`,
    dtype: "float32",
    shape: [affine(1)],
    strides: null,
    scope: "register",
    output: false,
  };
  let found: Extract<Stmt, { kind: "reduce" }> | undefined;
  const inner = new Set([variable]);
  const asked: Condition[] = [];
  const into = (s: Stmt): Stmt => {
    const [only] = s.kind === "for" || s.kind === "if" ? s.body : [];
    if ((s.kind === "for" || s.kind === "if") && s.body.length === 1) {
      if (s.kind === "for") inner.add(s.variable);
      else asked.push(...s.conditions);
      return { ...s, body: [into(only)] };
    }
    if (s.kind !== "reduce") throw new LoopError(`${where}: there is more inside it than one accumulation`);
    found = s;
    return { ...s, buffer: { ...own, dtype: s.buffer.dtype }, indices: [affine(0)] };
  };
  if (loop.body.length !== 1) throw new LoopError(`${where}: there is more inside it than one accumulation`);
  const part = into(loop.body[0]);
  const sum = found as unknown as Extract<Stmt, { kind: "reduce" }>;
  const free = sum.indices.find((i) => [...i.variables()].some((v) => inner.has(v)));
  if (free) throw new LoopError(`${where}: the target's index ${free} depends on the loops`);
  const { dtype } = sum.buffer;
  const mine: Buffer = { ...own, dtype };
  const shared: Buffer = { ...own, name, dtype, shape: [affine(threads)], scope: "workgroup" };
  const load = (buffer: Buffer, index: Parameters<typeof affine>[0]): Expr => ({
    kind: "load",
    buffer,
    indices: [affine(index)],
  });
  const levels: Stmt[] = [];
  for (let count = threads; count > 1; count = Math.ceil(count / 2)) {
    const half = Math.ceil(count / 2);
    const v = `${name}_${levels.length + 1}`;
    levels.push({
      kind: "for",
      variable: v,
      from: affine(0),
      to: affine(count - half),
      loop: "thread",
      body: [
        {
          kind: "reduce",
          op: sum.op,
          buffer: shared,
          indices: [affine(v)],
          value: load(shared, affine(v).plus(half)),
        },
      ],
    });
  }
  const total: Stmt = { ...sum, value: load(shared, 0) };
  const outside = asked.filter(
    ({ left, right }) => ![...left.variables(), ...right.variables()].some((v) => inner.has(v)),
  );
  checkFree(kernel, [name, mine.name, ...levels.map((_, i) => `${name}_${i + 1}`)], where);
  return simplify(
    replaceLoop(kernel, variable, () => [
      { kind: "alloc", buffer: shared },
      {
        ...loop,
        to: affine(threads),
        loop: "thread",
        body: [
          { kind: "alloc", buffer: mine },
          { kind: "store", buffer: mine, indices: [affine(0)], value: identity(sum.op, dtype) },
          ...(loop.to.isConstant
            ? [part]
            : [
                {
                  kind: "if" as const,
                  conditions: [{ left: affine(variable), right: loop.to }],
                  body: [part],
                },
              ]),
          { kind: "store", buffer: shared, indices: [affine(variable)], value: load(mine, 0) },
        ],
      },
      ...levels,
      outside.length > 0 ? { kind: "if", conditions: outside, body: [total] } : total,
    ]),
  );
}
