/** Linear systems: solve, inv. */
import { ShapeError, ValueError } from "../../core/errors.js";
import { broadcastShapes, formatShape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { apply } from "../bind.js";
import { asFloat, promote, type TensorLike } from "../convert.js";
import { matmul } from "../matmul.js";
import { defineOp, type OpDef } from "../registry.js";
import { type Lu, luFactors, substitute } from "./lu.js";
import {
  batchOf,
  checkSquare,
  leadingBatch,
  type Matrix,
  matricesOf,
  matrix,
  nameOf,
  transposed,
  writer,
} from "./matrices.js";

function regular(a: Matrix, where: string, name: string): Lu {
  const lu = luFactors(a);
  if (lu.singular)
    throw new ValueError(
      `${where}: ${name} is singular, so no unique answer exists; linalg.lstsq and linalg.pinv give the shortest of the best ones`,
    );
  return lu;
}

const solveOp: OpDef<object> = defineOp<object>({
  name: "solve",
  type: ([a, b]) => {
    checkSquare(a, "solve");
    const n = a.shape[a.shape.length - 1];
    if (
      b.shape.length !== a.shape.length ||
      b.shape[b.shape.length - 2] !== n ||
      batchOf(a.shape).join() !== batchOf(b.shape).join()
    ) {
      throw new ShapeError(
        `solve: matrices ${formatShape(a.shape)} want right-hand sides (…, ${n}, k) in the same batch, got ${formatShape(b.shape)}`,
      );
    }
    return [{ shape: b.shape, dtype: b.dtype }];
  },
  reference: ([a, b], [out]) => {
    const write = writer(out);
    const sides = matricesOf(b);
    let index = 0;
    for (const each of matricesOf(a))
      write(substitute(regular(each, "solve", nameOf(a, index++)), sides.next().value as Matrix));
  },
  saves: { inputs: [0], outputs: true },
  vjp: ([g], { inputs: [a], outputs: [x], needs }) => {
    if (!g) return [null, null];
    const right = apply(solveOp, [transposed(a), g], {});
    return [needs[0] ? matmul(right, transposed(x)).neg() : null, right];
  },
  jvp: ([a], [ta, tb], [x]) => {
    const moved = ta && matmul(ta, x).neg();
    const side = moved && tb ? tb.add(moved) : (moved ?? tb);
    return [side && apply(solveOp, [a, side], {})];
  },
  batch: leadingBatch(() => solveOp),
  samples: [
    {
      shapes: [
        [3, 3],
        [3, 2],
      ],
      diagonals: [4, 0],
    },
    {
      shapes: [
        [2, 2, 2],
        [2, 2, 1],
      ],
      diagonals: [4, 0],
    },
    {
      shapes: [
        [0, 0],
        [0, 2],
      ],
    },
  ],
});

/**
 * X with A·X = B, by LU factors with row exchanges. Leading axes are a batch and broadcast.
 * @param a (…, n, n)
 * @param b (…, n, k), or one vector (n,)
 * @throws ValueError if a matrix is singular; ShapeError if the sizes do not fit.
 * @example solve([[2, 0], [0, 4]], [[2], [8]]) // [[1], [2]]
 */
export function solve(a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = promote(asFloat(a), asFloat(b));
  if (x.ndim < 2) checkSquare(x, "solve");
  const right = y.ndim === 1 ? y.expandDims(1) : y;
  const batch = broadcastShapes([batchOf(x.shape), batchOf(right.shape)], "solve");
  const solved = apply(
    solveOp,
    [
      x.broadcastTo([...batch, ...x.shape.slice(-2)]),
      right.broadcastTo([...batch, ...right.shape.slice(-2)]),
    ],
    {},
  );
  return y.ndim === 1 ? solved.squeeze(-1) : solved;
}

const invOp: OpDef<object> = defineOp<object>({
  name: "inv",
  type: ([x]) => {
    checkSquare(x, "inv");
    return [x];
  },
  reference: ([x], [out]) => {
    const write = writer(out);
    let index = 0;
    for (const each of matricesOf(x)) {
      const identity = matrix(each.rows, each.rows);
      for (let i = 0; i < each.rows; i++) identity.values[i * each.rows + i] = 1;
      write(substitute(regular(each, "inv", nameOf(x, index++)), identity));
    }
  },
  saves: { outputs: true },
  vjp: ([g], { outputs: [y] }) => [g && matmul(matmul(transposed(y), g), transposed(y)).neg()],
  jvp: (_x, [t], [y]) => [t && matmul(matmul(y, t), y).neg()],
  batch: leadingBatch(() => invOp),
  samples: [
    { shapes: [[3, 3]], diagonals: [4] },
    { shapes: [[2, 2, 2]], diagonals: [4] },
    { shapes: [[1, 1]], ranges: [[1, 2]] },
  ],
});

/**
 * Inverse matrices (…, n, n). To solve a system, `solve` is faster and more exact. @throws ValueError if one is singular.
 * @example inv([[2, 0], [0, 4]]) // [[0.5, 0], [0, 0.25]]
 */
export function inv(x: TensorLike): Tensor {
  return apply(invOp, [asFloat(x)], {});
}
