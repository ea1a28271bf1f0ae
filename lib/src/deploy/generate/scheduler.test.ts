/** Scheduling without a model: sequences come, run, are cancelled and end; blocks are never lost and never written by two. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BlockTables } from "./block-tables.js";
import { checkedSampling } from "./sampler.js";
import { Scheduler } from "./scheduler.js";
import { Sequence } from "./sequence.js";
import { TokenStream } from "./stream.js";

const sequenceOf = (id: number, prompt: readonly number[], limit: number): Sequence =>
  new Sequence(id, prompt, checkedSampling({}), limit, new TokenStream(() => {}));

const arrival = fc.record({
  step: fc.nat(12),
  /** Few kinds of tokens, so that prompts begin alike. */
  prompt: fc.array(fc.nat(1), { minLength: 1, maxLength: 11 }),
  output: fc.integer({ min: 1, max: 9 }),
  samples: fc.integer({ min: 1, max: 3 }),
  cancel: fc.option(fc.nat(20), { freq: 4 }),
});

const settings = fc.record({
  blockSize: fc.integer({ min: 1, max: 5 }),
  spare: fc.nat(6),
  maxSequences: fc.integer({ min: 3, max: 6 }),
  maxBatchedTokens: fc.integer({ min: 1, max: 12 }),
  sharing: fc.boolean(),
  batching: fc.constantFrom("continuous" as const, "static" as const),
});

describe("the scheduler", () => {
  it("loses no block, gives none to two writers, and brings every sequence to its end", () => {
    fc.assert(
      fc.property(settings, fc.array(arrival, { minLength: 1, maxLength: 8 }), (s, arrivals) => {
        // just enough for the longest sequence alone, and some
        const longest = Math.max(...arrivals.map((a) => a.prompt.length + a.output - 1));
        const blocks = Math.ceil(longest / s.blockSize) + s.spare;
        /** What each slot holds: the tokens of the prefix that it ends. */
        const memory = new Map<number, string>();
        const copy = (from: number, to: number): void => {
          for (let i = 0; i < s.blockSize; i++)
            memory.set(to * s.blockSize + i, memory.get(from * s.blockSize + i) ?? "");
        };
        const tables = new BlockTables(blocks, s.blockSize, copy, s.sharing);
        const scheduler = new Scheduler(tables, s);
        const all: { sequence: Sequence; cancel: number | null }[] = [];
        const ended = new Set<Sequence>();
        const started: number[] = [];
        const leave = (sequence: Sequence): void => {
          scheduler.remove(sequence);
          ended.add(sequence);
        };
        let step = 0;
        const pending = arrivals.toSorted((a, b) => a.step - b.step);
        for (; pending.length > 0 || scheduler.hasWork; step++) {
          expect(step).toBeLessThan(2000);
          while (pending.length > 0 && pending[0].step <= step) {
            const { prompt, output, samples, cancel } = pending.shift() as (typeof arrivals)[number];
            const made = Array.from({ length: samples }, (_, i) =>
              sequenceOf(all.length + i, prompt, prompt.length + output),
            );
            made[0].siblings = made.slice(1);
            scheduler.add(made[0]);
            for (const sequence of made)
              all.push({ sequence, cancel: cancel === null ? null : step + cancel + (sequence.id % 2) });
          }
          for (const { sequence, cancel } of all)
            if (cancel === step && !ended.has(sequence)) leave(sequence);
          const scheduled = scheduler.schedule();
          expect(scheduled.reduce((sum, { count }) => sum + count, 0)).toBeLessThanOrEqual(
            s.maxBatchedTokens,
          );
          const order = scheduler.running.map(({ id }) => id);
          expect(order).toEqual(order.toSorted((a, b) => a - b));
          const written = new Set<number>();
          const wrong: string[] = [];
          for (const { sequence, count } of scheduled) {
            if (!started.includes(sequence.id)) started.push(sequence.id);
            for (let i = 0; i < sequence.computed + count; i++) {
              const slot = slotOf(sequence, i, s.blockSize);
              const prefix = sequence.tokens.slice(0, i + 1).join("");
              const place = `token ${i} of sequence ${sequence.id}`;
              if (i < sequence.computed) {
                if (memory.get(slot) !== prefix) wrong.push(`${place} was overwritten`);
                continue;
              }
              if (written.has(slot)) wrong.push(`${place} is written where another one is`);
              if (tables.pool.ownersOf(Math.floor(slot / s.blockSize)) !== 1)
                wrong.push(`${place} is written to a block that others have`);
              written.add(slot);
              memory.set(slot, prefix);
            }
          }
          expect(wrong).toEqual([]);
          expect(written.size).toBe(scheduled.reduce((sum, { count }) => sum + count, 0));
          for (const { sequence, count } of scheduled) {
            const before = sequence.computed;
            sequence.computed += count;
            tables.remember(sequence, before);
            if (sequence.pending > 0) continue;
            for (const one of [sequence, ...scheduler.fork(sequence)]) {
              one.tokens.push((one.id + one.tokens.length) % 2);
              if (one.tokens.length >= one.limit) leave(one);
            }
          }
          const owners = new Map<number, number>();
          for (const { blocks: held } of scheduler.running)
            for (const block of held) owners.set(block, (owners.get(block) ?? 0) + 1);
          const found = Array.from({ length: blocks }, (_, block) => tables.pool.ownersOf(block));
          expect(found).toEqual(found.map((_, block) => owners.get(block) ?? 0));
        }
        expect(ended.size).toBe(all.length);
        expect(tables.pool.usedCount).toBe(0);
        // leaders start in the order in which they came
        expect(started.filter((id, i) => started.indexOf(id) === i)).toEqual(started);
      }),
      { numRuns: 200 },
    );
  });

  it("takes whoever came last off when blocks run out, and starts it again before those that wait", () => {
    const tables = new BlockTables(4, 2, () => {}, false);
    const scheduler = new Scheduler(tables, { maxSequences: 8, maxBatchedTokens: 8, batching: "continuous" });
    const [a, b, c] = [0, 1, 2].map((id) => sequenceOf(id, [1, 2, 3], 8));
    scheduler.add(a);
    scheduler.add(b);
    const step = (): number[] => {
      const scheduled = scheduler.schedule();
      for (const { sequence, count } of scheduled) {
        sequence.computed += count;
        if (sequence.pending === 0) sequence.tokens.push(1);
      }
      return scheduled.map(({ sequence }) => sequence.id);
    };
    expect(step()).toEqual([0, 1]); // two blocks each
    scheduler.add(c);
    expect(step()).toEqual([0, 1]); // both fill their second block
    expect(step()).toEqual([0]); // a needs a third one
    expect([scheduler.preemptions, b.computed, b.blocks]).toEqual([1, 0, []]);
    expect(scheduler.waiting.map(({ id }) => id)).toEqual([1, 2]);
    scheduler.remove(a);
    expect(step()).toEqual([1]); // five tokens, computed anew; what is left is too little for c
    expect(scheduler.waiting.map(({ id }) => id)).toEqual([2]);
  });

  it("computes a long prompt in chunks beside what others generate", () => {
    const tables = new BlockTables(16, 4, () => {}, true);
    const scheduler = new Scheduler(tables, { maxSequences: 8, maxBatchedTokens: 4, batching: "continuous" });
    const [short, long] = [sequenceOf(0, [1], 8), sequenceOf(1, [1, 2, 3, 4, 5, 6, 7], 9)];
    scheduler.add(short);
    scheduler.add(long);
    const counts: number[][] = [];
    for (let i = 0; i < 4; i++) {
      const scheduled = scheduler.schedule();
      counts.push(scheduled.map(({ count }) => count));
      for (const { sequence, count } of scheduled) {
        sequence.computed += count;
        if (sequence.pending === 0) sequence.tokens.push(1);
      }
    }
    expect(counts).toEqual([[1, 3], [1, 3], [1, 1], [1, 1]]); // biome-ignore format: steps
  });
});

const slotOf = ({ blocks }: Sequence, i: number, blockSize: number): number =>
  blocks[Math.floor(i / blockSize)] * blockSize + (i % blockSize);
