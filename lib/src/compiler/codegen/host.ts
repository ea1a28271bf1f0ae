/** Kernels with a GPU's blocks and threads, for a processor that runs them one after the other. */
import { type Buffer, type LoopKernel, mapStmt, walk } from "../loop/ir.js";

/**
 * The kernel with each thread's registers, which live from one thread loop to the next, as memory: the threads of a block
 * run one after the other here, and a register has no index.
 */
export function onHost(kernel: LoopKernel): LoopKernel {
  const outside = new Set<string>();
  walk(kernel.body, (s, around) => {
    if (s.kind !== "alloc" || s.buffer.scope !== "register") return;
    const loops = around.flatMap((a) => (a.kind === "for" ? [a.loop] : []));
    if (loops.includes("block") && !loops.includes("thread")) outside.add(s.buffer.name);
  });
  if (outside.size === 0) return kernel;
  const buffer = (b: Buffer): Buffer => (outside.has(b.name) ? { ...b, scope: "local" } : b);
  return { ...kernel, body: kernel.body.map((s) => mapStmt(s, { buffer })) };
}
