/** What a run gives: cycles, utilization, stalls by cause, bytes and energy by level. */
import { ARRAY_BYTES, type Memory, macsPerCycle, type NpuConfig, rowBytes, type Unit } from "./config.js";
import { PICOJOULES, sramPicojoules } from "./energy.js";
import { ELEMENT_BYTES, type Instruction } from "./isa.js";
import { movingMemory, regionsOf, runsOf, type Stationary, stationaryMemory } from "./regions.js";
import type { NpuState } from "./state.js";

/** What a unit did in the cycles of a run; they add up to all of them. */
export interface UnitCycles {
  /** An instruction was on its way. */
  readonly working: number;
  /** An access found all ports of its bank taken. */
  readonly bank: number;
  /** The other engine had the channel. */
  readonly channel: number;
  /** Waiting for a token from … */
  readonly waiting: Readonly<Record<Unit, number>>;
  /** Nothing left to do. */
  readonly done: number;
}

/** When an instruction ran: cycles from its start to its effect. */
export interface InstructionSpan {
  readonly index: number;
  readonly unit: Unit;
  readonly op: Instruction["op"];
  readonly start: number;
  readonly end: number;
  /** Cycles right before the start in which its unit had nothing else to do, and whose token it waited for last. */
  readonly waited: number;
  readonly waitedFor: Unit | null;
}

/** Bytes read and written at each level. */
export interface Traffic {
  readonly dram: { readonly read: number; readonly written: number };
  readonly input: { readonly read: number; readonly written: number };
  readonly weight: { readonly read: number; readonly written: number };
  readonly acc: { readonly read: number; readonly written: number };
}

export interface RunReport {
  readonly config: NpuConfig;
  readonly cycles: number;
  readonly macs: number;
  /** Multiply-accumulates of what there could have been in these cycles. */
  readonly utilization: number;
  /** Cycles for which operands move through the array: the rest of the array's work fills and empties it. */
  readonly streaming: number;
  readonly units: Readonly<Record<Unit, UnitCycles>>;
  readonly bytes: Traffic;
  /** Accesses that had to wait for a port, per memory. */
  readonly conflicts: Readonly<Record<Memory, number>>;
  /** Microjoules by what they went to. */
  readonly energy: Readonly<Record<"mac" | "vector" | Memory | "dram", number>> & { readonly total: number };
  readonly seconds: number;
  readonly instructions: number;
  readonly spans: readonly InstructionSpan[];
  /** Memories after the run; null without values. */
  readonly state: NpuState | null;
}

export interface Counters {
  macs: number;
  lanes: number;
  streaming: number;
  readonly read: Record<Memory | "dram", number>;
  readonly written: Record<Memory | "dram", number>;
}

export const newCounters = (): Counters => ({
  macs: 0,
  lanes: 0,
  streaming: 0,
  read: { dram: 0, input: 0, weight: 0, acc: 0 },
  written: { dram: 0, input: 0, weight: 0, acc: 0 },
});

/** Adds what an instruction did; `busy`: cycles for which it streams, `size`: what a product found in the array. */
export function count(
  c: Counters,
  config: NpuConfig,
  i: Instruction,
  size: Stationary | null,
  busy: number,
): void {
  const width = ARRAY_BYTES[config.type];
  switch (i.op) {
    case "preload":
      c.read[stationaryMemory(config)] += i.rows * i.columns * width;
      return;
    case "matmul": {
      if (!size) return;
      const rows = i.ny * i.nx;
      c.read[movingMemory(config)] += rows * size.rows * width;
      c.written.acc += rows * size.columns * 4;
      if (i.accumulate) c.read.acc += rows * size.columns * 4;
      c.macs += rows * size.rows * size.columns;
      c.streaming += busy;
      return;
    }
    case "outer":
      c.macs += i.k * i.m * i.n;
      c.streaming += busy;
      break;
    case "vector":
    case "reduce":
      c.lanes += i.rows * i.lanes;
      break;
    case "load":
    case "store": {
      const { count: runs, length } = runsOf(i);
      (i.op === "load" ? c.read : c.written).dram += runs * length * ELEMENT_BYTES[i.type];
    }
  }
  for (const region of regionsOf(config, i, size)) {
    const bytes = region.ny * region.nx * region.lanes * (region.memory === "acc" ? 4 : width);
    (region.write ? c.written : c.read)[region.memory] += bytes;
  }
}

/** The report of a run, from its counters. */
export function report(
  config: NpuConfig,
  program: readonly Instruction[],
  state: NpuState | null,
  cycles: number,
  runners: readonly ({ readonly unit: Unit } & UnitCycles)[],
  conflicts: readonly number[],
  c: Counters,
  spans: readonly InstructionSpan[],
): RunReport {
  const of = (memory: Memory | "dram") => ({ read: c.read[memory], written: c.written[memory] });
  const sram = (memory: Memory): number =>
    (c.read[memory] + c.written[memory]) *
    sramPicojoules(config.memory[memory].rows * rowBytes(config, memory)) *
    1e-6;
  const parts = {
    mac: c.macs * PICOJOULES.mac[config.type] * 1e-6,
    vector: c.lanes * PICOJOULES.lane * 1e-6,
    input: sram("input"),
    weight: sram("weight"),
    acc: sram("acc"),
    dram: (c.read.dram + c.written.dram) * PICOJOULES.dramByte * 1e-6,
  };
  return {
    config,
    cycles,
    macs: c.macs,
    utilization: cycles === 0 ? 0 : c.macs / (cycles * macsPerCycle(config)),
    streaming: c.streaming,
    units: Object.fromEntries(
      runners.map((r) => [
        r.unit,
        { working: r.working, bank: r.bank, channel: r.channel, waiting: r.waiting, done: r.done },
      ]),
    ) as unknown as Record<Unit, UnitCycles>,
    bytes: { dram: of("dram"), input: of("input"), weight: of("weight"), acc: of("acc") },
    conflicts: { input: conflicts[0], weight: conflicts[1], acc: conflicts[2] },
    energy: { ...parts, total: Object.values(parts).reduce((sum, x) => sum + x, 0) },
    seconds: cycles / (config.clockGHz * 1e9),
    instructions: program.length,
    spans: [...spans].sort((a, b) => a.index - b.index),
    state,
  };
}

/**
 * A report as text: cycles, use of the array, what each unit did with them, bytes and energy.
 * @example reportText(simulate(npuConfig("teaching-4x4"), assemble("fill mem=acc row=0 nx=4 lanes=4"))).split("\n")[0] // "teaching-4x4: 4 cycles (4.00 ns), 1 instruction, 0 multiply-accumulates, array 0.0 % used"
 */
export function reportText(r: RunReport): string {
  const number = (x: number): string => x.toLocaleString("en", { maximumFractionDigits: 2 });
  const share = (x: number): string => `${((100 * x) / Math.max(1, r.cycles)).toFixed(1)} %`;
  const time = r.seconds < 1e-6 ? `${(r.seconds * 1e9).toFixed(2)} ns` : `${number(r.seconds * 1e6)} µs`;
  const lines = [
    `${r.config.name}: ${number(r.cycles)} cycles (${time}), ${number(r.instructions)} instruction${r.instructions === 1 ? "" : "s"}, ${number(r.macs)} multiply-accumulates, array ${(100 * r.utilization).toFixed(1)} % used`,
  ];
  for (const [unit, u] of Object.entries(r.units)) {
    const parts = [`works ${share(u.working)}`];
    for (const [from, cycles] of Object.entries(u.waiting))
      if (cycles > 0) parts.push(`waits for ${from} ${share(cycles)}`);
    if (u.bank > 0) parts.push(`for a port ${share(u.bank)}`);
    if (u.channel > 0) parts.push(`for the channel ${share(u.channel)}`);
    if (u.done > 0) parts.push(`is done ${share(u.done)}`);
    lines.push(`  ${unit.padEnd(6)} ${parts.join(", ")}`);
  }
  for (const [level, { read, written }] of Object.entries(r.bytes))
    lines.push(`  ${level.padEnd(6)} ${number(read)} bytes read, ${number(written)} written`);
  const { total, ...energy } = r.energy;
  const most = Object.entries(energy).sort(([, a], [, b]) => b - a);
  lines.push(
    `  energy ${number(total)} µJ: ${most.map(([name, x]) => `${name} ${((100 * x) / Math.max(total, 1e-30)).toFixed(0)} %`).join(", ")}`,
  );
  return `${lines.join("\n")}\n`;
}
