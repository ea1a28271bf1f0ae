/** Step 3 of obfuscation: what computes the same is split into groups, each of which becomes an op type with a name that says nothing. */

import type { Graph } from "../../../ir/graph.js";
import { graphToJson } from "../../../ir/json.js";
import type { DenseTensor } from "../../../runtime/dense.js";
import type { Dice } from "../dice.js";
import type { Cluster, Edge } from "./clusters.js";

/** An op type to be. */
export interface OpType {
  readonly name: string;
  /** What it computes; behind the cluster's results perhaps one that nobody needs. */
  readonly core: Graph;
  readonly values: number;
  readonly results: number;
}

/** One use of an op type. */
export interface Instance {
  readonly type: OpType;
  readonly inputs: readonly Edge[];
  readonly weights: readonly DenseTensor[];
  readonly outputs: readonly Edge[];
  readonly decoy: boolean;
}

/** A cluster or its decoy, before it has a type. */
export type Untyped = Cluster & { readonly decoy: boolean };

/**
 * Gives each its type. The last one has its own.
 * @param share most uses of a type
 * @returns the uses, and how many kinds of ops there were before they were split
 */
export function typed(
  clusters: readonly Untyped[],
  share: number,
  dice: Dice,
): { readonly instances: Instance[]; readonly kinds: number } {
  const kinds = new Map<string, Untyped[]>();
  const last = clusters[clusters.length - 1];
  for (const cluster of clusters) {
    const key = `${cluster === last} ${cluster.inputs.length} ${JSON.stringify(graphToJson(cluster.core))}`;
    const list = kinds.get(key) ?? [];
    list.push(cluster);
    kinds.set(key, list);
  }
  const names = new Set<string>();
  const types = new Map<Untyped, OpType>();
  for (const list of kinds.values()) {
    const mixed = dice.shuffled(list);
    for (let at = 0; at < mixed.length; ) {
      const group = mixed.slice(at, at + 1 + dice.below(share));
      at += group.length;
      const type = typeFor(group[0], group[0] !== last, names, dice);
      for (const member of group) types.set(member, type);
    }
  }
  const instances = clusters.map((cluster): Instance => ({ ...cluster, type: types.get(cluster) as OpType }));
  return { instances, kinds: kinds.size };
}

function typeFor({ core, inputs, outputs }: Untyped, more: boolean, names: Set<string>, dice: Dice): OpType {
  let name: string;
  do name = `x${dice.bytes(6).toString("hex")}`;
  while (names.has(name));
  names.add(name);
  const between = core.nodes.flatMap((node) => node.outputs).filter((value) => !core.results.includes(value));
  const extended =
    more && between.length > 0 && dice.chance(0.5)
      ? core.with({ results: [...core.results, dice.pick(between)] })
      : core;
  return { name, core: extended, values: inputs.length, results: outputs.length };
}
