/**
 * Weights packed for sparse products: rows of nonzero elements (CSR, compressed sparse rows), or blocks of 16 outputs that share
 * an input. Both are exact copies of the weights; zeros are not stored, but those of a block.
 */
import { ShapeError } from "../../core/errors.js";
import { formatShape, formatType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { needConcrete } from "../../ops/read.js";
import { type DenseTensor, denseFrom, emptyDense } from "../../runtime/dense.js";
import { outsideScopes } from "../../runtime/tidy.js";
import { withContiguous } from "../../runtime/wasm/copy.js";
import { BLOCK } from "./native-source.js";
import { blockProduct, csrProduct, type Packed } from "./sparse-kernels.js";

/** Byte address of a tensor's first element. */
const addressOf = (x: { readonly ptr: number; readonly offset: number }): number => x.ptr + 4 * x.offset;

/** What both formats keep: where each group of stored elements starts, where they belong, what they are. */
abstract class PackedMatrix {
  private readonly starts: DenseTensor;
  private readonly columns: DenseTensor;
  private readonly values: DenseTensor;

  protected constructor(
    /** Elements that are stored, zeros of blocks included. */
    readonly stored: number,
    starts: ArrayLike<number>,
    columns: ArrayLike<number>,
    values: ArrayLike<number>,
  ) {
    [this.starts, this.columns, this.values] = outsideScopes(() => [
      denseFrom(starts, [starts.length], "int32", "cpu"),
      denseFrom(columns, [columns.length], "int32", "cpu"),
      denseFrom(values, [values.length], "float32", "cpu"),
    ]);
  }

  /** Bytes in memory. */
  get bytes(): number {
    return 4 * (this.starts.size + this.columns.size + this.values.size);
  }

  protected get packed(): Packed {
    const [starts, columns, values] = [this.starts, this.columns, this.values].map((x) =>
      addressOf(x.host()),
    );
    return { starts, columns, values, stored: this.stored };
  }
}

function matrixOf(
  matrix: Tensor,
  where: string,
): { rows: number; columns: number; values: ArrayLike<number> } {
  if (matrix.ndim !== 2 || matrix.dtype !== "float32")
    throw new ShapeError(`${where}: a float32 matrix wanted, got ${formatType(matrix)}`);
  const [rows, columns] = matrix.shape;
  return { rows, columns, values: needConcrete(matrix, where).toTypedArray() };
}

/** The nonzero elements row by row: where each row starts, their columns, and what they are. */
function rowsOf(
  rows: number,
  columns: number,
  values: ArrayLike<number>,
): { starts: Int32Array; at: number[]; found: number[] } {
  const starts = new Int32Array(rows + 1);
  const [at, found]: [number[], number[]] = [[], []];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const value = values[i * columns + j];
      if (value === 0) continue;
      at.push(j);
      found.push(value);
    }
    starts[i + 1] = at.length;
  }
  return { starts, at, found };
}

/** A matrix (rows, columns) whose rows hold their nonzero elements. */
export class CsrMatrix extends PackedMatrix {
  readonly shape: readonly [number, number];

  /** @throws ShapeError for anything but a float32 matrix. */
  constructor(matrix: Tensor) {
    const { rows, columns, values } = matrixOf(matrix, "CsrMatrix");
    const { starts, at, found } = rowsOf(rows, columns, values);
    super(found.length, starts, at, found);
    this.shape = [rows, columns];
  }

  /**
   * The product with a dense float32 matrix, or with each of several: (columns, p) → (rows, p), (n, columns, p) → (n, rows, p).
   * @throws ShapeError for one that does not fit; TransformError where it has no elements yet.
   */
  matmul(b: Tensor): DenseTensor {
    const [rows, columns] = this.shape;
    const [inner, p] = b.shape.slice(-2);
    if (b.ndim < 2 || b.ndim > 3 || inner !== columns || b.dtype !== "float32")
      throw new ShapeError(`CsrMatrix: ${formatShape(this.shape)} times ${formatType(b)}`);
    const dense = needConcrete(b, "CsrMatrix.matmul");
    const out = emptyDense([...b.shape.slice(0, -2), rows, p], "float32", dense.device);
    const to = addressOf(out.hostToChange());
    const { packed } = this;
    withContiguous(dense.host(), (x) => {
      const from = addressOf(x);
      const count = b.ndim === 3 ? b.shape[0] : 1;
      for (let k = 0; k < count; k++)
        csrProduct(
          dense.device,
          packed,
          [rows, p],
          [from + 4 * k * inner * p, p],
          [to + 4 * k * rows * p, p],
        );
    });
    return out;
  }
}

/**
 * Filters that slide over lines of elements: column j of the matrix multiplies the elements from `offsets[j]` on, so that windows
 * need not be copied side by side. (Park et al. 2017, "Faster CNNs with Direct Sparse Convolutions".)
 */
export class SlidingMatrix extends PackedMatrix {
  readonly rows: number;
  private readonly reach: number;

  constructor(matrix: Tensor, offsets: ArrayLike<number>) {
    const { rows, columns, values } = matrixOf(matrix, "SlidingMatrix");
    const { starts, at, found } = rowsOf(rows, columns, values);
    super(
      found.length,
      starts,
      at.map((j) => offsets[j]),
      found,
    );
    this.rows = rows;
    this.reach = at.reduce((most, j) => Math.max(most, offsets[j]), 0);
  }

  /** x (n, size) → (n, rows, p): element k of a row is the sum over what lies k behind the offsets. @throws ShapeError if x ends before. */
  slide(x: Tensor, p: number): DenseTensor {
    const [n, size] = x.shape;
    if (x.ndim !== 2 || x.dtype !== "float32" || this.reach + p > size)
      throw new ShapeError(`SlidingMatrix: ${p} places from ${this.reach} on are not in ${formatType(x)}`);
    const dense = needConcrete(x, "SlidingMatrix.slide");
    const out = emptyDense([n, this.rows, p], "float32", dense.device);
    const to = addressOf(out.hostToChange());
    const { packed, rows } = this;
    withContiguous(dense.host(), (lines) => {
      const from = addressOf(lines);
      for (let k = 0; k < n; k++)
        csrProduct(dense.device, packed, [rows, p], [from + 4 * k * size, 1], [to + 4 * k * rows * p, p]);
    });
    return out;
  }
}

/** A matrix (inputs, outputs) in blocks of 16 outputs: a block is stored where one of its 16 elements is not 0. */
export class BlockMatrix extends PackedMatrix {
  readonly shape: readonly [number, number];

  /** @throws ShapeError for anything but a float32 matrix. */
  constructor(matrix: Tensor) {
    const { rows: inputs, columns: outputs, values } = matrixOf(matrix, "BlockMatrix");
    const blocks = Math.ceil(outputs / BLOCK);
    const starts = new Int32Array(blocks + 1);
    const [at, found]: [number[], number[]] = [[], []];
    for (let block = 0; block < blocks; block++) {
      for (let k = 0; k < inputs; k++) {
        const first = k * outputs + block * BLOCK;
        const width = Math.min(BLOCK, outputs - block * BLOCK);
        let some = false;
        for (let q = 0; q < width; q++) some ||= values[first + q] !== 0;
        if (!some) continue;
        at.push(k);
        for (let q = 0; q < BLOCK; q++) found.push(q < width ? values[first + q] : 0);
      }
      starts[block + 1] = at.length;
    }
    super(found.length, starts, at, found);
    this.shape = [inputs, outputs];
  }

  /**
   * x · this: (n, inputs) → (n, outputs), float32.
   * @throws ShapeError for one that does not fit; TransformError where it has no elements yet.
   */
  rmatmul(x: Tensor): DenseTensor {
    const [inputs, outputs] = this.shape;
    if (x.ndim !== 2 || x.shape[1] !== inputs || x.dtype !== "float32")
      throw new ShapeError(`BlockMatrix: ${formatType(x)} times ${formatShape(this.shape)}`);
    const dense = needConcrete(x, "BlockMatrix.rmatmul");
    const n = x.shape[0];
    const out = emptyDense([n, outputs], "float32", dense.device);
    const to = addressOf(out.hostToChange());
    const { packed } = this;
    withContiguous(dense.host(), (rows) => {
      blockProduct(dense.device, packed, [n, outputs], [addressOf(rows), inputs], [to, outputs]);
    });
    return out;
  }
}

type Frame = readonly [top: number, bottom: number, left: number, right: number];

/** Images (n, c, h, w) with zeros around them, line by line: several times as fast as `pad` for what convolutions need. */
export function framed(x: DenseTensor, [top, bottom, left, right]: Frame): DenseTensor {
  const [n, channels, height, width] = x.shape;
  const [tall, wide] = [top + height + bottom, left + width + right];
  const out = emptyDense([n, channels, tall, wide], "float32", x.device);
  const { data: to, offset } = out.hostToChange();
  to.fill(0, offset, offset + out.size);
  withContiguous(x.host(), ({ data: from, offset: start }) => {
    for (let image = 0; image < n * channels; image++)
      for (let line = 0; line < height; line++) {
        const first = start + (image * height + line) * width;
        (to as Float32Array).set(
          (from as Float32Array).subarray(first, first + width),
          offset + (image * tall + top + line) * wide + left,
        );
      }
  });
  return out;
}
