/** Batches, and who gives their memory back. */
import type { MemoryHolder } from "../core/tensor.js";
import { leaves } from "../core/tree.js";
import { cameFromThread } from "../data/engine/transport.js";
import { madeInScope, mergeScope, openScope } from "../runtime/tidy.js";

/**
 * The elements of `data`. Tensors that were made for an element (rows cut out, images decoded) are disposed when the
 * next one is asked for; those that existed before belong to somebody else, and stay.
 */
export function* supplied<T>(data: Iterable<T>): Generator<T, void> {
  const source = data[Symbol.iterator]();
  let open = true;
  try {
    for (;;) {
      const made: MemoryHolder[] = [];
      open = false; // a source that throws is closed
      const next = pull(source, made);
      if (next.done) return;
      open = true;
      try {
        yield next.value;
      } finally {
        for (const part of made) part.dispose();
      }
    }
  } finally {
    if (open) source.return?.();
  }
}

/** The same of what comes later: tensors that came from worker threads are disposed when the next element is asked for. */
export async function* suppliedLater<T>(data: AsyncIterable<T>): AsyncGenerator<T, void> {
  for await (const element of data) {
    try {
      yield element;
    } finally {
      for (const leaf of leaves(element)) if (cameFromThread(leaf)) leaf.dispose();
    }
  }
}

/** The next element; `made` gets what was made for it. */
function pull<T>(source: Iterator<T>, made: MemoryHolder[]): IteratorResult<T, unknown> {
  openScope();
  try {
    const next = source.next();
    if (!next.done)
      for (const leaf of leaves(next.value))
        leaf.parts((part) => {
          if (madeInScope(part)) made.push(part);
        });
    return next;
  } finally {
    mergeScope(); // a source may hold tensors back for later elements
  }
}
