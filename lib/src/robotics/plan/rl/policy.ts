/**
 * Policies that are networks of the library: behaviour cloning (行为克隆) from a teacher's demonstrations, on the states that the student
 * itself comes to (DAgger; Ross, Gordon & Bagnell 2011), and policy gradients (REINFORCE; Williams 1992).
 */
import { ValueError } from "../../../core/errors.js";
import { WordStream } from "../../../core/random.js";
import { Tanh } from "../../../nn/activations.js";
import { Sequential } from "../../../nn/containers.js";
import { Dense } from "../../../nn/dense.js";
import { tensor } from "../../../ops/convert.js";
import { Generator } from "../../../ops/random.js";
import { logSoftmax } from "../../../ops/softmax.js";
import { tidy } from "../../../ops/tidy.js";
import { Adam } from "../../../optim/index.js";
import { type Episode, type Policy, type Pomdp, runEpisode } from "./pomdp.js";

/** A planner that follows a network: observations (size) → a score for each action. */
export class PolicyPlanner {
  readonly network: Sequential;

  /** @param hidden units of the two hidden layers. Default 32 */
  constructor(
    readonly observationSize: number,
    readonly actions: number,
    { hidden = 32, seed = 0 }: { readonly hidden?: number; readonly seed?: number } = {},
  ) {
    const init = { generator: new Generator(seed) };
    this.network = new Sequential(
      new Dense(observationSize, hidden, init),
      new Tanh(),
      new Dense(hidden, hidden, init),
      new Tanh(),
      new Dense(hidden, actions, init),
    );
  }

  /** Probability of each action. */
  probabilities(observation: ArrayLike<number>): number[] {
    return tidy(() => {
      const x = tensor(Float32Array.from(observation), { shape: [1, this.observationSize] });
      return Array.from(logSoftmax(this.network.forward(x)).exp().toTypedArray() as Float32Array);
    });
  }

  /** The most probable action. */
  readonly act: Policy = (observation) => {
    const p = this.probabilities(observation);
    return p.indexOf(Math.max(...p));
  };

  /** A policy that draws its actions. */
  sampled(random: WordStream): Policy {
    return (observation) => {
      let rest = random.uniform();
      const p = this.probabilities(observation);
      return Math.max(
        0,
        p.findIndex((v) => {
          rest -= v;
          return rest < 0;
        }),
      );
    };
  }

  /**
   * One step of an optimizer up the sum of weight·log p(action | observation): weights of 1 clone, advantages follow the
   * policy gradient.
   * @returns the mean of −weight·log p before the step
   */
  follow(
    optimizer: Adam,
    observations: readonly ArrayLike<number>[],
    actions: readonly number[],
    weights: readonly number[] = actions.map(() => 1),
  ): number {
    const count = observations.length;
    const chosen = new Float32Array(count * this.actions);
    actions.forEach((action, i) => {
      chosen[i * this.actions + action] = weights[i] / count;
    });
    const loss = tidy(() => {
      const flat = new Float32Array(count * this.observationSize);
      observations.forEach((row, i) => {
        flat.set(row, i * this.observationSize);
      });
      const x = tensor(flat, { shape: [count, this.observationSize] });
      const value = logSoftmax(this.network.forward(x))
        .mul(tensor(chosen, { shape: [count, this.actions] }))
        .sum()
        .neg();
      value.backward();
      return value.item();
    });
    optimizer.step();
    this.network.zeroGrad();
    return loss;
  }
}

export interface CloningOptions {
  /** Episodes per round. Default 20. */
  readonly episodes?: number;
  /** Rounds: in the first the teacher drives, in the later ones the student, and the teacher says what it would have done. Default 3. */
  readonly rounds?: number;
  /** Passes over the data after each round. Default 10. */
  readonly epochs?: number;
  /** Default 128. */
  readonly batch?: number;
  /** Default 0.003. */
  readonly learningRate?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * A student learns from a teacher that sees more than it does.
 * @param teacher asked at every step, before the process moves
 * @returns the loss after each round
 * @example
 * const world = new plan.LocalPlanning({ obstacles: 0 });
 * const student = new plan.PolicyPlanner(world.observationSize, world.actions);
 * plan.cloneTeacher(student, world, () => world.teacher(), { episodes: 3, rounds: 1, epochs: 2 }).length // 1
 */
export function cloneTeacher(
  student: PolicyPlanner,
  process: Pomdp,
  teacher: () => number,
  {
    episodes = 20,
    rounds = 3,
    epochs = 10,
    batch = 128,
    learningRate = 0.003,
    seed = 0,
  }: CloningOptions = {},
): number[] {
  checkFits(student, process, "cloneTeacher");
  const optimizer = new Adam(student.network, { lr: learningRate });
  const random = new WordStream([seed | 0, 0x434c]);
  const observations: Float64Array[] = [];
  const advice: number[] = [];
  const losses: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let e = 0; e < episodes; e++) {
      runEpisode(
        process,
        (observation) => {
          const wanted = teacher();
          observations.push(observation);
          advice.push(wanted);
          return round === 0 ? wanted : student.act(observation);
        },
        seed + 1000 * (1 + round) + e,
      );
    }
    let loss = 0;
    for (let epoch = 0; epoch < epochs; epoch++) {
      const order = shuffled(observations.length, random);
      loss = 0;
      for (let at = 0; at < order.length; at += batch) {
        const part = order.slice(at, at + batch);
        const found = student.follow(
          optimizer,
          part.map((i) => observations[i]),
          part.map((i) => advice[i]),
        );
        loss += (found * part.length) / order.length;
      }
    }
    losses.push(loss);
  }
  return losses;
}

export interface GradientOptions {
  /** Updates. Default 30. */
  readonly updates?: number;
  /** Episodes per update. Default 16. */
  readonly episodes?: number;
  /** Discount per step. Default 0.98. */
  readonly discount?: number;
  /** Default 0.003. */
  readonly learningRate?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * REINFORCE: actions after which more came back than on average of their batch become more probable.
 * @returns the mean sum of rewards per episode, for each update
 * @example
 * const world = new plan.LocalPlanning({ obstacles: 0 });
 * const student = new plan.PolicyPlanner(world.observationSize, world.actions, { hidden: 8 });
 * plan.reinforce(student, world, { updates: 2, episodes: 2 }).length // 2
 */
export function reinforce(
  student: PolicyPlanner,
  process: Pomdp,
  { updates = 30, episodes = 16, discount = 0.98, learningRate = 0.003, seed = 0 }: GradientOptions = {},
): number[] {
  checkFits(student, process, "reinforce");
  if (!(discount >= 0 && discount <= 1))
    throw new ValueError(`reinforce: a discount of 0 … 1 wanted, got ${discount}`);
  const optimizer = new Adam(student.network, { lr: learningRate });
  const policy = student.sampled(new WordStream([seed | 0, 0x5247]));
  return Array.from({ length: updates }, (_, update) => {
    const batch = Array.from({ length: episodes }, (_, e) =>
      runEpisode(process, policy, seed + 1 + update * episodes + e),
    );
    const returns = batch.flatMap((episode) => returnsOf(episode, discount));
    const mean = returns.reduce((a, b) => a + b, 0) / returns.length;
    const spread = Math.sqrt(returns.reduce((sum, v) => sum + (v - mean) ** 2, 0) / returns.length) || 1;
    student.follow(
      optimizer,
      batch.flatMap((episode) => episode.observations),
      batch.flatMap((episode) => episode.actions),
      returns.map((v) => (v - mean) / spread),
    );
    return batch.reduce((sum, episode) => sum + episode.rewards.reduce((a, b) => a + b, 0), 0) / episodes;
  });
}

/** What came after each step, discounted. */
function returnsOf({ rewards }: Episode, discount: number): number[] {
  const out = new Array<number>(rewards.length);
  let rest = 0;
  for (let k = rewards.length - 1; k >= 0; k--) {
    rest = rewards[k] + discount * rest;
    out[k] = rest;
  }
  return out;
}

function shuffled(count: number, random: WordStream): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** @throws ValueError if sizes of policy and process differ */
function checkFits(student: PolicyPlanner, process: Pomdp, where: string): void {
  if (student.observationSize !== process.observationSize || student.actions !== process.actions)
    throw new ValueError(
      `${where}: the policy takes ${student.observationSize} numbers to ${student.actions} actions, the process has ${process.observationSize} and ${process.actions}`,
    );
}
