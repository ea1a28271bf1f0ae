import { check, expectClose, expectEqual, expectThrows, expectTrue, rng, student, type Rng } from "@mlsys/grader/kit";
import { distributed, tensor } from "mlsys";

/** What a rank has of the network. */
interface Comm {
  rank: number;
  size: number;
  /** Sends values to another rank. The promise ends once they have been **received**: who sends must not keep others waiting. */
  send(to: number, values: Float64Array): Promise<void>;
  /** The next values that `from` sends to this rank: exactly so many. */
  receive(from: number, count: number): Promise<Float64Array>;
}
interface Message {
  from: number;
  to: number;
  count: number;
}

/**
 * Runs `body` as each of `size` ranks, side by side on this thread, and notes the messages.
 * @throws Error if they all wait for one another, or if messages are left that nobody takes
 */
async function everyRank<T>(size: number, body: (comm: Comm) => Promise<T>): Promise<{ results: T[]; messages: Message[] }> {
  type Parcel = { values: Float64Array; taken: () => void };
  type Wanted = { count: number; give: (values: Float64Array) => void; fail: (error: Error) => void };
  const lanes = new Map<string, { sent: Parcel[]; wanted: Wanted[] }>();
  const laneOf = (from: number, to: number) => {
    const key = `${from} to ${to}`;
    const lane = lanes.get(key) ?? { sent: [], wanted: [] };
    lanes.set(key, lane);
    return lane;
  };
  const messages: Message[] = [];
  let moves = 0;
  const match = (from: number, to: number): void => {
    const { sent, wanted } = laneOf(from, to);
    while (sent.length > 0 && wanted.length > 0) {
      const [{ values, taken }, { count, give, fail }] = [sent.shift() as Parcel, wanted.shift() as Wanted];
      moves++;
      taken();
      if (values.length === count) give(values);
      else fail(new Error(`rank ${to} expects ${count} values from rank ${from}, which sends ${values.length}`));
    }
  };
  const there = (rank: number): void => {
    if (!(Number.isInteger(rank) && rank >= 0 && rank < size)) throw new Error(`there is no rank ${rank} of ${size}`);
  };
  let running = size;
  const ranks = Array.from({ length: size }, async (_, rank): Promise<T> => {
    try {
      return await body({
        rank,
        size,
        send: (to, values) => {
          there(to);
          messages.push({ from: rank, to, count: values.length });
          return new Promise((taken) => {
            laneOf(rank, to).sent.push({ values: Float64Array.from(values), taken });
            match(rank, to);
          });
        },
        receive: (from, count) => {
          there(from);
          return new Promise((give, fail) => {
            laneOf(from, rank).wanted.push({ count, give, fail });
            match(from, rank);
          });
        },
      });
    } finally {
      running--;
      moves++;
    }
  });
  const stuck = (async (): Promise<never[]> => {
    for (let [still, before] = [0, -1]; running > 0; before = moves) {
      await new Promise((turn) => setImmediate(turn));
      still = moves === before ? still + 1 : 0;
      if (still > 20) {
        const waits = [...lanes].flatMap(([pair, { sent, wanted }]) => [
          ...sent.map(() => `sending ${pair}`),
          ...wanted.map(() => `waiting for a message of ${pair}`),
        ]);
        throw new Error(`everybody waits for somebody: ${waits.join("; ")}`);
      }
    }
    return [];
  })();
  const results = await Promise.race([Promise.all(ranks), stuck.then(() => Promise.all(ranks))]);
  const left = [...lanes].filter(([, { sent }]) => sent.length > 0).map(([pair]) => pair);
  if (left.length > 0) throw new Error(`nobody took what was sent ${left.join(", ")}`);
  return { results: results as T[], messages };
}

/** The same network between real threads, one for each rank. */
async function everyThread<I, T>(inputs: I[], body: (comm: Comm, input: I) => Promise<T>): Promise<T[]> {
  return distributed.launch(inputs.length, async (group) => {
    const comm: Comm = {
      rank: group.rank,
      size: group.size,
      send: async (to, values) => {
        await group.send(tensor(values, { dtype: "float64" }), to);
      },
      receive: async (from, count) => Float64Array.from(await (await group.receive({ shape: [count], dtype: "float64" }, from)).data()),
    };
    return body(comm, inputs[group.rank]);
  });
}
export { check, expectClose, expectEqual, expectThrows, expectTrue, rng, student, Rng, distributed, tensor, Comm, Message, everyRank, everyThread };
