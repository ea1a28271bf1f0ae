/**
 * When memory is given back: at `dispose()`, at the end of a `tidy` scope, or when the garbage collector finds a tensor
 * unreachable. A scope disposes the tensors made in it, except those it returns. Only what is in no scope is known to the
 * collector: registering costs as much as a small op.
 */
import type { MemoryHolder } from "../core/tensor.js";
import { enterSection, leaveSection, onInterrupted } from "../core/turn.js";

/** What goes back when a holder is garbage. It must not reach the holder. */
export interface Held {
  drop(): void;
}

const collector = new FinalizationRegistry<Held>((held) => held.drop());
const scopes: Set<MemoryHolder>[] = [];
/** Scopes whose tensors are being disposed or passed on: an interrupt in the midst of that must find the rest. */
const closing: Set<MemoryHolder>[] = [];
/** Scopes below this one do not count at the moment (see `outsideScopes`). */
let base = 0;

onInterrupted(() => {
  base = 0;
  for (const scope of [...closing.splice(0), ...scopes.splice(0)])
    for (const holder of scope) holder.dispose();
});

function innermost(): Set<MemoryHolder> | undefined {
  return scopes.length > base ? scopes[scopes.length - 1] : undefined;
}

/** Puts something new that holds memory under the innermost scope, or leaves it to the collector. */
export function track(holder: MemoryHolder): void {
  const scope = innermost();
  if (scope) scope.add(holder);
  else holder.collectable();
}

/** Gives `held` back when `holder` is garbage. */
export function collect(holder: object, held: Held): void {
  collector.register(holder, held, holder);
}

/** Takes back `collect`. */
export function forget(holder: object): void {
  collector.unregister(holder);
}

/** Opens a scope: tensors made from now on belong to it. */
export function openScope(): void {
  enterSection();
  scopes.push(new Set());
}

/** Closes the innermost scope; disposes its tensors except `kept`, which pass to the scope around it. */
export function closeScope(kept: Iterable<MemoryHolder>): void {
  const scope = beginClosing();
  if (!scope) return;
  for (const holder of kept) if (scope.has(holder)) passOn(scope, holder);
  for (const holder of scope) holder.dispose();
  closing.pop();
  leaveSection();
}

function beginClosing(): Set<MemoryHolder> | undefined {
  const scope = scopes[scopes.length - 1];
  if (!scope) return undefined;
  closing.push(scope);
  scopes.pop();
  return scope;
}

/** To the scope around it; it is in both for a moment, never in none. */
function passOn(scope: Set<MemoryHolder>, holder: MemoryHolder): void {
  track(holder);
  scope.delete(holder);
}

/** True if `holder` was made in the innermost scope. */
export function madeInScope(holder: MemoryHolder): boolean {
  return innermost()?.has(holder) ?? false;
}

/** Disposes `holder` now if it was made in the innermost scope. */
export function disposeEarly(holder: MemoryHolder): void {
  const scope = innermost();
  if (!scope?.has(holder)) return;
  holder.dispose();
  scope.delete(holder);
}

/** Closes the innermost scope without disposing anything: its tensors pass to the scope around it. */
export function mergeScope(): void {
  const scope = beginClosing();
  if (!scope) return;
  for (const holder of scope) passOn(scope, holder);
  closing.pop();
  leaveSection();
}

/** Runs `make` so that what it creates belongs to no scope. */
export function outsideScopes<T>(make: () => T): T {
  const before = base;
  enterSection();
  base = scopes.length;
  try {
    return make();
  } finally {
    base = before;
    leaveSection();
  }
}
