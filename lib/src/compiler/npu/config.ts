/**
 * What an accelerator is made of: an array of multiply-accumulate units, on-chip memories in banks, DMA engines, a vector
 * unit. Plain data; the presets are accelerators that were built, scaled in nothing but what their papers leave open.
 * (Book, chapter 6: components of an accelerator, 0- to 3-dimensional compute units.)
 */
import { MlsysError } from "../../core/errors.js";

/** A configuration, a program or a kernel that the accelerator can't take; the message says what was given and what fits. */
export class NpuError extends MlsysError {
  override name = "NpuError";
}

/**
 * What stays in the array while the rest moves through it: weights, inputs or outputs. `cube`: not systolic; all three
 * dimensions at once, with a tree of adders behind each output.
 */
export type Dataflow = "weight" | "input" | "output" | "cube";
export const DATAFLOWS: readonly Dataflow[] = ["weight", "input", "output", "cube"];

/** Operands of the array. int8 accumulates in int32, the others in float32. */
export type ArrayType = "int8" | "bfloat16" | "float16" | "float32";
export const ARRAY_BYTES: Readonly<Record<ArrayType, number>> = {
  int8: 1,
  bfloat16: 2,
  float16: 2,
  float32: 4,
};

/** On-chip memories, addressed by rows. */
export const MEMORIES = ["input", "weight", "acc"] as const;
export type Memory = (typeof MEMORIES)[number];

/** What runs at the same time, each its own instructions in order. */
export const UNITS = ["load", "array", "vector", "store"] as const;
export type Unit = (typeof UNITS)[number];

export interface MemoryConfig {
  /** Rows; the width follows from the array (`lanesOf`). */
  readonly rows: number;
  /** The rows are cut into so many equal pieces, each with ports of its own. */
  readonly banks: number;
  /** Accesses per bank and cycle. An accumulation into `acc` is one. */
  readonly ports: number;
}

export interface DmaConfig {
  /** Bytes per cycle; a run of neighbouring bytes takes whole cycles. */
  readonly bytesPerCycle: number;
  /** Cycles from a request to its first byte; the next transfer's hides behind this one's bytes. */
  readonly latency: number;
}

export interface NpuConfig {
  readonly name: string;
  readonly source: string;
  /** Height of the array: the depth k for stationary weights and inputs, outputs' rows m for stationary outputs. */
  readonly rows: number;
  readonly columns: number;
  readonly dataflow: Dataflow;
  readonly type: ArrayType;
  /** 2: the next stationary operand is brought in while this one is used, and products follow each other without a gap. */
  readonly buffers: 1 | 2;
  readonly memory: Readonly<Record<Memory, MemoryConfig>>;
  readonly load: DmaConfig;
  readonly store: DmaConfig;
  /** Both engines take turns at one channel. */
  readonly sharedChannel: boolean;
  readonly vector: {
    readonly lanes: number;
    readonly latency: number;
    /** Cycles of exp, tanh, sigmoid, log, square root and quotient for one group of lanes. */
    readonly special: number;
  };
  readonly clockGHz: number;
}

/**
 * Elements of a row of a memory.
 * @example lanesOf(npuConfig("gemmini-16x16"), "acc") // 16
 */
export function lanesOf({ rows, columns, dataflow }: NpuConfig, memory: Memory): number {
  if (memory === "acc") return columns;
  // Stationary rows are as wide as the array, moving ones as it is high.
  if (dataflow === "input") return memory === "input" ? columns : rows;
  return memory === "input" ? rows : columns;
}

/**
 * Bytes of a row of a memory.
 * @example rowBytes(npuConfig("gemmini-16x16"), "acc") // 64
 */
export function rowBytes(config: NpuConfig, memory: Memory): number {
  return lanesOf(config, memory) * (memory === "acc" ? 4 : ARRAY_BYTES[config.type]);
}

/**
 * Multiply-accumulates per cycle at the most. A cube takes `rows` rows of the moving operand at once.
 * @example macsPerCycle(npuConfig("ascend-cube")) // 4096
 */
export function macsPerCycle({ rows, columns, dataflow }: NpuConfig): number {
  return dataflow === "cube" ? rows * rows * columns : rows * columns;
}

/**
 * Operations per second at the most, in units of 10¹² (a multiply-accumulate is two).
 * @example peakTops(npuConfig("tpu-v1")) // 91.75
 */
export function peakTops(config: NpuConfig): number {
  return (2 * macsPerCycle(config) * config.clockGHz) / 1000;
}

const vector = (lanes: number) => ({ lanes, latency: 4, special: 4 });

const PRESETS = {
  "teaching-4x4": {
    name: "teaching-4x4",
    source: "small enough to follow every register",
    rows: 4,
    columns: 4,
    dataflow: "weight",
    type: "int8",
    buffers: 1,
    memory: {
      input: { rows: 64, banks: 2, ports: 2 },
      weight: { rows: 64, banks: 2, ports: 2 },
      acc: { rows: 64, banks: 2, ports: 4 },
    },
    load: { bytesPerCycle: 4, latency: 8 },
    store: { bytesPerCycle: 4, latency: 8 },
    sharedChannel: false,
    vector: vector(4),
    clockGHz: 1,
  },
  "gemmini-16x16": {
    name: "gemmini-16x16",
    source:
      "Genc et al., Gemmini (DAC 2021), default configuration: 256 KiB scratchpad in 4 banks (halves for the two operands here), 64 KiB accumulators, bus of 128 bits",
    rows: 16,
    columns: 16,
    dataflow: "weight",
    type: "int8",
    buffers: 2,
    memory: {
      input: { rows: 8192, banks: 2, ports: 2 },
      weight: { rows: 8192, banks: 2, ports: 2 },
      acc: { rows: 1024, banks: 2, ports: 4 },
    },
    load: { bytesPerCycle: 16, latency: 40 },
    store: { bytesPerCycle: 16, latency: 40 },
    sharedChannel: false,
    vector: vector(16),
    clockGHz: 1,
  },
  "tpu-v1": {
    name: "tpu-v1",
    source:
      "Jouppi et al., In-Datacenter Performance Analysis of a Tensor Processing Unit (ISCA 2017): 256 × 256 at 700 MHz, 24 MiB unified buffer, FIFO of 4 weight tiles, 4 MiB accumulators, 34 GB/s weights; 14 GB/s host in the paper, one channel of 48 bytes a cycle here",
    rows: 256,
    columns: 256,
    dataflow: "weight",
    type: "int8",
    buffers: 2,
    memory: {
      input: { rows: 98304, banks: 16, ports: 2 },
      weight: { rows: 1024, banks: 4, ports: 2 },
      acc: { rows: 4096, banks: 2, ports: 4 },
    },
    load: { bytesPerCycle: 48, latency: 70 },
    store: { bytesPerCycle: 48, latency: 70 },
    sharedChannel: false,
    vector: vector(256),
    clockGHz: 0.7,
  },
  "ascend-cube": {
    name: "ascend-cube",
    source:
      "Liao et al., DaVinci (Hot Chips 2019), book chapter 6: a cube of 16 × 16 × 16 at 1 GHz, L0A and L0B 64 KiB each, L0C 256 KiB, vectors of 2048 bits (64 elements of 4 bytes); DMA's figures are ours",
    rows: 16,
    columns: 16,
    dataflow: "cube",
    type: "float16",
    buffers: 2,
    memory: {
      input: { rows: 2048, banks: 2, ports: 2 },
      weight: { rows: 2048, banks: 2, ports: 2 },
      acc: { rows: 4096, banks: 2, ports: 4 },
    },
    load: { bytesPerCycle: 128, latency: 60 },
    store: { bytesPerCycle: 128, latency: 60 },
    sharedChannel: false,
    vector: vector(64),
    clockGHz: 1,
  },
} as const satisfies Record<string, NpuConfig>;

export type NpuPreset = keyof typeof PRESETS;
export const NPU_PRESETS = Object.keys(PRESETS) as readonly NpuPreset[];

/** A configuration with some parts replaced: memories and engines part by part. */
export type NpuChanges = Partial<Omit<NpuConfig, "memory" | "load" | "store" | "vector">> & {
  readonly memory?: Partial<Record<Memory, Partial<MemoryConfig>>>;
  readonly load?: Partial<DmaConfig>;
  readonly store?: Partial<DmaConfig>;
  readonly vector?: Partial<NpuConfig["vector"]>;
};

/**
 * A preset, or another configuration, with changes.
 * @throws NpuError naming a part that is no positive number, or a preset that does not exist.
 * @example npuConfig("teaching-4x4", { dataflow: "output" }).rows // 4
 */
export function npuConfig(base: NpuPreset | NpuConfig, changes: NpuChanges = {}): NpuConfig {
  const from: NpuConfig | undefined = typeof base === "string" ? PRESETS[base] : base;
  if (!from) throw new NpuError(`no accelerator "${base}"; there are ${NPU_PRESETS.join(", ")}`);
  const { memory = {}, load, store, vector: lanes, ...rest } = changes;
  const config: NpuConfig = {
    ...from,
    ...rest,
    memory: {
      input: { ...from.memory.input, ...memory.input },
      weight: { ...from.memory.weight, ...memory.weight },
      acc: { ...from.memory.acc, ...memory.acc },
    },
    load: { ...from.load, ...load },
    store: { ...from.store, ...store },
    vector: { ...from.vector, ...lanes },
  };
  checkConfig(config);
  return config;
}

function checkConfig(c: NpuConfig): void {
  const whole = (what: string, value: number, most: number): void => {
    if (!Number.isInteger(value) || value < 1 || value > most)
      throw new NpuError(`${c.name}: ${what} is a whole number from 1 to ${most}, got ${value}`);
  };
  whole("rows", c.rows, 512);
  whole("columns", c.columns, 512);
  for (const name of MEMORIES) {
    const { rows, banks, ports } = c.memory[name];
    whole(`memory.${name}.rows`, rows, 2 ** 20);
    whole(`memory.${name}.banks`, banks, rows);
    whole(`memory.${name}.ports`, ports, 64);
    if (rows % banks !== 0)
      throw new NpuError(`${c.name}: the ${rows} rows of memory.${name} don't divide into ${banks} banks`);
  }
  for (const name of ["load", "store"] as const) {
    whole(`${name}.bytesPerCycle`, c[name].bytesPerCycle, 2 ** 16);
    if (!Number.isInteger(c[name].latency) || c[name].latency < 0)
      throw new NpuError(`${c.name}: ${name}.latency is a whole number from 0, got ${c[name].latency}`);
  }
  whole("vector.lanes", c.vector.lanes, 2 ** 12);
  whole("vector.latency", c.vector.latency, 2 ** 12);
  whole("vector.special", c.vector.special, 2 ** 12);
  if (!DATAFLOWS.includes(c.dataflow))
    throw new NpuError(`${c.name}: a dataflow is ${DATAFLOWS.join(", ")}, not ${c.dataflow}`);
  if (!(c.type in ARRAY_BYTES))
    throw new NpuError(`${c.name}: the array takes ${Object.keys(ARRAY_BYTES).join(", ")}, not ${c.type}`);
  if (c.buffers !== 1 && c.buffers !== 2)
    throw new NpuError(`${c.name}: buffers is 1 or 2, got ${c.buffers}`);
  if (!(c.clockGHz > 0)) throw new NpuError(`${c.name}: clockGHz is positive, got ${c.clockGHz}`);
}
