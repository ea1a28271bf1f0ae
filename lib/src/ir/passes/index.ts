/** The passes there are, and how they are run: by name, in order, each result verified. */
import { ValueError } from "../../core/errors.js";
import type { Graph } from "../graph.js";
import { verify } from "../verify.js";
import { cse } from "./cse.js";
import { dce } from "./dce.js";
import { fuse } from "./fuse.js";
import type { Pass } from "./pass.js";

const TABLE: readonly Pass[] = [cse, dce, fuse];

const registry = new Map(TABLE.map((pass) => [pass.name, pass]));

/**
 * Adds a pass of one's own.
 * @example graph.definePass({ name: "exampleNothing", summary: "changes nothing", run: (graph) => graph }).name // "exampleNothing"
 * @throws ValueError if the name is taken.
 */
export function definePass(pass: Pass): Pass {
  if (registry.has(pass.name)) throw new ValueError(`definePass: a pass named "${pass.name}" exists already`);
  registry.set(pass.name, pass);
  return pass;
}

/**
 * Every pass, in the order of definition.
 * @example graph.passes().map((pass) => pass.name).includes("cse") // true
 */
export function passes(): Pass[] {
  return [...registry.values()];
}

/**
 * Runs passes in order; each result is verified.
 * @example graph.runPasses(capture((x: Tensor) => x.mul(2).add(1), tensor([1])), ["dce", "fuse"]).nodes.length // 1
 * @throws ValueError for an unknown name; IRError naming the pass that broke the graph.
 */
export function runPasses(
  graph: Graph,
  names: readonly string[],
  onPass?: (pass: Pass, before: Graph, after: Graph) => void,
): Graph {
  let current = graph;
  for (const name of names) {
    const pass = registry.get(name);
    if (!pass)
      throw new ValueError(`runPasses: unknown pass "${name}"; there are ${[...registry.keys()].join(", ")}`);
    const before = current;
    current = pass.run(before);
    try {
      verify(current);
    } catch (error) {
      if (error instanceof Error) error.message = `after pass ${name}: ${error.message}`;
      throw error;
    }
    onPass?.(pass, before, current);
  }
  return current;
}

export type { Pass };
