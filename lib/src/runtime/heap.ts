/** The host heap: one shared linear memory from which every host storage is cut, so that threads and WASM reach the same bytes. */
import { MlsysError } from "../core/errors.js";

const PAGE = 65536;
const MAX_PAGES = 65536; // 4 GiB, the most a 32-bit linear memory has
const FIRST_ADDRESS = 65536; // the first page stays free: address 0 is "nowhere", and the pool keeps its control words there

export const memory = new WebAssembly.Memory({ initial: 256, maximum: MAX_PAGES, shared: true });

/** Byte counts of the heap. */
export interface HeapStats {
  /** In storages that are alive. */
  readonly liveBytes: number;
  /** The most that was alive at once since the last `resetPeak`. */
  readonly peakBytes: number;
  /** Storages alive. */
  readonly liveStorages: number;
  /** Size of the linear memory. */
  readonly committedBytes: number;
}

const free = new Map<number, number[]>();
let top = FIRST_ADDRESS;
let liveBytes = 0;
let peakBytes = 0;
let liveStorages = 0;

/** Rounds up to a size class: 64-byte steps up to 1 KiB, then four classes per power of two. */
export function sizeClass(bytes: number): number {
  if (bytes <= 1024) return Math.max(64, (bytes + 63) & ~63);
  const step = 2 ** (Math.floor(Math.log2(bytes - 1)) - 2);
  return Math.ceil(bytes / step) * step;
}

/** Reserves at least `bytes` bytes at a 64-byte boundary and returns the address. Contents are undefined. */
export function allocate(bytes: number): number {
  const size = sizeClass(bytes);
  const ptr = free.get(size)?.pop() ?? extend(size);
  liveBytes += size;
  liveStorages++;
  if (liveBytes > peakBytes) peakBytes = liveBytes;
  return ptr;
}

/** Gives back what `allocate(bytes)` returned. */
export function release(ptr: number, bytes: number): void {
  const size = sizeClass(bytes);
  const list = free.get(size);
  if (list) list.push(ptr);
  else free.set(size, [ptr]);
  liveBytes -= size;
  liveStorages--;
}

export function heapStats(): HeapStats {
  return { liveBytes, peakBytes, liveStorages, committedBytes: memory.buffer.byteLength };
}

/** Starts a new measurement of `peakBytes`. */
export function resetPeak(): void {
  peakBytes = liveBytes;
}

function extend(size: number): number {
  const ptr = top;
  const need = ptr + size - memory.buffer.byteLength;
  if (need > 0) {
    const pages = Math.ceil(need / PAGE);
    const have = memory.buffer.byteLength / PAGE;
    if (have + pages > MAX_PAGES) {
      throw new MlsysError(
        `out of tensor memory: ${size} bytes wanted, ${liveBytes} bytes alive in ${liveStorages} storages, limit 4 GiB; free tensors with dispose(), using or tidy()`,
      );
    }
    memory.grow(Math.min(Math.max(pages, 256), MAX_PAGES - have));
  }
  top += size;
  return ptr;
}
