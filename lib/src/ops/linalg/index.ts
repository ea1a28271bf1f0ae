/** Linear algebra on matrices (…, n, m); leading axes are a batch. */
export * from "./norms.js";
export { type Qr, qr } from "./qr.js";
export { det, inv, solve } from "./solve.js";
export { type Svd, svd, svdvals } from "./svd.js";
export { cholesky, type Eigen, eigh, eigvalsh } from "./symmetric.js";
export { type TriangularOptions, triangularSolve } from "./triangular.js";
