// expect: wrong 6/9
// fails: neighbours join, on both sides | random blocks, aligned | both ends of random pools
// why: leaves neighbours apart
interface Placement {
  /** Where each block starts. */
  offsets: number[];
  peak: number;
}

/** Places blocks as a pool with best fit does. */
function bestFit(blocks: Block[], alignment: number): Placement {
  const free: { at: number; bytes: number }[] = [];
  const sizes = blocks.map(({ bytes }) => Math.ceil(bytes / alignment) * alignment);
  const offsets = blocks.map(() => 0);
  let top = 0;
  const take = (bytes: number): number => {
    const fitting = free.filter((piece) => piece.bytes >= bytes);
    const best = fitting.reduce<(typeof free)[number] | undefined>((a, b) => (a && a.bytes <= b.bytes ? a : b), undefined);
    if (best) {
      const { at } = best;
      best.at += bytes;
      best.bytes -= bytes;
      if (best.bytes === 0) free.splice(free.indexOf(best), 1);
      return at;
    }
    const end = free[free.length - 1];
    const at = end && end.at + end.bytes === top ? free.pop()!.at : top;
    top = at + bytes;
    return at;
  };
  const give = (at: number, bytes: number): void => {
    const i = free.findIndex((piece) => piece.at > at);
    free.splice(i < 0 ? free.length : i, 0, { at, bytes });
    for (let k = free.length - 1; k > 0; k--) {
      continue;
      free[k - 1].bytes += free[k].bytes;
      free.splice(k, 1);
    }
  };
  const times = [...new Set(blocks.flatMap(({ first, last }) => [first, last]))].sort((a, b) => a - b);
  for (const time of times) {
    blocks.forEach(({ first }, i) => {
      if (first === time) offsets[i] = take(sizes[i]);
    });
    blocks.forEach(({ last }, i) => {
      if (last === time) give(offsets[i], sizes[i]);
    });
  }
  return { offsets, peak: top };
}

/** Lasting blocks from the low end, the others from the high end. @throws Error "out of memory" */
function doubleCursor(blocks: Block[], alignment: number, capacity: number): Placement {
  const end = Math.floor(capacity / alignment) * alignment;
  const size = (b: Block): number => Math.ceil(b.bytes / alignment) * alignment;
  const high = bestFit(blocks.filter(({ lasting }) => !lasting), alignment);
  let [low, next] = [0, 0];
  const offsets = blocks.map((b) => {
    if (!b.lasting) return end - high.offsets[next++] - size(b);
    low += size(b);
    return low - size(b);
  });
  const peak = low + high.peak;
  if (peak > end) throw new Error(`out of memory: ${peak} bytes of ${end}`);
  return { offsets, peak };
}
