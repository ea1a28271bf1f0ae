/** The passes there are, and how one is run: by name, its result verified. */
import { ValueError } from "../../core/errors.js";
import { formatType } from "../../core/shape.js";
import { effects } from "../effects/forward.js";
import { equalGraphs } from "../equal.js";
import { type Graph, IRError } from "../graph.js";
import { sameType, verify } from "../verify.js";
import { attention } from "./attention.js";
import { branches } from "./branches.js";
import { cse } from "./cse.js";
import { dce } from "./dce.js";
import { epilogue } from "./epilogue.js";
import { fold } from "./fold.js";
import { foldScale } from "./fold-scale.js";
import { fuse } from "./fuse.js";
import { fuseOutputsPass } from "./fuse-outputs.js";
import { fuseReduce } from "./fuse-reduce.js";
import { inline } from "./inline.js";
import { layout } from "./layout.js";
import { licm } from "./licm.js";
import { mergeScale } from "./merge-scale.js";
import { multiTensor } from "./multi-tensor.js";
import { DEFAULT_OPTIONS, type Pass, type PassOptions } from "./pass.js";
import { propagate } from "./propagate.js";
import { prune } from "./prune.js";
import { reconstructPass } from "./reconstruct.js";
import { simplify } from "./simplify.js";
import { sliceUp } from "./slice-up.js";
import { strength } from "./strength.js";

const TABLE: readonly Pass[] = [
  inline,
  propagate,
  fold,
  branches,
  simplify,
  strength,
  layout,
  licm,
  effects,
  prune,
  cse,
  dce,
  foldScale,
  mergeScale,
  sliceUp,
  reconstructPass,
  attention,
  fuseReduce,
  fuse,
  fuseOutputsPass,
  multiTensor,
  epilogue,
];

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

/** @throws ValueError for an unknown name. */
export function getPass(name: string): Pass {
  const pass = registry.get(name);
  if (!pass) throw new ValueError(`unknown pass "${name}"; there are ${[...registry.keys()].join(", ")}`);
  return pass;
}

/**
 * Runs one pass and checks what it returns; the given graph if it changes nothing.
 * @throws IRError naming the pass that broke the graph or changed its signature.
 */
export function runPass(pass: Pass, before: Graph, options: PassOptions = DEFAULT_OPTIONS): Graph {
  const after = pass.run(before, options);
  if (equalGraphs(before, after)) return before; // which was verified
  try {
    checkSignature(before, after);
    return verify(after);
  } catch (error) {
    if (error instanceof Error) error.message = `after pass ${pass.name}: ${error.message}`;
    throw error;
  }
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
  options: PassOptions = DEFAULT_OPTIONS,
): Graph {
  let current = graph;
  for (const pass of names.map(getPass)) {
    const before = current;
    current = runPass(pass, before, options);
    onPass?.(pass, before, current);
  }
  return current;
}

function checkSignature(before: Graph, after: Graph): void {
  const sides = [before, after].map((g) => [g.params, g.results]);
  ["parameters", "results"].forEach((what, k) => {
    const [was, is] = [sides[0][k], sides[1][k]];
    if (was.length !== is.length || !was.every((value, i) => sameType(value, is[i])))
      throw new IRError(
        `the ${what} were ${was.map(formatType).join(", ")}, now they are ${is.map(formatType).join(", ")}`,
      );
  });
}

export type { Pass };
