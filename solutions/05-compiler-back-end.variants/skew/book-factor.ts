// expect: wrong 6/9
// fails: needs a factor of two | the smallest factor | the stencil, run wave by wave with each wave backwards, is the stencil
// why: always skews by one, as the book does
/** Distances between iterations that depend on each other. */
function distances({ write, reads }: Nest): Vector[] {
  const found = new Map<string, Vector>();
  for (const [r0, r1] of reads) {
    const flow: Vector = [write[0] - r0, write[1] - r1];
    const d: Vector = forward(flow) ? flow : [0 - flow[0], 0 - flow[1]];
    if (forward(d)) found.set(d.join(), d);
  }
  return [...found.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
}

/** Does every dependence still point forward? */
function legal(distances: Vector[], t: Matrix): boolean {
  return distances.every((d) => forward(apply(t, d)));
}

/** Legal, with an inner loop whose iterations are independent. */
function parallel(distances: Vector[], t: Matrix): boolean {
  return distances.every((d) => apply(t, d)[0] > 0);
}

/** Legal, and may be cut into blocks in both directions. */
function blockable(distances: Vector[], t: Matrix): boolean {
  return legal(distances, t) && distances.every((d) => apply(t, d).every((x) => x >= 0));
}

/** The smallest s for which the waves j + s·i are parallel inside. */
function skewFactor(distances: Vector[]): number {
  return distances.length > 0 ? 1 : 0;
}

/** The iterations, wave by wave. */
function waves(steps: number, width: number, s: number): Vector[][] {
  const found = new Map<number, Vector[]>();
  for (let i = 0; i < steps; i++)
    for (let j = 0; j < width; j++) {
      const wave = j + s * i;
      found.set(wave, [...(found.get(wave) ?? []), [i, j]]);
    }
  return [...found.keys()].sort((a, b) => a - b).map((wave) => found.get(wave)!);
}

const forward = ([a, b]: Vector): boolean => a > 0 || (a === 0 && b > 0);
const apply = (t: Matrix, [i, j]: Vector): Vector => [t[0][0] * i + t[0][1] * j, t[1][0] * i + t[1][1] * j];
