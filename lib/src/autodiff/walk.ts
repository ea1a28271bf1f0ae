/**
 * Walking a tape backward: youngest node first, so that a node has received everything before it sends. Gradients
 * on their way are given back as soon as they were passed on: the walk needs the memory of its front, not of its path.
 */
import type { MemoryHolder, Tensor } from "../core/tensor.js";
import { closeScope, disposeEarly, openScope } from "../runtime/tidy.js";
import type { TapeNode } from "./tape.js";

export interface WalkOptions {
  /** Gives back what each node saved when it has been passed. */
  readonly free: boolean;
  /**
   * Called for each leaf that a gradient reaches. The gradient belongs to the scope in which the walk runs; if `false` is
   * returned, nobody keeps it, and it goes at once.
   */
  readonly arrive: (leaf: TapeNode, gradient: Tensor) => unknown;
  /** Leaves get their gradient as soon as all that read them have been passed, instead of in the end. */
  readonly early?: boolean;
}

/**
 * Carries `cotangents` (`null`: zero) from outputs `slots` of nodes `from` to the leaves.
 * @param nodes the history of `from`, oldest first (see `history`).
 */
export function walkBack(
  nodes: readonly TapeNode[],
  from: readonly (TapeNode | null)[],
  slots: readonly number[],
  cotangents: readonly (Tensor | null)[],
  { free, arrive, early = false }: WalkOptions,
): void {
  const front = new Front();
  const readers = early ? readersOf(nodes) : null;
  const kept: MemoryHolder[] = [];
  const keep = (part: MemoryHolder): void => {
    kept.push(part);
  };
  const visit = (node: TapeNode): void => {
    const received = front.take(node);
    if (!received) return;
    if (node.watchers !== null) watch(node, received, front, keep);
    if (node.op !== null) {
      step(node, received, front);
      return;
    }
    const g = received[0] as Tensor;
    if (arrive(node, g) === false) front.drop(g);
    else g.parts(keep);
  };
  openScope();
  try {
    for (let i = 0; i < from.length; i++) {
      const [node, g] = [from[i], cotangents[i]];
      if (node && g) front.add(node, slots[i], g);
    }
    for (let i = nodes.length - 1; i >= 0; i--) {
      const node = nodes[i];
      visit(node);
      if (free) node.free();
      if (readers === null) continue;
      for (const leaf of node.parents) {
        const left = leaf && readers.get(leaf);
        if (!left) continue;
        readers.set(leaf, left - 1);
        if (left === 1) visit(leaf);
      }
    }
  } finally {
    if (free) for (const node of nodes) node.free();
    closeScope(kept);
  }
}

/** How often each leaf is read. */
function readersOf(nodes: readonly TapeNode[]): Map<TapeNode, number> {
  const readers = new Map<TapeNode, number>();
  for (const { parents } of nodes)
    for (const parent of parents)
      if (parent?.op === null) readers.set(parent, (readers.get(parent) ?? 0) + 1);
  return readers;
}

/** Runs a node's rule and hands on what it returns; its temporaries are given back. */
function step(node: TapeNode, received: readonly (Tensor | null)[], front: Front): void {
  const carried: MemoryHolder[] = [];
  openScope();
  try {
    const sent = node.backward(received);
    for (let i = 0; i < node.parents.length; i++) {
      const parent = node.parents[i];
      const g = sent[i];
      if (parent && g) front.add(parent, node.slots[i], g);
    }
    for (let i = 0; i < node.parents.length; i++) {
      const parent = node.parents[i];
      if (parent) front.peek(parent, node.slots[i])?.parts((part) => carried.push(part));
    }
  } finally {
    closeScope(carried);
  }
  for (const g of received) if (g) front.drop(g);
  front.sweep();
}

function watch(
  node: TapeNode,
  received: (Tensor | null)[],
  front: Front,
  keep: (part: MemoryHolder) => void,
): void {
  for (const watcher of node.watchers ?? []) {
    const g = received[watcher.output];
    if (!g) continue;
    g.parts(keep);
    front.hold(g); // the watcher may have put it somewhere
    received[watcher.output] = watcher.arrive(g) ?? g;
  }
}

/** Gradients on their way, and how many places hold each. */
class Front {
  private readonly pending = new Map<TapeNode, (Tensor | null)[]>();
  private readonly uses = new Map<Tensor, number>();
  private finished: Tensor[] = [];

  add(node: TapeNode, slot: number, g: Tensor): void {
    let at = this.pending.get(node);
    if (!at) {
      at = new Array<Tensor | null>(node.outputTypes.length).fill(null);
      this.pending.set(node, at);
    }
    const before = at[slot];
    const sum = before ? before.add(g) : g;
    at[slot] = sum;
    this.hold(sum);
    if (before) this.drop(before);
  }

  /** One more place holds `g`. Tracers are left to the end of the walk: several may share their parts. */
  hold(g: Tensor): void {
    if (g.trace === null) this.uses.set(g, (this.uses.get(g) ?? 0) + 1);
  }

  peek(node: TapeNode, slot: number): Tensor | null {
    return this.pending.get(node)?.[slot] ?? null;
  }

  take(node: TapeNode): (Tensor | null)[] | undefined {
    const received = this.pending.get(node);
    this.pending.delete(node);
    return received;
  }

  /** One place less holds `g`. */
  drop(g: Tensor): void {
    const uses = this.uses.get(g);
    if (uses === undefined) return;
    if (uses > 1) this.uses.set(g, uses - 1);
    else {
      this.uses.delete(g);
      this.finished.push(g);
    }
  }

  /** Gives back what no place holds any more, if the walk made it. */
  sweep(): void {
    for (const g of this.finished) if (!this.uses.has(g)) g.parts(disposeEarly);
    this.finished = [];
  }
}
