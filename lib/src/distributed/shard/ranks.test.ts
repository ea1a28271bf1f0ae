/** Partitioned training steps on real ranks (threads) against one device. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { library } from "../../../test/support/built-library.js";
import { type ShardedKind, shardedStep } from "../../../test/support/rank-sharding.js";
import type { Team } from "../launch/team.js";

const MESHES: Record<number, Record<string, number>[]> = {
  2: [{ data: 2 }, { model: 2 }],
  4: [{ data: 4 }, { data: 2, model: 2 }],
};

describe.each([2, 4])("%d ranks", (size) => {
  let ranks: Team;
  beforeAll(async () => {
    ranks = await library.distributed.team(size);
  });
  afterAll(async () => {
    await ranks.close();
  });

  it.each(["mlp", "cnn", "gpt"] as const)("%s: loss and gradients", async (kind: ShardedKind) => {
    for (const shape of MESHES[size]) {
      for (const { got, wanted, collectives } of await ranks.run(shardedStep, kind, shape)) {
        expect(collectives).toBeGreaterThan(0);
        expect(got.map(({ length }) => length)).toEqual(wanted.map(({ length }) => length));
        got.forEach((values, i) => {
          const scale = wanted[i].reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
          const far = values.reduce((most, x, k) => Math.max(most, Math.abs(x - wanted[i][k])), 0);
          expect(far / scale, `${kind}, ${JSON.stringify(shape)}, leaf ${i}`).toBeLessThan(1e-4);
        });
      }
    }
  });
});
