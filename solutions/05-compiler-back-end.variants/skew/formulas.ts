// expect: correct
// why: the factor by a formula, waves by their bounds
function distances(nest: Nest): Vector[] {
  const out: Vector[] = [];
  for (const read of nest.reads) {
    let [a, b] = [nest.write[0] - read[0], nest.write[1] - read[1]];
    if (a === 0 && b === 0) continue;
    if (a < 0 || (a === 0 && b < 0)) [a, b] = [a === 0 ? 0 : -a, b === 0 ? 0 : -b];
    if (!out.some(([x, y]) => x === a && y === b)) out.push([a, b]);
  }
  return out.sort(([a, b], [c, d]) => (a === c ? b - d : a - c));
}

function change(d: Vector, t: Matrix): Vector {
  return t.map((row) => row[0] * d[0] + row[1] * d[1]) as Vector;
}

function legal(ds: Vector[], t: Matrix): boolean {
  for (const d of ds) {
    const [outer, inner] = change(d, t);
    if (outer < 0 || (outer === 0 && inner <= 0)) return false;
  }
  return true;
}

function parallel(ds: Vector[], t: Matrix): boolean {
  return legal(ds, t) && !ds.some((d) => change(d, t)[0] === 0);
}

function blockable(ds: Vector[], t: Matrix): boolean {
  return legal(ds, t) && Math.min(0, ...ds.flatMap((d) => change(d, t))) === 0;
}

function skewFactor(ds: Vector[]): number {
  let least = 0;
  for (const [di, dj] of ds) if (di > 0) least = Math.max(least, Math.floor(-dj / di) + 1);
  return least;
}

function waves(steps: number, width: number, s: number): Vector[][] {
  const all: Vector[][] = [];
  for (let w = 0; w <= width - 1 + s * (steps - 1); w++) {
    const wave: Vector[] = [];
    for (let i = 0; i < steps; i++) if (w - s * i >= 0 && w - s * i < width) wave.push([i, w - s * i]);
    if (wave.length > 0) all.push(wave);
  }
  return all;
}
