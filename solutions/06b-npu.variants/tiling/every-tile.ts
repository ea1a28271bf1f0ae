// expect: correct
// why: tries every tile
function fits({ rows, columns, input, weight, acc }: Chip, { m, n, k }: Size): boolean {
  const pieces = [Math.floor((k + rows - 1) / rows), Math.floor((n + columns - 1) / columns)];
  const needed = [m * pieces[0], rows * pieces[0] * pieces[1], m * pieces[1]];
  return [input, weight, acc].every((have, i) => have >= 2 * needed[i]);
}

function traffic(size: Size, tile: Size): number {
  const passesA = tile.k === size.k ? 1 : Math.ceil(size.n / tile.n);
  const passesB = Math.ceil(size.m / tile.m);
  return passesA * (size.m * size.k) + passesB * (size.k * size.n) + size.m * size.n * 4;
}

function choose(chip: Chip, size: Size): Size {
  const found: Size[] = [];
  for (let m = 1; m <= size.m; m++)
    for (let n = 1; n <= size.n; n++)
      if (n % chip.columns === 0 || n === size.n)
        for (let k = 1; k <= size.k; k++) if ((k % chip.rows === 0 || k === size.k) && fits(chip, { m, n, k })) found.push({ m, n, k });
  if (found.length === 0) throw new Error("does not fit");
  return found.reduce((a, b) => (traffic(size, b) < traffic(size, a) ? b : a));
}
