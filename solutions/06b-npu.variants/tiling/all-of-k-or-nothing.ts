// expect: wrong 5/8
// fails: the best tile for small chips | what does not fit, in whatever tiles
// why: takes tiles with all of K only
/** Do two tiles fit into each memory? */
function fits(chip: Chip, tile: Size): boolean {
  const deep = Math.ceil(tile.k / chip.rows);
  const wide = Math.ceil(tile.n / chip.columns);
  return 2 * tile.m * deep <= chip.input && 2 * chip.rows * deep * wide <= chip.weight && 2 * tile.m * wide <= chip.acc;
}

/** Bytes between outer memory and chip. */
function traffic(size: Size, tile: Size): number {
  const again = tile.k >= size.k ? 1 : Math.ceil(size.n / tile.n);
  return again * size.m * size.k + Math.ceil(size.m / tile.m) * size.k * size.n + 4 * size.m * size.n;
}

/** A tile with the least traffic. @throws Error if none fits */
function choose(chip: Chip, size: Size): Size {
  const sizes = (all: number, step: number) => [...Array.from({ length: Math.floor(all / step) }, (_, i) => (i + 1) * step), all];
  let best: Size | null = null;
  for (const n of sizes(size.n, chip.columns))
    for (const k of [size.k]) {
      // More rows of A never cost more: the most that fit.
      const [deep, wide] = [Math.ceil(k / chip.rows), Math.ceil(n / chip.columns)];
      const m = Math.min(size.m, Math.floor(chip.input / 2 / deep), Math.floor(chip.acc / 2 / wide));
      const tile = { m, n, k };
      if (m >= 1 && fits(chip, tile) && (best === null || traffic(size, tile) < traffic(size, best))) best = tile;
    }
  if (best === null) throw new Error(`${size.m} × ${size.n} × ${size.k} does not fit, in whatever tiles`);
  return best;
}
