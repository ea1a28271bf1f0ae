// expect: wrong 6/9
// fails: to the right neighbour only, a chunk at a time | to the last bit
// why: everything goes around: p times the bytes, and each rank adds in another order
async function ringAllReduce(comm: Comm, values: Float64Array): Promise<Float64Array> {
  const { rank, size } = comm;
  const sum = Float64Array.from(values);
  let passing = values;
  for (let step = 1; step < size; step++) {
    [, passing] = await Promise.all([comm.send((rank + 1) % size, passing), comm.receive((rank + size - 1) % size, values.length)]);
    for (let i = 0; i < sum.length; i++) sum[i] += passing[i];
  }
  return sum;
}
