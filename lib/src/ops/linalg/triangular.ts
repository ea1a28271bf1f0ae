/** Systems with triangular matrices, by substitution. */
import { ShapeError, ValueError } from "../../core/errors.js";
import { broadcastShapes, formatShape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { apply } from "../bind.js";
import { asFloat, promote, type TensorLike } from "../convert.js";
import { tril, triu } from "../gather.js";
import { matmul } from "../matmul.js";
import { defineOp, type OpDef } from "../registry.js";
import {
  batchOf,
  checkSquare,
  leadingBatch,
  type Matrix,
  matricesOf,
  nameOf,
  transposed,
  writer,
} from "./matrices.js";

/** Which triangle of the matrix is read, and how. */
export interface TriangularOptions {
  /** The lower triangle instead of the upper one. Default: false. */
  readonly lower?: boolean;
  /** Solves Aᵀ·X = B. Default: false. */
  readonly transpose?: boolean;
  /** Takes the diagonal for ones without reading it. Default: false. */
  readonly unitDiagonal?: boolean;
}

type TriangularAttrs = Required<TriangularOptions>;

const triangularSolveOp: OpDef<TriangularAttrs> = defineOp<TriangularAttrs>({
  name: "triangularSolve",
  type: ([a, b]) => {
    checkSquare(a, "triangularSolve");
    const n = a.shape[a.shape.length - 1];
    if (
      b.shape.length !== a.shape.length ||
      b.shape[b.shape.length - 2] !== n ||
      batchOf(a.shape).join() !== batchOf(b.shape).join()
    ) {
      throw new ShapeError(
        `triangularSolve: matrices ${formatShape(a.shape)} want right-hand sides (…, ${n}, k) in the same batch, got ${formatShape(b.shape)}`,
      );
    }
    return [{ shape: b.shape, dtype: b.dtype }];
  },
  reference: ([a, b], [out], attrs) => {
    const write = writer(out);
    const sides = matricesOf(b);
    let index = 0;
    for (const each of matricesOf(a)) {
      const zero = attrs.unitDiagonal ? -1 : zeroOnDiagonal(each);
      if (zero >= 0)
        throw new ValueError(
          `triangularSolve: ${nameOf(a, index)} is singular: element ${zero} of its diagonal is 0`,
        );
      write(substituted(each, sides.next().value as Matrix, attrs));
      index++;
    }
  },
  saves: { inputs: [0], outputs: true },
  vjp: ([g], { inputs: [a], outputs: [x], attrs, needs }) => {
    if (!g) return [null, null];
    const side = apply(triangularSolveOp, [a, g], { ...attrs, transpose: !attrs.transpose });
    if (!needs[0]) return [null, side];
    const whole = attrs.transpose ? matmul(x, transposed(side)) : matmul(side, transposed(x));
    return [triangleOf(whole, attrs).neg(), side];
  },
  jvp: ([a], [ta, tb], [x], attrs) => {
    const change = ta && triangleOf(ta, attrs);
    const moved = change && matmul(attrs.transpose ? transposed(change) : change, x).neg();
    const side = moved && tb ? tb.add(moved) : (moved ?? tb);
    return [side && apply(triangularSolveOp, [a, side], attrs)];
  },
  batch: leadingBatch(() => triangularSolveOp),
  samples: [
    [false, false, false],
    [true, false, false],
    [false, true, false],
    [true, true, true],
  ].map(([lower, transpose, unitDiagonal], i) => ({
    shapes:
      i % 2 === 0
        ? [
            [3, 3],
            [3, 2],
          ]
        : [
            [2, 2, 2],
            [2, 2, 1],
          ], // prettier-ignore
    diagonals: [4, 0],
    attrs: { lower, transpose, unitDiagonal },
  })),
});

/** The part of the matrix that is read. */
function triangleOf(x: Tensor, { lower, unitDiagonal }: TriangularAttrs): Tensor {
  const skipped = unitDiagonal ? 1 : 0;
  return lower ? tril(x, -skipped) : triu(x, skipped);
}

function zeroOnDiagonal({ rows: n, values }: Matrix): number {
  for (let i = 0; i < n; i++) if (values[i * n + i] === 0) return i;
  return -1;
}

function substituted(
  { rows: n, values: a }: Matrix,
  b: Matrix,
  { lower, transpose, unitDiagonal }: TriangularAttrs,
): Float64Array {
  const m = b.columns;
  const x = b.values.slice();
  const forward = lower !== transpose;
  for (let step = 0; step < n; step++) {
    const i = forward ? step : n - 1 - step;
    for (let k = forward ? 0 : i + 1; k < (forward ? i : n); k++) {
      const factor = transpose ? a[k * n + i] : a[i * n + k];
      if (factor === 0) continue;
      for (let j = 0; j < m; j++) x[i * m + j] -= factor * x[k * m + j];
    }
    if (!unitDiagonal) for (let j = 0; j < m; j++) x[i * m + j] /= a[i * n + i];
  }
  return x;
}

/**
 * X with A·X = B for triangular matrices; the other triangle is not read. Leading axes are a batch and broadcast.
 * @param a (…, n, n)
 * @param b (…, n, k), or one vector (n,)
 * @throws ValueError if a diagonal element is 0; ShapeError if the sizes do not fit.
 * @example linalg.triangularSolve([[2, 0], [1, 4]], [2, 9], { lower: true }) // [1, 2]
 */
export function triangularSolve(
  a: TensorLike,
  b: TensorLike,
  { lower = false, transpose = false, unitDiagonal = false }: TriangularOptions = {},
): Tensor {
  const [x, y] = promote(asFloat(a), asFloat(b));
  checkSquare(x, "triangularSolve");
  if (y.ndim === 0)
    throw new ShapeError("triangularSolve: a right-hand side (…, n, k) or (n,) wanted, got a number");
  const right = y.ndim === 1 ? y.expandDims(1) : y;
  const batch = broadcastShapes([batchOf(x.shape), batchOf(right.shape)], "triangularSolve");
  const solved = apply(
    triangularSolveOp,
    [
      x.broadcastTo([...batch, ...x.shape.slice(-2)]),
      right.broadcastTo([...batch, ...right.shape.slice(-2)]),
    ],
    { lower, transpose, unitDiagonal },
  );
  return y.ndim === 1 ? solved.squeeze(-1) : solved;
}
