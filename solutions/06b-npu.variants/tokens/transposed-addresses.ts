// expect: wrong 2/8
// fails: three tiles, without a race | any number of tiles, any number of rows | the units overlap: 12 tiles of 16 rows | and so they do for small and for many tiles
// why: C as if its elements had one byte
/** A program that multiplies the tiles, the units side by side. */
function pipeline(tiles: number, rows: number): string {
  const lines: string[] = [];
  for (let i = 0; i < tiles; i++) {
    const place = 16 * (i % 2);
    // The third tile and those behind it take over a place: its former user must be done.
    const again = i >= 2;
    const later = i + 2 < tiles;
    lines.push(`load mem=input type=int8 row=${place} nx=${rows} lanes=4 dx=4 dram=${i * rows * 4} post=array${again ? " wait=array" : ""}`);
    lines.push(`matmul row=${place} nx=${rows} acc=${place} wait=load${again ? ",store" : ""} post=store${later ? ",load" : ""}`);
    lines.push(`store type=int32 row=${place} nx=${rows} lanes=4 dx=4 dram=${8192 + i * rows * 4} wait=array${later ? " post=array" : ""}`);
  }
  return lines.join("\n");
}
