// expect: correct
// why: makes the list that is dealt out, then deals
function dealt(list: number[], ranks: number): number[][] {
  const hands: number[][] = Array.from({ length: ranks }, () => []);
  list.forEach((position, i) => hands[i % ranks].push(position));
  return hands;
}

function evened(list: number[], ranks: number, rest: string): number[] {
  const out = list.slice();
  if (rest === "drop") out.length -= out.length % ranks;
  if (rest === "repeat") for (let i = 0; out.length % ranks !== 0; i++) out.push(list[i % list.length]);
  return out;
}

function shard(length: number, ranks: number, rank: number, seed: number, epoch: number, rest: "uneven" | "drop" | "repeat"): number[] {
  return dealt(evened(commonOrder(length, seed, epoch), ranks, rest), ranks)[rank];
}

function batchesPerRank(length: number, ranks: number, batch: number, rest: "uneven" | "drop" | "repeat"): number[] {
  return dealt(evened([...Array(length).keys()], ranks, rest), ranks).map((hand) => Math.ceil(hand.length / batch));
}

function goOn(length: number, read: number, oldRanks: number, ranks: number, rank: number, seed: number, epoch: number): number[] {
  const order = commonOrder(length, seed, epoch);
  const gone = new Set(dealt(order, oldRanks).flatMap((hand) => hand.slice(0, read)));
  return dealt(order.filter((position) => !gone.has(position)), ranks)[rank];
}
