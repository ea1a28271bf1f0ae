import { Comm, everyRank, everyThread } from "./__cell_1__"; import { Group, AdamState, Layer } from "./__cell_8__"; import { adamStep, trainLayers } from "./__cell_9__"; 
/** Collectives over a network, all through rank 0; `log` gets the calls with the lengths that they are given. */
function groupOver(comm: Comm, log: string[]): Group {
  const { rank, size } = comm;
  const toFirst = async (values: Float64Array): Promise<Float64Array[]> => {
    if (rank > 0) {
      await comm.send(0, values);
      return [];
    }
    const all = [values];
    for (let other = 1; other < size; other++) all.push(await comm.receive(other, values.length));
    return all;
  };
  return {
    rank,
    size,
    async reduceScatter(values) {
      log.push(`reduceScatter ${values.length}`);
      const part = values.length / size;
      if (!Number.isInteger(part)) throw new Error(`reduceScatter: ${values.length} values can't be cut into ${size} equal parts`);
      const all = await toFirst(values);
      if (rank > 0) return comm.receive(0, part);
      const sums = Float64Array.from(values, (_, i) => all.reduce((sum, x) => sum + x[i], 0));
      for (let other = 1; other < size; other++) await comm.send(other, sums.slice(other * part, (other + 1) * part));
      return sums.slice(0, part);
    },
    async allGather(part) {
      log.push(`allGather ${part.length}`);
      const all = await toFirst(part);
      if (rank > 0) return comm.receive(0, part.length * size);
      const whole = Float64Array.from(all.flatMap((x) => [...x]));
      for (let other = 1; other < size; other++) await comm.send(other, whole);
      return whole;
    },
  };
}

interface Trained {
  parameters: Float64Array;
  state: AdamState;
  log: string[];
}
/** Steps of Adam on every rank: `gradients[rank][step]`. */
async function stepped(parameters: Float64Array, gradients: Float64Array[][], rate: number): Promise<Trained[]> {
  const { results } = await everyRank(gradients.length, (comm) => steppedOn(comm, parameters, gradients[comm.rank], rate));
  return results;
}
/** The same between threads. */
async function steppedByThreads(parameters: Float64Array, gradients: Float64Array[][], rate: number): Promise<Trained[]> {
  return everyThread(gradients, async (comm, own: Float64Array[]) => steppedOn(comm, parameters, own, rate));
}
async function steppedOn(comm: Comm, parameters: Float64Array, gradients: Float64Array[], rate: number): Promise<Trained> {
  const log: string[] = [];
  const part = Math.ceil(parameters.length / comm.size);
  const state = { step: 0, mean: new Float64Array(part), variance: new Float64Array(part) };
  let current = Float64Array.from(parameters);
  for (const gradient of gradients) current = Float64Array.from(await adamStep(groupOver(comm, log), current, gradient, state, rate));
  return { parameters: current, state, log };
}

interface Layered {
  output: Float64Array;
  parts: Float64Array[];
  log: string[];
}
/** `trainLayers` on every rank: layer i multiplies value j by the sum of weights whose position leaves the rest j, by the number of values. */
async function layered(weights: Float64Array[], inputs: Float64Array[]): Promise<Layered[]> {
  const size = inputs.length;
  const { results } = await everyRank(size, async (comm): Promise<Layered> => {
    const log: string[] = [];
    const parts = weights.map((w) => {
      const k = Math.ceil(w.length / size);
      return Float64Array.from({ length: k }, (_, i) => w[comm.rank * k + i] ?? 0);
    });
    const factors = (w: Float64Array, count: number): Float64Array => {
      const sums = new Float64Array(count);
      for (const [i, value] of w.entries()) sums[i % count] += value;
      return sums;
    };
    const layer: Layer = {
      forward: (i, w, x) => {
        log.push(`forward ${i} ${w.length}`);
        const f = factors(w, x.length);
        return x.map((value, j) => value * f[j]);
      },
      backward: (i, w, x, gradient) => {
        log.push(`backward ${i} ${w.length}`);
        const f = factors(w, x.length);
        return [Float64Array.from(w, (_, k) => gradient[k % x.length] * x[k % x.length]), gradient.map((g, j) => g * f[j])];
      },
    };
    const [output, gradientParts] = await trainLayers(groupOver(comm, log), parts, weights.map((w) => w.length), inputs[comm.rank], layer);
    return { output, parts: gradientParts, log };
  });
  return results;
}
export { groupOver, Trained, stepped, steppedByThreads, steppedOn, Layered, layered };
