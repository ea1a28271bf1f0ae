/**
 * The host heap: one shared linear memory from which every host storage is cut, so that threads and WASM reach the same
 * bytes. Freed blocks are kept by size class; a request that no block of its class fits takes a larger free one and
 * splits it, before the memory grows.
 */
import { isMainThread, workerData } from "node:worker_threads";
import { MlsysError } from "../core/errors.js";

const PAGE = 65536;
const MAX_PAGES = 65536; // 4 GiB, the most a 32-bit linear memory has
const FIRST_ADDRESS = 65536; // the first page stays free: address 0 is "nowhere", and the pool keeps its control words there
const GRAIN = 64;
const SPLIT_AT_LEAST = 1 << 20; // smaller requests are cheaper from fresh memory than from the search
const GROW_PAGES = 256;
const FRONTIER = 64; // word of the first page: pages that threads have taken so far

/** What a thread is given that shall work on another one's memory: `workerData.mlsysHeap`. */
export interface LentHeap {
  readonly memory: WebAssembly.Memory;
  /** Where the thread notes what it takes: the number of regions, then first page and pages of each. Those that are there are given. */
  readonly regions: Int32Array;
}

interface Region {
  readonly first: number;
  readonly pages: number;
}

const lent = isMainThread ? undefined : (workerData as { mlsysHeap?: LentHeap } | null)?.mlsysHeap;

/** True on a thread that works on another one's memory: its pool of threads is that one's too. */
export const isLentHeap = lent !== undefined;

export const memory =
  lent?.memory ?? new WebAssembly.Memory({ initial: GROW_PAGES, maximum: MAX_PAGES, shared: true });
const frontier = new Int32Array(memory.buffer, FRONTIER * 4, 1);
if (!lent) frontier[0] = GROW_PAGES;

/** Who gets a block that another thread cut from the heap. */
export interface BlockOwner {
  take(ptr: number, bytes: number): void;
}

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
/** The region that this thread cuts from. */
const spare: Region[] = lent ? regionsIn(lent.regions) : [];
let top = lent ? 0 : FIRST_ADDRESS;
let end = lent ? 0 : GROW_PAGES * PAGE;
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

let deferred: [ptr: number, bytes: number, owner: BlockOwner | undefined][] | null = null;

/** Runs `body`; what it gives back stays untouched until the returned function is called: a stream may still read it. */
export function deferReleases(body: () => void): () => void {
  const before = deferred;
  const mine: [number, number, BlockOwner | undefined][] = [];
  deferred = mine;
  try {
    body();
  } finally {
    deferred = before;
  }
  return () => {
    for (const [ptr, bytes, owner] of mine.splice(0)) release(ptr, bytes, owner);
  };
}

/** Gives back what `allocate(bytes)` returned. Storage sees to it that this happens once. */
export function release(ptr: number, bytes: number, owner?: BlockOwner): void {
  if (deferred) {
    deferred.push([ptr, bytes, owner]);
    return;
  }
  if (owner) owner.take(ptr, bytes);
  else keep(ptr, sizeClass(bytes));
  giveUp(bytes);
}

/** Counts a block that another thread has cut as one that lives here. */
export function adopt(bytes: number): void {
  memory.grow(0); // this thread may not have heard yet how far others have grown it
  liveBytes += sizeClass(bytes);
  liveStorages++;
  if (liveBytes > peakBytes) peakBytes = liveBytes;
}

/** A block lives on another thread from now on. */
export function giveUp(bytes: number): void {
  liveBytes -= sizeClass(bytes);
  liveStorages--;
}

/** Takes over a block, of this thread's or of one that has ended, for reuse. */
export function takeBack(ptr: number, bytes: number): void {
  keep(ptr, sizeClass(bytes));
}

/** Takes over what a thread that has ended had of the heap, except the blocks that live on (address, bytes). */
export function takeOver(
  regions: Int32Array,
  living: readonly (readonly [ptr: number, bytes: number])[],
): void {
  const sorted = living.map(([ptr, bytes]) => [ptr, ptr + sizeClass(bytes)]).sort(([a], [b]) => a - b);
  for (const region of regionsIn(regions)) {
    let at = region.first * PAGE;
    const until = at + region.pages * PAGE;
    const inside = sorted.filter(([from]) => from >= at && from < until);
    if (inside.length === 0) {
      spare.push(region);
      freeBytes += until - at;
      continue;
    }
    for (const [from, to] of inside) {
      keepPieces(at, from - at);
      at = to;
    }
    keepPieces(at, until - at);
  }
}

/** Gives a part of the regions that nobody uses to a thread that is to start. */
export function lendSpare(regions: Int32Array, part: number): void {
  for (const { first, pages } of spare.splice(0, Math.ceil(spare.length * part))) {
    note(regions, first, pages);
    freeBytes -= pages * PAGE;
  }
}

function regionsIn(regions: Int32Array): Region[] {
  return Array.from({ length: regions[0] }, (_, i) => ({
    first: regions[1 + 2 * i],
    pages: regions[2 + 2 * i],
  }));
}

/** Memory that is never given back and counts as no storage: the pool's rings, scratch, tables. */
export function reserve(bytes: number): number {
  return extend(sizeClass(bytes));
}

/** @example heapStats().liveBytes > 0 // true */
export function heapStats(): HeapStats {
  return { liveBytes, peakBytes, liveStorages, committedBytes: memory.buffer.byteLength, freeBytes };
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
  if (top + size > end && !takeRegion(size)) {
    const block = split(size);
    if (block !== undefined) return block;
    throw outOfMemory(size);
  }
  const ptr = top;
  top += size;
  return ptr;
}

/** Takes pages behind what all threads have so far; at the end of this thread's region if no other one was faster. */
function takeRegion(size: number): boolean {
  const fits = spare.findIndex(({ pages }) => pages * PAGE >= size);
  if (fits >= 0) {
    const [{ first, pages }] = spare.splice(fits, 1);
    if (!lent) freeBytes -= pages * PAGE;
    moveTo(first, pages);
    return true;
  }
  for (;;) {
    const first = Atomics.load(frontier, 0);
    const joins = first * PAGE === end;
    const need = Math.ceil((joins ? top + size - end : size) / PAGE);
    const pages = Math.min(Math.max(need, GROW_PAGES), MAX_PAGES - first);
    if (pages < need) return false;
    if (Atomics.compareExchange(frontier, 0, first, first + pages) !== first) continue;
    try {
      const have = memory.grow(0);
      if (have < first + pages) memory.grow(first + pages - have);
    } catch {
      if (memory.grow(0) < first + pages) {
        Atomics.compareExchange(frontier, 0, first + pages, first);
        return false;
      }
    }
    if (lent) note(lent.regions, first, pages);
    if (joins) end = (first + pages) * PAGE;
    else moveTo(first, pages);
    return true;
  }
}

/** Cuts from another region from now on. */
function moveTo(first: number, pages: number): void {
  keepPieces(top, end - top);
  top = first * PAGE;
  end = top + pages * PAGE;
}

function note(regions: Int32Array, first: number, pages: number): void {
  const at = 1 + 2 * regions[0];
  if (at + 1 >= regions.length) return; // it is not taken over in the end
  regions[at] = first;
  regions[at + 1] = pages;
  Atomics.store(regions, 0, regions[0] + 1);
}

function outOfMemory(size: number): MlsysError {
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return new MlsysError(
    `out of tensor memory: ${mib(size)} wanted; ${mib(liveBytes)} are alive in ${liveStorages} storages and ${mib(freeBytes)} free in smaller pieces, of at most 4 GiB; free tensors with dispose(), using or tidy()`,
  );
}
