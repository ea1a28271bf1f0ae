/** Random programs with control flow, for fuzzing what works on graphs: passes, derivatives, inference, renderings. */
import { randomWords } from "../core/random.js";
import type { Tensor } from "../core/tensor.js";
import { call } from "../ir/call.js";
import type { Graph } from "../ir/graph.js";
import { tensor } from "../ops/convert.js";
import { where } from "../ops/select.js";
import { logSoftmax, softmax } from "../ops/softmax.js";
import { capture, captureWith } from "./capture.js";
import { cond, scan, switchCase, whileLoop } from "./control/index.js";

export interface RandomProgram {
  readonly graph: Graph;
  readonly args: readonly Tensor[];
  /** The function that was captured; it runs eagerly too. */
  readonly f: (x: Tensor, y: Tensor) => Tensor[];
}

type Random = () => number;

/** Smooth ops only: derivatives of both sides of a comparison then agree everywhere. */
const UNARY: readonly ((x: Tensor) => Tensor)[] = [
  (x) => x.sin(),
  (x) => x.tanh(),
  (x) => x.neg(),
  (x) => x.square().add(1).sqrt(),
  (x) => x.sigmoid(),
  (x) => x.cos().mul(0.5),
  (x) => x.square().add(1).log(),
  (x) => x.neg().neg(),
  (x) => x.square().add(0.5).pow(2).div(4),
  (x) => x.div(4).mul(1).add(0),
  (x) => x.square().add(1).reciprocal(),
];

const BINARY: readonly ((x: Tensor, y: Tensor) => Tensor)[] = [
  (x, y) => x.add(y),
  (x, y) => x.sub(y),
  (x, y) => x.mul(y).tanh(),
  (x, y) => x.div(y.square().add(1)),
  (x, y) => x.matmul(y).tanh(),
  (x, y) => where(x.sin().greater(y.cos()), x, y),
  (x, y) => x.mul(2).mul(3).sub(y.neg()).tanh(),
];

const LAYOUT: readonly ((x: Tensor) => Tensor)[] = [
  (x) => x.transpose(),
  (x) => x.transpose().sin().transpose(),
  (x) => x.reshape([9]).reshape([3, 3]),
  (x) => x.sum(0).broadcastTo([3, 3]).mul(0.3),
  (x) => x.mean(1, true).mul(x),
  (x) => x.cast("float64").add(x.mul(0)),
  (x) => softmax(x),
  (x) => logSoftmax(x).mul(0.1),
];

function source(seed: number): Random {
  const words = randomWords([seed | 0, 4711], 1024);
  let next = 0;
  return () => words[next++ % words.length] / 2 ** 32;
}

/** A program over two 3 × 3 matrices, decided by the seed: the same choices at each run. */
function program(seed: number, depth: number): (x: Tensor, y: Tensor) => Tensor[] {
  return (x, y) => {
    const random = source(seed * 31 + depth);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
    const values = [x, y];
    const constant = (): Tensor => tensor(Math.round(random() * 8 - 4) / 2, { dtype: "float64" });
    const inner = (k: number) => program(seed * 17 + k, depth + 1);
    const steps = 3 + Math.floor(random() * 5);
    for (let k = 0; k < steps; k++) {
      const [a, b] = [pick(values), pick(values)];
      const choice = random();
      if (choice < 0.25) values.push(pick(UNARY)(a));
      else if (choice < 0.45) values.push(pick(BINARY)(a, b));
      else if (choice < 0.55) values.push(a.mul(constant()).add(constant()));
      else if (choice < 0.68) values.push(pick(LAYOUT)(a));
      else if (depth >= 2) values.push(a.add(b).tanh());
      else values.push(...control(Math.floor(random() * 5), inner(k), a, b, pick(values), random));
    }
    return [values[values.length - 1], pick(values)];
  };
}

function control(
  kind: number,
  inner: (x: Tensor, y: Tensor) => Tensor[],
  a: Tensor,
  b: Tensor,
  free: Tensor,
  random: Random,
): Tensor[] {
  if (kind === 0)
    return cond(
      a.sum().greater(random() < 0.3 ? a.sum() : 0.1),
      (p: Tensor, q: Tensor) => inner(p, q),
      (p: Tensor, q: Tensor) => [p.mul(q), free.sin()],
      a,
      b,
    );
  if (kind === 1)
    return [
      whileLoop(
        (k: Tensor) => k.less(3),
        (k: Tensor, s: Tensor) => [k.add(1), inner(s, free)[0].tanh().add(free.exp().mul(0.01))] as const,
        [tensor(0, { dtype: "int32" }), a] as [Tensor, Tensor],
      )[1] as Tensor,
    ];
  if (kind === 2) {
    const [state, rows] = scan(
      (s: Tensor, row: Tensor) => [s.mul(0.5).add(row.mul(free.sum(1).tanh())), s.sin()],
      a.sum(0),
      b,
    );
    return [state.broadcastTo([3, 3]), rows];
  }
  if (kind === 3)
    return call(
      capture((p: Tensor, q: Tensor) => inner(p, q), a, b),
      [a, b],
    );
  return [
    switchCase(
      a.sum().greater(0).cast("int32").add(b.sum().greater(0).cast("int32")),
      [
        (p: Tensor, q: Tensor) => p.add(q),
        (p: Tensor) => p.sin().mul(free),
        (p: Tensor, q: Tensor) => inner(p, q)[0],
      ],
      a,
      b,
    ),
  ];
}

/** A captured program with arguments, in float64. */
export function randomProgram(seed: number): RandomProgram {
  const f = program(seed, 0);
  const random = source(seed ^ 0x5eed);
  const matrix = (): Tensor =>
    tensor(
      Array.from({ length: 9 }, () => random() * 2 - 1),
      { dtype: "float64" },
    ).reshape([3, 3]);
  const args = [matrix(), matrix()];
  return { graph: captureWith({ locations: false }, f, ...(args as [Tensor, Tensor])), args, f };
}
