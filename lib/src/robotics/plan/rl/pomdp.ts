/**
 * What a learned planner meets: a partially observable Markov decision process (部分可观察马尔可夫决策过程). It sees observations, not the
 * state; its actions are numbered.
 */

/** One process. Its randomness comes from the seed of `reset` alone. */
export interface Pomdp {
  /** Numbers in an observation. */
  readonly observationSize: number;
  readonly actions: number;
  /** Starts an episode; the first observation. */
  reset(seed: number): Float64Array;
  step(action: number): PomdpStep;
}

export interface PomdpStep {
  readonly observation: Float64Array;
  readonly reward: number;
  readonly done: boolean;
  /** How the episode ended, once it has. */
  readonly outcome?: "success" | "failure" | "timeout";
}

/** What acts: the number of an action for an observation. */
export type Policy = (observation: Float64Array) => number;

export interface Episode {
  readonly observations: Float64Array[];
  readonly actions: number[];
  readonly rewards: number[];
  readonly outcome: "success" | "failure" | "timeout";
}

/**
 * One episode under a policy.
 * @param limit steps after which it counts as a timeout
 * @example plan.runEpisode(new plan.LocalPlanning(), () => 2, 1).observations.length > 0 // true
 */
export function runEpisode(process: Pomdp, policy: Policy, seed: number, limit = 1000): Episode {
  const episode = { observations: [] as Float64Array[], actions: [] as number[], rewards: [] as number[] };
  let observation = process.reset(seed);
  for (let k = 0; k < limit; k++) {
    const action = policy(observation);
    const step = process.step(action);
    episode.observations.push(observation);
    episode.actions.push(action);
    episode.rewards.push(step.reward);
    if (step.done) return { ...episode, outcome: step.outcome ?? "success" };
    observation = step.observation;
  }
  return { ...episode, outcome: "timeout" };
}

/**
 * The share of episodes that a policy ends well.
 * @example plan.successRate(new plan.LocalPlanning({ obstacles: 0 }), () => 0, [1, 2]) // 0
 */
export function successRate(process: Pomdp, policy: Policy, seeds: readonly number[]): number {
  const good = seeds.filter((seed) => runEpisode(process, policy, seed).outcome === "success");
  return seeds.length === 0 ? 0 : good.length / seeds.length;
}
