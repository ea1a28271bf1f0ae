/** A kernel as a grid: loops over blocks and threads taken apart, and what a block needs. */
import { bytesPerElement } from "../../core/dtype.js";
import { type For, LoopError, type LoopKernel, type Stmt, walk } from "../loop/ir.js";

/** A kernel for one grid: loops over blocks and threads taken apart. */
export interface Grid {
  readonly kernel: LoopKernel;
  readonly blocks: readonly For[];
  readonly blockCounts: readonly number[];
  readonly threads: number;
  readonly body: readonly Stmt[];
  /** The serial loop with the most rounds: it may be cut short. */
  readonly longest: { readonly variable: string; readonly rounds: number } | null;
  readonly sharedBytes: number;
  readonly registersPerThread: number;
}

const ADDRESS_REGISTERS = 24; // pointers, indices and temporaries of a compiler's code, roughly

/** @throws LoopError if the kernel has no block loops, or a size without a value */
export function gridOf(kernel: LoopKernel): Grid {
  if (kernel.sizes.length > 0)
    throw new LoopError(`${kernel.name}: give numbers for its sizes (${kernel.sizes.join(", ")})`);
  const blocks: For[] = [];
  let body = kernel.body;
  for (let s = body[0]; body.length === 1 && s.kind === "for" && s.loop === "block"; s = body[0]) {
    blocks.push(s);
    body = s.body;
  }
  if (blocks.length === 0)
    throw new LoopError(`${kernel.name} has no block loop around everything: bind one`);
  let threads = 1;
  let longest: Grid["longest"] = null;
  let sharedBytes = 0;
  let registers = 0;
  walk(body, (s, around) => {
    if (s.kind === "alloc") {
      const elements = s.buffer.shape.reduce((n, d) => n * d.constant, 1);
      const inThread = around.some((a) => a.kind === "for" && a.loop === "thread");
      if (s.buffer.scope === "workgroup") sharedBytes += elements * bytesPerElement(s.buffer.dtype);
      else registers += inThread ? elements : elements / Math.max(1, threadsIn(body));
    }
    if (s.kind !== "for") return;
    const rounds = roundsOf(s);
    if (s.loop === "serial" && rounds > (longest?.rounds ?? 1)) longest = { variable: s.variable, rounds };
  });
  threads = threadsIn(body);
  return {
    kernel,
    blocks,
    blockCounts: blocks.map(roundsOf),
    threads,
    body,
    longest,
    sharedBytes,
    registersPerThread: Math.min(255, Math.ceil(registers) + ADDRESS_REGISTERS),
  };
}

/** Constant number of rounds of a loop. */
export function roundsOf({ from, to, variable }: For): number {
  const rounds = to.minus(from);
  if (rounds.isConstant) return Math.max(0, rounds.constant);
  const atoms = rounds.terms.map(({ atom }) => atom);
  const bounds = atoms.flatMap((a) => (a.kind === "min" ? a.of.filter((x) => x.isConstant) : []));
  if (bounds.length > 0) return Math.max(...bounds.map((b) => b.constant));
  throw new LoopError(`the loop "${variable}" has no constant number of rounds`);
}

/** Threads of a block: the most that a nest of thread loops has. */
function threadsIn(body: readonly Stmt[]): number {
  let most = 1;
  walk(body, (s, around) => {
    if (s.kind !== "for" || s.loop !== "thread") return;
    const loops = [...around.filter((a): a is For => a.kind === "for" && a.loop === "thread"), s];
    most = Math.max(
      most,
      loops.map(roundsOf).reduce((a, b) => a * b, 1),
    );
  });
  return most;
}
