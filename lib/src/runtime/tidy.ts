/**
 * When memory is given back: at `dispose()`, at the end of a `tidy` scope, or when the garbage collector
 * finds a tensor unreachable. A scope disposes the tensors made in it, except those it returns.
 */
import { enterSection, leaveSection, onInterrupted } from "../core/turn.js";
import type { Storage } from "./storage.js";

export interface Disposable {
  dispose(): void;
}

const collector = new FinalizationRegistry<Storage>((storage) => storage.drop());
const scopes: Set<Disposable>[] = [];

onInterrupted(() => {
  for (const scope of scopes.splice(0)) for (const tensor of scope) tensor.dispose();
});

/** Called by each new tensor: the collector and, unless it is no scope's business, the innermost scope now know it. */
export function trackTensor(tensor: Disposable, storage: Storage, scoped: boolean): void {
  collector.register(tensor, storage, tensor);
  if (scoped && scopes.length > 0) scopes[scopes.length - 1].add(tensor);
}

/** Puts something else that holds memory (a tape's node) under the innermost scope. */
export function trackInScope(item: Disposable): void {
  if (scopes.length > 0) scopes[scopes.length - 1].add(item);
}

/** Called by `dispose()`. */
export function untrackTensor(tensor: Disposable): void {
  collector.unregister(tensor);
}

/** Opens a scope: tensors made from now on belong to it. */
export function openScope(): void {
  enterSection();
  scopes.push(new Set());
}

/** Closes the innermost scope; disposes its tensors except `kept`, which pass to the scope around it. */
export function closeScope(kept: Iterable<Disposable>): void {
  const scope = scopes.pop();
  if (!scope) return;
  const outer = scopes.at(-1);
  for (const tensor of kept) if (scope.delete(tensor)) outer?.add(tensor);
  for (const tensor of scope) tensor.dispose();
  leaveSection();
}

/** True if `item` was made in the innermost scope. */
export function madeInScope(item: Disposable): boolean {
  return scopes.length > 0 && scopes[scopes.length - 1].has(item);
}

/** Disposes `item` now if it was made in the innermost scope. */
export function disposeEarly(item: Disposable): void {
  if (scopes[scopes.length - 1]?.delete(item)) item.dispose();
}

/** Closes the innermost scope without disposing anything: its tensors pass to the scope around it. */
export function mergeScope(): void {
  const scope = scopes.pop();
  if (!scope) return;
  const outer = scopes.at(-1);
  if (outer) for (const tensor of scope) outer.add(tensor);
  leaveSection();
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
