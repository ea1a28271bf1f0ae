/** Scopes whose closing is cut off, as a kernel's interrupt does it: no `finally` runs, whatever was left is disposed all the same. */
import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import type { MemoryHolder } from "../core/tensor.js";
import { closeScope, mergeScope, openScope, track } from "./tidy.js";

class Interrupt extends Error {}

/** What is interrupted in `at`, once. */
function holder(at?: "dispose" | "collectable"): MemoryHolder & { disposed: boolean } {
  let armed = at;
  const strike = (where: typeof at): void => {
    if (armed !== where) return;
    armed = undefined;
    throw new Interrupt();
  };
  return {
    disposed: false,
    dispose() {
      strike("dispose");
      this.disposed = true;
    },
    collectable: () => strike("collectable"),
  };
}

it.each([
  ["in the midst of disposing", () => closeScope([])],
  ["in the midst of passing on", mergeScope],
])("a scope that is closed, interrupted %s", async (where, close) => {
  const all = [holder(), holder(where.includes("disposing") ? "dispose" : "collectable"), holder(), holder()];
  openScope();
  for (const one of all) track(one);
  expect(close).toThrow(Interrupt);
  await turn();
  expect(all.slice(1).map(({ disposed }) => disposed)).toEqual([true, true, true]);
});

it("what is kept is in the scope around it, or in none if the passing on was interrupted", async () => {
  const kept = [holder(), holder("collectable"), holder()];
  openScope();
  for (const one of kept) track(one);
  expect(() => closeScope(kept)).toThrow(Interrupt);
  await turn();
  expect(kept.map(({ disposed }) => disposed)).toEqual([false, true, true]);
});
