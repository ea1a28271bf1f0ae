// expect: correct
// why: all loads first in the text, then all products, then all stores: units only see their own
function pipeline(tiles: number, rows: number): string {
  const each = (line: (i: number, place: number) => string): string[] => Array.from({ length: tiles }, (_, i) => line(i, i % 2 === 0 ? 0 : 16));
  const when = (yes: boolean, text: string): string => (yes ? text : "");
  const loads = each((i, row) => `load mem=input type=int8 row=${row} nx=${rows} lanes=4 dx=4 dram=${4 * i * rows} post=array ${when(i > 1, "wait=array")}`);
  const products = each((i, row) => `matmul row=${row} nx=${rows} acc=${row} wait=load${when(i > 1, ",store")} post=store${when(i + 2 < tiles, ",load")}`);
  const stores = each((i, row) => `store type=int32 row=${row} nx=${rows} lanes=4 dx=4 dram=${8192 + 16 * i * rows} wait=array ${when(i + 2 < tiles, "post=array")}`);
  return [...loads, ...products, ...stores].join("\n");
}
