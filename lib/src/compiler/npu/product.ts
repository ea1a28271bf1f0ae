/**
 * Products on the array. A product is a list of steps, one tile each; what lies where, and what moves when, follows from the
 * steps' order and the memories' sizes. Tiles that come round again are kept, the next ones come while this one is used.
 */
import { type Memory, type NpuConfig, NpuError } from "./config.js";
import type { Element } from "./isa.js";
import type { Emitter } from "./kernel.js";
import { TileSlots } from "./slots.js";
import { TileWriter } from "./tile-writer.js";

/** A matrix in outer memory: byte address, elements from row to row and from column to column. */
export interface Matrix {
  readonly address: number;
  readonly down: number;
  readonly across: number;
  readonly type: Element;
}

/** C (m × n) = A (m × k) · B (k × n). */
export interface Product {
  readonly a: Matrix;
  readonly b: Matrix;
  readonly c: Matrix;
  /** Adds to what is in C. */
  readonly onto: boolean;
  /** C itself is wanted, not just what the epilogue makes of it. */
  readonly keep: boolean;
}

/** One tile of a product: corners in elements from the matrices' beginnings, and sizes. */
export interface TileStep {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  /** The tile's corner in C, for epilogues. */
  readonly m0: number;
  readonly n0: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Results in the accumulators, for an epilogue: a block of rows × lanes. */
export interface Block {
  readonly row: number;
  /** Which size its rows go along; the lanes go along the other. */
  readonly along: "m" | "n";
  readonly m0: number;
  readonly n0: number;
  readonly rows: number;
  readonly lanes: number;
}

export interface Epilogue {
  /** Rows at the end of the accumulators that it works in. */
  readonly scratch: number;
  run(block: Block): void;
}

/** Rows that a tile of at most this size takes in each memory. */
export function tileRows(
  config: NpuConfig,
  { m, n, k }: { readonly m: number; readonly n: number; readonly k: number },
): Record<Memory, number> {
  const { rows, columns, dataflow } = config;
  const up = Math.ceil;
  if (dataflow === "output")
    return { input: up(m / rows) * k, weight: up(n / columns) * k, acc: up(n / columns) * m };
  const [moving, across] = dataflow === "input" ? [n, m] : [m, n];
  const stays = rows * up(k / rows) * up(across / columns);
  const moves = moving * up(k / rows);
  const acc = moving * up(across / columns);
  return dataflow === "input" ? { input: stays, weight: moves, acc } : { input: moves, weight: stays, acc };
}

/** Tiles that each memory has room for. */
export interface Room {
  readonly rows: Record<Memory, number>;
  readonly slots: Record<Memory, number>;
}

/**
 * @throws NpuError naming the memory that a tile does not fit into.
 */
export function roomFor(
  config: NpuConfig,
  size: { readonly m: number; readonly n: number; readonly k: number },
  scratch = 0,
): Room {
  const rows = tileRows(config, size);
  const slots = Object.fromEntries(
    Object.entries(rows).map(([memory, need]) => {
      const all = config.memory[memory as Memory].rows - (memory === "acc" ? scratch : 0);
      if (need > all)
        throw new NpuError(
          `a tile of m × n × k = ${size.m} × ${size.n} × ${size.k} needs ${need} rows of ${memory}; ${config.name} has ${all}${scratch > 0 && memory === "acc" ? ` beside the epilogue's ${scratch}` : ""}`,
        );
      return [memory, Math.floor(all / need)];
    }),
  ) as Record<Memory, number>;
  return { rows, slots };
}

/** Keys of a step's tiles: equal keys, equal tiles. */
export const tileKeys = (s: TileStep) => ({
  a: `${s.a} ${s.m} ${s.k}`,
  b: `${s.b} ${s.k} ${s.n}`,
  c: `${s.c}`,
});

/** What happens to the tiles in each step, for the program and for predictions alike. */
export interface StepPlan {
  readonly a: { readonly slot: number; readonly missed: boolean };
  readonly b: { readonly slot: number; readonly missed: boolean };
  readonly c: { readonly slot: number; readonly missed: boolean };
  /** First and last step of this tile of C. */
  readonly first: boolean;
  readonly last: boolean;
  /** A tile of C whose partial sums must go out to make room: the step that has it. */
  readonly spill: { readonly step: TileStep; readonly slot: number } | null;
}

/** Goes through the steps and decides where each tile lies. */
export function planSteps(steps: readonly TileStep[], room: Room): StepPlan[] {
  const keys = steps.map(tileKeys);
  const slots = {
    a: new TileSlots(
      "input",
      room.slots.input,
      keys.map((k) => k.a),
    ),
    b: new TileSlots(
      "weight",
      room.slots.weight,
      keys.map((k) => k.b),
    ),
    c: new TileSlots(
      "acc",
      room.slots.acc,
      keys.map((k) => k.c),
    ),
  };
  const begun = new Map<string, TileStep>();
  return steps.map((step, at) => {
    const key = keys[at];
    const [a, b, c] = [slots.a.take(key.a, at), slots.b.take(key.b, at), slots.c.take(key.c, at)];
    const first = !begun.has(key.c);
    begun.set(key.c, step);
    const spilled = c.evicted === null ? null : (begun.get(c.evicted) as TileStep);
    return {
      a,
      b,
      c,
      first,
      last: !slots.c.needed(key.c),
      spill: spilled && { step: spilled, slot: c.slot },
    };
  });
}

/** Emits a product, tile by tile, in the order of its meaning. */
export function emitProduct(
  config: NpuConfig,
  out: Emitter,
  product: Product,
  steps: readonly TileStep[],
  epilogue: Epilogue | null = null,
): void {
  if (steps.length === 0) return;
  const most = (f: (s: TileStep) => number): number => steps.reduce((x, s) => Math.max(x, f(s)), 1);
  const size = { m: most((s) => s.m), n: most((s) => s.n), k: most((s) => s.k) };
  const scratch = epilogue?.scratch ?? 0;
  const room = roomFor(config, size, scratch);
  const writer = new TileWriter(config, out, product, size, room, scratch);
  planSteps(steps, room).forEach((plan, at) => {
    const step = steps[at];
    if (plan.spill) writer.store(plan.spill.step, plan.spill.slot);
    if (plan.a.missed) writer.loadA(step, plan.a.slot);
    if (plan.b.missed) writer.loadB(step, plan.b.slot);
    const accumulate = !plan.first || product.onto;
    if (plan.c.missed && accumulate) writer.loadC(step, plan.c.slot);
    writer.multiply(step, plan, accumulate);
    if (!plan.last) return;
    if (product.keep) writer.store(step, plan.c.slot);
    if (epilogue) for (const block of writer.blocks(step, plan.c.slot)) epilogue.run(block);
  });
}

/** Lanes of the array's memories, for those who plan tiles. */
export const arrayTile = (
  config: NpuConfig,
): { readonly m: number; readonly n: number; readonly k: number } => {
  const { rows, columns, dataflow } = config;
  if (dataflow === "output") return { m: rows, n: columns, k: 1 };
  return dataflow === "input"
    ? { m: columns, n: 1, k: rows }
    : { m: dataflow === "cube" ? rows : 1, n: columns, k: rows };
};
