/** What one instruction of a warp asks of memory: how many sectors of global memory, how many turns of the banks. */

export const SECTOR = 32; // bytes
export const LINE = 128;
const BANKS = 32;
const BANK_BYTES = 4;

/**
 * Sectors of 32 bytes that a warp's accesses touch (coalescing).
 * @param addresses bytes, of the lanes that take part
 * @param bytes that each lane reads or writes
 */
export function sectorsOf(addresses: readonly number[], bytes: number): number[] {
  const sectors = new Set<number>();
  for (const at of addresses)
    for (let s = Math.floor(at / SECTOR); s * SECTOR < at + bytes; s++) sectors.add(s);
  return [...sectors];
}

/**
 * Turns that shared memory takes: in each, a bank gives one word, to any number of lanes. Accesses of 8 and 16 bytes go by
 * halves and quarters of a warp.
 */
export function turnsOf(addresses: readonly number[], bytes: number): { turns: number; ideal: number } {
  const lanes = Math.max(1, Math.floor((BANKS * BANK_BYTES) / Math.max(bytes, BANK_BYTES)));
  let turns = 0;
  let ideal = 0;
  for (let first = 0; first < addresses.length; first += lanes) {
    const words = new Set<number>();
    for (const at of addresses.slice(first, first + lanes))
      for (let w = Math.floor(at / BANK_BYTES); w * BANK_BYTES < at + bytes; w++) words.add(w);
    const byBank = new Map<number, number>();
    for (const word of words) byBank.set(word % BANKS, (byBank.get(word % BANKS) ?? 0) + 1);
    turns += Math.max(1, ...byBank.values());
    ideal += Math.max(1, Math.ceil(words.size / BANKS));
  }
  return { turns, ideal };
}
