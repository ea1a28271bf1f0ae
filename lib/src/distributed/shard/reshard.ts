/**
 * Resharding: the cheapest sequence of collectives that takes a value from one sharding to another. Shardings are the
 * nodes of a graph whose edges are single collectives with their cost; the way through it is Dijkstra's.
 */
import { bytesPerElement } from "../../core/dtype.js";
import { type Shape, sizeOf, type TensorType } from "../../core/shape.js";
import { type ClusterCost, type CollectiveName, collectiveCost, DEFAULT_CLUSTER } from "./cost.js";
import type { LogicalMesh } from "./mesh.js";
import { formatDims, keyOf, localShape, type Sharding } from "./sharding.js";

/** One step. `slice` keeps a part of what the device has, `mask` makes a whole value a term of a sum: both are local. */
export type ReshardStep =
  | { readonly kind: "allReduce"; readonly axes: readonly string[] }
  | { readonly kind: "reduceScatter"; readonly axes: readonly string[]; readonly dim: number }
  | { readonly kind: "allGather"; readonly axes: readonly string[]; readonly dim: number }
  | {
      readonly kind: "allToAll";
      readonly axes: readonly string[];
      readonly from: number;
      readonly to: number;
    }
  | { readonly kind: "slice"; readonly axes: readonly string[]; readonly dim: number }
  | { readonly kind: "mask"; readonly axes: readonly string[] };

export interface Resharding {
  readonly steps: readonly ReshardStep[];
  /** How the value lies after each step. */
  readonly states: readonly Sharding[];
  /** Seconds. */
  readonly cost: number;
}

/** Local steps are not quite free: fewer of them are better. */
const LOCAL = 1e-9;

interface Edge {
  readonly step: ReshardStep;
  readonly to: Sharding;
  readonly cost: number;
}

const withDim = (s: Sharding, dim: number, axes: readonly string[]): Sharding => ({
  ...s,
  dims: s.dims.map((old, i) => (i === dim ? axes : old)),
});

/** The ways to take some of the axes, in their order. */
function parts(axes: readonly string[]): string[][] {
  const found: string[][] = [];
  for (let bits = 1; bits < 1 << axes.length; bits++) found.push(axes.filter((_, i) => (bits >> i) & 1));
  return found;
}

/** Every collective that can follow. Axes come off a dimension, and go to it, at its innermost end. */
function edges(
  mesh: LogicalMesh,
  cluster: ClusterCost,
  type: TensorType,
  from: Sharding,
  target: Sharding,
): Edge[] {
  const local = localShape(mesh, type.shape, from);
  const bytes = sizeOf(local) * bytesPerElement(type.dtype);
  const found: Edge[] = [];
  const add = (step: ReshardStep, to: Sharding): void => {
    const cost =
      step.kind === "slice" || step.kind === "mask"
        ? LOCAL
        : collectiveCost(mesh, cluster, step.kind satisfies CollectiveName, step.axes, bytes) + LOCAL;
    found.push({ step, to, cost });
  };
  const fits = (dim: number, axes: readonly string[]): boolean => local[dim] % mesh.count(axes) === 0;
  for (const axes of parts(from.partial)) {
    const partial = from.partial.filter((axis) => !axes.includes(axis));
    add({ kind: "allReduce", axes }, { ...from, partial });
    from.dims.forEach((old, dim) => {
      if (fits(dim, axes))
        add({ kind: "reduceScatter", axes, dim }, { ...withDim(from, dim, [...old, ...axes]), partial });
    });
  }
  from.dims.forEach((old, dim) => {
    for (let keep = 0; keep < old.length; keep++) {
      const axes = old.slice(keep);
      const less = withDim(from, dim, old.slice(0, keep));
      add({ kind: "allGather", axes, dim }, less);
      from.dims.forEach((other, to) => {
        if (to !== dim && fits(to, axes))
          add({ kind: "allToAll", axes, from: dim, to }, withDim(less, to, [...other, ...axes]));
      });
    }
  });
  const used = new Set([...from.dims.flat(), ...from.partial]);
  for (const axis of [...target.dims.flat(), ...target.partial]) {
    if (used.has(axis)) continue;
    from.dims.forEach((old, dim) => {
      if (fits(dim, [axis])) add({ kind: "slice", axes: [axis], dim }, withDim(from, dim, [...old, axis]));
    });
    if (target.partial.includes(axis))
      add({ kind: "mask", axes: [axis] }, { ...from, partial: [...from.partial, axis] });
  }
  return found;
}

const cache = new WeakMap<LogicalMesh, WeakMap<ClusterCost, Map<string, Resharding>>>();

/**
 * The cheapest way from one sharding to another.
 * @example distributed.reshard(distributed.logicalMesh({ x: 4 }), { shape: [8, 8], dtype: "float32" }, { dims: [["x"], []], partial: [] }, { dims: [[], ["x"]], partial: [] }).steps[0].kind // "allToAll"
 */
export function reshard(
  mesh: LogicalMesh,
  type: TensorType,
  from: Sharding,
  to: Sharding,
  cluster: ClusterCost = DEFAULT_CLUSTER,
): Resharding {
  const key = `${type.dtype} ${type.shape.join()} ${keyOf(from)} ${keyOf(to)}`;
  const perMesh = cache.get(mesh) ?? new WeakMap<ClusterCost, Map<string, Resharding>>();
  cache.set(mesh, perMesh);
  const known = perMesh.get(cluster) ?? new Map<string, Resharding>();
  perMesh.set(cluster, known);
  const found = known.get(key) ?? search(mesh, type, from, to, cluster);
  known.set(key, found);
  return found;
}

function search(
  mesh: LogicalMesh,
  type: TensorType,
  from: Sharding,
  to: Sharding,
  cluster: ClusterCost,
): Resharding {
  interface Reached {
    readonly state: Sharding;
    readonly cost: number;
    readonly before: Reached | null;
    readonly step: ReshardStep | null;
  }
  const goal = keyOf(to);
  const done = new Set<string>();
  const open: Reached[] = [{ state: from, cost: 0, before: null, step: null }];
  while (open.length > 0) {
    let at = 0;
    for (let i = 1; i < open.length; i++) if (open[i].cost < open[at].cost) at = i;
    const [here] = open.splice(at, 1);
    const key = keyOf(here.state);
    if (done.has(key)) continue;
    done.add(key);
    if (key === goal) {
      const steps: ReshardStep[] = [];
      const states: Sharding[] = [];
      for (let r: Reached | null = here; r?.step; r = r.before) {
        steps.unshift(r.step);
        states.unshift(r.state);
      }
      return { steps, states, cost: here.cost };
    }
    for (const { step, to: next, cost } of edges(mesh, cluster, type, here.state, to))
      if (!done.has(keyOf(next))) open.push({ state: next, cost: here.cost + cost, before: here, step });
  }
  throw new Error(
    `no way from ${formatDims(from)} to ${formatDims(to)} for (${(type.shape as Shape).join(", ")})`,
  );
}

/**
 * A step for readers.
 * @example distributed.formatStep({ kind: "allGather", axes: ["data"], dim: 0 }) // "allGather(data) of axis 0"
 */
export function formatStep(step: ReshardStep): string {
  const axes = step.axes.join("·");
  switch (step.kind) {
    case "allToAll":
      return `allToAll(${axes}) from axis ${step.from} to axis ${step.to}`;
    case "allReduce":
    case "mask":
      return `${step.kind}(${axes})`;
    default:
      return `${step.kind}(${axes}) of axis ${step.dim}`;
  }
}
