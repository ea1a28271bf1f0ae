import { Message, everyRank, everyThread } from "./__cell_1__"; import { ringAllReduce } from "./__cell_3__"; 
interface Ring {
  results: Float64Array[];
  messages: Message[];
  /** True if the inputs are as they were. */
  kept: boolean;
}
/** What `ringAllReduce` makes of these inputs, one for each rank. */
async function ringed(inputs: Float64Array[]): Promise<Ring> {
  const given = inputs.map((x) => Float64Array.from(x));
  const { results, messages } = await everyRank(inputs.length, (comm) => ringAllReduce(comm, given[comm.rank]));
  return { results, messages, kept: given.every((x, i) => x.every((value, j) => Object.is(value, inputs[i][j]))) };
}
/** The same between threads. */
async function ringedByThreads(inputs: Float64Array[]): Promise<Float64Array[]> {
  return everyThread(inputs, ringAllReduce);
}
export { Ring, ringed, ringedByThreads };
