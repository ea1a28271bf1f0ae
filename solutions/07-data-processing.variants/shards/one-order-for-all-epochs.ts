// expect: wrong 4/8
// fails: disjoint and complete, in every epoch | equally many, whatever the numbers | evenly, with fewer or with more
// why: forgets the epoch
/** Positions that a rank reads in an epoch. */
function shard(length: number, ranks: number, rank: number, seed: number, epoch: number, rest: Rest): number[] {
  const order = commonOrder(length, seed, 0);
  return Array.from({ length: countOf(length, ranks, rank, rest) }, (_, k) => order[(rank + k * ranks) % length]);
}

/** Batches that each rank makes. */
function batchesPerRank(length: number, ranks: number, batch: number, rest: Rest): number[] {
  return Array.from({ length: ranks }, (_, rank) => Math.ceil(countOf(length, ranks, rank, rest) / batch));
}

/** What a rank reads in the rest of an epoch that others have begun. */
function goOn(length: number, read: number, oldRanks: number, ranks: number, rank: number, seed: number, epoch: number): number[] {
  const left = commonOrder(length, seed, epoch).slice(read * oldRanks);
  return left.filter((_, i) => i % ranks === rank);
}

function countOf(length: number, ranks: number, rank: number, rest: Rest): number {
  if (rest === "uneven") return Math.max(0, Math.ceil((length - rank) / ranks));
  return rest === "drop" ? Math.floor(length / ranks) : Math.ceil(length / ranks);
}
