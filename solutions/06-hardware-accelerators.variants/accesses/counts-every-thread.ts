// expect: wrong 4/7
// fails: one address for all, and one that is not at a sector's beginning | vectors of two and four | random accesses to shared memory
// why: several threads that want the same word of a bank take turns
/** Sectors of 32 bytes that a warp's accesses touch. */
function sectors(addresses: number[], bytes: number): number {
  const touched = new Set<number>();
  for (const at of addresses) for (let byte = at; byte < at + bytes; byte += 4) touched.add(Math.floor(byte / 32));
  return touched.size;
}

/** Turns that the banks of shared memory take. */
function turns(addresses: number[], bytes: number): number {
  const atOnce = 128 / bytes;
  let total = 0;
  for (let first = 0; first < addresses.length; first += atOnce) {
    const banks = Array.from({ length: 32 }, () => new Set<number>());
    for (const at of addresses.slice(first, first + atOnce))
      for (let word = at / 4; word < (at + bytes) / 4; word++) banks[word % 32].add(word + Math.random());
    total += Math.max(1, ...banks.map((words) => words.size));
  }
  return total;
}

/** Words to leave free behind each row. */
function padding(width: number): number {
  return width % 2 === 0 ? 1 : 0;
}
