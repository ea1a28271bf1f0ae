/** The normal equations JᵀWJ·δ = −JᵀWr of a problem: structure once, numbers at each linearization. */
import { MlsysError, ValueError } from "../../core/errors.js";
import { FreeBlocks } from "./blocks.js";
import { BlockCholesky, SingularError } from "./cholesky.js";
import { type Linearization, Linearizer } from "./linearize.js";
import type { ParameterGroup, Problem, ResidualSet } from "./problem.js";
import { type Coupling, SchurPart } from "./schur.js";

/** The residuals leave a direction undetermined: the sum of squares does not change along it. */
export class RankDeficiencyError extends MlsysError {
  override name = "RankDeficiencyError";

  constructor(
    /** The block that is not determined by those before it, as "poses[3]". */
    readonly parameter: string,
    /** Which of its degrees of freedom. */
    readonly component: number,
  ) {
    super(
      `degree of freedom ${component} of ${parameter} is not determined by the residuals (the normal equations are singular there); hold a block constant, add a prior, or use Levenberg–Marquardt`,
    );
  }
}

/** Where the products of two slots' Jacobians are added up, per residual. */
interface Pair {
  readonly k: number;
  readonly l: number;
  /** 0: kept with kept; 1: slot k kept, l eliminated; 2: eliminated with itself; −1: nothing. */
  readonly target: Int8Array;
  readonly offset: Int32Array;
  readonly strideK: Int32Array;
  readonly strideL: Int32Array;
}

interface SetPlan {
  readonly set: ResidualSet;
  readonly linearizer: Linearizer;
  readonly ids: readonly Int32Array[];
  readonly pairs: readonly Pair[];
}

export class NormalEquations {
  readonly blocks: FreeBlocks;
  readonly cholesky: BlockCholesky;
  /** JᵀWr, in the order of `blocks`. */
  readonly gradient: Float64Array;
  /** Diagonal of JᵀWJ. */
  readonly diagonal: Float64Array;
  private readonly h: Float64Array; // of the kept blocks, laid out as the factor
  private readonly diagonalAt: Int32Array;
  private readonly schur: SchurPart | null;
  private readonly plans: SetPlan[];

  /** @throws ValueError if a residual joins two blocks that are to be eliminated. */
  constructor(problem: Problem, eliminate: readonly ParameterGroup[] = []) {
    const blocks = new FreeBlocks(problem, eliminate);
    this.blocks = blocks;
    const { kept, all } = blocks;
    const ids = problem.sets.map((set) =>
      set.blocks.map((list, k) => list.map((i) => blocks.id(set.groups[k], i))),
    );
    const neighbours: Set<number>[] = Array.from({ length: kept }, () => new Set());
    const couplings: Coupling[] = [];
    problem.sets.forEach((set, s) => {
      for (let i = 0; i < set.count; i++)
        for (let k = 0; k < ids[s].length; k++)
          for (let l = 0; l < k; l++) {
            const [a, b] = [ids[s][k][i], ids[s][l][i]];
            if (a < 0 || b < 0 || a === b) continue;
            if (a >= kept && b >= kept)
              throw new ValueError(
                `${set.kind.name}: residual ${i} joins ${blocks.name(a)} and ${blocks.name(b)}, which can't both be eliminated`,
              );
            if (a < kept && b < kept) {
              neighbours[a].add(b);
              neighbours[b].add(a);
            } else couplings.push({ point: Math.max(a, b) - kept, kept: Math.min(a, b) });
          }
    });
    const dims = Int32Array.from(all, (block) => block.dim);
    const keptDims = dims.subarray(0, kept);
    const offsets = Int32Array.from(all, (block) => block.offset);
    this.schur =
      kept < all.length
        ? new SchurPart(dims.subarray(kept), keptDims, offsets.subarray(0, kept), couplings)
        : null;
    this.schur?.joinNeighbours(neighbours);
    this.cholesky = new BlockCholesky(keptDims, neighbours);
    this.schur?.attach(this.cholesky);
    this.h = new Float64Array(this.cholesky.values.length);
    this.gradient = new Float64Array(blocks.size);
    this.diagonal = new Float64Array(blocks.size);
    this.diagonalAt = new Int32Array(blocks.keptSize);
    for (let b = 0; b < kept; b++) {
      const { offset, stride } = this.cholesky.locate(b, b);
      for (let i = 0; i < dims[b]; i++) this.diagonalAt[offsets[b] + i] = offset + i * (stride + 1);
    }
    this.plans = problem.sets.map((set, s) => this.plan(set, ids[s]));
  }

  /** Evaluates residuals and Jacobians at the present values. Returns the cost. */
  linearize(): number {
    this.h.fill(0);
    this.gradient.fill(0);
    this.schur?.clear();
    let cost = 0;
    for (const plan of this.plans) {
      const linear = plan.linearizer.at();
      cost += linear.cost;
      for (const pair of plan.pairs) this.addProducts(plan.set, pair, linear);
      this.addGradients(plan, linear);
    }
    const { keptSize } = this.blocks;
    for (let i = 0; i < keptSize; i++) this.diagonal[i] = this.h[this.diagonalAt[i]];
    const { schur } = this;
    if (schur)
      schur.dims.forEach((d, p) => {
        for (let i = 0; i < d; i++)
          this.diagonal[keptSize + schur.gOffset[p] + i] = schur.c[schur.cOffset[p] + i * (d + 1)];
      });
    return cost;
  }

  /**
   * Factors JᵀWJ + damping·diag(scale). Must come before `solve`.
   * @throws RankDeficiencyError with the block, if a pivot is not positive, or below `tolerance` of its diagonal element.
   */
  factor(damping = 0, scale = this.diagonal, tolerance = 1e-12): void {
    this.solved(null, damping, scale, tolerance);
  }

  /** The step δ for the present gradient: (JᵀWJ + damping·diag(scale))·δ = −JᵀWr. Throws as `factor` does. */
  step(damping = 0, scale = this.diagonal, tolerance = 1e-12): Float64Array {
    const right = this.gradient.map((x) => -x);
    this.solved(right, damping, scale, tolerance);
    return right;
  }

  private solved(right: Float64Array | null, damping: number, scale: Float64Array, tolerance: number): void {
    const { cholesky, schur, blocks } = this;
    const { keptSize } = blocks;
    const values = cholesky.values;
    values.set(this.h);
    if (damping > 0) for (let i = 0; i < keptSize; i++) values[this.diagonalAt[i]] += damping * scale[i];
    const kept = right ? right.subarray(0, keptSize) : new Float64Array(keptSize);
    const side = right ? right.subarray(keptSize) : new Float64Array(blocks.size - keptSize);
    if (schur) {
      const failed = schur.reduce(values, kept, side, damping, scale.subarray(keptSize));
      if (failed >= 0) throw new RankDeficiencyError(blocks.name(blocks.kept + failed), 0);
    }
    try {
      cholesky.factor(tolerance);
    } catch (error) {
      if (!(error instanceof SingularError)) throw error;
      throw new RankDeficiencyError(blocks.name(error.block), error.component);
    }
    if (!right) return;
    cholesky.solve(kept);
    schur?.expand(side, kept);
  }

  private plan(set: ResidualSet, ids: readonly Int32Array[]): SetPlan {
    const { blocks, cholesky, schur } = this;
    const free = ids.map((list) => list.some((id) => id >= 0));
    const pairs: Pair[] = [];
    for (let k = 0; k < ids.length; k++)
      for (let l = 0; l < ids.length; l++) {
        if (!free[k] || !free[l]) continue;
        const pair: Pair = {
          k,
          l,
          target: new Int8Array(set.count).fill(-1),
          offset: new Int32Array(set.count),
          strideK: new Int32Array(set.count),
          strideL: new Int32Array(set.count),
        };
        let any = false;
        for (let i = 0; i < set.count; i++) {
          const [a, b] = [ids[k][i], ids[l][i]];
          if (a < 0 || b < 0) continue;
          const keptA = a < blocks.kept;
          const keptB = b < blocks.kept;
          if (keptA && keptB) {
            if (l > k && a !== b) continue; // once for each pair of blocks
            const { offset, stride, transposed } = cholesky.locate(a, b);
            pair.target[i] = 0;
            pair.offset[i] = offset;
            pair.strideK[i] = transposed ? 1 : stride;
            pair.strideL[i] = transposed ? stride : 1;
          } else if (keptA && schur) {
            pair.target[i] = 1;
            pair.offset[i] = schur.coupling(b - blocks.kept, a);
            pair.strideK[i] = blocks.all[b].dim;
            pair.strideL[i] = 1;
          } else if (a === b && schur) {
            pair.target[i] = 2;
            pair.offset[i] = schur.cOffset[a - blocks.kept];
            pair.strideK[i] = blocks.all[a].dim;
            pair.strideL[i] = 1;
          } else continue;
          any = true;
        }
        if (any) pairs.push(pair);
      }
    return { set, linearizer: new Linearizer(set, free), ids, pairs };
  }

  /** += w·J_kᵀ·J_l, residual by residual. */
  private addProducts(set: ResidualSet, pair: Pair, { jacobians, weights }: Linearization): void {
    const { k, l, target, offset, strideK, strideL } = pair;
    const [jk, jl] = [jacobians[k] as Float64Array, jacobians[l] as Float64Array];
    const m = set.kind.size;
    const [dk, dl] = [set.groups[k].manifold.tangent, set.groups[l].manifold.tangent];
    const targets = [this.h, this.schur?.e, this.schur?.c];
    for (let i = 0; i < set.count; i++) {
      if (target[i] < 0) continue;
      const out = targets[target[i]] as Float64Array;
      const weight = weights ? weights[i] : 1;
      const [sk, sl] = [strideK[i], strideL[i]];
      for (let row = 0; row < m; row++) {
        const atK = (i * m + row) * dk;
        const atL = (i * m + row) * dl;
        for (let a = 0; a < dk; a++) {
          const x = weight * jk[atK + a];
          if (x === 0) continue;
          let to = offset[i] + a * sk;
          for (let b = 0; b < dl; b++, to += sl) out[to] += x * jl[atL + b];
        }
      }
    }
  }

  private addGradients({ set, ids }: SetPlan, { residuals, jacobians, weights }: Linearization): void {
    const m = set.kind.size;
    const { all } = this.blocks;
    ids.forEach((list, k) => {
      const jacobian = jacobians[k];
      if (!jacobian) return;
      const d = set.groups[k].manifold.tangent;
      for (let i = 0; i < set.count; i++) {
        const id = list[i];
        if (id < 0) continue;
        const weight = weights ? weights[i] : 1;
        const to = all[id].offset;
        for (let row = 0; row < m; row++) {
          const r = weight * residuals[i * m + row];
          const at = (i * m + row) * d;
          for (let a = 0; a < d; a++) this.gradient[to + a] += jacobian[at + a] * r;
        }
      }
    });
  }
}
