// expect: wrong 5/8
// fails: the units overlap: 12 tiles of 16 rows | and so they do for small and for many tiles
// why: one place per tile: right, but one after the other
function pipeline(tiles: number, rows: number): string {
  const lines: string[] = [];
  for (let i = 0; i < tiles; i++) {
    const [again, later] = [i > 0, i + 1 < tiles];
    lines.push(`load mem=input type=int8 row=0 nx=${rows} lanes=4 dx=4 dram=${i * rows * 4} post=array${again ? " wait=array" : ""}`);
    lines.push(`matmul row=0 nx=${rows} acc=0 wait=load${again ? ",store" : ""} post=store${later ? ",load" : ""}`);
    lines.push(`store type=int32 row=0 nx=${rows} lanes=4 dx=4 dram=${8192 + i * rows * 16} wait=array${later ? " post=array" : ""}`);
  }
  return lines.join("\n");
}
