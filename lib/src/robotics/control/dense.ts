/**
 * Small dense matrices in double precision: what control laws compute with between two samples. Tensors stay outside:
 * at 4 × 4 an op's dispatch would cost more than its work. Factors come from the library's linear algebra.
 */
import { ShapeError, ValueError } from "../../core/errors.js";
import { Tensor } from "../../core/tensor.js";
import { luFactors, substitute } from "../../ops/linalg/lu.js";
import { type Matrix, matrix } from "../../ops/linalg/matrices.js";
import { symmetricEigen } from "../../ops/linalg/tridiagonal.js";

export { type Matrix, matrix };

/** A matrix as users write it: rows of numbers, or a tensor with two axes. */
export type MatrixLike = Tensor | readonly ArrayLike<number>[];

/** A vector as users write it: numbers, or a tensor with one axis. */
export type VectorLike = Tensor | ArrayLike<number>;

/** Sizes that an argument must have; `undefined` for free ones. */
export interface Sizes {
  readonly rows?: number;
  readonly columns?: number;
}

/**
 * An argument as a matrix, checked.
 * @param what its name in messages: `lqr: A`
 * @throws ShapeError for other sizes; ValueError for elements that are no finite numbers
 */
export function toMatrix(like: MatrixLike, what: string, { rows, columns }: Sizes = {}): Matrix {
  let found: Matrix;
  if (like instanceof Tensor) {
    if (like.ndim !== 2) throw new ShapeError(`${what}: a matrix wanted, got ${like.type}`);
    found = matrix(like.shape[0], like.shape[1], Float64Array.from(like.toTypedArray() as Float64Array));
  } else {
    const width = like[0]?.length ?? columns ?? 0;
    const ragged = like.findIndex((row) => row.length !== width);
    if (ragged >= 0)
      throw new ShapeError(`${what}: row ${ragged} has ${like[ragged].length} elements, row 0 has ${width}`);
    found = matrix(like.length, width, Float64Array.from(like.flatMap((row) => Array.from(row))));
  }
  if ((rows ?? found.rows) !== found.rows || (columns ?? found.columns) !== found.columns)
    throw new ShapeError(
      `${what}: (${rows ?? "…"}, ${columns ?? "…"}) wanted, got (${found.rows}, ${found.columns})`,
    );
  const wrong = found.values.findIndex((v) => !Number.isFinite(v));
  if (wrong >= 0)
    throw new ValueError(
      `${what}: finite numbers wanted, element (${Math.floor(wrong / found.columns)}, ${wrong % found.columns}) is ${found.values[wrong]}`,
    );
  return found;
}

/** As `toMatrix`, with as many rows as columns. */
export function toSquare(like: MatrixLike, what: string): Matrix {
  const found = toMatrix(like, what);
  if (found.rows !== found.columns)
    throw new ShapeError(`${what}: a square matrix wanted, got (${found.rows}, ${found.columns})`);
  return found;
}

/** As `toMatrix`, symmetric up to rounding. @throws ValueError if it is not */
export function toSymmetric(like: MatrixLike, what: string, size: number): Matrix {
  const found = toMatrix(like, what, { rows: size, columns: size });
  const largest = found.values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  for (let i = 0; i < size; i++)
    for (let j = 0; j < i; j++)
      if (Math.abs(found.values[i * size + j] - found.values[j * size + i]) > 1e-9 * largest)
        throw new ValueError(
          `${what}: a symmetric matrix wanted, (${i}, ${j}) is ${found.values[i * size + j]} and (${j}, ${i}) is ${found.values[j * size + i]}`,
        );
  return symmetric(found);
}

/** An argument as a vector, checked. @throws ShapeError for another length; ValueError for NaN */
export function toVector(like: VectorLike, what: string, length?: number): Float64Array {
  if (like instanceof Tensor && like.ndim !== 1)
    throw new ShapeError(`${what}: a vector wanted, got ${like.type}`);
  const found = Float64Array.from((like instanceof Tensor ? like.toTypedArray() : like) as ArrayLike<number>);
  if (length !== undefined && found.length !== length)
    throw new ShapeError(`${what}: ${length} numbers wanted, got ${found.length}`);
  const wrong = found.findIndex(Number.isNaN);
  if (wrong >= 0) throw new ValueError(`${what}: element ${wrong} is NaN`);
  return found;
}

/** Rows of numbers. */
export function toRows({ rows, columns, values }: Matrix): number[][] {
  return Array.from({ length: rows }, (_, i) => Array.from(values.subarray(i * columns, (i + 1) * columns)));
}

export function identity(n: number, scale = 1): Matrix {
  const out = matrix(n, n);
  for (let i = 0; i < n; i++) out.values[i * n + i] = scale;
  return out;
}

export function times(a: Matrix, b: Matrix): Matrix {
  if (a.columns !== b.rows)
    throw new ShapeError(`product: (${a.rows}, ${a.columns}) and (${b.rows}, ${b.columns}) do not fit`);
  const out = matrix(a.rows, b.columns);
  const m = b.columns;
  for (let i = 0; i < a.rows; i++) {
    for (let k = 0; k < a.columns; k++) {
      const factor = a.values[i * a.columns + k];
      if (factor === 0) continue;
      for (let j = 0; j < m; j++) out.values[i * m + j] += factor * b.values[k * m + j];
    }
  }
  return out;
}

/** a·b·c … from the left. */
export const product = (first: Matrix, ...rest: Matrix[]): Matrix => rest.reduce(times, first);

export function transposed({ rows, columns, values }: Matrix): Matrix {
  const out = matrix(columns, rows);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) out.values[j * rows + i] = values[i * columns + j];
  return out;
}

/** a + scale·b. */
export function plus(a: Matrix, b: Matrix, scale = 1): Matrix {
  return matrix(
    a.rows,
    a.columns,
    a.values.map((v, i) => v + scale * b.values[i]),
  );
}

export const scaled = (a: Matrix, scale: number): Matrix =>
  matrix(
    a.rows,
    a.columns,
    a.values.map((v) => v * scale),
  );

/** (a + aᵀ)/2. */
export const symmetric = (a: Matrix): Matrix => scaled(plus(a, transposed(a)), 0.5);

/** Matrix times vector. */
export function apply(a: Matrix, x: ArrayLike<number>): Float64Array {
  const out = new Float64Array(a.rows);
  for (let i = 0; i < a.rows; i++) {
    let sum = 0;
    for (let j = 0; j < a.columns; j++) sum += a.values[i * a.columns + j] * x[j];
    out[i] = sum;
  }
  return out;
}

/** Largest absolute element. */
export const largest = (values: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < values.length; i++) if (!(Math.abs(values[i]) <= most)) most = Math.abs(values[i]);
  return most;
};

/** X with A·X = B. @throws ValueError, that says `why`, if A is singular */
export function solveLinear(a: Matrix, b: Matrix, why: string): Matrix {
  const lu = luFactors(a);
  if (lu.singular) throw new ValueError(`${why}: a ${a.rows} × ${a.rows} matrix is singular`);
  return matrix(b.rows, b.columns, substitute(lu, b));
}

/** Eigenvalues of a symmetric matrix, ascending, with their vectors in columns. */
export const eigenSymmetric = (a: Matrix): { values: Float64Array; vectors: Matrix } => {
  const { values, vectors } = symmetricEigen(a.values.slice(), a.rows);
  return { values, vectors: matrix(a.rows, a.rows, vectors) };
};

/** @throws ValueError unless no eigenvalue is below 0 (up to rounding), or, for `strict`, all are above 0 */
export function checkDefinite(a: Matrix, what: string, strict: boolean): void {
  const { values } = eigenSymmetric(a);
  const tolerance = 1e-10 * Math.max(1, Math.abs(values[values.length - 1] ?? 0));
  const low = values[0] ?? 1;
  if (strict ? !(low > 0) : !(low >= -tolerance))
    throw new ValueError(
      `${what}: a positive ${strict ? "definite" : "semidefinite"} matrix wanted, its smallest eigenvalue is ${low}`,
    );
}
