/**
 * The host heap: one shared linear memory from which every host storage is cut, so that threads and WASM reach the same
 * bytes. Freed blocks are kept by size class; a request that no block of its class fits takes a larger free one and
 * splits it, before the memory grows.
 */
import { MlsysError } from "../core/errors.js";

const PAGE = 65536;
const MAX_PAGES = 65536; // 4 GiB, the most a 32-bit linear memory has
const FIRST_ADDRESS = 65536; // the first page stays free: address 0 is "nowhere", and the pool keeps its control words there
const GRAIN = 64;
const SPLIT_AT_LEAST = 1 << 20; // smaller requests are cheaper from fresh memory than from the search
const GROW_PAGES = 256;

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
  /** In freed blocks that wait for reuse. */
  readonly freeBytes: number;
}

/** Called before an allocation of `bytes` when much was allocated since its last call; may free storages. */
export type PressureHandler = (bytes: number) => void;

/** Free blocks by size. */
const free = new Map<number, number[]>();
let top = FIRST_ADDRESS;
let committed = memory.buffer.byteLength;
let liveBytes = 0;
let peakBytes = 0;
let liveStorages = 0;
let freeBytes = 0;
let pressure: PressureHandler = () => {};

/** Rounds up to a size class: 64-byte steps up to 1 KiB, then four classes per power of two. */
export function sizeClass(bytes: number): number {
  if (bytes <= 1024) return Math.max(GRAIN, (bytes + GRAIN - 1) & ~(GRAIN - 1));
  const step = 2 ** (Math.floor(Math.log2(bytes - 1)) - 2);
  return Math.ceil(bytes / step) * step;
}

/**
 * Reserves at least `bytes` bytes at a 64-byte boundary and returns the address. Contents are undefined.
 * @throws MlsysError when 4 GiB are used up.
 */
export function allocate(bytes: number): number {
  const size = sizeClass(bytes);
  pressure(size);
  const list = free.get(size);
  let ptr = list?.pop();
  if (ptr !== undefined) freeBytes -= size;
  else ptr = (size >= SPLIT_AT_LEAST ? split(size) : undefined) ?? extend(size);
  liveBytes += size;
  liveStorages++;
  if (liveBytes > peakBytes) peakBytes = liveBytes;
  return ptr;
}

let deferred: [ptr: number, bytes: number][] | null = null;

/** Runs `body`; what it gives back stays untouched until the returned function is called: a stream may still read it. */
export function deferReleases(body: () => void): () => void {
  const before = deferred;
  const mine: [number, number][] = [];
  deferred = mine;
  try {
    body();
  } finally {
    deferred = before;
  }
  return () => {
    for (const [ptr, bytes] of mine.splice(0)) release(ptr, bytes);
  };
}

/** Gives back what `allocate(bytes)` returned. Storage sees to it that this happens once. */
export function release(ptr: number, bytes: number): void {
  if (deferred) {
    deferred.push([ptr, bytes]);
    return;
  }
  const size = sizeClass(bytes);
  keep(ptr, size);
  liveBytes -= size;
  liveStorages--;
}

/** Memory that is never given back and counts as no storage: the pool's rings, scratch, tables. */
export function reserve(bytes: number): number {
  return extend(sizeClass(bytes));
}

/** @example heapStats().liveBytes > 0 // true */
export function heapStats(): HeapStats {
  return { liveBytes, peakBytes, liveStorages, committedBytes: committed, freeBytes };
}

/**
 * Starts a new measurement of `peakBytes`.
 * @example resetPeak(); heapStats().peakBytes === heapStats().liveBytes // true
 */
export function resetPeak(): void {
  peakBytes = liveBytes;
}

/** Says what to do before allocations when memory might be held by unreachable tensors. */
export function onPressure(handler: PressureHandler): void {
  pressure = handler;
}

function keep(ptr: number, size: number): void {
  const list = free.get(size);
  if (list) list.push(ptr);
  else free.set(size, [ptr]);
  freeBytes += size;
}

/** The smallest free block that is larger, cut in two. The rest goes back under the largest class that it fills. */
function split(size: number): number | undefined {
  if (freeBytes < size) return undefined;
  let best = Number.POSITIVE_INFINITY;
  for (const [have, list] of free) if (have > size && have < best && list.length > 0) best = have;
  const ptr = free.get(best)?.pop();
  if (ptr === undefined) return undefined;
  freeBytes -= best;
  keepPieces(ptr + size, best - size);
  return ptr;
}

function keepPieces(ptr: number, bytes: number): void {
  let at = ptr;
  let rest = bytes;
  while (rest >= GRAIN) {
    const piece = classBelow(rest);
    keep(at, piece);
    at += piece;
    rest -= piece;
  }
}

/** The largest size class that is not above `bytes`. */
function classBelow(bytes: number): number {
  if (bytes < 1024) return bytes & ~(GRAIN - 1);
  const step = 2 ** (Math.floor(Math.log2(bytes)) - 2);
  return Math.floor(bytes / step) * step;
}

function extend(size: number): number {
  const need = top + size - committed;
  if (need > 0) {
    const pages = Math.ceil(need / PAGE);
    const have = committed / PAGE;
    if (have + pages > MAX_PAGES) {
      const block = split(size);
      if (block !== undefined) return block;
      throw outOfMemory(size);
    }
    try {
      memory.grow(Math.min(Math.max(pages, GROW_PAGES), MAX_PAGES - have));
    } catch {
      throw outOfMemory(size);
    }
    committed = memory.buffer.byteLength;
  }
  const ptr = top;
  top += size;
  return ptr;
}

function outOfMemory(size: number): MlsysError {
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return new MlsysError(
    `out of tensor memory: ${mib(size)} wanted; ${mib(liveBytes)} are alive in ${liveStorages} storages and ${mib(freeBytes)} free in smaller pieces, of at most 4 GiB; free tensors with dispose(), using or tidy()`,
  );
}
