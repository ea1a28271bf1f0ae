/**
 * Cross-view segmentation: what a front camera's segmentation says about the ground, seen from above, by inverse perspective
 * mapping over a flat ground (Bertozzi & Broggi 1998).
 */
import { ShapeError, ValueError } from "../../../core/errors.js";
import { type PinholeCamera, projectPinhole } from "../odometry/camera.js";

export interface BirdsEyeOptions {
  readonly camera: PinholeCamera;
  /** Height of the camera above the ground, metres; how far it looks down, radians. */
  readonly height: number;
  readonly pitch?: number;
  /** Ground that is shown: metres ahead of the camera (near, far), and to both sides. */
  readonly ahead: readonly [near: number, far: number];
  readonly aside: number;
  /** Metres to a cell. */
  readonly resolution: number;
  /** What cells have that the camera does not see. Default 255. */
  readonly unseen?: number;
}

export interface BirdsEye {
  /** Cells to the sides, and ahead. */
  readonly width: number;
  readonly height: number;
  /** Row-major; row 0 is the farthest, column 0 the leftmost. */
  readonly labels: Uint8Array;
}

/**
 * @param labels class of each pixel of the image, row-major
 * @param size of the image
 * @throws ShapeError if the labels are not the image's; ValueError for a ground that is none.
 * @example
 * const camera = { fx: 10, fy: 10, cx: 4.5, cy: 4.5 };
 * robotics.perceive.birdsEyeView(new Uint8Array(100).fill(1), [10, 10], { camera, height: 1, ahead: [2, 4], aside: 1, resolution: 1 }).labels // [1, 1, 1, 1]
 */
export function birdsEyeView(
  labels: ArrayLike<number>,
  size: readonly [width: number, height: number],
  options: BirdsEyeOptions,
): BirdsEye {
  const { camera, height, pitch = 0, ahead, aside, resolution, unseen = 255 } = options;
  if (labels.length !== size[0] * size[1])
    throw new ShapeError(
      `birdsEyeView: ${size[0]} × ${size[1]} pixels have ${size[0] * size[1]} labels, got ${labels.length}`,
    );
  if (!(height > 0 && ahead[1] > ahead[0] && aside > 0 && resolution > 0))
    throw new ValueError(
      `birdsEyeView: a height, sides and a resolution above 0 and near < far wanted, got ${height}, ${aside}, ${resolution}, ${ahead.join(" … ")}`,
    );
  const columns = Math.round((2 * aside) / resolution);
  const rows = Math.round((ahead[1] - ahead[0]) / resolution);
  const out = new Uint8Array(columns * rows).fill(unseen);
  const [c, s] = [Math.cos(pitch), Math.sin(pitch)];
  for (let row = 0; row < rows; row++) {
    const forward = ahead[1] - (row + 0.5) * resolution;
    // the ground in the optical frame: y down, z ahead, turned by the pitch
    const [y, z] = [c * height - s * forward, s * height + c * forward];
    if (!(z > 1e-6)) continue;
    for (let column = 0; column < columns; column++) {
      const x = -aside + (column + 0.5) * resolution;
      const [u, v] = projectPinhole(camera, x, y, z).map(Math.round);
      if (u >= 0 && v >= 0 && u < size[0] && v < size[1])
        out[row * columns + column] = labels[v * size[0] + u];
    }
  }
  return { width: columns, height: rows, labels: out };
}
