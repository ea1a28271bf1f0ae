// expect: wrong 8/9
// fails: wrong at one point only
// why: looks at the first point only
/** The quotient and its derivative. */
function ADDiv(x: AD, y: AD): AD {
  return { z: x.z / y.z, dz: x.dz / y.z - (x.z / y.z ** 2) * y.dz };
}

/** Positions of the operands whose derivative is wrong at some point. */
function wrongOperands(op: (...operands: AD[]) => AD, points: number[][]): number[] {
  const value = (point: number[]) => op(...point.map((z) => ({ z, dz: 0 }))).z;
  return points[0].flatMap((_, i) => {
    const wrong = points.slice(0, 1).some((point) => {
      const h = 1e-5 * (Math.abs(point[i]) || 1);
      const numeric = (value(point.with(i, point[i] + h)) - value(point.with(i, point[i] - h))) / (2 * h);
      const { dz } = op(...point.map((z, k) => ({ z, dz: Number(k === i) })));
      const size = Math.abs(numeric) + Math.abs(dz);
      const noise = (Math.abs(value(point)) * 2 ** -50) / h; // what rounding alone may do
      return !(Math.abs(numeric - dz) <= 1e-4 * size + noise);
    });
    return wrong ? [i] : [];
  });
}
