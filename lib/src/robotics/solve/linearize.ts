/** One set of residuals at the present values: weighted Jacobians in the tangent spaces of its blocks. */
import { costOfResiduals, gather, type ResidualSet } from "./problem.js";
import type { ResidualOutput } from "./residual.js";

export interface Linearization {
  /** count × size. */
  readonly residuals: Float64Array;
  /** Per slot: count × size × tangent; `null` if all of its blocks are constant. */
  readonly jacobians: readonly (Float64Array | null)[];
  /** Per residual: what its loss leaves of it. `null`: all of it. */
  readonly weights: Float64Array | null;
  readonly cost: number;
}

/** Keeps its arrays between calls. */
export class Linearizer {
  private readonly residuals: Float64Array;
  private readonly raw: (Float64Array | null)[];
  private readonly local: (Float64Array | null)[];

  constructor(
    readonly set: ResidualSet,
    /** Slots that hold a free block somewhere. */
    free: readonly boolean[],
  ) {
    const { kind, count, groups } = set;
    this.residuals = new Float64Array(count * kind.size);
    const columns = groups.map(({ manifold }) => (kind.tangent ? manifold.tangent : manifold.ambient));
    this.raw = columns.map((n, k) => (free[k] ? new Float64Array(count * kind.size * n) : null));
    this.local = groups.map(({ manifold }, k) =>
      kind.tangent || !manifold.plusJacobian
        ? this.raw[k]
        : free[k]
          ? new Float64Array(count * kind.size * manifold.tangent)
          : null,
    );
  }

  at(): Linearization {
    const { set, residuals, raw, local } = this;
    const { kind, count, loss } = set;
    const out: ResidualOutput = { residuals, jacobians: raw };
    const batch = gather(set);
    kind.evaluate(batch, out);
    raw.forEach((jacobian, k) => {
      const to = local[k];
      if (jacobian && to && to !== jacobian) this.bringToTangent(k, batch.parameters[k], jacobian, to);
    });
    let weights: Float64Array | null = null;
    if (loss) {
      weights = new Float64Array(count);
      for (let i = 0; i < count; i++) {
        let s = 0;
        for (let j = 0; j < kind.size; j++) s += residuals[i * kind.size + j] ** 2;
        weights[i] = loss.weight(s);
      }
    }
    return { residuals, jacobians: local, weights, cost: costOfResiduals(residuals, kind.size, loss) };
  }

  /** Chain rule: ∂r/∂step = ∂r/∂x · ∂(x ⊞ step)/∂step. */
  private bringToTangent(k: number, rows: Float64Array, from: Float64Array, to: Float64Array): void {
    const { kind, count, groups } = this.set;
    const { ambient, tangent, plusJacobian } = groups[k].manifold;
    const plus = new Float64Array(ambient * tangent);
    for (let i = 0; i < count; i++) {
      plusJacobian?.(rows, i * ambient, plus);
      for (let j = 0; j < kind.size; j++) {
        const at = (i * kind.size + j) * ambient;
        const into = (i * kind.size + j) * tangent;
        for (let c = 0; c < tangent; c++) {
          let sum = 0;
          for (let a = 0; a < ambient; a++) sum += from[at + a] * plus[a * tangent + c];
          to[into + c] = sum;
        }
      }
    }
  }
}
