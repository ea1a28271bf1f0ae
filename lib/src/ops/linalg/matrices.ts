/** What the linear algebra ops share: checks of shapes, loops over batches of matrices, their batching rules. */
import { isFloat } from "../../core/dtype.js";
import { DTypeError, ShapeError } from "../../core/errors.js";
import { contiguousLayout } from "../../core/layout.js";
import { formatShape, formatType, type Shape, sizeOf, type TensorType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { elementPositions, type HostArray } from "../../runtime/host-array.js";
import { bind } from "../bind.js";
import type { Attrs, BatchRule, OpDef } from "../registry.js";
import { withBatch } from "../rules.js";

/** A matrix in double precision, row-major. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

export function matrix(rows: number, columns: number, values?: Float64Array): Matrix {
  return { rows, columns, values: values ?? new Float64Array(rows * columns) };
}

/** @throws ShapeError unless the last two axes are square; DTypeError for integers. */
export function checkSquare(x: TensorType, where: string): void {
  const [n, m] = x.shape.slice(-2);
  if (x.shape.length < 2 || n !== m)
    throw new ShapeError(`${where}: square matrices (…, n, n) wanted, got ${formatShape(x.shape)}`);
  checkFloat(x, where);
}

/** @throws ShapeError unless there are two axes at least; DTypeError for integers. */
export function checkMatrices(x: TensorType, where: string): void {
  if (x.shape.length < 2)
    throw new ShapeError(`${where}: matrices (…, m, n) wanted, got ${formatShape(x.shape)}`);
  checkFloat(x, where);
}

/** @throws DTypeError unless the elements are of floating point. */
export function checkFloat(x: TensorType, where: string): void {
  if (!isFloat(x.dtype))
    throw new DTypeError(`${where}: floating-point matrices wanted, got ${formatType(x)}; cast them first`);
}

/** The last two axes of a shape as a batch of matrices. */
export function batchOf(shape: Shape): Shape {
  return shape.slice(0, -2);
}

/** Copies of the matrices in `x`, whatever its layout. */
export function* matricesOf(x: HostArray): Generator<Matrix> {
  const [rows, columns] = x.shape.slice(-2);
  const positions = elementPositions(x);
  const count = sizeOf(batchOf(x.shape));
  const size = rows * columns;
  for (let k = 0; k < count; k++) {
    const values = new Float64Array(size);
    for (let i = 0; i < size; i++) values[i] = x.data[positions[k * size + i]];
    yield matrix(rows, columns, values);
  }
}

/** Writes a piece of a result (contiguous) after the pieces before it. */
export function writer(out: HostArray): (values: ArrayLike<number>) => void {
  let next = contiguousLayout(out.shape).offset + out.offset;
  return (values) => {
    for (let i = 0; i < values.length; i++) out.data[next++] = values[i];
  };
}

/** Batching rule of ops whose leading axes are a batch already: one axis more, in front. */
export function leadingBatch<A extends Attrs>(op: () => OpDef<A>): BatchRule<A> {
  return (inputs, axes, attrs, size) => {
    const outputs = bind(
      op(),
      inputs.map((x, i) => withBatch(x, axes[i], size)),
      attrs,
    );
    return { outputs, axes: outputs.map(() => 0) };
  };
}

/** Names one of the matrices of a batch, for messages. */
export function nameOf(x: HostArray, index: number): string {
  const size = x.shape.slice(-2).join(" × ");
  return x.shape.length > 2 ? `matrix ${index} of the batch (${size})` : `the matrix (${size})`;
}

/** Matrices with rows and columns exchanged. */
export function transposed(x: Tensor): Tensor {
  return x.swapAxes(-1, -2);
}
