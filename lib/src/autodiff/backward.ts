/** Tape mode's backward: gradients for the variables that a value depends on. (Book, chapter 3: dynamic graphs.) */
import { ShapeError, TransformError } from "../core/errors.js";
import { formatShape, formatType, sameShape } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { onInterrupted } from "../core/turn.js";
import { asTensor, type TensorLike } from "../ops/convert.js";
import { concrete } from "../ops/read.js";
import { viewOf } from "../runtime/dense.js";
import { Deliveries, gradientSinkOf } from "./gradient-sink.js";
import { history, type TapeNode } from "./tape.js";
import { addWatcher, noGrad, onTape, TapeTensor, variableHost } from "./tape-mode.js";
import { constantLike } from "./trace.js";
import { ownerOf, type Variable } from "./variable.js";
import { walkBack } from "./walk.js";

export interface BackwardOptions {
  /** Keeps what the tape saved, so that backward can run again. */
  readonly retainGraph?: boolean;
}

/** Ops whose reverse rule walks another tape: there may be more gradients for a leaf than those of its readers. */
export const walksInside = new WeakSet<object>();

/** Leaves that the walk in progress has reached, in order; `null` outside of `backward`. */
let arrivals: [TapeNode, Tensor][] | null = null;
onInterrupted(() => {
  arrivals = null;
});

/**
 * Adds to each variable's `grad` the derivative of this value with respect to it, and gives back what the tape saved.
 * All gradients are computed before the first is added: an error on the way changes none.
 * @param gradient of the final result with respect to this value; default 1, for scalars.
 * @throws TransformError if this value depends on no variable, is no scalar and no gradient is given, or an earlier
 * backward has given back what the tape saved.
 * @example const w = variable([3]); backward(w.square().sum()); w.grad // [6]
 */
export function backward(
  y: Tensor,
  gradient?: TensorLike,
  { retainGraph = false }: BackwardOptions = {},
): void {
  const at = onTape(y);
  const host = at ? null : variableHost();
  if (host !== null) {
    for (const [variable, g] of host.backward(y, seedFor(y, gradient)))
      variable.grad = variable.grad === null ? g : variable.grad.add(g);
    return;
  }
  if (!at?.node) {
    const why =
      y.trace === null || at
        ? "it depends on no variable that requires a gradient"
        : "it is inside a transformation";
    throw new TransformError(
      `backward: this ${formatType(y)} has no tape, because ${why}; make weights with variable(...), and call backward outside of noGrad, detach and transformations`,
    );
  }
  const node = at.node;
  const seed = seedFor(y, gradient);
  const found: [TapeNode, Tensor][] = [];
  const outer = arrivals;
  arrivals = found;
  const sunk = new Deliveries();
  let finished: ReadonlyMap<Variable, Tensor>;
  try {
    finished = noGrad(() => {
      const nodes = history([node]);
      const early =
        nodes.some((n) => n.op === null && gradientSinkOf(ownerOf(n)) !== null) &&
        !nodes.some((n) => n.op !== null && walksInside.has(n.op));
      walkBack(nodes, [node], [at.slot], [seed], {
        free: !retainGraph,
        early,
        arrive: (leaf, g) => {
          const owner = early ? ownerOf(leaf) : undefined;
          if (owner && sunk.take(owner, g, owner.grad)) return false;
          return found.push([leaf, detached(g)]);
        },
      });
      deliverLate(found, sunk);
      return sunk.finish();
    });
  } catch (error) {
    for (const [, g] of found) g.dispose();
    sunk.abort();
    throw error;
  } finally {
    arrivals = outer;
    if (gradient === undefined) seed.dispose();
  }
  for (const [variable, g] of finished) {
    variable.zeroGrad();
    variable.grad = detached(g);
    g.dispose();
  }
  for (const [leaf, g] of found) accumulate(leaf, g);
}

/** Gives what sinks want of gradients that came in several parts, or only in the end, and takes it out of the list. */
function deliverLate(found: [TapeNode, Tensor][], sunk: Deliveries): void {
  const sums = new Map<Variable, Tensor>();
  const rest = found.filter(([leaf, g]) => {
    const owner = ownerOf(leaf);
    if (!owner || !gradientSinkOf(owner)) return true;
    const before = sums.get(owner);
    sums.set(owner, before ? before.add(g) : g);
    return false;
  });
  if (sums.size === 0) return;
  found.splice(0, found.length, ...rest);
  for (const [variable, g] of sums) {
    sunk.take(variable, g, variable.grad);
    g.dispose();
  }
}

/**
 * The tape's part of a nested walk (a checkpoint's second run): hands what reached variables to the walk in progress.
 * Returns false if there is none.
 */
export function passToBackward(leaf: TapeNode, g: Tensor): boolean {
  if (arrivals === null || !ownerOf(leaf)) return false;
  arrivals.push([leaf, detached(g)]);
  return true;
}

/** True while `backward` walks. */
export function isWalking(): boolean {
  return arrivals !== null;
}

function seedFor(y: Tensor, gradient: TensorLike | undefined): Tensor {
  if (gradient === undefined) {
    if (y.size === 1) return constantLike(y, 1);
    throw new TransformError(
      `backward: a value of shape ${formatShape(y.shape)} needs a gradient of that shape; only scalars start from 1. Reduce it with sum() or mean(), or pass the gradient`,
    );
  }
  const seed = asTensor(gradient, y.dtype);
  if (sameShape(seed.shape, y.shape)) return seed.cast(y.dtype);
  throw new ShapeError(
    `backward: the gradient has shape ${formatShape(seed.shape)}, the value ${formatShape(y.shape)}`,
  );
}

/** A handle that outlives the walk's scope. */
export function detached(g: Tensor): Tensor {
  const own = (concrete(g) ?? g).retained();
  own.parts((part) => part.collectable());
  return own;
}

function accumulate(leaf: TapeNode, g: Tensor): void {
  const owner = ownerOf(leaf);
  if (!owner) {
    g.release();
    return;
  }
  const before = owner.grad;
  if (before === null) {
    owner.grad = g;
    return;
  }
  const sum = noGrad(() => before.add(g));
  owner.grad = detached(sum);
  for (const used of [sum, before, g]) used.dispose();
}

declare module "../core/tensor.js" {
  interface Tensor {
    /** For variables: the accumulated gradient. For results after `retainGrad()`: that of the last backward. Else `null`. */
    grad: Tensor | null;
    /** True if the tape follows this value. */
    readonly requiresGrad: boolean;
    /** Adds this value's derivatives to the `grad` of the variables that it depends on; see the function `backward`. */
    backward(gradient?: TensorLike, options?: BackwardOptions): void;
    /** The same values, cut off from the tape and from every transformation. */
    detach(): Tensor;
    /** Keeps this intermediate result's gradient in `grad` when backward passes by. */
    retainGrad(): this;
    /**
     * Calls `hook` with this value's gradient whenever backward passes by; a tensor that it returns takes the gradient's
     * place. Returns a function that takes the hook away.
     */
    onGrad(hook: (gradient: Tensor) => Tensor | undefined | undefined): () => void;
  }
}

function place(x: Tensor, what: string): { node: TapeNode; slot: number } {
  const at = onTape(x);
  if (at?.node) return { node: at.node, slot: at.slot };
  throw new TransformError(
    `${what}: this ${formatType(x)} is not on the tape; only variables that require a gradient and what is computed from them have gradients`,
  );
}

Tensor.prototype.backward = function (gradient, options) {
  backward(this, gradient, options);
};
Tensor.prototype.detach = function () {
  if (!onTape(this)) return this.stopGradient();
  const dense = concrete(this);
  return dense ? viewOf(dense, dense) : this.stopGradient();
};
Tensor.prototype.retainGrad = function () {
  const { node, slot } = place(this, "retainGrad");
  if (!(this instanceof TapeTensor)) return this; // a variable keeps its gradient anyhow
  addWatcher(node, {
    output: slot,
    arrive: (g) => {
      this.grad?.dispose();
      this.grad = detached(g);
      return undefined;
    },
  });
  return this;
};
Tensor.prototype.onGrad = function (hook) {
  const { node, slot } = place(this, "onGrad");
  return addWatcher(node, {
    output: slot,
    arrive: (g) => {
      const replaced = hook(g);
      if (!(replaced instanceof Tensor)) return undefined;
      if (sameShape(replaced.shape, g.shape) && replaced.dtype === g.dtype) return replaced;
      throw new TransformError(
        `onGrad: the hook was given a gradient ${formatType(g)} and returned ${formatType(replaced)}; type and shape must stay`,
      );
    },
  });
};
Object.defineProperty(Tensor.prototype, "grad", { value: null, writable: true, configurable: true });
Object.defineProperty(Tensor.prototype, "requiresGrad", { value: false, writable: true, configurable: true });
