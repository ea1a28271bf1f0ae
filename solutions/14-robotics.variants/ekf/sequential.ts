// expect: correct
// why: one flat pass: P·Hᵀ first, S inverted by its formula, the gate as a sum, the covariance symmetric at the end
interface Belief {
  mean: number[];
  covariance: Matrix;
}

function predict(belief: Belief, v: number, w: number, dt: number, noise: Matrix): Belief {
  const direction = belief.mean[2];
  const way = v * dt;
  const jacobian = identity(3);
  jacobian[0][2] = -way * Math.sin(direction);
  jacobian[1][2] = way * Math.cos(direction);
  const spread = times(jacobian, times(belief.covariance, transposed(jacobian)));
  return {
    mean: [belief.mean[0] + way * Math.cos(direction), belief.mean[1] + way * Math.sin(direction), wrap(direction + dt * w)],
    covariance: spread.map((row, i) => row.map((value, j) => value + noise[i][j])),
  };
}

interface Updated {
  belief: Belief;
  accepted: boolean;
  nis: number;
}

function update(belief: Belief, measured: [range: number, bearing: number], landmark: [x: number, y: number], noise: Matrix, gate: number): Updated {
  const P = belief.covariance;
  const [x, y, theta] = belief.mean;
  const squared = (landmark[0] - x) ** 2 + (landmark[1] - y) ** 2;
  const distance = Math.sqrt(squared);
  const H: Matrix = [
    [(x - landmark[0]) / distance, (y - landmark[1]) / distance, 0],
    [(landmark[1] - y) / squared, (x - landmark[0]) / squared, -1],
  ];
  const cross = times(P, transposed(H));
  const S = plus(times(H, cross), noise);
  const determinant = S[0][0] * S[1][1] - S[0][1] * S[1][0];
  const [r0, r1] = [measured[0] - distance, wrap(measured[1] + theta - Math.atan2(landmark[1] - y, landmark[0] - x))];
  const nis = (S[1][1] * r0 * r0 - (S[0][1] + S[1][0]) * r0 * r1 + S[0][0] * r1 * r1) / determinant;
  if (!(nis <= gate)) return { belief: { mean: [...belief.mean], covariance: P.map((row) => [...row]) }, accepted: false, nis };
  const gain = cross.map(([a, b]) => [(a * S[1][1] - b * S[1][0]) / determinant, (b * S[0][0] - a * S[0][1]) / determinant]);
  const mean = belief.mean.map((value, i) => value + gain[i][0] * r0 + gain[i][1] * r1);
  mean[2] = wrap(mean[2]);
  const left = identity(3).map((row, i) => row.map((value, j) => value - gain[i][0] * H[0][j] - gain[i][1] * H[1][j]));
  const sum = plus(times(left, P, transposed(left)), times(gain, noise, transposed(gain)));
  return { belief: { mean, covariance: sum.map((row, i) => row.map((value, j) => (value + sum[j][i]) / 2)) }, accepted: true, nis };
}
