/** Every algorithm, a line each; and how a collective is carried out. */
import { ValueError } from "../../core/errors.js";
import type { CombineOp } from "../transport/reduce-op.js";
import { bruckAllGather } from "./all-gather/bruck.js";
import { directAllGather } from "./all-gather/direct.js";
import { naiveAllGather } from "./all-gather/naive.js";
import { doublingAllGather } from "./all-gather/recursive-doubling.js";
import { ringAllGather } from "./all-gather/ring.js";
import { directAllReduce } from "./all-reduce/direct.js";
import { halvingDoubling } from "./all-reduce/halving-doubling.js";
import { hierarchicalAllReduce } from "./all-reduce/hierarchical.js";
import { naiveAllReduce } from "./all-reduce/naive.js";
import { recursiveDoubling } from "./all-reduce/recursive-doubling.js";
import { ringAllReduce } from "./all-reduce/ring.js";
import { torusAllReduce } from "./all-reduce/torus.js";
import { treeAllReduce } from "./all-reduce/tree.js";
import { bruckAllToAll } from "./all-to-all/bruck.js";
import { pairwiseAllToAll } from "./all-to-all/pairwise.js";
import { dissemination } from "./barrier/dissemination.js";
import { chainBroadcast } from "./broadcast/chain.js";
import { naiveBroadcast } from "./broadcast/naive.js";
import { scatterAllGather } from "./broadcast/scatter-all-gather.js";
import { treeBroadcast } from "./broadcast/tree.js";
import type { Algorithm, CollectiveKind, Member, Requests, Situation } from "./collective.js";
import { checkMean, divide } from "./combine/combine.js";
import { fastest, modelOf } from "./cost.js";
import { binomialGather } from "./gather/binomial.js";
import { linearGather } from "./gather/linear.js";
import { partsOf, total } from "./parts.js";
import { naiveReduce } from "./reduce/naive.js";
import { reduceScatterGather } from "./reduce/reduce-scatter-gather.js";
import { treeReduce } from "./reduce/tree.js";
import { pairwiseReduceScatter } from "./reduce-scatter/pairwise.js";
import { recursiveHalving } from "./reduce-scatter/recursive-halving.js";
import { ringReduceScatter } from "./reduce-scatter/ring.js";
import { linearScan } from "./scan/linear.js";
import { doublingScan } from "./scan/recursive-doubling.js";
import { binomialScatter } from "./scatter/binomial.js";
import { linearScatter } from "./scatter/linear.js";

type Registry = { readonly [K in CollectiveKind]: readonly Algorithm<K>[] };

/**
 * By kind. Of those that cost the same, the first is taken.
 * @example distributed.ALGORITHMS.scatter.map(({ name }) => name) // ["binomial", "linear"]
 */
export const ALGORITHMS: Registry = {
  barrier: [dissemination],
  broadcast: [treeBroadcast, scatterAllGather, chainBroadcast, naiveBroadcast],
  reduce: [treeReduce, reduceScatterGather, naiveReduce],
  allReduce: [
    ringAllReduce,
    halvingDoubling,
    directAllReduce,
    recursiveDoubling,
    treeAllReduce,
    hierarchicalAllReduce,
    torusAllReduce,
    naiveAllReduce,
  ],
  allGather: [ringAllGather, directAllGather, doublingAllGather, bruckAllGather, naiveAllGather],
  reduceScatter: [ringReduceScatter, pairwiseReduceScatter, recursiveHalving],
  scatter: [binomialScatter, linearScatter],
  gather: [binomialGather, linearGather],
  allToAll: [pairwiseAllToAll, bruckAllToAll],
  scan: [doublingScan, linearScan],
};

/**
 * Carries a collective out on this member; every member of the group calls it with the same kind and algorithm.
 * @param algorithm by name; default: the transport's own way, or else the one that the cost model finds fastest
 * @throws ValueError for an algorithm that there is not, or that can't do this group
 * @throws DTypeError for the mean of what is not floating-point
 * @example
 * const rows = [[2, 4, 6], [1, 2, 3], [4, 8, 12]].map((row) => Float32Array.from(row));
 * await Promise.all(distributed.inProcess(3).map((transport, rank) =>
 *   distributed.runCollective(
 *     "allReduce",
 *     distributed.memberOf(transport, 0),
 *     { data: new Uint8Array(rows[rank].buffer), dtype: "float32", op: "sum" },
 *     "ring",
 *   )));
 * [...rows[1]] // [7, 14, 21]
 */
export async function runCollective<K extends CollectiveKind>(
  kind: K,
  member: Member,
  request: Requests[K],
  algorithm?: string,
): Promise<void> {
  const mean = "op" in request && request.op === "mean";
  const plain = { ...request, ...(mean ? { op: "sum" } : {}) } as unknown as Requests<CombineOp>[K];
  const named = algorithm === undefined ? undefined : algorithmOf<K>(kind, algorithm, member);
  if (mean) checkMean((request as Requests["allReduce"]).dtype);
  const native = named ? null : member.native?.(kind, inPlace(plain));
  if (native) await native;
  else {
    const chosen = named ?? choose(kind, member, request);
    await chosen.run(member, chosen.outOfPlace && member.size > 1 ? plain : inPlace(plain));
  }
  if (mean) divideResult(member, request as Requests[Reducing]);
}

/** The request with the member's own elements where the result will be. */
function inPlace<T extends object>(request: T): T {
  const { from, data } = request as Partial<Requests["allReduce"]>;
  if (!("dtype" in request) || !from) return request;
  data?.set(from);
  return { ...request, from: undefined };
}

/** What the cost model finds fastest. Members may not look at what only they know: what they send in an allToAll. */
function choose<K extends CollectiveKind>(kind: K, member: Member, request: Requests[K]): Algorithm<K> {
  const { size, places, model = modelOf("") } = member;
  const all: readonly Algorithm<K>[] = ALGORITHMS[kind];
  if (kind === "allToAll" || kind === "barrier" || size === 1) return all[0];
  const bytes =
    "counts" in request ? total(request.counts) : "data" in request ? (request.data?.length ?? 0) : 0;
  return fastest(all, { size, bytes, places }, model);
}

/**
 * The algorithm of this name.
 * @throws ValueError if there is none, or it can't do this group
 * @example distributed.algorithmOf("scan", "linear", { size: 3, places: distributed.samePlace(3) }).kind // "scan"
 */
export function algorithmOf<K extends CollectiveKind>(
  kind: K,
  name: string,
  member: Pick<Situation, "size" | "places">,
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
