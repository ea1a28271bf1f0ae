/**
 * Runs a program cycle by cycle. Each unit has a clock of its own, which stands while an access finds no port; stretches in which no
 * two units can want the same port are passed at once, with the same counts.
 */
import {
  ARRAY_BYTES,
  MEMORIES,
  type Memory,
  macsPerCycle,
  type NpuConfig,
  NpuError,
  rowBytes,
  UNITS,
  type Unit,
} from "./config.js";
import { PICOJOULES, sramPicojoules } from "./energy.js";
import { ELEMENT_BYTES, type Instruction, unitOf } from "./isa.js";
import { movingMemory, regionsOf, runsOf, type Stationary, stationaryMemory } from "./regions.js";
import { type Held, NpuState } from "./state.js";
import { type Timing, timingOf } from "./timing.js";
import { verifyProgram } from "./verify.js";

export interface SimulateOptions {
  /** Outer memory; changed by the program. Default: as large as the program reaches, zeros. */
  readonly dram?: ArrayBuffer;
  /** `registers`: each product register by register. Same results, same cycles, small sizes only. Default `fast`. */
  readonly array?: "fast" | "registers";
  /** Keeps when each instruction ran. */
  readonly trace?: boolean;
  /** False: only time passes; memories are not filled and nothing is computed. Default true. */
  readonly values?: boolean;
  /** Default true: the program is checked first. Without, what races gives is whatever the timing makes of it. */
  readonly verify?: boolean;
  /** Steps every cycle, though nothing can collide: for tests. */
  readonly everyCycle?: boolean;
}

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

interface Flight {
  readonly index: number;
  readonly i: Instruction;
  readonly timing: Timing;
  /** By the unit's clock. */
  readonly start: number;
  readonly end: number;
  readonly began: number;
  readonly held: Held | null;
  /** Size of what a product finds in the array. */
  readonly size: Stationary | null;
}

/** A unit while it runs. */
class Runner {
  clock = 0;
  next = 0;
  /** By the unit's clock: when the next instruction may begin. */
  ready = 0;
  readonly flights: Flight[] = [];
  /** Accesses of this cycle that have found no port yet: memory and bank, in pairs. */
  pending: number[] = [];
  gathered = false;
  working = 0;
  bank = 0;
  channel = 0;
  readonly waiting: Record<Unit, number> = { load: 0, array: 0, vector: 0, store: 0 };
  done = 0;
  /** When the array's sums, or its stationary operand, are there to be used; and when the next moving operand may enter. */
  settled = 0;
  streaming = 0;

  constructor(
    readonly unit: Unit,
    readonly queue: readonly number[],
  ) {}
}

const DRAM = MEMORIES.length;

/**
 * Runs a program.
 * @throws NpuError if it breaks a rule (`verifyProgram`), or does not end.
 * @example simulate(npuConfig("teaching-4x4"), assemble("fill mem=acc row=0 nx=4 lanes=4")).cycles // 4
 */
export function simulate(
  config: NpuConfig,
  program: readonly Instruction[],
  options: SimulateOptions = {},
): RunReport {
  const dram = options.dram ?? new ArrayBuffer(dramBytes(program));
  if (options.verify !== false) verifyProgram(config, program, { dramBytes: dram.byteLength });
  const state = options.values === false ? null : new NpuState(config, dram, options.array);
  let size: Stationary | null = null;
  const runners = UNITS.map(
    (unit) =>
      new Runner(
        unit,
        program.flatMap((i, at) => (unitOf(i) === unit ? [at] : [])),
      ),
  );
  // What wants a port first gets it: what can't be stopped cheaply stands in front.
  const order = (["array", "vector", "store", "load"] as const).map((unit) => runners[UNITS.indexOf(unit)]);
  const tokens = UNITS.map(() => UNITS.map(() => 0)); // [from][to]
  const ports = [...MEMORIES.map((m) => config.memory[m].ports), config.sharedChannel ? 1 : 2];
  const bankRows = MEMORIES.map((m) => config.memory[m].rows / config.memory[m].banks);
  const banks = MEMORIES.map((m) => config.memory[m].banks);
  const used = [...banks, 1].map((n) => new Int32Array(n));
  const conflicts = MEMORIES.map(() => 0);
  const spans: InstructionSpan[] = [];
  const timings = new Map<string, Timing>();
  const counters = newCounters();
  let now = 0;
  let left = program.length;

  const timing = (i: Instruction): Timing => {
    if (i.op !== "preload" && i.op !== "matmul") return timingOf(config, i);
    // The instructions of a product are few, again and again: only rows differ.
    const key =
      i.op === "preload" ? `${i.row} ${i.rows}` : `${i.row} ${i.ny} ${i.nx} ${i.sy} ${i.sx} ${i.acc}`;
    const found = timings.get(key) ?? timingOf(config, i);
    timings.set(key, found);
    return found;
  };

  /** The token that the next instruction still waits for; `null`: it may begin as far as tokens go. */
  const missing = (r: Runner, i: Instruction): Unit | null => {
    const to = UNITS.indexOf(r.unit);
    return i.wait?.find((from) => tokens[UNITS.indexOf(from)][to] === 0) ?? null;
  };

  const begin = (r: Runner): void => {
    if (r.next >= r.queue.length || r.clock < r.ready || r.pending.length > 0) return;
    const index = r.queue[r.next];
    const i = program[index];
    if (missing(r, i)) return;
    if (r.unit === "array" && !arrayReady(r, i, config)) return;
    const to = UNITS.indexOf(r.unit);
    for (const from of i.wait ?? []) tokens[UNITS.indexOf(from)][to]--;
    const t = timing(i);
    const last = r.flights[r.flights.length - 1];
    // Instructions end in order, so that a token says that all before it are done too. What a preload brings in can be used
    // by the next product all the same.
    if (i.op === "preload") {
      state?.execute(i, null);
      size = { rows: i.rows, columns: i.columns };
    }
    const end = Math.max(r.clock + t.latency, last?.end ?? 0);
    r.flights.push({
      index,
      i,
      timing: t,
      start: r.clock,
      end,
      began: now,
      held: state?.held ?? null,
      size,
    });
    r.next++;
    // Bringing in the next stationary operand and moving the other one overlap, if there is room for two.
    const overlaps = config.buffers === 2 && (i.op === "preload" || i.op === "matmul");
    r.ready = r.clock + (overlaps ? 1 : t.busy);
    if (i.op === "preload" || i.op === "outer") r.settled = r.clock + t.latency;
    if (i.op === "matmul") r.streaming = r.clock + t.busy;
  };

  const finish = (r: Runner, end: number): void => {
    const first = r.flights.shift() as Flight;
    if (first.i.op !== "preload") state?.execute(first.i, first.held);
    const from = UNITS.indexOf(r.unit);
    for (const to of first.i.post ?? []) tokens[from][UNITS.indexOf(to)]++;
    count(counters, config, first);
    if (options.trace)
      spans.push({ index: first.index, unit: r.unit, op: first.i.op, start: first.began, end });
    left--;
  };

  /** Cycles that can pass at once: until something begins or ends, if no port can be short. */
  const quiet = (): number => {
    if (options.everyCycle) return 1;
    const demand = [0, 0, 0, 0];
    let most = Number.POSITIVE_INFINITY;
    for (const r of runners) {
      if (r.flights.length > 0) {
        most = Math.min(most, r.flights[0].end - r.clock);
        if (r.unit === "array") for (let m = 0; m < 3; m++) demand[m]++;
        else if (r.unit === "vector") demand[2] += 4;
        else if (r.unit === "store") {
          demand[2]++;
          demand[DRAM]++;
        } else {
          demand[DRAM]++;
          for (let m = 0; m < 3; m++)
            if (r.flights.some(({ i }) => (i.op === "load" || i.op === "fill") && i.mem === MEMORIES[m]))
              demand[m]++;
        }
      }
      if (r.next < r.queue.length)
        for (const event of [r.ready, r.settled, r.streaming])
          if (r.clock < event) most = Math.min(most, event - r.clock);
      if (r.pending.length > 0) return 1;
    }
    if (demand.some((d, m) => d > ports[m])) return 1;
    return Number.isFinite(most) ? Math.max(1, most) : 1;
  };

  while (left > 0) {
    for (const r of order) begin(r);
    const jump = quiet();
    let moved = false;
    for (const u of used) u.fill(0);
    for (const r of order) {
      if (r.flights.length === 0) {
        const next = program[r.queue[r.next]];
        if (next) {
          const from = missing(r, next);
          if (from) r.waiting[from] += jump;
          else r.working += jump;
        } else r.done += jump;
        if (next && !missing(r, next)) {
          r.clock += jump; // the array waits for itself
          moved = true;
        }
        continue;
      }
      if (jump === 1) {
        const blocked = grant(r, { used, ports, bankRows, banks, conflicts });
        if (blocked !== null) {
          if (blocked === DRAM) r.channel++;
          else r.bank++;
          moved = true;
          continue;
        }
      }
      r.working += jump;
      r.clock += jump;
      moved = true;
    }
    if (!moved)
      throw new NpuError(`after ${now} cycles every unit waits for a token: ${stuck(runners, program)}`);
    now += jump;
    for (const r of runners) while (r.flights.length > 0 && r.flights[0].end <= r.clock) finish(r, now);
  }
  return report(config, program, state, now, runners, conflicts, counters, spans);
}

/** Gives this cycle's accesses their ports; what stays short is tried again next cycle. The memory that was short, or `null`. */
function grant(
  r: Runner,
  p: {
    readonly used: readonly Int32Array[];
    readonly ports: readonly number[];
    readonly bankRows: readonly number[];
    readonly banks: readonly number[];
    readonly conflicts: number[];
  },
): number | null {
  if (!r.gathered) {
    for (const { timing, start } of r.flights)
      if (r.clock - start < timing.latency)
        timing.touch(r.clock - start, (memory, row) => {
          const m = memory === "dram" ? DRAM : MEMORIES.indexOf(memory);
          r.pending.push(m, m === DRAM ? 0 : Math.floor(row / p.bankRows[m]));
        });
    r.gathered = true;
  }
  if (r.pending.length > 0) {
    const short: number[] = [];
    for (let at = 0; at < r.pending.length; at += 2) {
      const [m, bank] = [r.pending[at], r.pending[at + 1]];
      if (p.used[m][bank] < p.ports[m]) p.used[m][bank]++;
      else short.push(m, bank);
    }
    r.pending = short;
    if (short.length > 0) {
      for (let at = 0; at < short.length; at += 2) if (short[at] !== DRAM) p.conflicts[short[at]]++;
      return short[0];
    }
  }
  r.gathered = false;
  return null;
}

/** Whether the array's own state lets it begin: sums must have settled, an operand must have come in. */
function arrayReady(r: Runner, i: Instruction, config: NpuConfig): boolean {
  if (i.op === "drain") return r.clock >= r.settled;
  if (i.op === "matmul") return r.clock >= r.settled && r.clock >= r.streaming;
  if (i.op !== "preload") return true;
  // With room for one operand, it stays until the last product has come out; with room for two, a third waits.
  return config.buffers === 1 ? r.flights.length === 0 : r.clock >= r.settled;
}

function stuck(runners: readonly Runner[], program: readonly Instruction[]): string {
  return runners
    .filter((r) => r.next < r.queue.length)
    .map(
      (r) =>
        `${r.unit} at instruction ${r.queue[r.next]} (${program[r.queue[r.next]].op}) for ${program[r.queue[r.next]].wait?.join(", ")}`,
    )
    .join("; ");
}

interface Counters {
  macs: number;
  lanes: number;
  streaming: number;
  readonly read: Record<Memory | "dram", number>;
  readonly written: Record<Memory | "dram", number>;
}

const newCounters = (): Counters => ({
  macs: 0,
  lanes: 0,
  streaming: 0,
  read: { dram: 0, input: 0, weight: 0, acc: 0 },
  written: { dram: 0, input: 0, weight: 0, acc: 0 },
});

function count(c: Counters, config: NpuConfig, { i, size, timing }: Flight): void {
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
      c.streaming += timing.busy;
      return;
    }
    case "outer":
      c.macs += i.k * i.m * i.n;
      c.streaming += timing.busy;
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

function report(
  config: NpuConfig,
  program: readonly Instruction[],
  state: NpuState | null,
  cycles: number,
  runners: readonly Runner[],
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

/** Bytes of outer memory that a program reaches, in whole words. */
function dramBytes(program: readonly Instruction[]): number {
  let most = 0;
  for (const i of program)
    if (i.op === "load" || i.op === "store") {
      const reach =
        Math.max(0, (i.ny - 1) * i.dy) + Math.max(0, (i.nx - 1) * i.dx) + Math.max(0, (i.lanes - 1) * i.dl);
      most = Math.max(most, i.dram + (reach + 1) * ELEMENT_BYTES[i.type]);
    }
  return Math.ceil(most / 4) * 4;
}
