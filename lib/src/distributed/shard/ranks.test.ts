/** Partitioned training steps on real ranks (threads), against one device. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { leaves } from "../../core/tree.js";
import { distributed, nn, random, type Tensor, tensor, valueAndGrad } from "../../index.js";

/** The functions travel to the ranks as text: what they need, they make themselves. */
type Step = (group: distributed.ProcessGroup, shape: Record<string, number>) => Promise<number[][][]>;

describe.each([2, 4])("%d ranks", (size) => {
  let ranks: distributed.Team;
  beforeAll(async () => {
    ranks = await distributed.team(size);
  });
  afterAll(async () => {
    await ranks.close();
  });

  const shapes: Record<string, number>[] =
    size === 2 ? [{ data: 2 }, { model: 2 }] : [{ data: 4 }, { data: 2, model: 2 }];

  it.each(["mlp", "cnn", "gpt"] as const)("%s", async (name) => {
    for (const shape of shapes) {
      const found = await ranks.run(STEPS[name] as Step, shape);
      for (const results of found) {
        const [got, wanted] = results;
        expect(got.length).toBe(wanted.length);
        got.forEach((values, i) => {
          const far = values.reduce((worst, x, k) => Math.max(worst, Math.abs(x - wanted[i][k])), 0);
          const scale = wanted[i].reduce((worst, x) => Math.max(worst, Math.abs(x)), 1e-3);
          expect(far / scale, `${name} ${JSON.stringify(shape)} result ${i}`).toBeLessThan(1e-4);
        });
      }
    }
  });
});
