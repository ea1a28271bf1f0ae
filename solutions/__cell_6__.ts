import { Reducer, makeBuckets } from "./__cell_5__"; import { everyThread, Comm } from "./__cell_1__"; 
type Deed = ["ready", number, Float64Array] | ["finish"] | ["arrived", number, Float64Array] | ["gradients"];

/** What a new reducer does: for each deed the buckets that it starts, an error's text, or the gradients. */
function reduced(ranks: number, sizes: number[], cap: number, deeds: Deed[]): unknown[] {
  let started: [number, Float64Array][] = [];
  const reducer = new Reducer(ranks, sizes, makeBuckets(sizes, cap), (bucket, values) => started.push([bucket, values]));
  return deeds.map((deed) => {
    started = [];
    try {
      if (deed[0] === "gradients") return reducer.gradients();
      if (deed[0] === "ready") reducer.ready(deed[1], deed[2]);
      else if (deed[0] === "finish") reducer.finish();
      else reducer.arrived(deed[1], deed[2]);
      return started;
    } catch (error) {
      return `Error: ${(error as Error).message}`;
    }
  });
}

/** Every rank's gradients after training steps between threads: `orders[rank][step]` says in which order it makes which gradients. */
async function trainedByThreads(sizes: number[], cap: number, orders: [number, number[]][][][]): Promise<number[][][][]> {
  const buckets = makeBuckets(sizes, cap);
  return everyThread(orders, async (comm, steps: [number, number[]][][]) => {
    const out: number[][][] = [];
    for (const step of steps) {
      let before: Promise<void> = Promise.resolve();
      const reducer: Reducer = new Reducer(comm.size, sizes, buckets, (bucket, values) => {
        before = before.then(async () => reducer.arrived(bucket, await sumOver(comm, values)));
      });
      for (const [parameter, gradient] of step) reducer.ready(parameter, Float64Array.from(gradient));
      reducer.finish();
      await before;
      out.push(reducer.gradients().map((g) => [...g]));
    }
    return out;
  });
}

/** All send to rank 0, which adds up and sends back. */
async function sumOver(comm: Comm, values: Float64Array): Promise<Float64Array> {
  if (comm.rank > 0) {
    await comm.send(0, values);
    return comm.receive(0, values.length);
  }
  const sum = values.slice();
  for (let rank = 1; rank < comm.size; rank++) for (const [i, x] of (await comm.receive(rank, values.length)).entries()) sum[i] += x;
  for (let rank = 1; rank < comm.size; rank++) await comm.send(rank, sum);
  return sum;
}
export { Deed, reduced, trainedByThreads, sumOver };
