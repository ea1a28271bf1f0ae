/** tidy: gives back what a function allocated, except what it returns. */
import { ValueError } from "../core/errors.js";
import { type MemoryHolder, Tensor } from "../core/tensor.js";
import { leaves } from "../core/tree.js";
import { closeScope, openScope } from "../runtime/tidy.js";

/**
 * Runs `body`; the tensors made in it are disposed when it ends, except those in the value it returns (at any depth).
 * @throws ValueError if `body` is asynchronous: its tensors would be disposed while it still runs.
 * @example tidy(() => tensor([1, 2]).add(1).mul(2)) // [4, 6]
 */
export function tidy<T>(body: () => T): T {
  openScope();
  const kept: MemoryHolder[] = [];
  try {
    const result = body();
    if (result instanceof Promise)
      throw new ValueError(
        "tidy: the function is asynchronous; call tidy inside it, around the synchronous parts",
      );
    for (const leaf of leaves(result)) leaf.parts((part) => kept.push(part));
    return result;
  } finally {
    closeScope(kept);
  }
}

declare module "../core/tensor.js" {
  interface Tensor {
    /** Gives the memory back now, when no view and no tape needs it. Values under a transformation ignore it. */
    dispose(): void;
    [Symbol.dispose](): void;
  }
}

Tensor.prototype.dispose = () => {};
Tensor.prototype[Symbol.dispose] = function () {
  this.dispose();
};
