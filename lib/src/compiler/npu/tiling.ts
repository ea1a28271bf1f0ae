/** Tilings of a product: how one is gone through, what it costs by the model, and the search for a good one. */
import { ARRAY_BYTES, macsPerCycle, type NpuConfig, NpuError } from "./config.js";
import { arrayCycles, foldsOf, mappingOf, type ProductSize } from "./counts.js";
import { Emitter } from "./kernel.js";
import { arrayTile, emitProduct, type Product, planSteps, roomFor, type TileStep } from "./product.js";
import type { RunReport } from "./report.js";
import { type SimulateOptions, simulate } from "./simulate.js";
import { synchronize } from "./synchronize.js";

/** Loops over tiles, outermost first. */
export const ORDERS = ["mnk", "mkn", "nmk", "nkm", "kmn", "knm"] as const;
export type TileOrder = (typeof ORDERS)[number];

/** Sizes of a tile and the order in which tiles are gone through. */
export interface Tiling extends ProductSize {
  readonly order: TileOrder;
}

/** Elements from one index to the next, of A, B and C; row-major matrices by default. */
export interface ProductStrides {
  readonly a: readonly [down: number, across: number];
  readonly b: readonly [down: number, across: number];
  readonly c: readonly [down: number, across: number];
}

/**
 * The tiles of a product in the order of a tiling.
 * @throws NpuError for a size that is no positive whole number, or an order that is none.
 * @example tileSteps({ m: 8, n: 8, k: 8 }, { m: 4, n: 8, k: 8, order: "mnk" }).length // 2
 */
export function tileSteps(
  size: ProductSize,
  tiling: Tiling,
  strides: ProductStrides = rowMajor(size),
): TileStep[] {
  for (const axis of ["m", "n", "k"] as const)
    if (!Number.isInteger(tiling[axis]) || tiling[axis] < 1)
      throw new NpuError(`a tile's ${axis} is a whole number from 1, got ${tiling[axis]}`);
  if (!ORDERS.includes(tiling.order))
    throw new NpuError(`an order of tiles is one of ${ORDERS.join(", ")}, not ${tiling.order}`);
  const steps: TileStep[] = [];
  const at = { m: 0, n: 0, k: 0 };
  const go = (depth: number): void => {
    if (depth === 3) {
      const { m, n, k } = at;
      steps.push({
        a: m * strides.a[0] + k * strides.a[1],
        b: k * strides.b[0] + n * strides.b[1],
        c: m * strides.c[0] + n * strides.c[1],
        m0: m,
        n0: n,
        m: Math.min(tiling.m, size.m - m),
        n: Math.min(tiling.n, size.n - n),
        k: Math.min(tiling.k, size.k - k),
      });
      return;
    }
    const axis = tiling.order[depth] as "m" | "n" | "k";
    for (at[axis] = 0; at[axis] < size[axis]; at[axis] += tiling[axis]) go(depth + 1);
  };
  go(0);
  return steps;
}

const rowMajor = ({ n, k }: ProductSize): ProductStrides => ({ a: [k, 1], b: [n, 1], c: [n, 1] });

/** What a tiling costs, without running it. */
export interface Prediction {
  readonly tiling: Tiling;
  /** Cycles of the array, of the engine in, of the engine out. */
  readonly array: number;
  readonly load: number;
  readonly store: number;
  /** From the first byte in to the last byte out. */
  readonly cycles: number;
  readonly utilization: number;
  readonly bound: "array" | "load" | "store";
  /** Bytes between the outer memory and the chip. */
  readonly bytes: { readonly a: number; readonly b: number; readonly c: number; readonly total: number };
  /** Multiply-accumulates per byte. */
  readonly intensity: number;
}

/**
 * Cycles and traffic of a tiling by the model, step by step: a tile is loaded when its place is free, multiplied when it is there,
 * stored when it is done. Bytes are exact (the same tiles are kept), cycles to some percent.
 * @throws NpuError if a tile does not fit.
 * @example predictTiling(npuConfig("gemmini-16x16"), { m: 64, n: 64, k: 64 }, { m: 64, n: 64, k: 64, order: "mnk" }).bytes.a // 4096
 */
export function predictTiling(config: NpuConfig, size: ProductSize, tiling: Tiling, scratch = 0): Prediction {
  const tile = {
    m: Math.min(tiling.m, size.m),
    n: Math.min(tiling.n, size.n),
    k: Math.min(tiling.k, size.k),
  };
  const room = roomFor(config, tile, scratch);
  const steps = tileSteps(size, tiling);
  const bytes = ARRAY_BYTES[config.type];
  const traffic = { a: 0, b: 0, c: 0 };
  const busy = { array: 0, load: 0, store: 0 };
  // When each unit is free, and each place of a memory.
  let [loadAt, arrayAt, storeAt] = [0, 0, 0];
  const free = { a: new Map<number, number>(), b: new Map<number, number>(), c: new Map<number, number>() };
  const { load, store } = config;
  planSteps(steps, room).forEach((plan, at) => {
    const s = steps[at];
    let ready = 0;
    const bring = (matrix: "a" | "b" | "c", rows: number, length: number, width: number): void => {
      const beats = rows * Math.ceil((length * width) / load.bytesPerCycle);
      traffic[matrix] += rows * length * width;
      busy.load += beats;
      loadAt = Math.max(loadAt, free[matrix].get(plan[matrix].slot) ?? 0) + beats;
      ready = loadAt + load.latency;
    };
    const take = (tileOf: TileStep, from: number): number => {
      const beats = tileOf.m * Math.ceil((tileOf.n * 4) / store.bytesPerCycle);
      traffic.c += tileOf.m * tileOf.n * 4;
      busy.store += beats;
      storeAt = Math.max(storeAt, from) + beats;
      return storeAt + store.latency;
    };
    if (plan.spill) free.c.set(plan.c.slot, take(plan.spill.step, arrayAt));
    if (plan.a.missed) bring("a", s.m, s.k, bytes);
    if (plan.b.missed) bring("b", s.k, s.n, bytes);
    if (plan.c.missed && !plan.first) bring("c", s.m, s.n, 4);
    const whole = arrayCycles(config, s);
    const tail = overlap(config, s);
    const begin = Math.max(arrayAt, ready, plan.c.missed ? (free.c.get(plan.c.slot) ?? 0) : 0);
    arrayAt = begin + whole - tail;
    busy.array += whole - tail;
    free.a.set(plan.a.slot, begin + whole);
    free.b.set(plan.b.slot, begin + whole);
    free.c.set(plan.c.slot, plan.last ? take(s, begin + whole) : begin + whole);
  });
  const cycles = Math.max(storeAt + store.latency, arrayAt);
  const macs = size.m * size.n * size.k;
  const total = traffic.a + traffic.b + traffic.c;
  const busiest = Math.max(busy.array, busy.load, busy.store);
  return {
    tiling,
    ...busy,
    cycles,
    utilization: macs / (cycles * macsPerCycle(config)),
    bound: busiest === busy.array ? "array" : busiest === busy.load ? "load" : "store",
    bytes: { ...traffic, total },
    intensity: macs / total,
  };
}

/** Cycles of a tile that the next one's begin in. */
function overlap(config: NpuConfig, size: ProductSize): number {
  if (config.buffers === 1 || config.dataflow === "output") return 0;
  const { moving } = mappingOf(config, size);
  return config.dataflow === "cube" ? 2 : Math.min(moving, config.rows) + config.columns - 2;
}

export interface SearchOptions {
  /** Rows of accumulators that are not for tiles. */
  readonly scratch?: number;
  /** How many of the best are returned. Default 1. */
  readonly keep?: number;
  /** How many of the best by prediction are run on the model, without values, to find the best of them. Default 6. */
  readonly tries?: number;
}

/**
 * Cycles of a tiling by running its program on the model, without values. Matrices are row-major, as in `predictTiling`.
 * @throws NpuError if a tile does not fit.
 * @example measureTiling(npuConfig("teaching-4x4"), { m: 4, n: 4, k: 4 }, { m: 4, n: 4, k: 4, order: "mnk" }).macs // 64
 */
export function measureTiling(
  config: NpuConfig,
  size: ProductSize,
  tiling: Tiling,
  options: Pick<SimulateOptions, "trace"> = {},
): RunReport {
  const out = new Emitter();
  const bytes = ARRAY_BYTES[config.type];
  const { m, n, k } = size;
  const at = [0, m * k * bytes, m * k * bytes + k * n * bytes].map((x) => Math.ceil(x / 64) * 64);
  const product: Product = {
    a: { address: at[0], down: k, across: 1, type: config.type },
    b: { address: at[1], down: n, across: 1, type: config.type },
    c: { address: at[2] + 64, down: n, across: 1, type: config.type === "int8" ? "int32" : "float32" },
    onto: false,
    keep: true,
  };
  emitProduct(config, out, product, tileSteps(size, tiling));
  return simulate(config, synchronize(config, out.program), { ...options, values: false, verify: false });
}

/**
 * Tilings with the fewest predicted cycles, best first: sizes in steps of powers of two from the array's own, all orders.
 * @throws NpuError if not even the smallest tile fits.
 * @example searchTilings(npuConfig("gemmini-16x16"), { m: 64, n: 64, k: 64 })[0].utilization > 0.3 // true
 */
export function searchTilings(
  config: NpuConfig,
  size: ProductSize,
  { scratch = 0, keep = 1, tries = 6 }: SearchOptions = {},
): Prediction[] {
  const found: Prediction[] = [];
  const least = arrayTile(config);
  const choices = (axis: "m" | "n" | "k"): number[] => {
    const out: number[] = [];
    for (let x = least[axis] === 1 ? 8 : least[axis]; x < size[axis]; x *= 2) out.push(x);
    return [...out, size[axis]].filter((x) => size[axis] / x <= MOST_TILES);
  };
  let problem: unknown = new NpuError(`no tile fits ${config.name}`);
  for (const m of choices("m"))
    for (const n of choices("n"))
      for (const k of choices("k")) {
        const tiles = Math.ceil(size.m / m) * Math.ceil(size.n / n) * Math.ceil(size.k / k);
        if (tiles > MOST_STEPS) continue;
        try {
          // With all of k in one tile, orders that differ in k alone are the same.
          for (const order of k >= size.k ? (["mnk", "nmk"] as const) : ORDERS)
            found.push(predictTiling(config, size, { m, n, k, order }, scratch));
        } catch (error) {
          if (!(error instanceof NpuError)) throw error;
          problem = error;
        }
      }
  if (found.length === 0) throw problem;
  const byCycles = (x: Prediction, y: Prediction): number =>
    x.cycles - y.cycles || x.bytes.total - y.bytes.total;
  found.sort(byCycles);
  const best = found.slice(0, Math.max(keep, tries)).map((p, i): Prediction => {
    if (i >= tries || instructionsOf(config, size, p.tiling) > MOST_MEASURED) return p;
    const { cycles, utilization } = measureTiling(config, size, p.tiling);
    return { ...p, cycles, utilization };
  });
  return best.sort(byCycles).slice(0, keep);
}

/** About how many instructions a tiling's program has. */
function instructionsOf(config: NpuConfig, size: ProductSize, tiling: Tiling): number {
  const tile = {
    m: Math.min(tiling.m, size.m),
    n: Math.min(tiling.n, size.n),
    k: Math.min(tiling.k, size.k),
  };
  const tiles = Math.ceil(size.m / tile.m) * Math.ceil(size.n / tile.n) * Math.ceil(size.k / tile.k);
  return tiles * (2 * foldsOf(config, tile) + 4);
}

const MOST_MEASURED = 4000;

const MOST_TILES = 128; // per axis
const MOST_STEPS = 2048;
