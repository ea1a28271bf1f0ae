// expect: wrong 6/8
// fails: going on with other ranks
// why: deals on by positions of the old order
/** Positions that a rank reads in an epoch. */
function shard(length: number, ranks: number, rank: number, seed: number, epoch: number, rest: Rest): number[] {
  const order = commonOrder(length, seed, epoch);
  return Array.from({ length: countOf(length, ranks, rank, rest) }, (_, k) => order[(rank + k * ranks) % length]);
}

/** Batches that each rank makes. */
function batchesPerRank(length: number, ranks: number, batch: number, rest: Rest): number[] {
  return Array.from({ length: ranks }, (_, rank) => Math.ceil(countOf(length, ranks, rank, rest) / batch));
}

/** What a rank reads in the rest of an epoch that others have begun. */
function goOn(length: number, read: number, oldRanks: number, ranks: number, rank: number, seed: number, epoch: number): number[] {
  return commonOrder(length, seed, epoch).filter((_, i) => i >= read * oldRanks && i % ranks === rank);
}

function countOf(length: number, ranks: number, rank: number, rest: Rest): number {
  if (rest === "uneven") return Math.max(0, Math.ceil((length - rank) / ranks));
  return rest === "drop" ? Math.floor(length / ranks) : Math.ceil(length / ranks);
}
