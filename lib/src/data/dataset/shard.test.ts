/** One pipeline over several ranks: what each gets, and what others go on with. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Checkpoint, collect, Dataset } from "../../../test/support/built-library.js";

const whole = (min: number, max: number) => fc.integer({ min, max });
const sorted = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b);
const epochOf = (set: Dataset<number>): number[] => [...set];

describe("shards", () => {
  it("of an epoch are disjoint and complete; equal in length if that is asked for", () => {
    fc.assert(
      fc.property(whole(0, 40), whole(1, 6), fc.boolean(), (count, world, stream) => {
        const make = () => {
          const all = Dataset.range(count).shuffle({ seed: 4 });
          return stream ? all.filter(() => true) : all;
        };
        const order = epochOf(make());
        const parts = (even: boolean | "drop" | "pad") =>
          Array.from({ length: world }, (_, rank) => epochOf(make().shard(rank, world, { even })));
        expect(sorted(parts(false).flat())).toEqual(sorted(order));
        const dropped = parts("drop");
        expect(new Set(dropped.map(({ length }) => length))).toEqual(new Set([Math.floor(count / world)]));
        expect(sorted(dropped.flat())).toEqual(sorted(order.slice(0, count - (count % world))));
        expect(parts(true)).toEqual(dropped);
        const padded = parts("pad");
        expect(new Set(padded.map(({ length }) => length))).toEqual(new Set([Math.ceil(count / world)]));
        expect(new Set(padded.flat())).toEqual(new Set(order));
        if (stream) return;
        // torch.utils.data.DistributedSampler: indices += indices[:padding], repeated where that is not enough
        const total = Math.ceil(count / world) * world;
        const filled = Array.from({ length: total }, (_, i) => order[i % count]);
        expect(padded).toEqual(
          Array.from({ length: world }, (_, rank) => filled.filter((_, i) => i % world === rank)),
        );
      }),
    );
    expect(() => Dataset.range(3).shard(0, 2, { even: "fair" as "pad" })).toThrow(
      /even true, "drop" or "pad", got "fair"/,
    );
  });

  it("are the same in each of several epochs' orders for ranks with one seed", () => {
    const ranks = [0, 1, 2].map((rank) => Dataset.range(30).shuffle({ seed: 9 }).shard(rank, 3));
    const epochs = [0, 1].map(() => ranks.map(epochOf));
    for (const parts of epochs) expect(sorted(parts.flat())).toEqual(Array.from({ length: 30 }, (_, i) => i));
    expect(epochs[0]).not.toEqual(epochs[1]);
  });

  it("let other numbers of ranks go on: what is left of the epoch is divided among them", async () => {
    await fc.assert(
      fc.asyncProperty(
        whole(1, 60),
        whole(1, 4),
        whole(1, 4),
        whole(1, 5),
        whole(0, 12),
        fc.constantFrom("plain", "threads", "ahead"),
        fc.boolean(),
        async (count, before, now, size, steps, how, stream) => {
          const make = (rank: number, world: number) => {
            const all = Dataset.range(count).shuffle({ seed: 2 });
            const order = stream ? all.filter((x) => x >= 0) : all;
            const batches = order
              .shard(rank, world, { even: "drop" })
              .map((x) => x + 1)
              .batch(size, { dropRemainder: true });
            return how === "ahead" ? batches.prefetch(3) : batches;
          };
          const run = (set: Dataset<number[]>) =>
            how === "threads" && !stream ? set.pipeline({ workers: 1 }) : set;
          const order = epochOf(Dataset.range(count).shuffle({ seed: 2 })).map((x) => x + 1);
          const walks = Array.from({ length: before }, (_, rank) =>
            run(make(rank, before))[Symbol.asyncIterator](),
          );
          let taken = 0;
          for (let step = 0; step < steps; step++) {
            const got = await Promise.all(walks.map((walk) => walk.next()));
            if (!got[0].done) taken += before * size;
          }
          const state = JSON.parse(JSON.stringify(walks[before - 1].state())) as Checkpoint;
          await Promise.all(walks.map((walk) => walk.return()));
          if (taken === 0 || Math.floor(Math.floor(count / before) / size) <= taken / before / size) return; // at one end
          if (now !== before && JSON.stringify(state).includes('"skip"')) {
            expect([how, stream]).toEqual(["ahead", true]); // all others are told exactly
            expect(() => make(0, now).resume(state)).toThrow(/in the midst of what one of them had ahead/);
            return;
          }
          const rest = order.slice(taken);
          const parts = await Promise.all(
            Array.from({ length: now }, (_, rank) =>
              collect(run(make(rank, now).resume(state) as Dataset<number[]>)),
            ),
          );
          for (const [rank, part] of parts.entries()) {
            const mine = rest.slice(0, rest.length - (rest.length % now)).filter((_, i) => i % now === rank);
            expect(part.flat()).toEqual(mine.slice(0, mine.length - (mine.length % size)));
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it("refuse a state in which elements are left out above them, for other ranks", async () => {
    const make = (world: number) =>
      Dataset.range(64)
        .shard(0, world)
        .map((x) => x)
        .shuffle({ buffer: 8, seed: 1 });
    const walk = make(2)[Symbol.iterator]();
    for (let i = 0; i < 20; i++) walk.next();
    const state = JSON.parse(JSON.stringify(walk.state())) as Checkpoint;
    expect([...make(2).resume(state)]).toEqual([...make(2)].slice(20));
    const skipped = { ...state, at: { from: state.at, skip: 1 } };
    expect(() => make(4).resume(skipped)).toThrow(
      /the state is one of 2 ranks, in the midst of what one of them had ahead; 4 ranks/,
    );
  });
});
