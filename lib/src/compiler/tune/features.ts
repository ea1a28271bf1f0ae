/** What a cost model sees of a scheduled kernel: numbers that do not depend on names. */
import { bytesPerElement } from "../../core/dtype.js";
import { type For, type LoopKernel, statementValue, walk, walkExpr } from "../loop/ir.js";
import { extentBound } from "../schedule/tree.js";

/** Names of the features, in order. @example FEATURES.length // 12 */
export const FEATURES = [
  "operations",
  "bytes loaded",
  "bytes stored",
  "contiguous share",
  "vector length",
  "unrolled statements",
  "parallel iterations",
  "loop overhead",
  "accumulators",
  "operations per byte",
  "local bytes",
  "copied elements",
] as const;

/**
 * The features of a kernel, each on a logarithmic scale; symbolic sizes count as 256.
 * @example featuresOf(loop.matmul(8, 8, 8)).length // 12
 */
export function featuresOf(kernel: LoopKernel): number[] {
  const sizes = new Map(kernel.sizes.map((name) => [name, 256]));
  const extent = (loop: For): number => {
    const bound = extentBound(loop);
    const values = new Map([...bound.variables()].map((v) => [v, sizes.get(v) ?? 0]));
    return Math.max(1, bound.evaluate(values));
  };
  let [operations, loaded, stored, contiguous, accesses] = [0, 0, 0, 0, 0];
  let [vector, unrolled, parallel, overhead, accumulators, local, copied] = [1, 0, 1, 0, 0, 0, 0];
  walk(kernel.body, (s, around) => {
    const loops = around.filter((a): a is For => a.kind === "for");
    const times = loops.reduce((n, l) => n * extent(l), 1);
    if (s.kind === "for") {
      if (s.loop === "serial") overhead += times * extent(s);
      if (s.loop === "vectorized") vector = Math.max(vector, extent(s));
      if (s.loop === "parallel") parallel *= extent(s);
    }
    if (s.kind === "alloc") {
      const size = s.buffer.shape.reduce((n, d) => n * (d.isConstant ? d.constant : 256), 1);
      if (s.buffer.scope === "register") accumulators += size;
      else local += size * bytesPerElement(s.buffer.dtype);
    }
    const value = statementValue(s);
    if (!value) return;
    unrolled += loops.filter((l) => l.loop === "unrolled").reduce((n, l) => n * extent(l), 1);
    const innermost = loops[loops.length - 1]?.variable;
    walkExpr(value, (e) => {
      if (e.kind === "op") operations += times;
      if (e.kind !== "load" || e.buffer.scope === "register") return;
      loaded += times * bytesPerElement(e.buffer.dtype);
      accesses += times;
      const last = e.indices[e.indices.length - 1];
      if (last && innermost && last.coefficient(innermost) <= 1) contiguous += times;
    });
    if ((s.kind === "store" || s.kind === "reduce") && s.buffer.scope !== "register") {
      stored += times * bytesPerElement(s.buffer.dtype);
      if (value.kind === "load" || value.kind === "when") copied += times;
    }
  });
  const log = (x: number): number => Math.log2(1 + x);
  return [
    log(operations),
    log(loaded),
    log(stored),
    accesses > 0 ? contiguous / accesses : 1,
    log(vector),
    log(unrolled),
    log(parallel),
    log(overhead),
    log(accumulators),
    log(operations / Math.max(1, loaded + stored)),
    log(local),
    log(copied),
  ];
}
