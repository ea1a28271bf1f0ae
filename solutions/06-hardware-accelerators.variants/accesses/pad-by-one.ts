// expect: wrong 6/7
// fails: padding, for any width
// why: always pads
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
      for (let word = at / 4; word < (at + bytes) / 4; word++) banks[word % 32].add(word);
    total += Math.max(1, ...banks.map((words) => words.size));
  }
  return total;
}

/** Words to leave free behind each row. */
function padding(width: number): number {
  return 1;
}
