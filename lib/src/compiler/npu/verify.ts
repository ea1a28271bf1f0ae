/**
 * The rules of programs, checked without running them: fields and addresses in range, operands that were written, no deadlock, and
 * no race. Units are in order and tokens are counted, so that which token meets which wait does not depend on timing (a
 * Kahn network): one order of the instructions shows all.
 */

import { lineOf } from "./assembly.js";
import { lanesOf, MEMORIES, type NpuConfig, NpuError, UNITS } from "./config.js";
import { fieldProblem } from "./encoding.js";
import { ELEMENT_BYTES, fieldsOf, type Instruction, unitOf } from "./isa.js";
import { eachRow, lastRow, outsideRange, regionsOf, type Stationary } from "./regions.js";
import { Shadows } from "./shadow.js";

export interface VerifyOptions {
  /** Size of the outer memory; without: any address will do. */
  readonly dramBytes?: number;
}

/** A problem is enough reason to stop; so many are reported. */
const MOST = 20;

/**
 * Every rule that a program breaks, in words, instruction by instruction (at most 20).
 * @example programProblems(npuConfig("teaching-4x4"), assemble("store type=int32 row=0 lanes=4 dram=0"))[0].includes("never written") // true
 */
export function programProblems(
  config: NpuConfig,
  program: readonly Instruction[],
  { dramBytes = Number.POSITIVE_INFINITY }: VerifyOptions = {},
): string[] {
  const found: string[] = [];
  const note = (at: number, message: string): void => {
    if (found.length < MOST) found.push(`instruction ${at} (${lineOf(program[at])}): ${message}`);
  };
  let held: Stationary | null = null;
  let summed = false;
  const sizes: (Stationary | null)[] = [];
  program.forEach((i, at) => {
    sizes.push(held);
    let whole = true;
    for (const [name, field] of Object.entries(fieldsOf(i.op))) {
      const problem = fieldProblem(i, name, field);
      if (problem) {
        whole = false;
        note(at, problem);
      }
    }
    for (const unit of [...(i.wait ?? []), ...(i.post ?? [])])
      if (unit === unitOf(i)) note(at, `${unit} can't send tokens to itself: it is in order anyway`);
    if (!whole) return;
    const problem = opcodeProblem(config, i, held, summed);
    if (problem) {
      note(at, problem);
      return;
    }
    if (i.op === "preload") held = { rows: i.rows, columns: i.columns };
    if (i.op === "outer") summed = true;
    for (const region of regionsOf(config, i, sizes[at])) {
      const { rows } = config.memory[region.memory];
      const lanes = lanesOf(config, region.memory);
      if (lastRow(region) >= rows) note(at, `row ${lastRow(region)} of ${region.memory}, which has ${rows}`);
      if (region.lane + region.lanes > lanes)
        note(
          at,
          `lanes ${region.lane} … ${region.lane + region.lanes - 1} of ${region.memory}, which has ${lanes}`,
        );
    }
    if (i.op === "load" || i.op === "store") {
      const [low, high] = outsideRange(i);
      if (low < 0 || high > dramBytes)
        note(at, `bytes ${low} … ${high - 1} of an outer memory of ${dramBytes}`);
      if (i.dram % ELEMENT_BYTES[i.type] !== 0)
        note(at, `address ${i.dram} is no multiple of ${i.type}'s ${ELEMENT_BYTES[i.type]} bytes`);
    }
  });
  if (found.length === 0) checkOrder(config, program, sizes, note);
  return found;
}

/**
 * The program, if it keeps all rules.
 * @throws NpuError with the first broken rule and the number of others.
 * @example verifyProgram(npuConfig("teaching-4x4"), []).length // 0
 */
export function verifyProgram(
  config: NpuConfig,
  program: readonly Instruction[],
  options: VerifyOptions = {},
): readonly Instruction[] {
  const found = programProblems(config, program, options);
  if (found.length > 0)
    throw new NpuError(
      found[0] +
        (found.length > 1 ? ` (and ${found.length - 1}${found.length === MOST ? " or" : ""} more)` : ""),
    );
  return program;
}

function opcodeProblem(
  { rows, columns, dataflow, type }: NpuConfig,
  i: Instruction,
  held: Stationary | null,
  summed: boolean,
): string | null {
  const sized = (name: string, value: number, most: number): string | null =>
    value < 1 || value > most ? `${name} = ${value}; the array takes 1 … ${most}` : null;
  const counts: [string, number][] = [];
  if ("ny" in i) counts.push(["ny", i.ny], ["nx", i.nx]);
  if ("lanes" in i) counts.push(["lanes", i.lanes]);
  if (i.op === "vector" || i.op === "reduce") counts.push(["rows", i.rows]);
  for (const [name, value] of counts) if (value < 1) return `${name} = ${value}; at least 1`;
  switch (i.op) {
    case "load":
      if (i.mem !== "acc" && i.type !== type) return `${i.type} into ${i.mem}, whose elements are ${type}`;
      return null;
    case "fill":
      if (i.mem !== "acc" && (i.type === "int32") !== (type === "int8"))
        return `an immediate of ${i.type} into ${i.mem}, whose elements are ${type}`;
      return null;
    case "preload":
    case "matmul":
      if (dataflow === "output") return "an array with stationary outputs knows outer and drain only";
      if (i.op === "matmul") return held ? null : "nothing was brought into the array by a preload";
      return sized("rows", i.rows, rows) ?? sized("columns", i.columns, columns);
    case "outer":
      if (dataflow !== "output") return "only an array with stationary outputs knows outer";
      return sized("k", i.k, 65535) ?? sized("m", i.m, rows) ?? sized("n", i.n, columns);
    case "drain":
      if (dataflow !== "output") return "only an array with stationary outputs knows drain";
      if (!summed) return "there are no sums in the array yet";
      return sized("m", i.m, rows) ?? sized("n", i.n, columns);
    case "vector": {
      const two = TWO.has(i.fn);
      if (two !== (i.from !== "none") && i.fn !== "requantize" && i.fn !== "set")
        return two ? `${i.fn} takes two operands: say where b comes from` : `${i.fn} takes one operand`;
      const floats = i.type === "float32";
      if (floats ? INTEGERS_ONLY.has(i.fn) : FLOATS_ONLY.has(i.fn)) return `${i.fn} does not take ${i.type}`;
      return null;
    }
    default:
      return null;
  }
}

const TWO: ReadonlySet<string> = new Set([
  ...["add", "sub", "mul", "div", "maximum", "minimum"],
  ...["less", "lessEqual", "equal", "notEqual", "and", "or", "choose"],
]);
const FLOATS_ONLY: ReadonlySet<string> = new Set([
  "sqrt",
  "exp",
  "log",
  "tanh",
  "sigmoid",
  "floor",
  "toInt",
  "div",
]);
const INTEGERS_ONLY: ReadonlySet<string> = new Set([
  "toFloat",
  "wrapInt8",
  "wrapUint8",
  "requantize",
  "and",
  "or",
]);

/** Runs the queues against each other without time: deadlock, races, reads of what was never written. */
function checkOrder(
  config: NpuConfig,
  program: readonly Instruction[],
  sizes: readonly (Stationary | null)[],
  note: (at: number, message: string) => void,
): void {
  const shadows = new Shadows(config, program, 1);
  const written = Object.fromEntries(
    MEMORIES.map((m) => [m, new Uint8Array(config.memory[m].rows * lanesOf(config, m))]),
  ) as Record<(typeof MEMORIES)[number], Uint8Array>;
  const queues = UNITS.map((unit) => program.flatMap((i, at) => (unitOf(i) === unit ? [at] : [])));
  const next = UNITS.map(() => 0);
  /** Tokens on their way: what their sender knew. */
  const tokens: Int32Array[][][] = UNITS.map(() => UNITS.map(() => []));
  const known = UNITS.map(() => new Int32Array(UNITS.length));
  const missing = (unit: number, i: Instruction) =>
    i.wait?.find((from) => tokens[UNITS.indexOf(from)][unit].length === 0);

  const run = (unit: number, at: number): void => {
    const i = program[at];
    const mine = known[unit];
    for (const from of i.wait ?? []) {
      const token = tokens[UNITS.indexOf(from)][unit].shift() as Int32Array;
      for (let u = 0; u < mine.length; u++) mine[u] = Math.max(mine[u], token[u]);
    }
    let racing: string | null = null;
    const meet = (u: number, place: number): void => {
      if (mine[u] <= place)
        racing ??= `instruction ${queues[u][place]} (${program[queues[u][place]].op} on ${UNITS[u]})`;
    };
    for (const region of regionsOf(config, i, sizes[at])) {
      shadows.touchRegion(region, unit, next[unit], meet);
      const lanes = lanesOf(config, region.memory);
      let unwritten = -1;
      eachRow(region, (row) => {
        const from = row * lanes + region.lane;
        if (region.write) written[region.memory].fill(1, from, from + region.lanes);
        else if (unwritten < 0) {
          const all = written[region.memory];
          for (let at = from; at < from + region.lanes; at++) if (all[at] === 0) unwritten = row;
        }
      });
      if (unwritten >= 0) note(at, `reads row ${unwritten} of ${region.memory}, which was never written`);
    }
    if (i.op === "load" || i.op === "store") shadows.touchOutside(i, unit, next[unit], meet);
    if (racing)
      note(at, `races with ${racing}: they touch the same row, one writes, and no token orders them`);
    mine[unit] = next[unit] + 1;
    for (const to of i.post ?? []) tokens[unit][UNITS.indexOf(to)].push(mine.slice());
    next[unit]++;
  };

  for (let moved = true; moved; ) {
    moved = false;
    for (let unit = 0; unit < UNITS.length; unit++)
      while (next[unit] < queues[unit].length && !missing(unit, program[queues[unit][next[unit]]])) {
        run(unit, queues[unit][next[unit]]);
        moved = true;
      }
  }
  queues.forEach((queue, unit) => {
    if (next[unit] >= queue.length) return;
    const at = queue[next[unit]];
    note(at, `deadlock: waits for a token from ${missing(unit, program[at])} that never comes`);
  });
}
