/** Random pipelines of numbers, and what they should give. */
import fc from "fast-check";
import type { data } from "../../src/index.js";

type Sets = typeof data.Dataset;
type Numbers = data.Dataset<number>;

export interface Program {
  readonly count: number;
  readonly kind: string;
  readonly steps: readonly Step[];
}

/** An op on numbers, and the same on a plain list; `null`: its order is random. */
export interface Step {
  readonly name: string;
  apply(set: Numbers, D: Sets): Numbers;
  readonly model: ((list: readonly number[]) => number[]) | null;
  /** Promises are in it. */
  readonly waits?: boolean;
  /** What comes before must have its elements by position. */
  readonly positions?: boolean;
}

const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
const chunks = (list: readonly number[], size: number): number[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));

export const n = (min: number, max: number) => fc.integer({ min, max });

/** Round robin over the lists that `f` makes of elements, as tf.data defines it. */
function interleaved(
  list: readonly number[],
  f: (x: number) => number[],
  cycle: number,
  block: number,
): number[] {
  const waiting = [...list];
  const lanes: (number[] | null)[] = [];
  while (lanes.length < cycle && waiting.length > 0) lanes.push(f(waiting.shift() as number));
  const out: number[] = [];
  for (let turn = 0; lanes.some((lane) => lane); turn = (turn + 1) % lanes.length) {
    for (let left = block; left > 0; ) {
      const lane = lanes[turn];
      if (!lane) break;
      if (lane.length > 0) {
        out.push(lane.shift() as number);
        left--;
        continue;
      }
      lanes[turn] = waiting.length > 0 ? f(waiting.shift() as number) : null;
      left = block; // a new lane gets a whole turn
    }
  }
  return out;
}

const groups = (list: readonly number[], size: number): number[] => {
  const open = new Map<number, number[]>();
  const out: number[] = [];
  for (const x of list) {
    const key = ((x % 3) + 3) % 3;
    const items = open.get(key) ?? [];
    items.push(x);
    open.set(key, items);
    if (items.length < size) continue;
    open.delete(key);
    out.push(sum(items));
  }
  for (const items of open.values()) out.push(sum(items));
  return out;
};

const STEPS: fc.Arbitrary<Step>[] = [
  n(1, 5).map((k) => ({
    name: `map ${k}`,
    apply: (s) => s.map((x) => x + k),
    model: (l) => l.map((x) => x + k),
  })),
  fc.constant<Step>({
    name: "map with index",
    apply: (s) => s.map((x, i) => 3 * x + i),
    model: (l) => l.map((x, i) => 3 * x + i),
  }),
  n(1, 4).map((p) => ({
    name: `map, ${p} promises at once`,
    waits: true,
    apply: (s) => s.map(async (x, i) => Promise.resolve(x - i), { parallel: p }),
    model: (l) => l.map((x, i) => x - i),
  })),
  n(2, 4).map((k) => ({
    name: `filter ${k}`,
    apply: (s) => s.filter((x) => x % k !== 0),
    model: (l) => l.filter((x) => x % k !== 0),
  })),
  n(0, 3).map((k) => ({
    name: `flatMap ${k}`,
    apply: (s) => s.flatMap((x) => Array.from({ length: k }, (_, i) => x + i)),
    model: (l) => l.flatMap((x) => Array.from({ length: k }, (_, i) => x + i)),
  })),
  fc.tuple(n(1, 5), fc.boolean()).map(([k, drop]) => ({
    name: `batch ${k} ${drop}`,
    apply: (s) => s.batch(k, { dropRemainder: drop }).map(sum),
    model: (l) =>
      chunks(l, k)
        .filter((c) => !drop || c.length === k)
        .map(sum),
  })),
  fc.tuple(n(1, 5), n(1, 4), n(1, 3), fc.boolean()).map(([size, shift, stride, drop]) => ({
    name: `window ${size} ${shift} ${stride} ${drop}`,
    apply: (s) => s.window(size, { shift, stride, dropRemainder: drop }).map((w) => sum(w) + w.length),
    model: (l) => {
      const span = (size - 1) * stride + 1;
      const starts = l.map((_, i) => i).filter((i) => i % shift === 0 && (!drop || i + span <= l.length));
      return starts
        .map((at) => l.slice(at, at + span).filter((_, i) => i % stride === 0))
        .map((w) => sum(w) + w.length);
    },
  })),
  n(1, 12).map((b) => ({ name: `shuffle ${b}`, apply: (s) => s.shuffle(b, 5), model: null })),
  fc.constant<Step>({ name: "shuffle", apply: (s) => s.shuffle({ seed: 3 }), model: null, positions: true }),
  n(0, 20).map((k) => ({
    name: `sample ${k}`,
    apply: (s) => s.sample(s.size === 0 ? 0 : k, { seed: 2 }),
    model: null,
    positions: true,
  })),
  n(0, 20).map((k) => ({ name: `take ${k}`, apply: (s) => s.take(k), model: (l) => l.slice(0, k) })),
  n(0, 20).map((k) => ({ name: `skip ${k}`, apply: (s) => s.skip(k), model: (l) => l.slice(k) })),
  n(0, 3).map((k) => ({
    name: `repeat ${k}`,
    apply: (s) => s.repeat(k),
    model: (l) => Array.from({ length: k }, () => l).flat(),
  })),
  fc.tuple(n(1, 4), n(0, 3), fc.boolean()).map(([count, r, even]) => ({
    name: `shard ${r} of ${count} ${even}`,
    apply: (s) => s.shard(r % count, count, { even }),
    model: (l) =>
      (even ? l.slice(0, l.length - (l.length % count)) : l).filter((_, i) => i % count === r % count),
  })),
  n(0, 9).map((k) => ({
    name: `concat ${k}`,
    apply: (s, D) => s.concat(D.range(k)),
    model: (l) => [...l, ...Array(k).keys()],
  })),
  n(0, 30).map((k) => ({
    name: `zip ${k}`,
    apply: (s, D) => s.zip(D.range(k)).map(([a, b]) => 2 * a + b),
    model: (l) => l.slice(0, k).map((x, i) => 2 * x + i),
  })),
  fc.tuple(n(1, 4), n(1, 3), n(0, 4)).map(([cycle, block, k]) => {
    const part = (x: number) => Array.from({ length: Math.abs(x % (k + 1)) }, (_, i) => x + i);
    return {
      name: `interleave ${cycle} ${block} ${k}`,
      apply: (s, D) => s.interleave((x) => D.from(part(x)), { cycle, block }),
      model: (l) => interleaved(l, part, cycle, block),
    };
  }),
  n(1, 4).map((size) => ({
    name: `groupBy ${size}`,
    apply: (s) => s.groupBy((x) => ((x % 3) + 3) % 3, { size }).map(({ items }) => sum(items)),
    model: (l) => groups(l, size),
  })),
  fc.constant<Step>({ name: "cache", apply: (s) => s.cache(), model: (l) => [...l] }),
  n(1, 5).map((k) => ({ name: `prefetch ${k}`, apply: (s) => s.prefetch(k), model: (l) => [...l] })),
];

export const programs: fc.Arbitrary<Program> = fc.record({
  count: n(0, 25),
  kind: fc.constantFrom("range", "list", "generator", "async"),
  steps: fc.array(fc.oneof(...STEPS), { maxLength: 5 }),
});

function sourceOf(kind: string, count: number, D: Sets): Numbers {
  const list = Array.from({ length: count }, (_, i) => i);
  if (kind === "range") return D.range(count);
  if (kind === "list") return D.from(list);
  if (kind === "generator") return D.from(() => list.values());
  return D.from(async function* () {
    yield* list;
  });
}

/** The dataset of a program; the list that it should give, if its order is known; whether a walk must wait. */
export function build({ count, kind, steps }: Program, D: Sets) {
  let set = sourceOf(kind, count, D);
  let list: number[] | null = Array.from({ length: count }, (_, i) => i);
  let waits = kind === "async";
  for (const step of steps) {
    if (step.positions && !set.node.indexed) continue;
    set = step.apply(set, D);
    list = list && step.model ? step.model(list) : null;
    waits ||= step.waits ?? false;
  }
  return { set, list, waits };
}
