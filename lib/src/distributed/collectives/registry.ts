/** Every algorithm, a line each; and how a collective is carried out. */
import { ValueError } from "../../core/errors.js";
import type { CombineOp } from "../transport/reduce-op.js";
import { ringAllGather } from "./all-gather/ring.js";
import { ringAllReduce } from "./all-reduce/ring.js";
import { pairwiseAllToAll } from "./all-to-all/pairwise.js";
import { dissemination } from "./barrier/dissemination.js";
import { treeBroadcast } from "./broadcast/tree.js";
import type { Algorithm, CollectiveKind, Member, Requests } from "./collective.js";
import { checkMean, divide } from "./combine/combine.js";
import { linearGather } from "./gather/linear.js";
import { partsOf } from "./parts.js";
import { treeReduce } from "./reduce/tree.js";
import { ringReduceScatter } from "./reduce-scatter/ring.js";
import { linearScan } from "./scan/linear.js";
import { linearScatter } from "./scatter/linear.js";

type Registry = { readonly [K in CollectiveKind]: readonly Algorithm<K>[] };

/** By kind. */
export const ALGORITHMS: Registry = {
  barrier: [dissemination],
  broadcast: [treeBroadcast],
  reduce: [treeReduce],
  allReduce: [ringAllReduce],
  allGather: [ringAllGather],
  reduceScatter: [ringReduceScatter],
  scatter: [linearScatter],
  gather: [linearGather],
  allToAll: [pairwiseAllToAll],
  scan: [linearScan],
};

/**
 * Carries a collective out on this member; every member of the group calls it with the same kind and algorithm.
 * @param algorithm by name; default: the one that the cost model finds fastest
 * @throws ValueError for an algorithm that there is not, or that can't do this group
 * @throws DTypeError for the mean of what is not floating-point
 */
export async function runCollective<K extends CollectiveKind>(
  kind: K,
  member: Member,
  request: Requests[K],
  algorithm?: string,
): Promise<void> {
  const chosen = algorithm === undefined ? ALGORITHMS[kind][0] : algorithmOf(kind, algorithm, member);
  const mean = "op" in request && request.op === "mean";
  const plain = (mean ? { ...request, op: "sum" } : request) as Requests<CombineOp>[K];
  if (mean) checkMean((request as Requests["allReduce"]).dtype);
  await (chosen as unknown as Algorithm<K>).run(member, plain);
  if (mean) divideResult(member, request as Requests[Reducing]);
}

/** The algorithm of this name. @throws ValueError if there is none, or it can't do this group */
export function algorithmOf<K extends CollectiveKind>(
  kind: K,
  name: string,
  member: Pick<Member, "size" | "places">,
): Algorithm<K> {
  const all: readonly Algorithm<K>[] = ALGORITHMS[kind];
  const found = all.find((algorithm) => algorithm.name === name);
  if (!found)
    throw new ValueError(
      `${kind}: no algorithm is called ${JSON.stringify(name)}; there are ${all.map((a) => a.name).join(", ")}`,
    );
  const why = found.unfit?.(member);
  if (why !== undefined) throw new ValueError(`${kind}: ${name} ${why}`);
  return found;
}

type Reducing = "reduce" | "allReduce" | "reduceScatter" | "scan";

/** Where the result is, by how many values are in it. */
function divideResult({ rank, size }: Member, request: Requests[Reducing]): void {
  const { data, dtype } = request;
  if ("root" in request && request.root !== rank) return;
  const result = "counts" in request ? partsOf(data, request.counts)[rank] : data;
  const values = "exclusive" in request ? rank + (request.exclusive ? 0 : 1) : size;
  if (values > 1) divide(result, dtype, values);
}
