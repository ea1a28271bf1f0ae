/** Products beside the matrix product: powers, Kronecker, cross. */
import { ShapeError, ValueError } from "../../core/errors.js";
import { broadcastShapes, formatShape, normalizeAxis } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { roll } from "../arrange.js";
import { asTensor, promote, type TensorLike } from "../convert.js";
import { eye } from "../create.js";
import { matmul } from "../matmul.js";
import { inv } from "./solve.js";

/**
 * Powers of matrices (…, n, n) by repeated squaring; negative ones of the inverse.
 * @throws ValueError unless the exponent is a whole number; ShapeError unless the matrices are square.
 * @example linalg.matrixPower([[1, 1], [0, 1]], 5) // [[1, 5], [0, 1]]
 */
export function matrixPower(x: TensorLike, exponent: number): Tensor {
  const t = asTensor(x);
  const [n, m] = t.shape.slice(-2);
  if (!Number.isInteger(exponent))
    throw new ValueError(`matrixPower: the exponent is a whole number, got ${exponent}`);
  if (t.ndim < 2 || n !== m)
    throw new ShapeError(`matrixPower: square matrices (…, n, n) wanted, got ${formatShape(t.shape)}`);
  let square = exponent < 0 ? inv(t) : t;
  let product: Tensor | null = null;
  for (let left = Math.abs(exponent); left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) product = product ? matmul(product, square) : square;
    if (left > 1) square = matmul(square, square);
  }
  return product ?? eye(n, n, { dtype: t.dtype }).broadcastTo(t.shape);
}

/**
 * Kronecker product: each element of `a` times all of `b`; shape (a₀·b₀, a₁·b₁, …). The one with fewer axes gets axes of 1 in front.
 * @example linalg.kron([1, 10], [1, 2]) // [1, 2, 10, 20]
 */
export function kron(a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = promote(a, b);
  const rank = Math.max(x.ndim, y.ndim);
  const sizes = (t: Tensor): number[] => [...new Array<number>(rank - t.ndim).fill(1), ...t.shape];
  const [p, q] = [sizes(x), sizes(y)];
  const spread = x.reshape(p.flatMap((dim) => [dim, 1])).mul(y.reshape(q.flatMap((dim) => [1, dim])));
  return spread.reshape(p.map((dim, i) => dim * q[i]));
}

/**
 * Cross products of vectors of three along `axis`; the other axes broadcast.
 * @throws ShapeError for vectors of another length.
 * @example linalg.cross([1, 0, 0], [0, 1, 0]) // [0, 0, 1]
 */
export function cross(a: TensorLike, b: TensorLike, axis = -1): Tensor {
  const [x, y] = promote(a, b);
  const shape = broadcastShapes([x.shape, y.shape], "cross");
  const at = normalizeAxis(axis, shape.length, "cross");
  if (x.shape[at - shape.length + x.ndim] !== 3 || y.shape[at - shape.length + y.ndim] !== 3)
    throw new ShapeError(
      `cross: vectors of 3 along axis ${axis} wanted, got ${formatShape(x.shape)} and ${formatShape(y.shape)}`,
    );
  const [p, q] = [x.broadcastTo(shape), y.broadcastTo(shape)];
  // element i of the product is pᵢ₊₁·qᵢ₊₂ − pᵢ₊₂·qᵢ₊₁
  return roll(p, -1, at)
    .mul(roll(q, -2, at))
    .sub(roll(p, -2, at).mul(roll(q, -1, at)));
}
