/**
 * Pinhole cameras with lens distortion (Brown 1966; coefficients in OpenCV's order). Frames are optical: x right, y down, z
 * ahead; pixel (0, 0) is the middle of the first one.
 */
import { ValueError } from "../../../core/errors.js";
import { quaternionMatrix } from "../../solve/manifold.js";
import { analyticResidual, type ResidualKind } from "../../solve/residual.js";

export interface PinholeCamera {
  /** Focal lengths and principal point, pixels. */
  readonly fx: number;
  readonly fy: number;
  readonly cx: number;
  readonly cy: number;
  /** k1, k2 (radial), p1, p2 (tangential), k3 (radial). Default none. */
  readonly distortion?: readonly [k1: number, k2: number, p1: number, p2: number, k3?: number];
}

/** @throws ValueError unless focal lengths are positive and all is finite. */
export function checkCamera({ fx, fy, cx, cy, distortion = [0, 0, 0, 0] }: PinholeCamera): void {
  if (!(fx > 0 && fy > 0 && [fx, fy, cx, cy, ...distortion].every((v) => Number.isFinite(v ?? 0))))
    throw new ValueError(
      `camera: positive focal lengths and finite numbers wanted, got fx ${fx}, fy ${fy}, cx ${cx}, cy ${cy}, distortion [${distortion.join(", ")}]`,
    );
}

/**
 * Pixel of a point of the camera's frame.
 * @example robotics.perceive.projectPinhole({ fx: 100, fy: 100, cx: 50, cy: 40 }, 1, 0, 2) // [100, 40]
 */
export function projectPinhole(
  camera: PinholeCamera,
  x: number,
  y: number,
  z: number,
): [u: number, v: number] {
  const [a, b] = distorted(camera, x / z, y / z);
  return [camera.fx * a + camera.cx, camera.fy * b + camera.cy];
}

function distorted({ distortion }: PinholeCamera, x: number, y: number): [number, number] {
  if (!distortion) return [x, y];
  const [k1, k2, p1, p2, k3 = 0] = distortion;
  const r = x * x + y * y;
  const d = 1 + r * (k1 + r * (k2 + r * k3));
  return [x * d + 2 * p1 * x * y + p2 * (r + 2 * x * x), y * d + p1 * (r + 2 * y * y) + 2 * p2 * x * y];
}

/**
 * The ray of a pixel: (x, y) at z = 1, distortion taken out by fixed-point iteration.
 * @example robotics.perceive.unprojectPixel({ fx: 100, fy: 100, cx: 50, cy: 40 }, 100, 40) // [0.5, 0]
 */
export function unprojectPixel(camera: PinholeCamera, u: number, v: number): [x: number, y: number] {
  const [a, b] = [(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy];
  let [x, y] = [a, b];
  if (!camera.distortion) return [x, y];
  for (let i = 0; i < 50; i++) {
    const [dx, dy] = distorted(camera, x, y);
    const [ex, ey] = [a - dx, b - dy];
    x += ex;
    y += ey;
    if (Math.abs(ex) + Math.abs(ey) < 1e-13) break;
  }
  return [x, y];
}

const rotation = new Float64Array(9);

/**
 * Projection minus what was seen, in pixels. Parameters: the camera's pose in the world (SE3), a point (R3). Data: (u, v).
 * Behind the camera the error is constant and has no slope.
 * @example robotics.perceive.pinholeReprojection({ fx: 100, fy: 100, cx: 50, cy: 40 }).parameters // [7, 3]
 */
export function pinholeReprojection(camera: PinholeCamera): ResidualKind {
  checkCamera(camera);
  const [k1, k2, p1, p2, k3 = 0] = camera.distortion ?? [0, 0, 0, 0, 0];
  const { fx, fy, cx, cy } = camera;
  return analyticResidual(
    { name: "pinholeReprojection", size: 2, parameters: [7, 3], data: 2 },
    [6, 3],
    ([pose, point], seen, residual, jacobians) => {
      quaternionMatrix(pose, 3, rotation);
      const r = rotation;
      const [dx, dy, dz] = [point[0] - pose[0], point[1] - pose[1], point[2] - pose[2]];
      const px = r[0] * dx + r[3] * dy + r[6] * dz;
      const py = r[1] * dx + r[4] * dy + r[7] * dz;
      const pz = r[2] * dx + r[5] * dy + r[8] * dz;
      if (!(pz > 1e-6)) {
        residual.fill(1e3);
        return;
      }
      const [x, y] = [px / pz, py / pz];
      const s = x * x + y * y;
      const d = 1 + s * (k1 + s * (k2 + s * k3));
      residual[0] = fx * (x * d + 2 * p1 * x * y + p2 * (s + 2 * x * x)) + cx - seen[0];
      residual[1] = fy * (y * d + p1 * (s + 2 * y * y) + 2 * p2 * x * y) + cy - seen[1];
      if (!jacobians) return;
      const slope = 2 * (k1 + s * (2 * k2 + 3 * s * k3)); // d = …, ∂d/∂x = slope·x
      const cross = slope * x * y + 2 * p1 * x + 2 * p2 * y;
      const ux = fx * (d + slope * x * x + 2 * p1 * y + 6 * p2 * x);
      const uy = fx * cross;
      const vx = fy * cross;
      const vy = fy * (d + slope * y * y + 6 * p1 * y + 2 * p2 * x);
      const [jp, jl] = jacobians;
      for (let i = 0; i < 2; i++) {
        const [a, b] = i === 0 ? [ux / pz, uy / pz] : [vx / pz, vy / pz];
        const c = -(a * x + b * y);
        const at = i * 6;
        // moving the camera moves the point the other way; turning it turns the point around it
        jp[at] = -a;
        jp[at + 1] = -b;
        jp[at + 2] = -c;
        jp[at + 3] = b * pz - c * py;
        jp[at + 4] = c * px - a * pz;
        jp[at + 5] = a * py - b * px;
        for (let j = 0; j < 3; j++) jl[i * 3 + j] = a * r[j * 3] + b * r[j * 3 + 1] + c * r[j * 3 + 2];
      }
    },
  );
}
