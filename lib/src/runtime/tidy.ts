/**
 * When memory is given back: at `dispose()`, at the end of a `tidy` scope, or when the garbage collector
 * finds a tensor unreachable. A scope disposes the tensors made in it, except those it returns.
 */
import type { Storage } from "./storage.js";

interface Disposable {
  dispose(): void;
}

const collector = new FinalizationRegistry<Storage>((storage) => storage.drop());
const scopes: Set<Disposable>[] = [];

/** Called by each new tensor: the collector and the innermost scope now know it. */
export function trackTensor(tensor: Disposable, storage: Storage): void {
  collector.register(tensor, storage, tensor);
  scopes.at(-1)?.add(tensor);
}

/** Called by `dispose()`. */
export function untrackTensor(tensor: Disposable): void {
  collector.unregister(tensor);
}

/** Opens a scope: tensors made from now on belong to it. */
export function openScope(): void {
  scopes.push(new Set());
}

/** Closes the innermost scope; disposes its tensors except `kept`, which pass to the scope around it. */
export function closeScope(kept: Iterable<Disposable>): void {
  const scope = scopes.pop();
  if (!scope) return;
  const outer = scopes.at(-1);
  for (const tensor of kept) if (scope.delete(tensor)) outer?.add(tensor);
  for (const tensor of scope) tensor.dispose();
}

/** Runs `make` so that what it creates belongs to no scope. */
export function outsideScopes<T>(make: () => T): T {
  const open = scopes.splice(0);
  try {
    return make();
  } finally {
    scopes.push(...open);
  }
}
