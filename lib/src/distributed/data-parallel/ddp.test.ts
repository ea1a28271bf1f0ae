/** Data-parallel training on threads against the same training on one process. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { library as mlsys } from "../../../test/support/built-library.js";
import { expectTrainedAlike, type Training, trainOn } from "../../../test/support/rank-training.js";
import type { Team } from "../launch/team.js";
import type { ProcessGroup } from "../group/process-group.js";

const { distributed } = mlsys;

const teams = new Map<number, Team>();
beforeAll(async () => {
  for (const size of [2, 3, 4]) teams.set(size, await distributed.team(size));
});
afterAll(async () => {
  for (const team of teams.values()) await team.close();
});
const on = (size: number): Team => teams.get(size) as Team;

const base = { mode: "backward", optimizer: "Adam", steps: 5, batch: 24 } as const;

describe("DistributedDataParallel", () => {
  for (const kind of ["mlp", "cnn", "gpt"] as const)
    for (const mode of ["backward", "valueAndGrad", "static", "static backward"] as const)
      it(`trains the ${kind} by ${mode} as one process does, on 2, 3 and 4 ranks`, async () => {
        const training: Training = { ...base, kind, mode };
        const single = trainOn(null, training);
        for (const size of [2, 3, 4]) {
          const ranks = await on(size).run(trainOn, training);
          for (const rank of ranks) {
            expectTrainedAlike(rank, single);
            expect(rank.weights).toEqual(ranks[0].weights); // bit by bit
            expect(rank.buckets).toBeGreaterThan(1);
          }
        }
      });

  it("gives on two ranks bit by bit what one process gives that averages the gradients of both parts", async () => {
    for (const optimizer of ["SGD", "Adam"] as const) {
      const training: Training = { ...base, kind: "mlp", optimizer };
      const single = trainOn(null, { ...training, parts: 2 });
      const [first] = await on(2).run(trainOn, training);
      expect(first.weights).toEqual(single.weights);
    }
  });
});
