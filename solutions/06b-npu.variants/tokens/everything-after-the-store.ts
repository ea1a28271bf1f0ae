// expect: wrong 5/8
// fails: the units overlap: 12 tiles of 16 rows | and so they do for small and for many tiles
// why: a tile is loaded when the one before has been stored
function pipeline(tiles: number, rows: number): string {
  const lines: string[] = [];
  for (let i = 0; i < tiles; i++) {
    const [again, later] = [i > 0, i + 1 < tiles];
    const place = 16 * (i % 2);
    lines.push(`load mem=input type=int8 row=${place} nx=${rows} lanes=4 dx=4 dram=${i * rows * 4} post=array${again ? " wait=store" : ""}`);
    lines.push(`matmul row=${place} nx=${rows} acc=${place} wait=load post=store`);
    lines.push(`store type=int32 row=${place} nx=${rows} lanes=4 dx=4 dram=${8192 + i * rows * 16} wait=array${later ? " post=load" : ""}`);
  }
  return lines.join("\n");
}
