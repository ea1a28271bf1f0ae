/** Between how tensors lie and how an op's factors are cut. */
import type { LogicalMesh } from "./mesh.js";
import type { DimFactors, OpRule } from "./rules/rule.js";
import type { Sharding } from "./sharding.js";

/** Mesh axes that cut each factor of an op's rule. */
export type FactorAxes = readonly (readonly string[])[];

type Dims = Sharding["dims"];

/** Which axes a tensor's sharding asks of each factor; what can't be said by factors is left out. */
export function factorsOf(
  mesh: LogicalMesh,
  rule: OpRule,
  tensor: DimFactors,
  dims: Dims,
): Map<number, readonly string[]> {
  const found = new Map<number, readonly string[]>();
  tensor.forEach((factors, i) => {
    const axes = [...dims[i]];
    for (const factor of factors) {
      let rest = rule.factors[factor].size;
      const taken: string[] = [];
      while (axes.length > 0 && rest % mesh.sizeOf(axes[0]) === 0) {
        const axis = axes.shift() as string;
        rest /= mesh.sizeOf(axis);
        taken.push(axis);
      }
      if (taken.length > 0 && rule.factors[factor].kind !== "whole") found.set(factor, taken);
      if (rest > 1) break; // the next factor is inside of this one
    }
  });
  return found;
}

/** How a tensor lies when the factors are cut so. */
export function dimsOf(tensor: DimFactors, axes: FactorAxes): Dims {
  return tensor.map((factors) => factors.flatMap((factor) => axes[factor]));
}

/**
 * The cuts that every tensor of the op can have: factors divide evenly, and where a dimension has several factors, one inside
 * is cut only if those around it are cut up (else its parts would not be contiguous).
 */
export function legal(mesh: LogicalMesh, rule: OpRule, axes: FactorAxes): FactorAxes {
  const cut = axes.map((list, f) => {
    const { size, kind } = rule.factors[f];
    if (kind === "whole") return [];
    let rest = size;
    const end = list.findIndex((axis) => {
      if (rest % mesh.sizeOf(axis) !== 0) return true;
      rest /= mesh.sizeOf(axis);
      return false;
    });
    return end < 0 ? [...list] : list.slice(0, end);
  });
  for (let changed = true; changed; ) {
    changed = false;
    for (const tensor of [...rule.inputs, ...rule.outputs]) {
      for (const factors of tensor) {
        let full = true;
        for (const factor of factors) {
          if (!full && cut[factor].length > 0) {
            cut[factor] = [];
            changed = true;
          }
          full &&= mesh.count(cut[factor]) === rule.factors[factor].size;
        }
      }
    }
  }
  return cut;
}

/** What one tensor proposes, and how much that weighs. */
export interface Proposal {
  readonly factors: ReadonlyMap<number, readonly string[]>;
  /** Bytes of the whole tensor: the larger one stays where it is. */
  readonly weight: number;
}

/**
 * One cut for all: of proposals for a factor the longest wins, then the heavier; an axis that two factors want goes to the
 * heavier.
 */
export function merged(mesh: LogicalMesh, rule: OpRule, proposals: readonly Proposal[]): FactorAxes {
  const best = rule.factors.map((_, f) => {
    let won: { axes: readonly string[]; weight: number } = { axes: [], weight: -1 };
    for (const { factors, weight } of proposals) {
      const axes = factors.get(f) ?? [];
      const longer = axes.length - won.axes.length;
      if (axes.length > 0 && (longer > 0 || (longer === 0 && weight > won.weight))) won = { axes, weight };
    }
    return won;
  });
  const order = best.map((_, f) => f).sort((f, g) => best[g].weight - best[f].weight || f - g);
  const taken = new Set<string>();
  const axes = best.map((): readonly string[] => []);
  for (const f of order) {
    const end = best[f].axes.findIndex((axis) => taken.has(axis));
    axes[f] = end < 0 ? best[f].axes : best[f].axes.slice(0, end);
    for (const axis of axes[f]) taken.add(axis);
  }
  return legal(mesh, rule, axes);
}
