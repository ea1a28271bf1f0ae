/**
 * Runs a program cycle by cycle. Each unit has a clock of its own, which stands while an access finds no port; stretches in which no
 * two units can want the same port are passed at once, with the same counts.
 */
import { MEMORIES, type NpuConfig, NpuError, UNITS, type Unit } from "./config.js";
import { ELEMENT_BYTES, type Instruction, unitOf } from "./isa.js";
import type { Stationary } from "./regions.js";
import { count, type InstructionSpan, newCounters, type RunReport, report } from "./report.js";
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

interface Flight {
  readonly index: number;
  readonly i: Instruction;
  readonly timing: Timing;
  /** By the unit's clock. */
  readonly start: number;
  readonly end: number;
  readonly began: number;
  readonly waited: number;
  readonly waitedFor: Unit | null;
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
  /** Cycles of waiting since something last began, and for whom. */
  idle = 0;
  idleFor: Unit | null = null;
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
      waited: r.idle,
      waitedFor: r.idleFor,
      held: state?.held ?? null,
      size,
    });
    r.idle = 0;
    r.idleFor = null;
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
    count(counters, config, first.i, first.size, first.timing.busy);
    if (options.trace) {
      const { index, began, waited, waitedFor } = first;
      spans.push({ index, unit: r.unit, op: first.i.op, start: began, end, waited, waitedFor });
    }
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
        // Two operands and a third, and one result; reductions take longer, so that their results meet others'.
        else if (r.unit === "vector")
          demand[2] += 4 + (r.flights.some(({ i }) => i.op === "reduce") ? r.flights.length - 1 : 0);
        else if (r.unit === "store") {
          demand[2]++;
          demand[DRAM]++;
        } else {
          demand[DRAM]++;
          // What a load has asked for arrives while a later fill writes.
          for (let m = 0; m < 3; m++) {
            const here = r.flights.filter(
              ({ i }) => (i.op === "load" || i.op === "fill") && i.mem === MEMORIES[m],
            );
            const fills = here.filter(({ i }) => i.op === "fill").length;
            demand[m] += fills + (here.length > fills ? 1 : 0);
          }
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
          if (from) {
            r.waiting[from] += jump;
            r.idle += jump;
            r.idleFor = from;
          } else r.working += jump;
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
