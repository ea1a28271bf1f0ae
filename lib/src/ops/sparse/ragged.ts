/**
 * Ragged tensors: rows of different lengths, kept one after another with the places where they end. (Book, chapter 3:
 * ragged tensors; row splits as TensorFlow and Arrow have them.)
 */
import { displaySymbol, type MimeBundle } from "../../core/display.js";
import { ShapeError, ValueError } from "../../core/errors.js";
import { formatType, type Shape } from "../../core/shape.js";
import { Tensor } from "../../core/tensor.js";
import { type TreeNode, treeFlatten } from "../../core/tree.js";
import { asTensor, type NestedNumbers, type TensorLike, tensor } from "../convert.js";
import { full } from "../create.js";
import { scatterAdd } from "../gather.js";
import { concrete } from "../read.js";
import { concat } from "../shape.js";

export class RaggedTensor implements TreeNode {
  /**
   * Takes what it is given unchecked; `ragged` and `RaggedTensor.fromRowSplits` check.
   * @param values the rows, one after another: (total length, …)
   * @param rowSplits row i is `values[rowSplits[i] … rowSplits[i + 1] − 1]`
   */
  constructor(
    readonly values: Tensor,
    readonly rowSplits: Int32Array,
  ) {}

  /**
   * Rows cut out of `values` (total length, …).
   * @param rowSplits where each row begins, and the end of the last: 0, …, total length
   * @example RaggedTensor.fromRowSplits(tensor([3, 1, 4, 5]), [0, 3, 3, 4]) // [[3, 1, 4], [], [5]]
   * @throws ValueError if the splits go back, or do not span the values.
   */
  static fromRowSplits(values: TensorLike, rowSplits: ArrayLike<number>): RaggedTensor {
    const t = asTensor(values);
    if (t.ndim === 0)
      throw new ShapeError(`ragged: the values have rows along axis 0, ${formatType(t)} has none`);
    const splits = Int32Array.from(rowSplits);
    const ends = [splits[0], splits.at(-1)];
    if (ends[0] !== 0 || ends[1] !== t.shape[0])
      throw new ValueError(
        `ragged: row splits go from 0 to ${t.shape[0]}, the number of values; got ${ends[0]} to ${ends[1]}`,
      );
    splits.forEach((split, i) => {
      if (i > 0 && split < splits[i - 1])
        throw new ValueError(
          `ragged: row split ${i} is ${split}, before the ${splits[i - 1]} where its row begins`,
        );
    });
    return new RaggedTensor(t, splits);
  }

  /** Number of rows. */
  get rows(): number {
    return this.rowSplits.length - 1;
  }

  get dtype(): Tensor["dtype"] {
    return this.values.dtype;
  }

  /** Rows, `null` for their differing lengths, then the axes of one element. */
  get shape(): (number | null)[] {
    return [this.rows, null, ...this.values.shape.slice(1)];
  }

  get lengths(): Int32Array {
    return Int32Array.from({ length: this.rows }, (_, i) => this.rowSplits[i + 1] - this.rowSplits[i]);
  }

  /** Row `i`, a view. @throws ValueError outside of the rows. */
  row(i: number): Tensor {
    if (!Number.isInteger(i) || i < 0 || i >= this.rows)
      throw new ValueError(`ragged: there is no row ${i}; rows are 0 to ${this.rows - 1}`);
    return this.values.slice([this.rowSplits[i], this.rowSplits[i + 1]]);
  }

  /** The same rows with `f` applied to all values at once. @throws ShapeError if `f` changes their number. */
  map(f: (values: Tensor) => Tensor): RaggedTensor {
    const values = f(this.values);
    if (values.shape[0] !== this.values.shape[0])
      throw new ShapeError(
        `ragged map: ${formatType(this.values)} became ${formatType(values)}; axis 0 must stay`,
      );
    return new RaggedTensor(values, this.rowSplits);
  }

  /** A dense block (rows, longest row, …) with `fill` behind the shorter rows. */
  toPadded(fill = 0): Tensor {
    const { rows, lengths, rowSplits } = this;
    const longest = Math.max(0, ...lengths);
    const total = this.values.shape[0];
    const element = this.values.shape.slice(1);
    const from = Int32Array.from({ length: rows * longest }, (_, at) => {
      const [i, k] = [Math.floor(at / longest), at % longest];
      return k < lengths[i] ? rowSplits[i] + k : total; // the last entry is the filling
    });
    const filled = concat([this.values, full([1, ...element], fill, { dtype: this.dtype })]);
    return filled.take(tensor(from), 0).reshape([rows, longest, ...element]);
  }

  /** Sum of each row: (rows, …); 0 for empty ones. */
  sum(): Tensor {
    const { lengths } = this;
    const row = new Int32Array(this.values.shape[0]);
    for (let i = 0, at = 0; i < this.rows; i++) for (let k = 0; k < lengths[i]; k++) row[at++] = i;
    return scatterAdd(tensor(row), this.values, this.rows);
  }

  /** Mean of each row: (rows, …); NaN for empty ones, as NumPy. */
  mean(): Tensor {
    const counts = tensor(Array.from(this.lengths), { dtype: this.dtype });
    return this.sum().div(counts.reshape([this.rows, ...this.values.shape.slice(1).map(() => 1)]));
  }

  toString(): string {
    const known = concrete(this.values) !== null;
    const rows = Array.from({ length: Math.min(this.rows, 10) }, (_, i) =>
      known ? `  ${JSON.stringify(this.row(i).toArray())}` : `  ${this.lengths[i]} values`,
    );
    if (this.rows > rows.length) rows.push(`  … ${this.rows - rows.length} more rows`);
    return [`ragged ${this.dtype}(${this.shape.map((dim) => dim ?? "?").join(", ")})`, ...rows].join("\n");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  [displaySymbol](): MimeBundle {
    return { "text/plain": this.toString() };
  }

  /** A tree whose leaf is the values; where rows end is part of its structure. */
  [treeFlatten](): ReturnType<TreeNode[typeof treeFlatten]> {
    const { rowSplits, values } = this;
    return {
      children: { rowSplits, values },
      rebuild: ({ values }) => new RaggedTensor(values as Tensor, this.rowSplits),
    };
  }
}

/**
 * A ragged tensor from rows: nested numbers, or tensors that agree in all axes but the first.
 * @example ragged([[3, 1, 4], [], [5, 9]])
 * @throws ShapeError if elements of different rows have different shapes.
 */
export function ragged(rows: readonly (Tensor | readonly NestedNumbers[])[]): RaggedTensor {
  const empty = (row: Tensor | readonly NestedNumbers[]): boolean =>
    (row instanceof Tensor ? row.shape[0] : row.length) === 0;
  const parts = rows.filter((row) => !empty(row)).map((row) => asTensor(row as TensorLike));
  const splits = new Int32Array(rows.length + 1);
  let next = 0;
  for (const [i, row] of rows.entries())
    splits[i + 1] = splits[i] + (empty(row) ? 0 : parts[next++].shape[0]);
  const element: Shape = parts[0]?.shape.slice(1) ?? [];
  for (const part of parts)
    if (part.ndim === 0 || part.shape.slice(1).join() !== element.join())
      throw new ShapeError(
        `ragged: the rows are ${parts.map(formatType).join(", ")}; only axis 0 may differ`,
      );
  return new RaggedTensor(parts.length > 0 ? concat(parts) : full([0], 0), splits);
}
