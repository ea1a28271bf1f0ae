/**
 * Schur complement: blocks that no residual joins with each other (the points of a bundle adjustment) are eliminated by
 * hand: S = H − E·C⁻¹·Eᵀ is a system of the others alone. (Triggs et al. 2000, §6; Lourakis & Argyros 2009, "SBA".)
 */
import type { BlockCholesky } from "./cholesky.js";

/** A block of an eliminated block's row: E, d_kept × d. */
export interface Coupling {
  /** Eliminated block, from 0. */
  readonly point: number;
  /** Kept block. */
  readonly kept: number;
}

export class SchurPart {
  /** d × d of each eliminated block, undamped. */
  readonly c: Float64Array;
  /** All couplings, d_kept × d each, row-major. */
  readonly e: Float64Array;
  readonly gradient: Float64Array;
  readonly cOffset: Int32Array;
  readonly gOffset: Int32Array;
  private readonly start: Int32Array; // first coupling of each point
  private readonly keptOf: Int32Array;
  private readonly eOffset: Int32Array;
  private readonly place: ReadonlyMap<number, number>; // of a coupling, by its key
  private pairAt = new Int32Array(0); // per pair of couplings of a point: offset, stride of the first, stride of the second
  private readonly inverse: Float64Array;

  constructor(
    readonly dims: Int32Array,
    private readonly keptDims: Int32Array,
    private readonly keptOffset: Int32Array,
    couplings: readonly Coupling[],
  ) {
    const n = dims.length;
    const base = keptDims.length;
    const keys = new Set<number>();
    for (const { point, kept } of couplings) keys.add(point * base + kept);
    const sorted = Float64Array.from(keys).sort();
    this.start = new Int32Array(n + 1);
    this.keptOf = new Int32Array(sorted.length);
    this.eOffset = new Int32Array(sorted.length + 1);
    const place = new Map<number, number>();
    sorted.forEach((key, i) => {
      const point = Math.floor(key / base);
      this.keptOf[i] = key % base;
      this.start[point + 1] = i + 1;
      this.eOffset[i + 1] = this.eOffset[i] + keptDims[key % base] * dims[point];
      place.set(key, i);
    });
    for (let p = 0; p < n; p++) this.start[p + 1] = Math.max(this.start[p + 1], this.start[p]);
    this.place = place;
    this.cOffset = new Int32Array(n + 1);
    this.gOffset = new Int32Array(n + 1);
    for (let p = 0; p < n; p++) {
      this.cOffset[p + 1] = this.cOffset[p] + dims[p] ** 2;
      this.gOffset[p + 1] = this.gOffset[p] + dims[p];
    }
    this.c = new Float64Array(this.cOffset[n]);
    this.inverse = new Float64Array(this.cOffset[n]);
    this.e = new Float64Array(this.eOffset[sorted.length]);
    this.gradient = new Float64Array(this.gOffset[n]);
  }

  /** Kept blocks that a point joins become neighbours. */
  joinNeighbours(neighbours: readonly Set<number>[]): void {
    for (let p = 0; p < this.dims.length; p++)
      for (let i = this.start[p]; i < this.start[p + 1]; i++)
        for (let j = this.start[p]; j < i; j++) {
          neighbours[this.keptOf[i]].add(this.keptOf[j]);
          neighbours[this.keptOf[j]].add(this.keptOf[i]);
        }
  }

  /** Looks up where each pair of couplings goes. */
  attach(cholesky: BlockCholesky): void {
    const found: number[] = [];
    for (let p = 0; p < this.dims.length; p++)
      for (let i = this.start[p]; i < this.start[p + 1]; i++)
        for (let j = this.start[p]; j <= i; j++) {
          const { offset, stride, transposed } = cholesky.locate(this.keptOf[i], this.keptOf[j]);
          found.push(offset, transposed ? 1 : stride, transposed ? stride : 1);
        }
    this.pairAt = Int32Array.from(found);
  }

  coupling(point: number, kept: number): number {
    return this.eOffset[this.place.get(point * this.keptDims.length + kept) as number];
  }

  clear(): void {
    this.c.fill(0);
    this.e.fill(0);
    this.gradient.fill(0);
  }

  /**
   * values −= E·C⁻¹·Eᵀ and right −= E·C⁻¹·side, with C damped by `damping` · `scale`.
   * @param right of the kept blocks; `side` of the eliminated ones
   * @returns the point whose C is not positive definite, or −1
   */
  reduce(
    values: Float64Array,
    right: Float64Array,
    side: Float64Array,
    damping: number,
    scale: Float64Array,
  ): number {
    const { dims, start, keptOf, keptDims, eOffset, e, cOffset, gOffset, inverse, pairAt, keptOffset } = this;
    let widest = 0;
    for (let p = 0; p < dims.length; p++) {
      let rows = 0;
      for (let i = start[p]; i < start[p + 1]; i++) rows += keptDims[keptOf[i]];
      widest = Math.max(widest, rows * dims[p]);
    }
    const y = new Float64Array(widest);
    let pair = 0;
    for (let p = 0; p < dims.length; p++) {
      const d = dims[p];
      const c = cOffset[p];
      for (let k = 0; k < d * d; k++) inverse[c + k] = this.c[c + k];
      for (let k = 0; k < d; k++) inverse[c + k * d + k] += damping * scale[gOffset[p] + k];
      if (!invertSymmetric(inverse, c, d)) return p;
      const first = eOffset[start[p]];
      const last = eOffset[start[p + 1]];
      for (let at = first; at < last; at += d)
        for (let b = 0; b < d; b++) {
          let sum = 0;
          for (let k = 0; k < d; k++) sum += e[at + k] * inverse[c + k * d + b];
          y[at - first + b] = sum;
        }
      for (let i = start[p]; i < start[p + 1]; i++) {
        const rows = keptDims[keptOf[i]];
        const yi = eOffset[i] - first;
        const to = keptOffset[keptOf[i]];
        for (let a = 0; a < rows; a++) {
          let sum = 0;
          for (let k = 0; k < d; k++) sum += y[yi + a * d + k] * side[gOffset[p] + k];
          right[to + a] -= sum;
        }
        for (let j = start[p]; j <= i; j++, pair += 3) {
          const columns = keptDims[keptOf[j]];
          const [at, sa, sb] = [pairAt[pair], pairAt[pair + 1], pairAt[pair + 2]];
          if (d === 3) {
            for (let a = 0; a < rows; a++) {
              const from = yi + a * 3;
              const [y0, y1, y2] = [y[from], y[from + 1], y[from + 2]];
              let into = at + a * sa;
              let ej = eOffset[j];
              for (let b = 0; b < columns; b++, into += sb, ej += 3)
                values[into] -= y0 * e[ej] + y1 * e[ej + 1] + y2 * e[ej + 2];
            }
            continue;
          }
          for (let a = 0; a < rows; a++)
            for (let b = 0; b < columns; b++) {
              let sum = 0;
              for (let k = 0; k < d; k++) sum += y[yi + a * d + k] * e[eOffset[j] + b * d + k];
              values[at + a * sa + b * sb] -= sum;
            }
        }
      }
    }
    return -1;
  }

  /** side ← C⁻¹·(side − Eᵀ·kept), after `reduce`. */
  expand(side: Float64Array, kept: Float64Array): void {
    const { dims, start, keptOf, keptDims, eOffset, e, cOffset, gOffset, inverse, keptOffset } = this;
    for (let p = 0; p < dims.length; p++) {
      const d = dims[p];
      const rest = side.slice(gOffset[p], gOffset[p] + d);
      for (let i = start[p]; i < start[p + 1]; i++) {
        const rows = keptDims[keptOf[i]];
        const from = keptOffset[keptOf[i]];
        for (let a = 0; a < rows; a++)
          for (let k = 0; k < d; k++) rest[k] -= e[eOffset[i] + a * d + k] * kept[from + a];
      }
      for (let k = 0; k < d; k++) {
        let sum = 0;
        for (let b = 0; b < d; b++) sum += inverse[cOffset[p] + k * d + b] * rest[b];
        side[gOffset[p] + k] = sum;
      }
    }
  }
}

/** A pivot below this part of its diagonal's element counts as 0. */
const SMALLEST_PIVOT = 1e-14;

/** A d × d symmetric positive definite matrix becomes its inverse (Gauss–Jordan without exchanges). False if it is none. */
export function invertSymmetric(a: Float64Array, at: number, d: number): boolean {
  const diagonal = new Float64Array(d);
  for (let k = 0; k < d; k++) diagonal[k] = a[at + k * d + k];
  for (let k = 0; k < d; k++) {
    const pivot = a[at + k * d + k];
    if (!(pivot > SMALLEST_PIVOT * diagonal[k])) return false;
    const scale = 1 / pivot;
    a[at + k * d + k] = 1;
    for (let j = 0; j < d; j++) a[at + k * d + j] *= scale;
    for (let i = 0; i < d; i++) {
      if (i === k) continue;
      const factor = a[at + i * d + k];
      a[at + i * d + k] = 0;
      for (let j = 0; j < d; j++) a[at + i * d + j] -= factor * a[at + k * d + j];
    }
  }
  return true;
}
