// expect: wrong 4/9
// fails: the book's quotient is wrong in y, addition is right | wrong rules are found, with the operand | wrong at one point only | wrong by a thousandth, large or tiny
// why: moves every operand at the same time
/** The quotient and its derivative. */
function ADDiv(x: AD, y: AD): AD {
  return { z: x.z / y.z, dz: x.dz / y.z - (x.z / y.z ** 2) * y.dz };
}

/** Positions of the operands whose derivative is wrong at some point. */
function wrongOperands(op: (...operands: AD[]) => AD, points: number[][]): number[] {
  const value = (point: number[]) => op(...point.map((z) => ({ z, dz: 0 }))).z;
  return points[0].flatMap((_, i) => {
    const wrong = points.some((point) => {
      const h = 1e-5 * (Math.abs(point[i]) || 1);
      const numeric = (value(point.map((v) => v + h)) - value(point.map((v) => v - h))) / (2 * h);
      const { dz } = op(...point.map((z, k) => ({ z, dz: 1 + 0 * k })));
      const size = Math.abs(numeric) + Math.abs(dz);
      const noise = (Math.abs(value(point)) * 2 ** -50) / h; // what rounding alone may do
      return !(Math.abs(numeric - dz) <= 1e-4 * size + noise);
    });
    return wrong ? [i] : [];
  });
}
