// Our allReduce, as allreduce.c measures Open MPI's: the slowest member's time of each call, the median of the calls.
// `node allreduce.mjs threads SIZE ROUNDS BYTES…`, or `mpirun -n SIZE node allreduce.mjs mpi SIZE ROUNDS BYTES…`.
import * as mlsys from "../../dist/index.js";

const { distributed } = mlsys;
const [mode, ...numbers] = process.argv.slice(2);
const [size, rounds, ...sizes] = numbers.map(Number);

/** Milliseconds of each call, by size. */
function times(group, sizes, rounds, algorithms) {
  return sizes.map((bytes, i) => {
    const x = mlsys.full([bytes / 4], group.rank + 1);
    const all = [];
    for (let round = -3; round < rounds; round++) {
      group.barrier().wait();
      const start = performance.now();
      const sum = group.allReduce(x, { algorithm: algorithms?.[i] }).wait();
      if (round >= 0) all.push(performance.now() - start);
      else if (sum.sum().item() !== ((group.size * (group.size + 1)) / 2) * (bytes / 4))
        throw new Error(`allReduce of ${bytes} bytes is wrong`);
      sum.dispose();
    }
    x.dispose();
    return all;
  });
}

function print(byMember) {
  for (const [i, bytes] of sizes.entries()) {
    const slowest = Array.from({ length: rounds }, (_, round) =>
      Math.max(...byMember.map((member) => member[i][round])),
    );
    slowest.sort((a, b) => a - b);
    console.log(JSON.stringify({ bytes, seconds: slowest[rounds >> 1] / 1000, best: slowest[0] / 1000 }));
  }
}

if (mode === "threads") print(await distributed.launch(size, times, { args: [sizes, rounds, null] }));
else {
  const group = await distributed.init({ backend: "mpi" });
  // without a name it would be MPI's own
  const algorithms = sizes.map((bytes) => {
    const on = { size, bytes, places: distributed.samePlace(size) };
    return distributed.fastest(distributed.ALGORITHMS.allReduce, on, distributed.modelOf("mpi")).name;
  });
  const byMember = group.allGatherObject(times(group, sizes, rounds, algorithms)).wait();
  if (group.rank === 0) print(byMember);
  await group.close();
}
