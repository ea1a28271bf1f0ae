/**
 * Cycles by formula, for programs that nothing hinders: what a reader can check with a pencil, and what the simulator is checked
 * against.
 */
import { ARRAY_BYTES, macsPerCycle, type NpuConfig } from "./config.js";
import { cubeDepth } from "./timing.js";

/** C (m × n) = A (m × k) · B (k × n). */
export interface ProductSize {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/**
 * Which sizes lie along the array's rows and columns, and which moves through it. (SCALE-Sim's S_R, S_C and T.)
 * @example mappingOf({ dataflow: "output" }, { m: 2, n: 3, k: 4 }).moving // 4
 */
export function mappingOf(
  { dataflow }: Pick<NpuConfig, "dataflow">,
  { m, n, k }: ProductSize,
): { readonly down: number; readonly across: number; readonly moving: number } {
  if (dataflow === "output") return { down: m, across: n, moving: k };
  if (dataflow === "input") return { down: k, across: m, moving: n };
  return { down: k, across: n, moving: m };
}

/**
 * Passes of the array: ⌈S_R / R⌉ · ⌈S_C / C⌉.
 * @example foldsOf(npuConfig("teaching-4x4"), { m: 9, n: 8, k: 6 }) // 4
 */
export function foldsOf(config: Pick<NpuConfig, "rows" | "columns" | "dataflow">, size: ProductSize): number {
  const { down, across } = mappingOf(config, size);
  return Math.ceil(down / config.rows) * Math.ceil(across / config.columns);
}

/**
 * Cycles of the array for a product whose operands lie on the chip. One pass after the other: (2R + C + T − 2) each, as SCALE-Sim
 * (Samajdar et al., ISPASS 2020) counts for all three dataflows. With room for two stationary operands the passes overlap: then one
 * begins every max(T, R + 1) cycles, and only the first waits for its operand and the last for its results.
 * @example arrayCycles(npuConfig("teaching-4x4"), { m: 10, n: 4, k: 4 }) // 20
 */
export function arrayCycles(
  config: Pick<NpuConfig, "rows" | "columns" | "dataflow" | "buffers">,
  size: ProductSize,
): number {
  const { rows, columns, dataflow, buffers } = config;
  const folds = foldsOf(config, size);
  const { moving } = mappingOf(config, size);
  if (dataflow === "output") return folds * (2 * rows + columns + moving - 2);
  const [fixed, moves, depth] =
    dataflow === "cube"
      ? [1, Math.ceil(moving / rows), cubeDepth(config) - 1]
      : [rows, moving, rows + columns - 2];
  if (buffers === 1) return folds * (fixed + moves + depth);
  return fixed + (folds - 1) * Math.max(moves, fixed + 1) + moves + depth;
}

/**
 * Share of the multiply-accumulates that the array could have done in `arrayCycles`.
 * @example arrayUtilization(npuConfig("teaching-4x4"), { m: 44, n: 4, k: 4 }) < 1 // true
 */
export function arrayUtilization(config: NpuConfig, size: ProductSize): number {
  return (size.m * size.n * size.k) / (arrayCycles(config, size) * macsPerCycle(config));
}

/** A step of a pipeline: cycles after which its unit takes the next, and cycles after which its result is there. */
export interface Stage {
  readonly busy: number;
  readonly latency: number;
}

/**
 * Cycles of `steps` steps through stages on units of their own (load, array, vector, store …), with `buffers` places between
 * one stage and the next: a stage may be that many steps ahead. Exact, by the recurrence
 * start(s, i) = max(start(s, i − 1) + busy(s), end(s − 1, i), end(s + 1, i − buffers)).
 * @example pipelineCycles([{ busy: 4, latency: 10 }, { busy: 6, latency: 9 }], 10, 2) // 101
 */
export function pipelineCycles(stages: readonly Stage[], steps: number, buffers: number): number {
  const starts = stages.map(() => [] as number[]);
  const ends = stages.map(() => [] as number[]);
  for (let i = 0; i < steps; i++)
    stages.forEach(({ busy, latency }, s) => {
      const start = Math.max(
        i > 0 ? starts[s][i - 1] + busy : 0,
        s > 0 ? ends[s - 1][i] : 0,
        s + 1 < stages.length && i >= buffers ? ends[s + 1][i - buffers] : 0,
      );
      starts[s].push(start);
      ends[s].push(Math.max(start + latency, i > 0 ? ends[s][i - 1] : 0));
    });
  return steps === 0 ? 0 : ends[stages.length - 1][steps - 1];
}

/**
 * Cycles between one step's end and the next's in a long pipeline: the slowest unit's, or the way round through the buffers of two
 * neighbours.
 * @example pipelinePeriod([{ busy: 4, latency: 10 }, { busy: 6, latency: 9 }], 2) // 9.5
 */
export function pipelinePeriod(stages: readonly Stage[], buffers: number): number {
  const own = stages.map(({ busy }) => busy);
  const rounds = stages.slice(1).map(({ latency }, s) => (latency + stages[s].latency) / buffers);
  return Math.max(...own, ...rounds);
}

/** What limits a product whose operands each move once. */
export interface Bound {
  /** Cycles of the array at one multiply-accumulate per unit and cycle. */
  readonly compute: number;
  /** Cycles of the busier engine. */
  readonly dma: number;
  readonly bound: "compute" | "dma";
  /** Multiply-accumulates per byte of outer memory. */
  readonly intensity: number;
  /** Intensity at which both take the same time: the roofline's ridge. */
  readonly ridge: number;
}

/**
 * The least that a product can take: its multiply-accumulates on a full array, its operands in and its result out once.
 * @example boundOf(npuConfig("gemmini-16x16"), { m: 512, n: 512, k: 512 }).bound // "compute"
 */
export function boundOf(config: NpuConfig, { m, n, k }: ProductSize): Bound {
  const bytes = ARRAY_BYTES[config.type];
  const [inside, outside] = [(m * k + k * n) * bytes, m * n * 4];
  const [load, store] = [inside / config.load.bytesPerCycle, outside / config.store.bytesPerCycle];
  const compute = (m * n * k) / macsPerCycle(config);
  const dma = config.sharedChannel ? load + store : Math.max(load, store);
  const bandwidth = (inside + outside) / dma;
  return {
    compute,
    dma,
    bound: compute >= dma ? "compute" : "dma",
    intensity: (m * n * k) / (inside + outside),
    ridge: macsPerCycle(config) / bandwidth,
  };
}
