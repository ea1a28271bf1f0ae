/**
 * Spaces that parameters live in: how a step of the tangent space moves a point. Solvers then see vectors only, and a
 * rotation stays one. (Hertzberg et al., "Integrating generic sensor fusion algorithms with sound state representations
 * through encapsulation of manifolds", 2013; plus and minus as there, Jacobians as Ceres uses them.)
 */
import { ValueError } from "../../core/errors.js";

/** Points are rows of `ambient` numbers in an array, from an offset on; steps are rows of `tangent` numbers. */
export interface Manifold {
  readonly name: string;
  /** Numbers that store a point. */
  readonly ambient: number;
  /** Degrees of freedom. */
  readonly tangent: number;
  /** out ← x ⊞ step. `out` may be `x`. */
  plus(x: Float64Array, at: number, step: Float64Array, from: number, out: Float64Array, to: number): void;
  /** out ← y ⊟ x: the step from x to y. */
  minus(y: Float64Array, fromY: number, x: Float64Array, fromX: number, out: Float64Array, to: number): void;
  /** ∂(x ⊞ step)/∂step at 0, ambient × tangent, row-major; `null` where that is the identity. */
  readonly plusJacobian: ((x: Float64Array, at: number, out: Float64Array) => void) | null;
  /** Throws a ValueError if the numbers are no point (a quaternion of length 2). */
  check?(x: Float64Array, at: number, where: string): void;
}

const known = new Map<number, Manifold>();

/**
 * Plain vectors of `size` numbers.
 * @example robotics.solve.euclidean(3).tangent // 3
 */
export function euclidean(size: number): Manifold {
  if (!Number.isInteger(size) || size < 1)
    throw new ValueError(`euclidean: a whole number of dimensions from 1 wanted, got ${size}`);
  let found = known.get(size);
  if (!found) {
    found = {
      name: `R${size}`,
      ambient: size,
      tangent: size,
      plus: (x, at, step, from, out, to) => {
        for (let i = 0; i < size; i++) out[to + i] = x[at + i] + step[from + i];
      },
      minus: (y, fromY, x, fromX, out, to) => {
        for (let i = 0; i < size; i++) out[to + i] = y[fromY + i] - x[fromX + i];
      },
      plusJacobian: null,
    };
    known.set(size, found);
  }
  return found;
}

/**
 * An angle in radians brought into [−π, π).
 * @example robotics.solve.wrapAngle(4) // -2.2832
 */
export function wrapAngle(angle: number): number {
  const turned = (angle + Math.PI) % (2 * Math.PI);
  return (turned < 0 ? turned + 2 * Math.PI : turned) - Math.PI;
}

/** Poses in the plane: x and y in metres, heading in radians. A step is (forward, left, turn) in the pose's own frame, as g2o's. */
export const SE2: Manifold = {
  name: "SE2",
  ambient: 3,
  tangent: 3,
  plus: (x, at, step, from, out, to) => {
    const heading = x[at + 2];
    const [c, s] = [Math.cos(heading), Math.sin(heading)];
    const [forward, left] = [step[from], step[from + 1]];
    out[to] = x[at] + c * forward - s * left;
    out[to + 1] = x[at + 1] + s * forward + c * left;
    out[to + 2] = wrapAngle(heading + step[from + 2]);
  },
  minus: (y, fromY, x, fromX, out, to) => {
    const heading = x[fromX + 2];
    const [c, s] = [Math.cos(heading), Math.sin(heading)];
    const [dx, dy] = [y[fromY] - x[fromX], y[fromY + 1] - x[fromX + 1]];
    const turn = wrapAngle(y[fromY + 2] - heading);
    out[to] = c * dx + s * dy;
    out[to + 1] = -s * dx + c * dy;
    out[to + 2] = turn;
  },
  plusJacobian: (x, at, out) => {
    const [c, s] = [Math.cos(x[at + 2]), Math.sin(x[at + 2])];
    out.set([c, -s, 0, s, c, 0, 0, 0, 1]);
  },
};

/** out ← a · b for quaternions (x, y, z, w). `out` may be one of them. */
export function quaternionProduct(
  a: Float64Array,
  atA: number,
  b: Float64Array,
  atB: number,
  out: Float64Array,
  to: number,
): void {
  const [ax, ay, az, aw] = [a[atA], a[atA + 1], a[atA + 2], a[atA + 3]];
  const [bx, by, bz, bw] = [b[atB], b[atB + 1], b[atB + 2], b[atB + 3]];
  out[to] = aw * bx + ax * bw + ay * bz - az * by;
  out[to + 1] = aw * by - ax * bz + ay * bw + az * bx;
  out[to + 2] = aw * bz + ax * by - ay * bx + az * bw;
  out[to + 3] = aw * bw - ax * bx - ay * by - az * bz;
}

/** out ← the quaternion (x, y, z, w) of a rotation vector in radians. */
export function quaternionExp(v: Float64Array, at: number, out: Float64Array, to: number): void {
  const [x, y, z] = [v[at], v[at + 1], v[at + 2]];
  const angle = Math.hypot(x, y, z);
  const scale = angle > 1e-6 ? Math.sin(angle / 2) / angle : 0.5 - (angle * angle) / 48;
  out[to] = x * scale;
  out[to + 1] = y * scale;
  out[to + 2] = z * scale;
  out[to + 3] = Math.cos(angle / 2);
}

/** out ← the rotation vector, of at most π, of a unit quaternion (x, y, z, w). */
export function quaternionLog(q: Float64Array, at: number, out: Float64Array, to: number): void {
  const sign = q[at + 3] < 0 ? -1 : 1; // q and −q are one rotation: the shorter way
  const [x, y, z, w] = [sign * q[at], sign * q[at + 1], sign * q[at + 2], sign * q[at + 3]];
  const sine = Math.hypot(x, y, z);
  const scale = sine > 1e-9 ? (2 * Math.atan2(sine, w)) / sine : 2 / w;
  out[to] = x * scale;
  out[to + 1] = y * scale;
  out[to + 2] = z * scale;
}

/** out ← the rotation matrix, row-major, of a unit quaternion (x, y, z, w). */
export function quaternionMatrix(q: Float64Array, at: number, out: Float64Array, to = 0): void {
  const [x, y, z, w] = [q[at], q[at + 1], q[at + 2], q[at + 3]];
  out[to] = 1 - 2 * (y * y + z * z);
  out[to + 1] = 2 * (x * y - z * w);
  out[to + 2] = 2 * (x * z + y * w);
  out[to + 3] = 2 * (x * y + z * w);
  out[to + 4] = 1 - 2 * (x * x + z * z);
  out[to + 5] = 2 * (y * z - x * w);
  out[to + 6] = 2 * (x * z - y * w);
  out[to + 7] = 2 * (y * z + x * w);
  out[to + 8] = 1 - 2 * (x * x + y * y);
}

/** out ← the unit quaternion (x, y, z, w) of a rotation matrix (Shepperd 1978: through its largest component). */
export function matrixQuaternion(r: ArrayLike<number>, out: Float64Array, to = 0): void {
  const trace = r[0] + r[4] + r[8];
  const squares = [r[0] - r[4] - r[8], r[4] - r[0] - r[8], r[8] - r[0] - r[4], trace];
  const k = squares.indexOf(Math.max(...squares));
  const big = Math.sqrt(1 + squares[k]) / 2;
  const f = 1 / (4 * big);
  const q =
    k === 0
      ? [big, (r[1] + r[3]) * f, (r[2] + r[6]) * f, (r[7] - r[5]) * f]
      : k === 1
        ? [(r[1] + r[3]) * f, big, (r[5] + r[7]) * f, (r[2] - r[6]) * f]
        : k === 2
          ? [(r[2] + r[6]) * f, (r[5] + r[7]) * f, big, (r[3] - r[1]) * f]
          : [(r[7] - r[5]) * f, (r[2] - r[6]) * f, (r[3] - r[1]) * f, big];
  for (let i = 0; i < 4; i++) out[to + i] = q[i];
}

function normalize(q: Float64Array, at: number): void {
  const length = Math.hypot(q[at], q[at + 1], q[at + 2], q[at + 3]);
  for (let i = 0; i < 4; i++) q[at + i] /= length;
}

function checkQuaternion(q: Float64Array, at: number, where: string): void {
  const length = Math.hypot(q[at], q[at + 1], q[at + 2], q[at + 3]);
  if (!(Math.abs(length - 1) < 1e-3))
    throw new ValueError(`${where}: a unit quaternion (x, y, z, w) wanted, got one of length ${length}`);
}

const turn = new Float64Array(4);
const inverse = new Float64Array(4);
const rotation = new Float64Array(9);

function turned(
  x: Float64Array,
  at: number,
  step: Float64Array,
  from: number,
  out: Float64Array,
  to: number,
): void {
  quaternionExp(step, from, turn, 0);
  quaternionProduct(x, at, turn, 0, out, to);
  normalize(out, to);
}

function turnBetween(
  y: Float64Array,
  atY: number,
  x: Float64Array,
  atX: number,
  out: Float64Array,
  to: number,
): void {
  inverse.set([-x[atX], -x[atX + 1], -x[atX + 2], x[atX + 3]]);
  quaternionProduct(inverse, 0, y, atY, turn, 0);
  quaternionLog(turn, 0, out, to);
}

/** q·(v/2, 1): rows of x, y, z, w; written with `stride` numbers to a row from `to` on. */
function turnJacobian(q: Float64Array, at: number, out: Float64Array, to: number, stride: number): void {
  const [x, y, z, w] = [q[at] / 2, q[at + 1] / 2, q[at + 2] / 2, q[at + 3] / 2];
  const rows = [w, -z, y, z, w, -x, -y, x, w, -x, -y, -z];
  for (let i = 0; i < 4; i++) for (let j = 0; j < 3; j++) out[to + i * stride + j] = rows[i * 3 + j];
}

/** Rotations as unit quaternions (x, y, z, w), as ROS writes them. A step is a rotation vector in radians, in the turned frame. */
export const SO3: Manifold = {
  name: "SO3",
  ambient: 4,
  tangent: 3,
  plus: turned,
  minus: turnBetween,
  plusJacobian: (x, at, out) => turnJacobian(x, at, out, 0, 3),
  check: checkQuaternion,
};

/**
 * Poses in space: x, y, z in metres and a unit quaternion (x, y, z, w). A step is a translation in the pose's own frame and
 * a rotation vector in radians.
 */
export const SE3: Manifold = {
  name: "SE3",
  ambient: 7,
  tangent: 6,
  plus: (x, at, step, from, out, to) => {
    quaternionMatrix(x, at + 3, rotation);
    const [a, b, c] = [step[from], step[from + 1], step[from + 2]];
    for (let i = 0; i < 3; i++)
      out[to + i] = x[at + i] + rotation[i * 3] * a + rotation[i * 3 + 1] * b + rotation[i * 3 + 2] * c;
    turned(x, at + 3, step, from + 3, out, to + 3);
  },
  minus: (y, fromY, x, fromX, out, to) => {
    quaternionMatrix(x, fromX + 3, rotation);
    const [a, b, c] = [y[fromY] - x[fromX], y[fromY + 1] - x[fromX + 1], y[fromY + 2] - x[fromX + 2]];
    for (let i = 0; i < 3; i++) out[to + i] = rotation[i] * a + rotation[3 + i] * b + rotation[6 + i] * c;
    turnBetween(y, fromY + 3, x, fromX + 3, out, to + 3);
  },
  plusJacobian: (x, at, out) => {
    out.fill(0);
    quaternionMatrix(x, at + 3, rotation);
    for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) out[i * 6 + j] = rotation[i * 3 + j];
    turnJacobian(x, at + 3, out, 3 * 6 + 3, 6);
  },
  check: (x, at, where) => checkQuaternion(x, at + 3, where),
};
