/** Matrix exponentials, by scaling and squaring with the Padé approximant of degree 13 (Higham 2005). */
import type { Tensor } from "../../core/tensor.js";
import { apply } from "../bind.js";
import { asFloat, type TensorLike } from "../convert.js";
import { defineOp, type OpDef } from "../registry.js";
import { concat } from "../shape.js";
import { luFactors, substitute } from "./lu.js";
import {
  checkSquare,
  leadingBatch,
  type Matrix,
  matricesOf,
  matrix,
  transposed,
  writer,
} from "./matrices.js";

const expmOp: OpDef<object> = defineOp<object>({
  name: "expm",
  type: ([x]) => {
    checkSquare(x, "expm");
    return [x];
  },
  reference: ([x], [out]) => {
    const write = writer(out);
    for (const each of matricesOf(x)) write(exponential(each).values);
  },
  saves: { inputs: "all" },
  vjp: ([g], { inputs: [x] }) => [g && change(transposed(x), g)],
  jvp: ([x], [t]) => [t && change(x, t)],
  batch: leadingBatch(() => expmOp),
  samples: [
    { shapes: [[3, 3]] },
    { shapes: [[2, 2, 2]], ranges: [[-4, 4]] },
    { shapes: [[1, 1]] },
    { shapes: [[0, 0]] },
  ],
});

/** The change of exp(x) along t: the upper right of exp of [x t; 0 x] (Van Loan 1978; Higham, "Functions of matrices", 3.16). */
function change(x: Tensor, t: Tensor): Tensor {
  const n = x.shape[x.ndim - 1];
  const below = concat([x.mul(0), x], -1);
  const whole = apply(expmOp, [concat([concat([x, t], -1), below], -2)], {});
  return whole.slice("...", [0, n], [n, 2 * n]);
}

const PADE = [
  64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
  670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
];
/** Up to this 1-norm the approximant is exact to double precision. */
const LARGEST_NORM = 5.371920351148152;

function exponential(x: Matrix): Matrix {
  const n = x.rows;
  const norm = oneNorm(x);
  if (!Number.isFinite(norm)) return matrix(n, n, new Float64Array(n * n).fill(Number.NaN));
  const squarings = norm > LARGEST_NORM ? Math.ceil(Math.log2(norm / LARGEST_NORM)) : 0;
  const a = matrix(
    n,
    n,
    x.values.map((v) => v / 2 ** squarings),
  );
  const a2 = times(a, a);
  const a4 = times(a2, a2);
  const a6 = times(a2, a4);
  const polynomial = (first: number): Matrix => {
    const [c0, c2, c4, c6, c8, c10, c12] = [0, 2, 4, 6, 8, 10, 12].map((k) => PADE[first + k]);
    const high = times(
      a6,
      combined(
        [
          [c8, a2],
          [c10, a4],
          [c12, a6],
        ],
        n,
      ),
    );
    return combined(
      [
        [1, high],
        [c6, a6],
        [c4, a4],
        [c2, a2],
      ],
      n,
      c0,
    );
  };
  const odd = times(a, polynomial(1));
  const even = polynomial(0);
  const numerator = combined(
    [
      [1, even],
      [1, odd],
    ],
    n,
  );
  const denominator = combined(
    [
      [1, even],
      [-1, odd],
    ],
    n,
  );
  let result = matrix(n, n, substitute(luFactors(denominator), numerator));
  for (let k = 0; k < squarings; k++) result = times(result, result);
  return result;
}

/** Largest sum of the absolute values of a column. */
function oneNorm({ rows, columns, values }: Matrix): number {
  let largest = 0;
  for (let j = 0; j < columns; j++) {
    let sum = 0;
    for (let i = 0; i < rows; i++) sum += Math.abs(values[i * columns + j]);
    if (!(sum <= largest)) largest = sum;
  }
  return largest;
}

function times(a: Matrix, b: Matrix): Matrix {
  const n = a.rows;
  const out = matrix(n, n);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < n; k++) {
      const factor = a.values[i * n + k];
      for (let j = 0; j < n; j++) out.values[i * n + j] += factor * b.values[k * n + j];
    }
  return out;
}

/** Σ factor · matrix + diagonal · identity. */
function combined(terms: readonly (readonly [number, Matrix])[], n: number, onDiagonal = 0): Matrix {
  const out = matrix(n, n);
  for (const [factor, { values }] of terms)
    for (let i = 0; i < values.length; i++) out.values[i] += factor * values[i];
  for (let i = 0; i < n; i++) out.values[i * n + i] += onDiagonal;
  return out;
}

/**
 * Matrix exponentials of matrices (…, n, n): I + X + X²/2! + …
 * @example linalg.expm([[0, 1], [0, 0]]) // [[1, 1], [0, 1]]
 */
export function expm(x: TensorLike): Tensor {
  return apply(expmOp, [asFloat(x)], {});
}
