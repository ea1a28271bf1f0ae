/**
 * Collectives as nodes of a device's graph. They are not in the registry: alone, on one device, they have no meaning; the
 * programs that run all devices (`lockstep`, `ranks`) carry them out.
 */
import { IRError } from "../../ir/graph.js";
import { NOT_DIFFERENTIABLE, type OpDef } from "../../ops/registry.js";
import type { ReduceOp } from "../transport/reduce-op.js";
import type { CollectiveName } from "./cost.js";

/** What the nodes carry. */
export interface CollectiveAttrs {
  /** Mesh axes along which the members lie, the slowest first. */
  readonly axes: readonly string[];
  /** Number of members. */
  readonly size: number;
  /** How values are combined: allReduce, reduceScatter. */
  readonly op?: ReduceOp;
  /** The axis that is put together or cut: allGather, reduceScatter. */
  readonly dim?: number;
  /** allToAll: the axis that becomes whole, the axis that is cut. */
  readonly from?: number;
  readonly to?: number;
}

function collective(name: CollectiveName, shape: (x: readonly number[], attrs: CollectiveAttrs) => number[]) {
  const def: OpDef<CollectiveAttrs> = {
    name,
    kind: "control",
    type: ([x], attrs) => {
      const result = shape(x.shape, attrs);
      if (!result.every(Number.isInteger))
        throw new IRError(`${name}: (${x.shape.join(", ")}) does not divide among ${attrs.size} devices`);
      return [{ shape: result, dtype: x.dtype }];
    },
    reference: () => {
      throw new IRError(
        `${name}: a collective needs the other devices; run the program, not one device's graph`,
      );
    },
    vjp: NOT_DIFFERENTIABLE,
    jvp: NOT_DIFFERENTIABLE,
    batch: () => {
      throw new IRError(`${name}: map the function before it is partitioned`);
    },
    samples: [],
  };
  return def as unknown as OpDef;
}

export const COLLECTIVES: Readonly<Record<CollectiveName, OpDef>> = {
  allReduce: collective("allReduce", (x) => [...x]),
  allGather: collective("allGather", (x, { dim, size }) => x.map((n, i) => (i === dim ? n * size : n))),
  reduceScatter: collective("reduceScatter", (x, { dim, size }) =>
    x.map((n, i) => (i === dim ? n / size : n)),
  ),
  allToAll: collective("allToAll", (x, { from, to, size }) =>
    x.map((n, i) => (i === from ? n * size : i === to ? n / size : n)),
  ),
};

const all = new Set<OpDef>(Object.values(COLLECTIVES));

export const isCollective = (op: OpDef): boolean => all.has(op);
