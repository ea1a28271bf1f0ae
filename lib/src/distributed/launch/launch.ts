/** The same function on several ranks: worker threads of this process, with a process group among them. */
import { checkRanks, type RankFunction, shipped, Team, type TeamOptions } from "./team.js";

export interface LaunchOptions<A extends readonly unknown[] = readonly unknown[]> extends TeamOptions {
  /** What `fn` is called with, behind the group. */
  readonly args?: A;
}

/**
 * Runs `fn(group, …args)` on `size` worker threads, each with a heap of its own, and ends them.
 * @returns the results by rank
 * @throws RankError with the failure of a rank
 * @example await distributed.launch(3, (group) => group.allGatherObject(group.rank)) // [[0, 1, 2], [0, 1, 2], [0, 1, 2]]
 */
export async function launch<A extends readonly unknown[], R>(
  size: number,
  fn: RankFunction<A, R>,
  options: LaunchOptions<A> = {},
): Promise<Awaited<R>[]> {
  checkRanks(size, "distributed.launch");
  await shipped(fn); // before threads are started for it
  const ranks = await team(size, options);
  try {
    return await ranks.run(fn, ...((options.args ?? []) as unknown as A));
  } finally {
    await ranks.close();
  }
}

/**
 * Ranks that stay: their threads are started once and run one function after the other, each with a group of its own.
 * @example
 * const two = await distributed.team(2);
 * const ranks = await two.run((group) => group.rank);
 * await two.close();
 * ranks; // [0, 1]
 */
export async function team(size: number, options: TeamOptions = {}): Promise<Team> {
  checkRanks(size, "distributed.team");
  return new Team(size, options).start();
}
