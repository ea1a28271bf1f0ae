/** Who last wrote and read each row: from that follow the dependences of a program. */
import { MEMORIES, type NpuConfig, UNITS } from "./config.js";
import { ELEMENT_BYTES, type Instruction, type Load, type Store } from "./isa.js";
import { eachRow, outsideRange, type Region } from "./regions.js";

/** Instructions are named by unit and place in that unit's queue. */
export type Meet = (unit: number, place: number) => void;

/** The last writer of each row, and the last reader of each unit since. */
export class Shadow {
  private readonly writer: Int8Array;
  private readonly written: Int32Array;
  private readonly readers: Int32Array;

  constructor(readonly rows: number) {
    this.writer = new Int8Array(rows).fill(-1);
    this.written = new Int32Array(rows);
    this.readers = new Int32Array(UNITS.length * rows).fill(-1);
  }

  /** Notes an access; `meet` is told of each earlier access that it must not overtake. */
  touch(row: number, write: boolean, unit: number, place: number, meet: Meet): void {
    const before = this.writer[row];
    if (before >= 0 && before !== unit) meet(before, this.written[row]);
    const at = row * UNITS.length;
    if (!write) {
      this.readers[at + unit] = place;
      return;
    }
    for (let u = 0; u < UNITS.length; u++) {
      if (u !== unit && this.readers[at + u] >= 0) meet(u, this.readers[at + u]);
      this.readers[at + u] = -1;
    }
    this.writer[row] = unit;
    this.written[row] = place;
  }
}

/** Shadows of all memories of an accelerator, and of that part of the outer memory which is both read and written. */
export class Shadows {
  private readonly chip: readonly Shadow[];
  private readonly from: number;
  private readonly dram: Shadow | null;

  constructor(
    config: NpuConfig,
    program: readonly Instruction[],
    /** Bytes of the outer memory that count as one. */
    private readonly granule: number,
  ) {
    this.chip = MEMORIES.map((m) => new Shadow(config.memory[m].rows));
    const both = readAndWritten(program);
    this.from = both ? both[0] : 0;
    this.dram = both ? new Shadow(Math.ceil((both[1] - both[0]) / granule)) : null;
  }

  touchRegion(region: Region, unit: number, place: number, meet: Meet): void {
    const shadow = this.chip[MEMORIES.indexOf(region.memory)];
    eachRow(region, (row) => shadow.touch(row, region.write, unit, place, meet));
  }

  touchOutside(i: Load | Store, unit: number, place: number, meet: Meet): void {
    const { dram, from, granule } = this;
    if (!dram) return;
    const [low, high] = outsideRange(i);
    if (high <= from || low >= from + dram.rows * granule) return;
    const size = ELEMENT_BYTES[i.type];
    let last = -1;
    for (let y = 0; y < i.ny; y++)
      for (let x = 0; x < i.nx; x++)
        for (let l = 0; l < i.lanes; l++) {
          const byte = i.dram + (y * i.dy + x * i.dx + l * i.dl) * size - from;
          for (let g = Math.floor(byte / granule); g <= Math.floor((byte + size - 1) / granule); g++)
            if (g !== last && g >= 0 && g < dram.rows) {
              dram.touch(g, i.op === "store", unit, place, meet);
              last = g;
            }
        }
  }
}

/** The hull of what is both loaded and stored. */
function readAndWritten(program: readonly Instruction[]): readonly [number, number] | null {
  const merged = (op: "load" | "store"): [number, number][] => {
    const ranges = program.flatMap((i) => (i.op === op ? [outsideRange(i as Load | Store)] : []));
    const out: [number, number][] = [];
    for (const [a, b] of ranges.sort((x, y) => x[0] - y[0])) {
      const last = out[out.length - 1];
      if (last && a <= last[1]) last[1] = Math.max(last[1], b);
      else out.push([a, b]);
    }
    return out;
  };
  const stores = merged("store");
  let hull: [number, number] | null = null;
  for (const [a, b] of merged("load"))
    for (const [c, d] of stores) {
      const [low, high] = [Math.max(a, c), Math.min(b, d)];
      if (low < high) hull = hull ? [Math.min(hull[0], low), Math.max(hull[1], high)] : [low, high];
    }
  return hull;
}
