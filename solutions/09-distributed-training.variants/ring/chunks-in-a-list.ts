// expect: correct
// why: a list of chunks, long ones first; even ranks send first, and an odd ring is no trouble
async function ringAllReduce(comm: Comm, values: Float64Array): Promise<Float64Array> {
  const p = comm.size;
  if (p === 1) return values.slice();
  const chunks: Float64Array[] = [];
  for (let k = 0, at = 0; k < p; k++) {
    const length = Math.floor(values.length / p) + (k < values.length % p ? 1 : 0);
    chunks.push(values.slice(at, at + length));
    at += length;
  }
  const next = (comm.rank + 1) % p;
  const previous = (comm.rank + p - 1) % p;
  const exchange = async (give: number, take: number): Promise<Float64Array> => {
    if (chunks[give].length === 0 && chunks[take].length === 0) return new Float64Array(0);
    const sending = chunks[give].length > 0 ? comm.send(next, chunks[give]) : undefined;
    const got = chunks[take].length > 0 ? await comm.receive(previous, chunks[take].length) : new Float64Array(0);
    await sending;
    return got;
  };
  for (let s = 1; s < p; s++) {
    const take = (comm.rank + 2 * p - s - 1) % p;
    const got = await exchange((take + 1) % p, take);
    chunks[take] = chunks[take].map((x, i) => got[i] + x);
  }
  for (let s = 0; s < p - 1; s++) {
    const take = (comm.rank + 2 * p - s - 1) % p;
    chunks[take] = await exchange((take + 1) % p, take);
  }
  return Float64Array.from(chunks.flatMap((c) => [...c]));
}
