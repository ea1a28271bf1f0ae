/** Random graphs without control flow, of many shapes: for fuzzing plans and back-end passes. */
import { randomWords } from "../core/random.js";
import type { Tensor } from "../core/tensor.js";
import { captureWith } from "../graph/capture.js";
import type { Graph } from "../ir/graph.js";
import { tensor } from "../ops/convert.js";
import { softmax } from "../ops/softmax.js";

export interface RandomGraph {
  readonly graph: Graph;
  readonly args: readonly Tensor[];
}

type Pick = <T>(list: readonly T[]) => T;

const UNARY: readonly ((x: Tensor) => Tensor)[] = [
  (x) => x.tanh(),
  (x) => x.mul(0.5),
  (x) => x.sigmoid(),
  (x) => x.relu(),
  (x) => x.neg().add(0.25),
  (x) => x.square().add(1).sqrt(),
  (x) => softmax(x, -1),
  (x) => x.transpose(),
  (x) => x.reshape([x.size]).reshape(x.shape),
  (x) => x.transpose().tanh().transpose(),
  (x) => x.sub(x.mean(1, true)),
  (x) => x.sum(0).tanh().broadcastTo(x.shape),
];

/** A program of up to `steps` ops over matrices whose sizes are drawn too, decided by the seed. Float32. */
export function randomGraph(seed: number, steps = 16): RandomGraph {
  const words = randomWords([seed | 0, 977], 4096);
  let at = 0;
  const random = (): number => words[at++ % words.length] / 2 ** 32;
  const pick: Pick = (list) => list[Math.floor(random() * list.length)];
  const sizes = [1, 3, 8, 17].map((size) => size + Math.floor(random() * 3));
  const draw = (): Tensor => {
    const shape = [pick(sizes), pick(sizes)];
    return tensor(
      Array.from({ length: shape[0] * shape[1] }, () => random() * 2 - 1),
      { shape },
    );
  };
  const args = [draw(), draw(), draw()];
  const graph = captureWith(
    { locations: false, name: `random${seed}` },
    (...inputs: Tensor[]) => {
      const values = [...inputs];
      for (let k = 0; k < steps; k++) values.push(next(values, pick, random));
      return [values[values.length - 1], pick(values), pick(values).sum()];
    },
    ...args,
  );
  return { graph, args };
}

function next(values: readonly Tensor[], pick: Pick, random: () => number): Tensor {
  const recent = random() < 0.6 ? values.slice(-3) : values;
  const [a, b] = [pick(recent), pick(values)];
  const choice = random();
  if (choice < 0.5) return pick(UNARY)(a);
  if (a.shape.join() === b.shape.join() && choice < 0.8) return pick([a.add(b), a.mul(b), a.sub(b.tanh())]);
  const fits = values.filter((x) => x.shape[0] === a.shape[1]);
  if (fits.length > 0) return a.matmul(pick(fits)).mul(0.25).tanh();
  const row = values.filter((x) => x.shape[0] === 1 && x.shape[1] === a.shape[1]);
  return row.length > 0 ? a.add(pick(row)) : a.tanh();
}
