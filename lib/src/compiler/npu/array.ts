/**
 * The array of multiply-accumulate units, register by register and clock by clock: the oracle for what the simulator takes for
 * granted, namely which cycle each result comes out in, and in which order its sum is made. (Kung & Leiserson 1979; book,
 * chapter 6: systolic arrays.)
 */
import { type NpuConfig, NpuError } from "./config.js";

/** What an array is, of a configuration. */
export type ArrayShape = Pick<NpuConfig, "rows" | "columns" | "dataflow" | "type">;

/** A product that the array does in one pass ("fold"): matrices row-major, C (m × n) = A (m × k) · B (k × n). */
export interface Fold {
  readonly a: ArrayLike<number>;
  readonly b: ArrayLike<number>;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

export interface FoldResult {
  /** m × n, row-major: int32 values for int8, else float32. */
  readonly c: Float64Array;
  /** Cycles that bring the stationary operand in, or the outputs out. */
  readonly fixed: number;
  /** Cycles from the first moving element to the last result. */
  readonly moving: number;
  /** Units that multiply two elements of the matrices, for each cycle of `moving`. */
  readonly active: Uint32Array;
}

/** One clock of the array, as `onCycle` sees it: what is multiplied where (row-major, NaN: nothing). */
export type CycleVisitor = (
  cycle: number,
  products: { readonly a: Float64Array; readonly b: Float64Array },
) => void;

/**
 * The largest pass of an array: what stays is at most as large as the array, what moves has no limit.
 * @throws NpuError for a pass that does not fit.
 * @example checkFold({ rows: 2, columns: 2, dataflow: "weight" }, { a: [1], b: [1], m: 1, n: 1, k: 1 }) // undefined
 */
export function checkFold({ rows, columns, dataflow }: Omit<ArrayShape, "type">, { m, n, k }: Fold): void {
  const limits = {
    weight: { k: [k, rows], n: [n, columns] },
    cube: { k: [k, rows], n: [n, columns] },
    input: { k: [k, rows], m: [m, columns] },
    output: { m: [m, rows], n: [n, columns] },
  }[dataflow];
  for (const [name, [size, most]] of Object.entries(limits))
    if (size > most)
      throw new NpuError(
        `${name} = ${size} does not fit an array of ${rows} × ${columns} with stationary ${dataflow}s: at most ${most}`,
      );
}

/**
 * One pass through the registers. Operands enter skewed (row or column i comes i cycles later), move one unit a cycle, and meet
 * where they belong.
 * @throws NpuError if the stationary part does not fit, or for a cube, which has no moving registers.
 * @example
 * const pass = foldByRegisters({ rows: 2, columns: 2, dataflow: "weight", type: "int8" }, { a: [1, 2], b: [3, 4], m: 1, n: 1, k: 2 });
 * [pass.c[0], pass.fixed + pass.moving].join() // "11,5"
 */
export function foldByRegisters(shape: ArrayShape, fold: Fold, onCycle?: CycleVisitor): FoldResult {
  checkFold(shape, fold);
  if (shape.dataflow === "cube")
    throw new NpuError("a cube has no registers between its units: all products are at once");
  if (shape.dataflow === "output") return outputStationary(shape, fold, onCycle);
  if (shape.dataflow === "weight") return operandStationary(shape, fold, onCycle);
  // Cᵀ = Bᵀ · Aᵀ: inputs stay where weights would.
  const { a, b, m, n, k } = fold;
  const turned = { a: transposed(b, k, n), b: transposed(a, m, k), m: n, n: m, k };
  const found = operandStationary(shape, turned, onCycle);
  return { ...found, c: transposed(found.c, n, m) };
}

/** a · b + c as the units do it. */
const multiplyAdd =
  (type: ArrayShape["type"]) =>
  (a: number, b: number, c: number): number =>
    type === "int8" ? (c + a * b) | 0 : Math.fround(c + Math.fround(a * b));

function operandStationary(
  { rows, columns, type }: ArrayShape,
  { a, b, m, n, k }: Fold,
  onCycle?: CycleVisitor,
): FoldResult {
  const mac = multiplyAdd(type);
  // The stationary operand is shifted in from above, its last row first.
  let weights = new Float64Array(rows * columns);
  for (let t = 0; t < rows; t++) {
    const next = new Float64Array(rows * columns);
    next.set(weights.subarray(0, (rows - 1) * columns), columns);
    const row = rows - 1 - t;
    for (let c = 0; c < columns; c++) next[c] = row < k && c < n ? b[row * n + c] : 0;
    weights = next;
  }
  const cycles = m + rows + columns - 2;
  const out = new Float64Array(m * n);
  const active = new Uint32Array(cycles);
  let [moving, sums] = [new Float64Array(rows * columns), new Float64Array(rows * columns)];
  const seen = onCycle ? { a: new Float64Array(rows * columns), b: new Float64Array(rows * columns) } : null;
  for (let t = 0; t < cycles; t++) {
    const [nextMoving, nextSums] = [new Float64Array(rows * columns), new Float64Array(rows * columns)];
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const at = r * columns + c;
        const row = t - r; // the row of A that enters here now
        const x = c > 0 ? moving[at - 1] : row >= 0 && row < m && r < k ? a[row * k + r] : 0;
        nextMoving[at] = x;
        nextSums[at] = mac(x, weights[at], r > 0 ? sums[at - columns] : 0);
        const real = t - r - c >= 0 && t - r - c < m && r < k && c < n;
        if (real) active[t]++;
        if (seen) [seen.a[at], seen.b[at]] = real ? [x, weights[at]] : [Number.NaN, Number.NaN];
      }
    [moving, sums] = [nextMoving, nextSums];
    for (let c = 0; c < n; c++) {
      const row = t - (rows - 1) - c; // the row of C that leaves column c at the bottom
      if (row >= 0 && row < m) out[row * n + c] = sums[(rows - 1) * columns + c];
    }
    if (seen) onCycle?.(t, seen);
  }
  return { c: out, fixed: rows, moving: cycles, active };
}

function outputStationary(
  { rows, columns, type }: ArrayShape,
  { a, b, m, n, k }: Fold,
  onCycle?: CycleVisitor,
): FoldResult {
  const mac = multiplyAdd(type);
  const cycles = k + rows + columns - 2;
  const active = new Uint32Array(cycles);
  let [right, down] = [new Float64Array(rows * columns), new Float64Array(rows * columns)];
  let sums = new Float64Array(rows * columns);
  const seen = onCycle ? { a: new Float64Array(rows * columns), b: new Float64Array(rows * columns) } : null;
  for (let t = 0; t < cycles; t++) {
    const [nextRight, nextDown] = [new Float64Array(rows * columns), new Float64Array(rows * columns)];
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const at = r * columns + c;
        const [fromLeft, fromTop] = [t - r, t - c]; // which k enters at the edges
        const x = c > 0 ? right[at - 1] : fromLeft >= 0 && fromLeft < k && r < m ? a[r * k + fromLeft] : 0;
        const y = r > 0 ? down[at - columns] : fromTop >= 0 && fromTop < k && c < n ? b[fromTop * n + c] : 0;
        nextRight[at] = x;
        nextDown[at] = y;
        sums[at] = mac(x, y, sums[at]);
        const real = t - r - c >= 0 && t - r - c < k && r < m && c < n;
        if (real) active[t]++;
        if (seen) [seen.a[at], seen.b[at]] = real ? [x, y] : [Number.NaN, Number.NaN];
      }
    [right, down] = [nextRight, nextDown];
    if (seen) onCycle?.(t, seen);
  }
  // The sums leave at the bottom, the last row first.
  const out = new Float64Array(m * n);
  for (let t = 0; t < rows; t++) {
    const row = rows - 1 - t;
    for (let c = 0; c < n; c++) if (row < m) out[row * n + c] = sums[(rows - 1) * columns + c];
    const next = new Float64Array(rows * columns);
    next.set(sums.subarray(0, (rows - 1) * columns), columns);
    sums = next;
  }
  return { c: out, fixed: rows, moving: cycles, active };
}

/**
 * The same pass by loops: the same sums in the same order, and the cycles by formula. A cube adds its products in order of k.
 * @throws NpuError as `foldByRegisters`.
 * @example foldFast({ rows: 2, columns: 2, dataflow: "output", type: "int8" }, { a: [1, 2], b: [3, 4], m: 1, n: 1, k: 2 }).moving // 4
 */
export function foldFast(shape: ArrayShape, fold: Fold): FoldResult {
  checkFold(shape, fold);
  const { rows, columns, dataflow, type } = shape;
  const { a, b, m, n, k } = fold;
  const mac = multiplyAdd(type);
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let l = 0; l < k; l++)
      for (let j = 0; j < n; j++) c[i * n + j] = mac(a[i * k + l], b[l * n + j], c[i * n + j]);
  if (dataflow === "cube") {
    const active = Uint32Array.from(
      { length: Math.ceil(m / rows) },
      (_, t) => Math.min(rows, m - t * rows) * k * n,
    );
    return { c, fixed: 1, moving: active.length, active };
  }
  const [moves, down, across] =
    dataflow === "weight" ? [m, k, n] : dataflow === "input" ? [n, k, m] : [k, m, n];
  const active = Uint32Array.from({ length: moves + rows + columns - 2 }, (_, t) => {
    let count = 0;
    for (let r = 0; r < down; r++) {
      // columns c with 0 ≤ t − r − c < moves
      count += Math.max(0, Math.min(across - 1, t - r) - Math.max(0, t - r - moves + 1) + 1);
    }
    return count;
  });
  return { c, fixed: rows, moving: active.length, active };
}

function transposed(x: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = x[i * columns + j];
  return out;
}
