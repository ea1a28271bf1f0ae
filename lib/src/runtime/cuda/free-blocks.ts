/** Free blocks of one pool, by stream, in order of size and address: best fit by binary search. */
import type { Block } from "./allocator.js";
import type { CudaStream } from "./stream.js";

export class FreeBlocks {
  private readonly byStream = new Map<CudaStream, Block[]>();

  add(block: Block): void {
    const list = this.byStream.get(block.stream);
    if (!list) this.byStream.set(block.stream, [block]);
    else list.splice(place(list, block.size, block.address), 0, block);
  }

  remove(block: Block): void {
    const list = this.byStream.get(block.stream) as Block[];
    list.splice(place(list, block.size, block.address), 1);
  }

  /** The smallest block of this stream with at least `size` bytes, taken out. */
  take(size: number, stream: CudaStream): Block | null {
    const list = this.byStream.get(stream);
    if (!list) return null;
    const at = place(list, size, 0);
    if (at === list.length) return null;
    return list.splice(at, 1)[0];
  }

  all(): Block[] {
    return [...this.byStream.values()].flat();
  }
}

/** Index of the first block that is not before (size, address). */
function place(list: readonly Block[], size: number, address: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const block = list[middle];
    if (block.size < size || (block.size === size && block.address < address)) low = middle + 1;
    else high = middle;
  }
  return low;
}
