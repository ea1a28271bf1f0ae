/** localize: a temporary of which each round of a loop uses its own part becomes a small buffer inside the loop. */
import { affine } from "../loop/affine.js";
import {
  type Buffer,
  buffersOf,
  findLoop,
  LoopError,
  type LoopKernel,
  type Scope,
  type Stmt,
  statementValue,
  walk,
  walkExpr,
} from "../loop/ir.js";
import { redirect } from "./layout.js";
import { replaceLoop, simplify } from "./tree.js";

/**
 * Declares a shared temporary inside a loop, without the axis that the loop's variable indexes.
 * @throws LoopError unless every access is inside the loop, at its variable along one and the same axis.
 */
export function localize(kernel: LoopKernel, name: string, at: string, scope: Scope): LoopKernel {
  const where = `localize ${name} at "${at}"`;
  const buffer = buffersOf(kernel).find((b) => b.name === name);
  if (buffer?.scope !== "shared") throw new LoopError(`${where}: it is no shared temporary`);
  if (scope === "shared" || scope === "param")
    throw new LoopError(`${where}: inside a loop nothing is ${scope}`);
  findLoop(kernel, at);
  let axes = new Set(buffer.shape.map((_, d) => d));
  walk(kernel.body, (s, around) => {
    const inside = around.some((a) => a.kind === "for" && a.variable === at);
    const use = (b: Buffer, indices: readonly { toString(): string }[]): void => {
      if (b.name !== name) return;
      if (!inside) throw new LoopError(`${where}: it is also used outside that loop`);
      axes = new Set([...axes].filter((d) => indices[d].toString() === at));
    };
    if (s.kind === "store" || s.kind === "reduce") use(s.buffer, s.indices);
    const value = statementValue(s);
    if (value) walkExpr(value, (e) => e.kind === "load" && use(e.buffer, e.indices));
  });
  const [axis] = axes;
  if (axis === undefined) throw new LoopError(`${where}: no axis is indexed by "${at}" alone`);
  const rest = buffer.shape.filter((_, d) => d !== axis);
  if (!rest.every((size) => size.isConstant))
    throw new LoopError(`${where}: a round's part, ${rest.join(" × ")}, is not constant`);
  const one = rest.length === 0;
  const part: Buffer = { ...buffer, shape: one ? [affine(1)] : rest, strides: null, scope };
  const body = redirect(kernel.body, name, part, (i) => (one ? [affine(0)] : i.filter((_, d) => d !== axis)));
  const gone = body.filter((s: Stmt) => !(s.kind === "alloc" && s.buffer.name === name));
  return simplify(
    replaceLoop({ ...kernel, body: gone }, at, (loop) => [
      { ...loop, body: [{ kind: "alloc", buffer: part }, ...loop.body] },
    ]),
  );
}
