// expect: correct
// why: looks at the blocks that are alive instead of keeping a free list
interface Placement {
  offsets: number[];
  peak: number;
}

function bestFit(blocks: Block[], alignment: number): Placement {
  const round = (bytes: number) => bytes + ((alignment - (bytes % alignment)) % alignment);
  const offsets: number[] = new Array(blocks.length).fill(-1);
  const alive = new Set<number>();
  let peak = 0;
  const place = (size: number): number => {
    const used = [...alive].map((i) => [offsets[i], offsets[i] + round(blocks[i].bytes)]).sort((a, b) => a[0] - b[0]);
    let at = 0;
    let best: { at: number; room: number } | null = null;
    for (const [from, to] of [...used, [peak, peak]]) {
      const room = from - at;
      if (room >= size && (best === null || room < best.room)) best = { at, room };
      if (from === peak && to === peak) break;
      at = to;
    }
    return best === null ? at : best.at;
  };
  const end = blocks.reduce((latest, b) => Math.max(latest, b.last), 0);
  for (let t = 0; t <= end; t++) {
    for (let i = 0; i < blocks.length; i++) {
      if (blocks[i].first !== t) continue;
      offsets[i] = place(round(blocks[i].bytes));
      alive.add(i);
      peak = Math.max(peak, offsets[i] + round(blocks[i].bytes));
    }
    for (const i of [...alive]) if (blocks[i].last === t) alive.delete(i);
  }
  return { offsets, peak };
}

function doubleCursor(blocks: Block[], alignment: number, capacity: number): Placement {
  const round = (bytes: number) => bytes + ((alignment - (bytes % alignment)) % alignment);
  const top = capacity - (capacity % alignment);
  const temporary = blocks.map((b, i) => ({ b, i })).filter(({ b }) => b.lasting !== true);
  const above = bestFit(temporary.map(({ b }) => b), alignment);
  const offsets: number[] = new Array(blocks.length).fill(0);
  temporary.forEach(({ b, i }, k) => {
    offsets[i] = top - above.offsets[k] - round(b.bytes);
  });
  let below = 0;
  for (const [i, b] of blocks.entries()) {
    if (b.lasting !== true) continue;
    offsets[i] = below;
    below += round(b.bytes);
  }
  if (below + above.peak > top) throw new Error("out of memory");
  return { offsets, peak: below + above.peak };
}
