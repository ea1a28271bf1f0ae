// expect: wrong 2/9
// fails: between threads | odd numbers of ranks and values | to the last bit | to the right neighbour only, a chunk at a time
// why: chunks of ⌊n/p⌋, the rest is forgotten
/** The sums over all ranks. */
async function ringAllReduce(comm: Comm, values: Float64Array): Promise<Float64Array> {
  const { rank, size } = comm;
  const out = Float64Array.from(values);
  const chunk = (k: number): Float64Array => {
    const at = (k + 2 * size) % size;
    return out.subarray(at * Math.floor(out.length / size), (at + 1) * Math.floor(out.length / size));
  };
  const [right, left] = [(rank + 1) % size, (rank + size - 1) % size];
  for (let step = 0; step < 2 * (size - 1); step++) {
    const mine = chunk(rank - step);
    const coming = chunk(rank - step - 1);
    const [, got] = await Promise.all([comm.send(right, mine), comm.receive(left, coming.length)]);
    if (step < size - 1) for (let i = 0; i < got.length; i++) coming[i] += got[i];
    else coming.set(got);
  }
  return out;
}
