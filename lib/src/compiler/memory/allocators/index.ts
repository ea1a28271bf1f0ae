/** The allocators there are: a new one is one file and one line here. */
import { ValueError } from "../../../core/errors.js";
import { bestFit } from "./best-fit.js";
import { doubleCursor } from "./double-cursor.js";
import { none } from "./none.js";
import type { Allocator } from "./problem.js";
import { somas } from "./somas.js";

const TABLE: readonly Allocator[] = [none, bestFit, doubleCursor, somas];

/**
 * Every allocator.
 * @example compiler.allocators().map(({ name }) => name) // ["none", "bestFit", "doubleCursor", "somas"]
 */
export function allocators(): Allocator[] {
  return [...TABLE];
}

/** @throws ValueError for an unknown name. */
export function getAllocator(name: string): Allocator {
  const allocator = TABLE.find((one) => one.name === name);
  if (!allocator)
    throw new ValueError(
      `planMemory: unknown allocator "${name}"; there are ${TABLE.map((one) => one.name).join(", ")}`,
    );
  return allocator;
}

export type { Allocation, AllocationProblem, Allocator, Attempt, Block } from "./problem.js";
