/** A free list over a pool that can grow: what allocators that walk through time share. */

export class FreeList {
  /** Free pieces below `top`, by offset, none beside another. */
  private pieces: { at: number; bytes: number }[] = [];
  top = 0;
  /** The most that `top` was. */
  peak = 0;

  /** The smallest piece that fits, cut; else fresh memory, which begins with the free piece at the end if there is one. */
  take(bytes: number): number {
    let best = -1;
    this.pieces.forEach((piece, i) => {
      if (piece.bytes >= bytes && (best < 0 || piece.bytes < this.pieces[best].bytes)) best = i;
    });
    if (best >= 0) {
      const piece = this.pieces[best];
      const { at } = piece;
      piece.at += bytes;
      piece.bytes -= bytes;
      if (piece.bytes === 0) this.pieces.splice(best, 1);
      return at;
    }
    const tail = this.pieces.at(-1);
    const at = tail && tail.at + tail.bytes === this.top ? tail.at : this.top;
    if (tail && at === tail.at) this.pieces.pop();
    this.top = at + bytes;
    this.peak = Math.max(this.peak, this.top);
    return at;
  }

  /** Gives a piece back; neighbours grow together. */
  give(at: number, bytes: number): void {
    if (bytes === 0) return;
    const next = this.pieces.findIndex((piece) => piece.at > at);
    const i = next < 0 ? this.pieces.length : next;
    this.pieces.splice(i, 0, { at, bytes });
    for (const k of [i, i - 1]) {
      const [a, b] = [this.pieces[k], this.pieces[k + 1]];
      if (a && b && a.at + a.bytes === b.at) {
        a.bytes += b.bytes;
        this.pieces.splice(k + 1, 1);
      }
    }
  }
}
