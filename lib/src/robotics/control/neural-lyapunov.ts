/**
 * Neural Lyapunov functions (Chang, Roohi & Gao 2019): a network is trained to fall along trajectories, a verifier looks for a place
 * where it does not, that place joins the training data, until there is none left.
 */

import { vmap } from "../../autodiff/batch.js";
import { grad } from "../../autodiff/grad.js";
import { ValueError } from "../../core/errors.js";
import { WordStream } from "../../core/random.js";
import type { Tensor } from "../../core/tensor.js";
import { Tanh } from "../../nn/activations.js";
import { Sequential } from "../../nn/containers.js";
import { Dense } from "../../nn/dense.js";
import { tensor } from "../../ops/convert.js";
import { zeros } from "../../ops/create.js";
import { Generator } from "../../ops/random.js";
import { tidy } from "../../ops/tidy.js";
import { Adam } from "../../optim/index.js";
import { type LyapunovVerdict, verifyLyapunov } from "./lyapunov.js";

export interface NeuralLyapunovOptions {
  /** ẋ of the closed loop, 0 at 0. */
  readonly field: (x: Tensor) => Tensor;
  /** Half-widths of the box around 0. */
  readonly region: readonly number[];
  readonly hole?: readonly number[];
  /** Hidden units. Default 8. */
  readonly hidden?: number;
  /** Training steps between two looks of the verifier. Default 150. */
  readonly steps?: number;
  /** Looks of the verifier. Default 12. */
  readonly rounds?: number;
  /** Default 0.02. */
  readonly learningRate?: number;
  /** V is at least this times |x|². Default 0.05. */
  readonly floor?: number;
  readonly maxBoxes?: number;
  /** Default 0. */
  readonly seed?: number;
}

export interface NeuralLyapunov {
  readonly verdict: LyapunovVerdict;
  /** V(x) = |φ(x) − φ(0)|² + floor·|x|²: above 0 away from 0, whatever the network. */
  readonly candidate: (x: Tensor) => Tensor;
  readonly network: Sequential;
  /** Per look of the verifier: its verdict, and the loss before it. */
  readonly history: readonly {
    readonly loss: number;
    readonly status: LyapunovVerdict["status"];
    readonly boxes: number;
  }[];
}

const SAMPLES = 256;
/** Points drawn around a counterexample. */
const AROUND = 16;

/**
 * Learns a Lyapunov function on a region, and proves it.
 * @returns the last candidate, with the verdict on it: "verified" is a proof, anything else is none
 * @example
 * const found = control.learnLyapunov({ field: (x) => x.neg(), region: [1, 1], rounds: 3 });
 * found.verdict.status === "verified" // true
 */
export function learnLyapunov({
  field,
  region,
  hole = region.map((v) => v / 10),
  hidden = 8,
  steps = 150,
  rounds = 12,
  learningRate = 0.02,
  floor = 0.05,
  maxBoxes = 50_000,
  seed = 0,
}: NeuralLyapunovOptions): NeuralLyapunov {
  if (!(floor > 0)) throw new ValueError(`learnLyapunov: a floor above 0 wanted, got ${floor}`);
  const n = region.length;
  const init = { dtype: "float64", generator: new Generator(seed) } as const;
  const network = new Sequential(new Dense(n, hidden, init), new Tanh(), new Dense(hidden, 2 * n, init));
  const features = (x: Tensor): Tensor => network.forward(x.reshape([1, n]));
  const candidate = (x: Tensor): Tensor =>
    features(x)
      .sub(features(zeros([n], { dtype: "float64" })))
      .square()
      .sum()
      .add(x.square().sum().mul(floor));
  const rate = (x: Tensor): Tensor => grad(candidate)(x).mul(field(x)).sum();
  const random = new WordStream([seed | 0, 0x4c5941]);
  const data: number[][] = Array.from({ length: SAMPLES }, () => draw(region, hole, random));
  const optimizer = new Adam(network, { lr: learningRate });
  const history: { loss: number; status: LyapunovVerdict["status"]; boxes: number }[] = [];
  for (let round = 0; ; round++) {
    let loss = 0;
    for (let step = 0; step < steps; step++) {
      loss = tidy(() => {
        const X = tensor(Float64Array.from(data.flat()), { shape: [data.length, n], dtype: "float64" });
        // V̇ shall be below −|x|²/10
        const wrong = vmap(rate)(X).add(X.square().sum(1).mul(0.1)).relu().mean();
        wrong.backward();
        return wrong.item();
      });
      optimizer.step();
      network.zeroGrad();
      if (loss === 0) break;
    }
    const verdict = verifyLyapunov({ field, candidate, region, hole, maxBoxes });
    history.push({ loss, status: verdict.status, boxes: verdict.boxes });
    if (verdict.status !== "refuted" || round + 1 >= rounds) return { verdict, candidate, network, history };
    const wrong = verdict.counterexample as number[];
    for (let i = 0; i < AROUND; i++)
      data.push(
        wrong.map((v, j) =>
          Math.max(
            -region[j],
            Math.min(region[j], v + (i === 0 ? 0 : 0.1 * region[j] * random.uniform(-1, 1))),
          ),
        ),
      );
  }
}

/** A point of the region outside of the hole. */
function draw(region: readonly number[], hole: readonly number[], random: WordStream): number[] {
  for (;;) {
    const x = region.map((v) => random.uniform(-v, v));
    if (x.some((v, i) => Math.abs(v) > hole[i])) return x;
  }
}
