/** Linear algebra on matrices (…, n, m); leading axes are a batch. */
export { cofactors, det, type SignedLogDet, slogdet } from "./determinant.js";
export { expm } from "./expm.js";
export * from "./norms.js";
export { cond, type LeastSquares, lstsq, matrixRank, pinv, type RankOptions } from "./pinv.js";
export { cross, kron, matrixPower } from "./products.js";
export { type Qr, type QrOptions, qr } from "./qr.js";
export { inv, solve } from "./solve.js";
export { type Svd, type SvdOptions, svd, svdvals } from "./svd.js";
export { cholesky, type Eigen, eigh, eigvalsh } from "./symmetric.js";
export { type TriangularOptions, triangularSolve } from "./triangular.js";
