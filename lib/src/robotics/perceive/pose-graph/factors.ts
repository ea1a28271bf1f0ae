/**
 * Residuals of pose graphs: relative poses, priors, landmarks seen from poses. Each has its measurement and a square root of
 * its information matrix as data, and its derivatives by hand. (Grisetti et al., "A tutorial on graph-based SLAM", 2010.)
 */
import {
  matrixQuaternion,
  quaternionLog,
  quaternionMatrix,
  quaternionProduct,
  wrapAngle,
} from "../../solve/manifold.js";
import { analyticResidual, type ResidualKind } from "../../solve/residual.js";

/** out ← W·e, and the same for each column of the Jacobians. */
function whiten(
  w: Float64Array,
  at: number,
  n: number,
  e: Float64Array,
  residual: Float64Array,
  slopes: readonly [Float64Array, Float64Array, number][],
): void {
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += w[at + i * n + k] * e[k];
    residual[i] = sum;
    for (const [from, to, columns] of slopes)
      for (let j = 0; j < columns; j++) {
        let total = 0;
        for (let k = 0; k < n; k++) total += w[at + i * n + k] * from[k * columns + j];
        to[i * columns + j] = total;
      }
  }
}

const e3 = new Float64Array(3);
const [a3, b3] = [new Float64Array(9), new Float64Array(9)];

/**
 * Pose b seen from pose a, in the plane: z⁻¹∘(a⁻¹∘b), whitened. Parameters: two SE2. Data: (x, y, θ) and W (3 × 3,
 * row-major) with WᵀW the information matrix.
 */
export const between2: ResidualKind = analyticResidual(
  { name: "between2", size: 3, parameters: [3, 3], data: 12 },
  [3, 3],
  ([a, b], z, residual, jacobians) => {
    const [ca, sa, cz, sz] = [Math.cos(a[2]), Math.sin(a[2]), Math.cos(z[2]), Math.sin(z[2])];
    const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
    const [ux, uy] = [ca * dx + sa * dy, -sa * dx + ca * dy];
    const [vx, vy] = [ux - z[0], uy - z[1]];
    e3[0] = cz * vx + sz * vy;
    e3[1] = -sz * vx + cz * vy;
    e3[2] = wrapAngle(b[2] - a[2] - z[2]);
    if (!jacobians) {
      whiten(z, 3, 3, e3, residual, []);
      return;
    }
    const [cq, sq] = [Math.cos(b[2] - a[2] - z[2]), Math.sin(b[2] - a[2] - z[2])];
    a3.set([-cz, -sz, cz * uy - sz * ux, sz, -cz, -sz * uy - cz * ux, 0, 0, -1]);
    b3.set([cq, -sq, 0, sq, cq, 0, 0, 0, 1]);
    whiten(z, 3, 3, e3, residual, [
      [a3, jacobians[0], 3],
      [b3, jacobians[1], 3],
    ]);
  },
);

/** A pose in the plane that is known: z⁻¹∘a, whitened. Parameter: SE2. Data as `between2`. */
export const prior2: ResidualKind = analyticResidual(
  { name: "prior2", size: 3, parameters: [3], data: 12 },
  [3],
  ([a], z, residual, jacobians) => {
    const [cz, sz] = [Math.cos(z[2]), Math.sin(z[2])];
    const [dx, dy] = [a[0] - z[0], a[1] - z[1]];
    const turn = wrapAngle(a[2] - z[2]);
    e3[0] = cz * dx + sz * dy;
    e3[1] = -sz * dx + cz * dy;
    e3[2] = turn;
    const [c, s] = [Math.cos(turn), Math.sin(turn)];
    a3.set([c, -s, 0, s, c, 0, 0, 0, 1]);
    whiten(z, 3, 3, e3, residual, jacobians ? [[a3, jacobians[0], 3]] : []);
  },
);

const e2 = new Float64Array(2);
const [p2, l2] = [new Float64Array(6), new Float64Array(4)];

/** A landmark's place in the frame of a pose. Parameters: SE2, R2. Data: (x, y) and W (2 × 2). */
export const landmark2: ResidualKind = analyticResidual(
  { name: "landmark2", size: 2, parameters: [3, 2], data: 6 },
  [3, 2],
  ([a, l], z, residual, jacobians) => {
    const [c, s] = [Math.cos(a[2]), Math.sin(a[2])];
    const [dx, dy] = [l[0] - a[0], l[1] - a[1]];
    const [ux, uy] = [c * dx + s * dy, -s * dx + c * dy];
    e2[0] = ux - z[0];
    e2[1] = uy - z[1];
    p2.set([-1, 0, uy, 0, -1, -ux]);
    l2.set([c, s, -s, c]);
    whiten(
      z,
      2,
      2,
      e2,
      residual,
      jacobians
        ? [
            [p2, jacobians[0], 3],
            [l2, jacobians[1], 2],
          ]
        : [],
    );
  },
);

const e6 = new Float64Array(6);
const [a6, b6] = [new Float64Array(36), new Float64Array(36)];
const [ra, rb, rz] = [new Float64Array(9), new Float64Array(9), new Float64Array(9)];
const relative = new Float64Array(9);
const quaternion = new Float64Array(4);
const conjugate = new Float64Array(4);
const [inverseJacobian, product] = [new Float64Array(9), new Float64Array(9)];

/** out ← aᵀ·b for 3 × 3 matrices. */
function transposedProduct(a: Float64Array, b: Float64Array, out: Float64Array): void {
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++) out[i * 3 + j] = a[i] * b[j] + a[3 + i] * b[3 + j] + a[6 + i] * b[6 + j];
}

/** out ← Jᵣ⁻¹(φ), which says how a small turn after Exp(φ) changes its logarithm (Chirikjian 2011; Solà et al. 2018, eq. 144). */
export function inverseRightJacobian(phi: Float64Array, at: number, out: Float64Array): void {
  const [x, y, z] = [phi[at], phi[at + 1], phi[at + 2]];
  const square = x * x + y * y + z * z;
  const angle = Math.sqrt(square);
  const k =
    angle < 1e-4 ? 1 / 12 + square / 720 : 1 / square - (1 + Math.cos(angle)) / (2 * angle * Math.sin(angle));
  out[0] = 1 - k * (y * y + z * z);
  out[1] = -z / 2 + k * x * y;
  out[2] = y / 2 + k * x * z;
  out[3] = z / 2 + k * x * y;
  out[4] = 1 - k * (x * x + z * z);
  out[5] = -x / 2 + k * y * z;
  out[6] = -y / 2 + k * x * z;
  out[7] = x / 2 + k * y * z;
  out[8] = 1 - k * (x * x + y * y);
}

/**
 * Pose b seen from pose a, in space: translation and rotation vector of z⁻¹∘(a⁻¹∘b), whitened. Parameters: two SE3. Data:
 * (x, y, z, qx, qy, qz, qw) and W (6 × 6, translation first).
 */
export const between3: ResidualKind = analyticResidual(
  { name: "between3", size: 6, parameters: [7, 7], data: 43 },
  [6, 6],
  ([a, b], z, residual, jacobians) => {
    quaternionMatrix(a, 3, ra);
    quaternionMatrix(z, 3, rz);
    const [dx, dy, dz] = [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
    const u = [0, 0, 0];
    for (let i = 0; i < 3; i++) u[i] = ra[i] * dx + ra[3 + i] * dy + ra[6 + i] * dz;
    const [vx, vy, vz] = [u[0] - z[0], u[1] - z[1], u[2] - z[2]];
    for (let i = 0; i < 3; i++) e6[i] = rz[i] * vx + rz[3 + i] * vy + rz[6 + i] * vz;
    conjugate.set([-a[3], -a[4], -a[5], a[6]]);
    quaternionProduct(conjugate, 0, b, 3, quaternion, 0);
    conjugate.set([-z[3], -z[4], -z[5], z[6]]);
    quaternionProduct(conjugate, 0, quaternion, 0, quaternion, 0);
    quaternionLog(quaternion, 0, e6, 3);
    if (!jacobians) {
      whiten(z, 7, 6, e6, residual, []);
      return;
    }
    a6.fill(0);
    b6.fill(0);
    quaternionMatrix(b, 3, rb);
    transposedProduct(ra, rb, relative);
    inverseRightJacobian(e6, 3, inverseJacobian);
    // turns of a come in from the other side of the relative rotation
    for (let i = 0; i < 3; i++)
      for (let j = 0; j < 3; j++) {
        let sum = 0;
        for (let k = 0; k < 3; k++) sum += inverseJacobian[i * 3 + k] * relative[j * 3 + k];
        product[i * 3 + j] = sum;
      }
    const cross = [0, -u[2], u[1], u[2], 0, -u[0], -u[1], u[0], 0];
    for (let i = 0; i < 3; i++)
      for (let j = 0; j < 3; j++) {
        let [turned, moved] = [0, 0];
        for (let k = 0; k < 3; k++) {
          turned += rz[k * 3 + i] * cross[k * 3 + j];
          moved += rz[k * 3 + i] * relative[k * 3 + j];
        }
        a6[i * 6 + j] = -rz[j * 3 + i];
        a6[i * 6 + 3 + j] = turned;
        a6[(i + 3) * 6 + 3 + j] = -product[i * 3 + j];
        b6[i * 6 + j] = moved;
        b6[(i + 3) * 6 + 3 + j] = inverseJacobian[i * 3 + j];
      }
    whiten(z, 7, 6, e6, residual, [
      [a6, jacobians[0], 6],
      [b6, jacobians[1], 6],
    ]);
  },
);

/** out ← a⁻¹∘b for poses in space. */
export function relativePose3(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(7);
  quaternionMatrix(a, 3, ra);
  for (let i = 0; i < 3; i++) for (let k = 0; k < 3; k++) out[i] += ra[k * 3 + i] * (b[k] - a[k]);
  conjugate.set([-a[3], -a[4], -a[5], a[6]]);
  quaternionProduct(conjugate, 0, b, 3, out, 3);
  return out;
}

/** A pose in space from a rotation matrix and a translation. */
export function pose3(rotation: ArrayLike<number>, translation: ArrayLike<number>): Float64Array {
  const out = new Float64Array(7);
  for (let i = 0; i < 3; i++) out[i] = translation[i];
  matrixQuaternion(rotation, out, 3);
  return out;
}
