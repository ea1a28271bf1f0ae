// expect: correct
// why: two steps and Richardson's extrapolation
function ADDiv(x: AD, y: AD): AD {
  const z = x.z / y.z;
  return { z, dz: (x.dz - z * y.dz) / y.z };
}

function wrongOperands(op: (...operands: AD[]) => AD, points: number[][]): number[] {
  const arity = points[0].length;
  const found: number[] = [];
  for (let i = 0; i < arity; i++) {
    let fine = true;
    for (const point of points) {
      const f = (t: number) => op(...point.map((z, k) => ({ z: k === i ? z + t : z, dz: 0 }))).z;
      const h = 2e-4 * Math.max(Math.abs(point[i]), 1e-12);
      const central = (s: number) => (f(s) - f(-s)) / (2 * s);
      const slope = (4 * central(h / 2) - central(h)) / 3;
      const claimed = op(...point.map((z, k) => ({ z, dz: k === i ? 1 : 0 }))).dz;
      const allowed = 2e-4 * Math.max(Math.abs(slope), Math.abs(claimed)) + (1e-14 * Math.abs(f(0))) / h;
      if (Math.abs(slope - claimed) <= allowed) continue;
      fine = false;
      break;
    }
    if (!fine) found.push(i);
  }
  return found;
}
