// expect: wrong 5/11
// fails: a landmark ahead | landmarks anywhere | directions go around | outliers stay outside
// why: H without the robot's own direction
interface Belief {
  /** x, y, θ. */
  mean: number[];
  /** 3 × 3. */
  covariance: Matrix;
}

function predict({ mean, covariance }: Belief, v: number, w: number, dt: number, noise: Matrix): Belief {
  const [x, y, theta] = mean;
  const [c, s] = [v * dt * Math.cos(theta), v * dt * Math.sin(theta)];
  const F = [
    [1, 0, -s],
    [0, 1, c],
    [0, 0, 1],
  ];
  return { mean: [x + c, y + s, wrap(theta + w * dt)], covariance: plus(times(F, covariance, transposed(F)), noise) };
}

interface Updated {
  belief: Belief;
  accepted: boolean;
  nis: number;
}

function update(
  belief: Belief,
  measured: [range: number, bearing: number],
  landmark: [x: number, y: number],
  noise: Matrix,
  gate: number,
): Updated {
  const { mean, covariance } = belief;
  const [dx, dy] = [landmark[0] - mean[0], landmark[1] - mean[1]];
  const range = Math.hypot(dx, dy);
  const H = [
    [-dx / range, -dy / range, 0],
    [dy / range ** 2, -dx / range ** 2, 0],
  ];
  const innovation = [measured[0] - range, wrap(measured[1] - wrap(Math.atan2(dy, dx) - mean[2]))];
  const inverseS = inverse(plus(times(H, covariance, transposed(H)), noise));
  const nis = innovation.reduce((sum, v, i) => sum + v * apply(inverseS, innovation)[i], 0);
  if (nis > gate) return { belief, accepted: false, nis };
  const K = times(covariance, transposed(H), inverseS);
  const moved = apply(K, innovation).map((v, i) => v + mean[i]);
  const rest = plus(identity(3), times(K, H), -1);
  return {
    belief: {
      mean: [moved[0], moved[1], wrap(moved[2])],
      covariance: plus(times(rest, covariance, transposed(rest)), times(K, noise, transposed(K))),
    },
    accepted: true,
    nis,
  };
}
