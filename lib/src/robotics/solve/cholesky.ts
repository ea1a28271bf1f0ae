/**
 * Sparse Cholesky factors A = L·Lᵀ of block matrices, supernodal and left-looking: columns with equal structure form dense
 * panels, so that the inner loops run over rows of memory. (Davis, "Direct methods for sparse linear systems", 2006, ch. 4;
 * Chen et al., "CHOLMOD", 2008.)
 */
import { MlsysError } from "../../core/errors.js";
import { minimumDegree } from "./ordering.js";

/** A pivot that is not positive: the matrix is singular, or nearly. */
export class SingularError extends MlsysError {
  override name = "SingularError";

  constructor(
    message: string,
    /** Block of the matrix in which it happened, as its user counts them. */
    readonly block: number,
    /** Row inside the block. */
    readonly component: number,
  ) {
    super(message);
  }
}

/** Panels do not grow wider than this: their rows stay in the first cache. */
const WIDEST = 96;

/** The structure of a symmetric block matrix, with its order of elimination, and storage for the lower triangle of A, then L. */
export class BlockCholesky {
  /** Scalar rows and columns. */
  readonly size: number;
  /** Values of the panels, one after the other, each row-major. */
  readonly values: Float64Array;
  /** Blocks, first to be eliminated first. */
  readonly order: Int32Array;
  private readonly place: Int32Array; // of a block in the order
  private readonly start: Int32Array; // first scalar row of block k of the order
  private readonly panelOf: Int32Array; // of a block of the order
  private readonly panels: Panel[] = [];
  private readonly row: Int32Array; // scratch: where a scalar row is in the panel that is being computed

  /**
   * @param dims scalar rows of each block
   * @param neighbours for each block the blocks that it shares a nonzero block of A with, in both directions
   */
  constructor(
    readonly dims: ArrayLike<number>,
    neighbours: readonly ReadonlySet<number>[],
  ) {
    const n = dims.length;
    const { order, structure, parent } = analyse(neighbours);
    this.order = order;
    this.place = new Int32Array(n);
    this.start = new Int32Array(n + 1);
    order.forEach((block, k) => {
      this.place[block] = k;
      this.start[k + 1] = this.start[k] + dims[block];
    });
    this.size = this.start[n];
    this.panelOf = new Int32Array(n);
    let total = 0;
    for (let k = 0; k < n; ) {
      let end = k + 1;
      let width = dims[order[k]];
      while (
        end < n &&
        parent[end - 1] === end &&
        structure[end].length === structure[end - 1].length - 1 &&
        width + dims[order[end]] <= WIDEST
      )
        width += dims[order[end++]];
      const below = structure[end - 1];
      let height = width;
      for (const b of below) height += dims[order[b]];
      const rows = new Int32Array(height);
      let at = 0;
      for (let s = this.start[k]; s < this.start[end]; s++) rows[at++] = s;
      for (const b of below) for (let s = this.start[b]; s < this.start[b + 1]; s++) rows[at++] = s;
      for (let b = k; b < end; b++) this.panelOf[b] = this.panels.length;
      this.panels.push({ first: this.start[k], width, height, rows, offset: total });
      total += height * width;
      k = end;
    }
    this.values = new Float64Array(total);
    this.row = new Int32Array(this.size).fill(-1);
  }

  /** Where block (i, j) of A is kept. Its rows are those of `i` unless `transposed`; rows are `stride` numbers apart. */
  locate(i: number, j: number): { offset: number; stride: number; transposed: boolean } {
    const transposed = this.place[i] < this.place[j];
    const [lower, upper] = transposed ? [this.place[j], this.place[i]] : [this.place[i], this.place[j]];
    const panel = this.panels[this.panelOf[upper]];
    const wanted = this.start[lower];
    let [low, high] = [0, panel.height - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (panel.rows[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    const offset = panel.offset + low * panel.width + this.start[upper] - panel.first;
    return { offset, stride: panel.width, transposed };
  }

  /**
   * A in `values` becomes L.
   * @param tolerance a pivot below this part of the diagonal's element counts as 0
   * @throws SingularError at the first pivot that is not positive.
   */
  factor(tolerance = 0): void {
    const { panels, values, row } = this;
    const waiting: number[][] = panels.map(() => []); // panels whose next rows lie in this one
    const next = new Int32Array(panels.length);
    const panelOfRow = new Int32Array(this.size);
    for (const [p, { first, width }] of panels.entries()) panelOfRow.fill(p, first, first + width);
    for (let p = 0; p < panels.length; p++) {
      const panel = panels[p];
      const { first, width, height, rows, offset } = panel;
      for (let i = 0; i < height; i++) row[rows[i]] = i;
      const diagonal = Float64Array.from({ length: width }, (_, i) => values[offset + i * width + i]);
      for (const d of waiting[p]) {
        const from = panels[d];
        const begin = next[d];
        let end = begin;
        while (end < from.height && from.rows[end] < first + width) end++;
        subtract(values, from, begin, end, panel, row);
        next[d] = end;
        if (end < from.height) waiting[panelOfRow[from.rows[end]]].push(d);
      }
      const failed = factorPanel(values, panel, diagonal, tolerance);
      if (failed >= 0) this.fail(first + failed, values[offset + failed * width + failed], diagonal[failed]);
      next[p] = width;
      if (height > width) waiting[panelOfRow[rows[width]]].push(p);
    }
  }

  /** x ← A⁻¹·x, after `factor`; x is in the caller's order of blocks. */
  solve(x: Float64Array): void {
    const { order, start, dims, panels, values } = this;
    const begin = new Int32Array(order.length + 1);
    for (let b = 0; b < order.length; b++) begin[b + 1] = begin[b] + dims[b];
    const y = new Float64Array(this.size);
    order.forEach((block, k) => {
      for (let i = 0; i < dims[block]; i++) y[start[k] + i] = x[begin[block] + i];
    });
    for (const { first, width, height, rows, offset } of panels) {
      for (let i = 0; i < height; i++) {
        const at = offset + i * width;
        const last = Math.min(i, width);
        let sum = 0;
        for (let k = 0; k < last; k++) sum += values[at + k] * y[first + k];
        if (i < width) y[first + i] = (y[first + i] - sum) / values[at + i];
        else y[rows[i]] -= sum;
      }
    }
    for (let p = panels.length - 1; p >= 0; p--) {
      const { first, width, height, rows, offset } = panels[p];
      for (let i = height - 1; i >= 0; i--) {
        const at = offset + i * width;
        if (i < width) y[first + i] /= values[at + i];
        const value = y[rows[i]];
        const last = Math.min(i, width);
        for (let k = 0; k < last; k++) y[first + k] -= values[at + k] * value;
      }
    }
    order.forEach((block, k) => {
      for (let i = 0; i < dims[block]; i++) x[begin[block] + i] = y[start[k] + i];
    });
  }

  private fail(scalar: number, pivot: number, diagonal: number): never {
    let k = 0;
    while (this.start[k + 1] <= scalar) k++;
    throw new SingularError(
      `the normal equations are singular in row ${scalar - this.start[k]} of block ${this.order[k]}: pivot ${pivot.toExponential(2)} of diagonal ${diagonal.toExponential(2)}`,
      this.order[k],
      scalar - this.start[k],
    );
  }
}

interface Panel {
  /** First scalar column. */
  readonly first: number;
  readonly width: number;
  readonly height: number;
  /** Scalar row of each of its rows; the first `width` are the diagonal's. */
  readonly rows: Int32Array;
  readonly offset: number;
}

/** panel −= L_d·L_dᵀ for the rows of panel d from `begin` on, and of those up to `end` as columns. */
function subtract(
  values: Float64Array,
  from: Panel,
  begin: number,
  end: number,
  panel: Panel,
  row: Int32Array,
): void {
  const { width: w, offset: base, rows } = from;
  const { width, offset, first } = panel;
  let j = begin;
  for (; j + 1 < end; j += 2) {
    const b0 = base + j * w;
    const b1 = b0 + w;
    const c0 = rows[j] - first;
    const c1 = rows[j + 1] - first;
    let i = j; // element (j, j + 1) lies above the diagonal and is written for nothing
    for (; i + 1 < from.height; i += 2) {
      const a0 = base + i * w;
      const a1 = a0 + w;
      let [s00, s01, s10, s11] = [0, 0, 0, 0];
      for (let k = 0; k < w; k++) {
        const [x0, x1, y0, y1] = [values[a0 + k], values[a1 + k], values[b0 + k], values[b1 + k]];
        s00 += x0 * y0;
        s01 += x0 * y1;
        s10 += x1 * y0;
        s11 += x1 * y1;
      }
      const r0 = offset + row[rows[i]] * width;
      const r1 = offset + row[rows[i + 1]] * width;
      values[r0 + c0] -= s00;
      values[r0 + c1] -= s01;
      values[r1 + c0] -= s10;
      values[r1 + c1] -= s11;
    }
    if (i < from.height) {
      const a0 = base + i * w;
      let [s0, s1] = [0, 0];
      for (let k = 0; k < w; k++) {
        s0 += values[a0 + k] * values[b0 + k];
        s1 += values[a0 + k] * values[b1 + k];
      }
      const r0 = offset + row[rows[i]] * width;
      values[r0 + c0] -= s0;
      values[r0 + c1] -= s1;
    }
  }
  if (j < end) {
    const b = base + j * w;
    const c = rows[j] - first;
    for (let i = j; i < from.height; i++) {
      const a = base + i * w;
      let sum = 0;
      for (let k = 0; k < w; k++) sum += values[a + k] * values[b + k];
      values[offset + row[rows[i]] * width + c] -= sum;
    }
  }
}

/** Dense Cholesky of the diagonal part, then the rows below. Returns the column that failed, or −1. */
function factorPanel(
  values: Float64Array,
  { width, height, offset }: Panel,
  diagonal: Float64Array,
  tolerance: number,
): number {
  for (let i = 0; i < height; i++) {
    const a = offset + i * width;
    const last = Math.min(i, width);
    for (let j = 0; j < last; j++) {
      const b = offset + j * width;
      let sum = values[a + j];
      for (let k = 0; k < j; k++) sum -= values[a + k] * values[b + k];
      values[a + j] = sum / values[b + j];
    }
    if (i >= width) continue;
    let pivot = values[a + i];
    for (let k = 0; k < i; k++) pivot -= values[a + k] ** 2;
    values[a + i] = pivot;
    if (!(pivot > tolerance * diagonal[i])) return i;
    values[a + i] = Math.sqrt(pivot);
  }
  return -1;
}

interface Analysis {
  readonly order: Int32Array;
  /** Block rows of L below the diagonal, ascending, by place in the order. */
  readonly structure: readonly Int32Array[];
  /** Of each place in the elimination tree; −1 for roots. */
  readonly parent: Int32Array;
}

/** Order, elimination tree (in postorder) and structure of L. */
function analyse(neighbours: readonly ReadonlySet<number>[]): Analysis {
  const n = neighbours.length;
  const first = minimumDegree(neighbours);
  const order = Int32Array.from(postorder(eliminationTree(neighbours, first)), (k) => first[k]);
  const parent = eliminationTree(neighbours, order);
  const place = new Int32Array(n);
  order.forEach((block, k) => {
    place[block] = k;
  });
  const children: number[][] = Array.from({ length: n }, () => []);
  parent.forEach((p, k) => {
    if (p >= 0) children[p].push(k);
  });
  const mark = new Int32Array(n).fill(-1);
  const structure: Int32Array[] = [];
  for (let k = 0; k < n; k++) {
    const rows: number[] = [];
    const join = (r: number): void => {
      if (r <= k || mark[r] === k) return;
      mark[r] = k;
      rows.push(r);
    };
    for (const j of neighbours[order[k]]) join(place[j]);
    for (const child of children[k]) for (const r of structure[child]) join(r);
    structure.push(Int32Array.from(rows).sort());
  }
  return { order, structure, parent };
}

/** Liu's algorithm with path compression. */
function eliminationTree(neighbours: readonly ReadonlySet<number>[], order: Int32Array): Int32Array {
  const n = order.length;
  const place = new Int32Array(n);
  order.forEach((block, k) => {
    place[block] = k;
  });
  const parent = new Int32Array(n).fill(-1);
  const ancestor = new Int32Array(n).fill(-1);
  for (let k = 0; k < n; k++) {
    for (const j of neighbours[order[k]]) {
      let i = place[j];
      while (i >= 0 && i < k) {
        const above = ancestor[i];
        ancestor[i] = k;
        if (above < 0) parent[i] = k;
        i = above;
      }
    }
  }
  return parent;
}

function postorder(parent: Int32Array): Int32Array {
  const n = parent.length;
  const children: number[][] = Array.from({ length: n }, () => []);
  const roots: number[] = [];
  parent.forEach((p, k) => {
    if (p >= 0) children[p].push(k);
    else roots.push(k);
  });
  const out = new Int32Array(n);
  let count = n;
  const stack = [...roots];
  // parents before children, read backwards
  while (stack.length > 0) {
    const k = stack.pop() as number;
    out[--count] = k;
    stack.push(...children[k]);
  }
  return out;
}
