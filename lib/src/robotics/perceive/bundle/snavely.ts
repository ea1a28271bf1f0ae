/**
 * The camera of "Bundle Adjustment in the Large" (Agarwal et al. 2010), after Snavely's Bundler: rotation vector,
 * translation, focal length, two radial distortion coefficients. It looks along −z.
 */
import { analyticResidual, type ResidualKind } from "../../solve/residual.js";

/** Rodrigues: R of a rotation vector, and what a change of the vector turns: the right Jacobian. */
function rotationOf(w: Float64Array, r: Float64Array, right: Float64Array | null): void {
  const [x, y, z] = [w[0], w[1], w[2]];
  const square = x * x + y * y + z * z;
  const angle = Math.sqrt(square);
  const small = angle < 1e-4;
  const a = small ? 1 - square / 6 : Math.sin(angle) / angle;
  const b = small ? 0.5 - square / 24 : (1 - Math.cos(angle)) / square;
  fill(r, a, b, x, y, z, square);
  if (!right) return;
  const c = small ? 1 / 6 - square / 120 : (angle - Math.sin(angle)) / (square * angle);
  fill(right, -b, c, x, y, z, square);
}

/** out ← I + a·[w]ₓ + b·[w]ₓ². */
function fill(
  out: Float64Array,
  a: number,
  b: number,
  x: number,
  y: number,
  z: number,
  square: number,
): void {
  out[0] = 1 + b * (x * x - square);
  out[1] = -a * z + b * x * y;
  out[2] = a * y + b * x * z;
  out[3] = a * z + b * x * y;
  out[4] = 1 + b * (y * y - square);
  out[5] = -a * x + b * y * z;
  out[6] = -a * y + b * x * z;
  out[7] = a * x + b * y * z;
  out[8] = 1 + b * (z * z - square);
}

const r = new Float64Array(9);
const right = new Float64Array(9);
const turned = new Float64Array(9);

/**
 * Where a camera (9 numbers) sees a point, in pixels from the middle of the image.
 * @example robotics.perceive.projectSnavely(Float64Array.of(0, 0, 0, 0, 0, -4, 500, 0, 0), Float64Array.of(1, 0, 0)) // [125, 0]
 */
export function projectSnavely(camera: Float64Array, point: Float64Array): [u: number, v: number] {
  rotationOf(camera, r, null);
  const [x, y, z] = point;
  const px = r[0] * x + r[1] * y + r[2] * z + camera[3];
  const py = r[3] * x + r[4] * y + r[5] * z + camera[4];
  const pz = r[6] * x + r[7] * y + r[8] * z + camera[5];
  const [u, v] = [-px / pz, -py / pz];
  const n = u * u + v * v;
  const scale = camera[6] * (1 + camera[7] * n + camera[8] * n * n);
  return [scale * u, scale * v];
}

/** Projection minus what was seen, in pixels. Parameters: camera (9), point (3). Data: (u, v). */
export const snavelyReprojection: ResidualKind = analyticResidual(
  { name: "snavelyReprojection", size: 2, parameters: [9, 3], data: 2 },
  [9, 3],
  ([camera, point], seen, residual, jacobians) => {
    rotationOf(camera, r, jacobians ? right : null);
    const [x, y, z] = [point[0], point[1], point[2]];
    const px = r[0] * x + r[1] * y + r[2] * z + camera[3];
    const py = r[3] * x + r[4] * y + r[5] * z + camera[4];
    const pz = r[6] * x + r[7] * y + r[8] * z + camera[5];
    const inverse = -1 / pz;
    const [u, v] = [px * inverse, py * inverse];
    const n = u * u + v * v;
    const [f, k1, k2] = [camera[6], camera[7], camera[8]];
    const d = 1 + n * (k1 + k2 * n);
    residual[0] = f * d * u - seen[0];
    residual[1] = f * d * v - seen[1];
    if (!jacobians) return;
    // by (u, v), then by the point in the camera's frame
    const slope = 2 * f * (k1 + 2 * k2 * n);
    const [uu, uv, vv] = [f * d + slope * u * u, slope * u * v, f * d + slope * v * v];
    const rows = [
      uu * inverse,
      uv * inverse,
      (uu * u + uv * v) * inverse,
      uv * inverse,
      vv * inverse,
      (uv * u + vv * v) * inverse,
    ];
    // −R·[X]ₓ·Jᵣ: how a change of the rotation vector moves the point
    for (let i = 0; i < 3; i++) {
      const [a, b, c] = [r[i * 3], r[i * 3 + 1], r[i * 3 + 2]];
      const [m0, m1, m2] = [-(b * z - c * y), -(c * x - a * z), -(a * y - b * x)];
      for (let j = 0; j < 3; j++) turned[i * 3 + j] = m0 * right[j] + m1 * right[3 + j] + m2 * right[6 + j];
    }
    const [jc, jp] = [jacobians[0], jacobians[1]];
    for (let i = 0; i < 2; i++) {
      const [a, b, c] = [rows[i * 3], rows[i * 3 + 1], rows[i * 3 + 2]];
      for (let j = 0; j < 3; j++) {
        jc[i * 9 + j] = a * turned[j] + b * turned[3 + j] + c * turned[6 + j];
        jp[i * 3 + j] = a * r[j] + b * r[3 + j] + c * r[6 + j];
      }
      jc[i * 9 + 3] = a;
      jc[i * 9 + 4] = b;
      jc[i * 9 + 5] = c;
      const w = i === 0 ? u : v;
      jc[i * 9 + 6] = d * w;
      jc[i * 9 + 7] = f * n * w;
      jc[i * 9 + 8] = f * n * n * w;
    }
  },
);
