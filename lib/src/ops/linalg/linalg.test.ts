/** Linear algebra beside NumPy, SciPy and PyTorch: values, degenerate matrices, gradients, and what goes wrong. */
import { describe, expect, it } from "vitest";
import { expectedFile } from "../../../test/support/expected.js";
import { numbers } from "../../../test/support/finite-differences.js";
import {
  DTypeError,
  eye,
  grad,
  jvp,
  linalg,
  matmul,
  ShapeError,
  type Tensor,
  tensor,
  toStatic,
  triu,
  ValueError,
  vmap,
} from "../../index.js";

interface Dumped {
  readonly shape: number[];
  readonly values: (number | string)[];
}
interface Case {
  readonly op: string;
  readonly inputs: Dumped[];
  readonly options: Readonly<Record<string, never>>;
  readonly outputs: Dumped[];
}
interface GradientCase {
  readonly op: string;
  readonly inputs: Dumped[];
  readonly weights: Dumped[];
  readonly gradients: Dumped[];
}
const { cases, gradients } = expectedFile<{ cases: Case[]; gradients: GradientCase[] }>("linalg.json");

const numberOf = (v: number | string): number =>
  typeof v === "number" ? v : v === "nan" ? Number.NaN : v === "inf" ? Infinity : -Infinity;
const read = ({ shape, values }: Dumped): Tensor =>
  tensor(Float64Array.from(values, numberOf), { shape, dtype: "float64" });
const f64 = (data: Parameters<typeof tensor>[0]): Tensor => tensor(data, { dtype: "float64" });

type Call = (x: Tensor[], o: Case["options"]) => Tensor | readonly Tensor[];
const CALLS: Record<string, Call> = {
  slogdet: ([x]) => Object.values(linalg.slogdet(x)),
  matrixPower: ([x], { exponent }) => linalg.matrixPower(x, exponent),
  triangularSolve: ([a, b], o) => linalg.triangularSolve(a, b, o),
  qr: ([x]) => Object.values(linalg.qr(x)),
  lstsq: ([a, b]) => Object.values(linalg.lstsq(a, b)),
  matrixNorm: ([x], { ord }) =>
    linalg.matrixNorm(x, ord === "inf" ? Infinity : ord === "-inf" ? -Infinity : ord),
  cross: ([a, b], { axis }) => linalg.cross(a, b, axis),
};
const call = ({ op, inputs, options }: Case): readonly Tensor[] => {
  const plain: Call = (x) => (linalg as unknown as Record<string, (...x: Tensor[]) => Tensor>)[op](...x);
  const found = (CALLS[op] ?? plain)(inputs.map(read), options);
  return Array.isArray(found) ? found : [found as Tensor];
};

/** Largest error, relative to the largest value that is wanted (or to `least`, if that is larger). */
function errorOf(found: readonly number[], wanted: readonly number[], least = 0): number {
  const scale = Math.max(least, ...wanted.map(Math.abs).filter(Number.isFinite), Number.MIN_VALUE);
  const errors = wanted.map((w, i) =>
    Object.is(w, found[i]) || w === found[i] ? 0 : Math.abs(w - found[i]) / scale,
  );
  return errors.some(Number.isNaN) ? Number.POSITIVE_INFINITY : Math.max(0, ...errors);
}

/** Where rounding decides the answer: factors of matrices that are singular to rounding, and what is computed from them. */
const LOOSE: Readonly<Record<string, number>> = { hilbert: 1e-6, graded: 1e-7 };
const tolerance = ({ op, options }: Case): number =>
  op === "svdvals" || op === "eigvalsh" ? 1e-14 : (LOOSE[options.name] ?? 1e-12);

describe("values", () => {
  it.each(
    cases.map((c, i) => ({
      c,
      title: `${c.op} ${JSON.stringify(c.options)} of ${c.inputs.map((x) => `(${x.shape})`)} #${i}`,
    })),
  )("$title", ({ c }) => {
    const found = call(c);
    expect(found).toHaveLength(c.outputs.length);
    for (const [i, output] of c.outputs.entries()) {
      expect(found[i].shape, `output ${i}`).toEqual(output.shape);
      // residuals of what fits exactly are rounding, of the size of the right-hand sides
      const least = c.op === "lstsq" && i === 1 ? read(c.inputs[1]).square().sum().item() : 0;
      const error = errorOf(numbers(found[i]), output.values.map(numberOf), least);
      expect(error, `output ${i}`).toBeLessThan(tolerance(c));
    }
  });
});

const matrices = cases
  .filter((c) => c.op === "svdvals")
  .map((c) => ({ name: String(c.options.name), x: read(c.inputs[0]) }));
const flipped = (x: Tensor): Tensor => x.swapAxes(-1, -2);

/** Largest element of a matrix, 1 if there is none but 0. */
const scaleOf = (x: Tensor): number => Math.max(0, ...numbers(x.abs())) || 1;

function expectOrthonormalColumns(q: Tensor): void {
  const n = q.shape[q.ndim - 1];
  const off = matmul(flipped(q), q).sub(eye(n, n, { dtype: "float64" }));
  expect(Math.max(0, ...numbers(off.abs()))).toBeLessThan(1e-14 * (n + 3));
}

function expectNear(found: Tensor, wanted: Tensor): void {
  expect(found.shape).toEqual(wanted.shape);
  const scale = scaleOf(wanted);
  expect(Math.max(0, ...numbers(found.div(scale).sub(wanted.div(scale)).abs()))).toBeLessThan(3e-14);
}

describe("factors give the matrix again, and are orthonormal, of any matrix", () => {
  it.each(matrices)("$name", ({ x }) => {
    const [m, n] = x.shape.slice(-2);
    const { u, s, vt } = linalg.svd(x);
    expectNear(matmul(u.mul(s.expandDims(-2)), vt), x);
    expectOrthonormalColumns(u);
    expectOrthonormalColumns(flipped(vt));
    const full = linalg.svd(x, { fullMatrices: true });
    expect([full.u.shape.slice(-2), full.vt.shape.slice(-2)]).toEqual([[m, m], [n, n]]); // biome-ignore format: one line
    expectOrthonormalColumns(full.u);
    expectOrthonormalColumns(flipped(full.vt));
    const k = Math.min(m, n);
    expectNear(full.u.slice("...", [0, k]), u);
    for (const complete of [false, true]) {
      const { q, r } = linalg.qr(x, { complete });
      expect(q.shape.slice(-2)).toEqual([m, complete ? m : k]);
      expectNear(matmul(q, r), x);
      expectOrthonormalColumns(q);
      expectNear(triu(r), r);
    }
    if (m !== n) return;
    const symmetric = x.add(flipped(x)).div(2);
    const { values, vectors } = linalg.eigh(symmetric);
    expectNear(matmul(vectors.mul(values.expandDims(-2)), flipped(vectors)), symmetric);
    expectOrthonormalColumns(vectors);
  });

  it.each(matrices)("the pseudo-inverse of $name has Penrose's four properties", ({ name, x }) => {
    if (name in LOOSE) return; // rounding decides their rank
    const scaled = x.div(scaleOf(x));
    const p = linalg.pinv(scaled);
    expectNear(matmul(matmul(scaled, p), scaled), scaled);
    expectNear(matmul(matmul(p, scaled), p), p);
    expectNear(flipped(matmul(scaled, p)), matmul(scaled, p));
    expectNear(flipped(matmul(p, scaled)), matmul(p, scaled));
  });
});

const FUNCTIONS: Record<string, (...x: Tensor[]) => Tensor | object> = {
  qr: (x) => linalg.qr(x),
  svd: (x) => linalg.svd(x),
  eigh: (x) => linalg.eigh(x),
  slogdet: (x) => linalg.slogdet(x),
  lstsq: (a, b) => linalg.lstsq(a, b).solution,
  matrixNormNuc: (x) => linalg.matrixNorm(x, "nuc"),
};

describe("gradients", () => {
  it.each(gradients.map((c, i) => ({ c, title: `${c.op} of ${c.inputs.map((x) => `(${x.shape})`)} #${i}` })))(
    "$title as PyTorch's, by both modes",
    ({ c }) => {
      const named = linalg as unknown as Record<string, (...x: Tensor[]) => Tensor>;
      const f = FUNCTIONS[c.op] ?? named[c.op];
      const loss = (...x: Tensor[]): Tensor => {
        const y = f(...x);
        const outputs = "dtype" in y ? [y as Tensor] : (Object.values(y) as Tensor[]);
        return outputs.map((out, i) => out.mul(read(c.weights[i])).sum()).reduce((a, b) => a.add(b));
      };
      const inputs = c.inputs.map(read);
      const found = grad(loss, { argnums: inputs.map((_, i) => i) })(...inputs) as Tensor[];
      for (const [i, wanted] of c.gradients.entries()) {
        expect(errorOf(numbers(found[i]), wanted.values.map(numberOf)), `input ${i}`).toBeLessThan(1e-10);
        const direction = inputs.map((x, k) => (k === i ? x.mul(3).sin().add(0.5) : x.mul(0)));
        const [, slope] = jvp(loss, inputs, direction);
        const along = read(wanted).mul(direction[i]).sum().item();
        expect(Math.abs(slope.item() - along) / (1 + Math.abs(along)), `along input ${i}`).toBeLessThan(
          1e-10,
        );
      }
    },
  );

  it("of a determinant are cofactors, also where it is 0, and so are the second ones", () => {
    const x = f64([[1, 2, 3], [2, 4, 6], [3, 6, 9]]); // biome-ignore format: a matrix
    expect(numbers(grad((z: Tensor) => linalg.det(z))(x) as Tensor).every((v) => Math.abs(v) < 1e-13)).toBe(
      true,
    );
    // det of x + s·I has s²·trace as its first term: the second derivative in s at 0 is 2·trace
    const along = (s: Tensor): Tensor => linalg.det(x.add(eye(3, 3, { dtype: "float64" }).mul(s)));
    const second = grad((s: Tensor) => grad(along)(s) as Tensor)(f64(0)) as Tensor;
    expect(second.item()).toBeCloseTo(28, 10);
  });

  it("of large matrices do not take every minor", () => {
    const x = eye(60, 60, { dtype: "float64" }).mul(2);
    const g = grad((z: Tensor) => linalg.det(z))(x) as Tensor;
    expect(g.slice(3, 3).item() / 2 ** 59).toBeCloseTo(1, 12);
    expect(g.slice(3, 4).item()).toBeCloseTo(0, 12);
  });

  it("do not exist for what completes a tall Q, and are said not to", () => {
    const f = (x: Tensor): Tensor => linalg.qr(x, { complete: true }).q.sum();
    expect(() => grad(f)(f64([[1], [2]]))).toThrow(ValueError);
    expect(() => grad(f)(f64([[1], [2]]))).toThrow(
      /complete factors of matrices of 2 × 1 have no derivative/,
    );
    const wide = f64([[3, 1, 2], [1, 2, 5]]); // biome-ignore format: a matrix
    const g = (complete: boolean) =>
      grad((x: Tensor) => linalg.qr(x, { complete }).r.sin().sum())(wide) as Tensor;
    expect(numbers(g(true))).toEqual(numbers(g(false)));
  });
});

describe("transformations", () => {
  it("map and capture every function as a loop would", () => {
    const x = f64([[[3, 1], [1, 2]], [[2, 0.5], [0.5, 4]]]); // biome-ignore format: two matrices
    const functions: Record<string, (x: Tensor) => Tensor> = {
      slogdet: (z) => linalg.slogdet(z).logAbsDet,
      pinv: (z) => linalg.pinv(z),
      lstsq: (z) => linalg.lstsq(z, [1, 2]).solution,
      expm: (z) => linalg.expm(z),
      matrixPower: (z) => linalg.matrixPower(z, -2),
      kron: (z) => linalg.kron(z, [[1, 2]]),
      matrixNorm: (z) => linalg.matrixNorm(z, 1),
      matrixRank: (z) => linalg.matrixRank(z),
      fullSvd: (z) => linalg.svd(z, { fullMatrices: true }).u,
      cond: (z) => linalg.cond(z),
    };
    for (const [name, f] of Object.entries(functions)) {
      const wanted = [0, 1].flatMap((i) => numbers(f(x.at(i))));
      expect(errorOf(numbers(vmap(f)(x)), wanted), name).toBeLessThan(1e-13);
      expect(errorOf(numbers(toStatic(f)(x.at(0)) as Tensor), numbers(f(x.at(0)))), name).toBeLessThan(1e-13);
    }
  });

  it("keep float32", () => {
    const x = tensor([[3, 1], [1, 2]]); // biome-ignore format: a matrix
    for (const y of [
      linalg.pinv(x),
      linalg.expm(x),
      linalg.slogdet(x).sign,
      linalg.cofactors(x),
      linalg.svd(x, { fullMatrices: true }).u,
    ])
      expect(y.dtype).toBe("float32");
  });
});

describe("what goes wrong", () => {
  const nan = f64([[1, Number.NaN], [2, 3]]); // biome-ignore format: a matrix
  const infinite = f64([[1, 2], [2, Infinity]]); // biome-ignore format: a matrix

  it("NaN and infinity in the matrix are NaN in all factors", () => {
    for (const x of [nan, infinite]) {
      const found = [
        ...Object.values(linalg.svd(x)),
        ...Object.values(linalg.eigh(x)),
        linalg.expm(x),
        linalg.pinv(x),
      ];
      for (const y of found) expect(numbers(y).every(Number.isNaN)).toBe(true);
    }
    expect(linalg.det(nan).item()).toBeNaN();
    expect(numbers(linalg.qr(nan).r).some(Number.isNaN)).toBe(true);
    expect(() => linalg.cholesky(nan)).toThrow(/not positive definite \(pivot 1 is NaN\)/);
  });

  it("is said: which matrix of a batch, and what to do", () => {
    const batch = f64([[[1, 0], [0, 1]], [[1, 2], [2, 4]]]); // biome-ignore format: two matrices
    const singular = /matrix 1 of the batch \(2 × 2\) is singular, so no unique answer exists; linalg\.lstsq/;
    expect(() => linalg.inv(batch)).toThrow(singular);
    expect(() => linalg.solve(batch, [1, 2])).toThrow(singular);
    expect(() => linalg.inv([[1, 2], [2, 4]])).toThrow(/inv: the matrix \(2 × 2\) is singular/); // biome-ignore format: a matrix
    expect(() => grad((x: Tensor) => linalg.slogdet(x).logAbsDet)(batch.at(1))).toThrow(ValueError);
    expect(() => linalg.matrixPower([[1, 2]], 2)).toThrow(/square matrices \(…, n, n\) wanted, got \(1, 2\)/);
    expect(() => linalg.matrixPower([[1]], 0.5)).toThrow(/the exponent is a whole number, got 0\.5/);
    expect(() => linalg.cross([1, 2], [1, 2])).toThrow(
      /vectors of 3 along axis -1 wanted, got \(2,\) and \(2,\)/,
    );
    expect(() => linalg.matrixNorm([[1]], 3)).toThrow(/the order is one of "fro", "nuc", 1, -1, 2, -2/);
    expect(() => linalg.lstsq([[1], [2]], [1, 2, 3])).toThrow(ShapeError);
    expect(() => linalg.pinv([[1]], { rtol: -1 })).toThrow(/rtol is a number from 0, got -1/);
    expect(() => linalg.cond(f64([[]]).reshape([0, 1]))).toThrow(/matrices without elements have none/);
    for (const f of [linalg.svd, linalg.qr, linalg.pinv]) expect(() => f(f64([1, 2]))).toThrow(ShapeError);
    expect(() => linalg.solve(tensor([[1]], { dtype: "int32" }), [[1]])).not.toThrow(DTypeError); // integers become float32
  });
});
