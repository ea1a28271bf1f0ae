/** Which rows and bytes an instruction reads and writes: what the verifier, the tokens and the counters go by. */
import { lanesOf, type Memory, type NpuConfig } from "./config.js";
import { ELEMENT_BYTES, type Instruction, type Load, type Store } from "./isa.js";

/** Rows (y, x) of a memory: row + y · sy + x · sx, lanes from `lane` on. */
export interface Region {
  readonly memory: Memory;
  readonly write: boolean;
  readonly row: number;
  readonly ny: number;
  readonly nx: number;
  readonly sy: number;
  readonly sx: number;
  readonly lane: number;
  readonly lanes: number;
}

/** Size of the stationary operand that the last `preload` brought in. */
export interface Stationary {
  readonly rows: number;
  readonly columns: number;
}

/** The memory whose rows stay in the array, or move through it. */
export const stationaryMemory = ({ dataflow }: NpuConfig): Memory =>
  dataflow === "input" ? "input" : "weight";
export const movingMemory = ({ dataflow }: NpuConfig): Memory => (dataflow === "input" ? "weight" : "input");

const rows = (
  memory: Memory,
  write: boolean,
  row: number,
  count: number,
  lanes: number,
  step = 1,
  lane = 0,
): Region => ({ memory, write, row, ny: 1, nx: step === 0 ? 1 : count, sy: 0, sx: step, lane, lanes });

/** What an instruction touches on the chip; `stationary`: what a `matmul` finds in the array. */
export function regionsOf(config: NpuConfig, i: Instruction, stationary: Stationary | null): Region[] {
  switch (i.op) {
    case "sync":
      return [];
    case "load":
    case "fill":
      return [{ ...rectangle(i), memory: i.mem, write: true }];
    case "store":
      return [{ ...rectangle(i), memory: "acc", write: false }];
    case "preload":
      return [rows(stationaryMemory(config), false, i.row, i.rows, i.columns)];
    case "matmul": {
      const { rows: k, columns: n } = stationary ?? {
        rows: lanesOf(config, movingMemory(config)),
        columns: config.columns,
      };
      const moving = {
        ...rectangle({ ...i, lane: 0, lanes: k }),
        memory: movingMemory(config),
        write: false,
      };
      const results = rows("acc", true, i.acc, i.ny * i.nx, n);
      return i.accumulate ? [moving, { ...results, write: false }, results] : [moving, results];
    }
    case "outer":
      return [rows("input", false, i.row, i.k, i.m), rows("weight", false, i.weight, i.k, i.n)];
    case "drain": {
      const results = rows("acc", true, i.acc, i.m, i.n);
      return i.accumulate ? [{ ...results, write: false }, results] : [results];
    }
    case "vector": {
      const dst = rows("acc", true, i.dst, i.rows, i.lanes, i.sd, i.lane);
      const read: Region[] = [];
      if (i.fn !== "set") read.push(rows("acc", false, i.a, i.rows, i.lanes, i.sa, i.lane));
      if (i.from === "rows") read.push(rows("acc", false, i.b, i.rows, i.lanes, i.sb, i.lane));
      if (i.from === "lane") read.push(rows("acc", false, i.b, i.rows, 1, i.sb));
      if (i.fn === "choose") read.push({ ...dst, write: false });
      return [...read, dst];
    }
    case "reduce": {
      const dst = rows("acc", true, i.dst, i.rows, 1, i.sd);
      const a = rows("acc", false, i.a, i.rows, i.lanes, i.sa, i.lane);
      return i.accumulate ? [a, { ...dst, write: false }, dst] : [a, dst];
    }
  }
}

const rectangle = ({ row, lane, ny, nx, sy, sx, lanes }: Omit<Region, "memory" | "write">) => ({
  row,
  lane,
  ny,
  nx,
  sy,
  sx,
  lanes,
});

/** Calls `visit` for each row of a region. */
export function eachRow({ row, ny, nx, sy, sx }: Region, visit: (row: number) => void): void {
  for (let y = 0; y < ny; y++) for (let x = 0; x < nx; x++) visit(row + y * sy + x * sx);
}

/** Largest row of a region (strides are not negative). */
export const lastRow = ({ row, ny, nx, sy, sx }: Region): number => row + (ny - 1) * sy + (nx - 1) * sx;

/** First byte outside, and the byte behind the last, of a transfer. */
export function outsideRange(i: Load | Store): readonly [from: number, to: number] {
  const size = ELEMENT_BYTES[i.type];
  const reach = [
    [i.ny, i.dy],
    [i.nx, i.dx],
    [i.lanes, i.dl],
  ].map(([count, step]) => (count - 1) * step);
  const low = reach.reduce((sum, x) => sum + Math.min(0, x), 0);
  const high = reach.reduce((sum, x) => sum + Math.max(0, x), 0);
  return [i.dram + low * size, i.dram + (high + 1) * size];
}

export interface Runs {
  /** Runs of neighbouring elements outside. */
  readonly count: number;
  /** Elements of each. */
  readonly length: number;
}

/** How a transfer falls into runs of neighbouring elements: that is what the engine asks the outer memory for. */
export function runsOf({ ny, nx, lanes, dy, dx, dl }: Load | Store): Runs {
  const axes = [
    { count: lanes, step: dl },
    { count: nx, step: dx },
    { count: ny, step: dy },
  ].filter(({ count }) => count > 1);
  let length = 1;
  for (;;) {
    const next = axes.findIndex(({ step }) => step === length);
    if (next < 0) break;
    length *= axes[next].count;
    axes.splice(next, 1);
  }
  // An axis with step 0 reads the same elements again: the engine keeps none of them.
  return { count: axes.reduce((n, { count }) => n * count, 1), length };
}

/** Cycles for which a transfer holds the channel. */
export function beatsOf(i: Load | Store, bytesPerCycle: number): number {
  const { count, length } = runsOf(i);
  return count * Math.ceil((length * ELEMENT_BYTES[i.type]) / bytesPerCycle);
}
