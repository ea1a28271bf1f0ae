/** How long instructions take where nothing hinders them, and which row each touches in each of its cycles. */
import type { NpuConfig } from "./config.js";
import type { Instruction, Vector } from "./isa.js";
import { beatsOf, movingMemory, stationaryMemory } from "./regions.js";

/** Where an access goes: the outer memory, or a row on the chip. */
export type Touch = (memory: "dram" | "input" | "weight" | "acc", row: number) => void;

export interface Timing {
  /** Cycles after which the unit can begin the next instruction. */
  readonly busy: number;
  /** Cycles after which its effect is there, and its tokens are sent. */
  readonly latency: number;
  /** Rows that it touches in its cycle `s`, from 0 to latency − 1. */
  touch(s: number, touch: Touch): void;
}

const SPECIAL: ReadonlySet<string> = new Set(["sqrt", "exp", "log", "tanh", "sigmoid", "div"]);

/** Stages between an operand and its result in a cube: the multipliers, and a tree of adders. */
export const cubeDepth = ({ rows }: Pick<NpuConfig, "rows">): number =>
  1 + Math.ceil(Math.log2(Math.max(2, rows)));

/**
 * Times of one instruction.
 * @example timingOf(npuConfig("teaching-4x4"), instruction("matmul", { row: 0, nx: 10, acc: 0 })).latency // 16
 */
export function timingOf(config: NpuConfig, i: Instruction): Timing {
  const { rows, columns, dataflow } = config;
  switch (i.op) {
    case "sync":
      return { busy: 1, latency: 1, touch: () => {} };
    case "load": {
      const beats = beatsOf(i, config.load.bytesPerCycle);
      const { latency } = config.load;
      const count = i.ny * i.nx;
      return {
        busy: beats,
        latency: latency + beats,
        touch(s, touch) {
          if (s < beats) touch("dram", 0);
          if (s >= latency) touch(i.mem, rowAt(i, Math.floor(((s - latency) * count) / beats)));
        },
      };
    }
    case "fill": {
      const count = i.ny * i.nx;
      return { busy: count, latency: count, touch: (s, touch) => touch(i.mem, rowAt(i, s)) };
    }
    case "store": {
      const beats = beatsOf(i, config.store.bytesPerCycle);
      const count = i.ny * i.nx;
      return {
        busy: beats,
        latency: config.store.latency + beats,
        touch(s, touch) {
          if (s >= beats) return;
          touch("acc", rowAt(i, Math.floor((s * count) / beats)));
          touch("dram", 1);
        },
      };
    }
    case "preload": {
      // Shifted in from above: the last row first, and as many cycles as the array is high whatever the operand's height.
      const memory = stationaryMemory(config);
      const cycles = dataflow === "cube" ? 1 : rows;
      return {
        busy: cycles,
        latency: cycles,
        touch(s, touch) {
          const row = cycles === 1 ? 0 : rows - 1 - s;
          if (row < i.rows) touch(memory, i.row + row);
        },
      };
    }
    case "matmul": {
      const memory = movingMemory(config);
      const count = i.ny * i.nx;
      const together = dataflow === "cube" ? rows : 1;
      const cycles = Math.ceil(count / together);
      // A row's results have all come when the last column's has.
      const depth = dataflow === "cube" ? cubeDepth(config) - 1 : rows + columns - 2;
      return {
        busy: cycles,
        latency: cycles + depth,
        touch(s, touch) {
          if (s < cycles) touch(memory, rowAt(i, s * together));
          if (s >= depth) touch("acc", i.acc + (s - depth) * together);
        },
      };
    }
    case "outer":
      return {
        busy: i.k,
        latency: i.k + rows + columns - 2,
        touch(s, touch) {
          if (s >= i.k) return;
          touch("input", i.row + s);
          touch("weight", i.weight + s);
        },
      };
    case "drain":
      return {
        busy: rows,
        latency: rows,
        touch(s, touch) {
          const row = rows - 1 - s;
          if (row < i.m) touch("acc", i.acc + row);
        },
      };
    case "vector": {
      const each = groupsOf(config, i.lanes) * (SPECIAL.has(i.fn) ? config.vector.special : 1);
      return rowWise(
        config,
        i.rows,
        each,
        0,
        (row, touch) => readVector(i, row, touch),
        (row, touch) => touch("acc", i.dst + row * i.sd),
      );
    }
    case "reduce": {
      const tree = Math.ceil(Math.log2(Math.max(1, Math.min(i.lanes, config.vector.lanes))));
      const read = (row: number, touch: Touch): void => {
        touch("acc", i.a + row * i.sa);
        if (i.accumulate) touch("acc", i.dst + row * i.sd);
      };
      return rowWise(config, i.rows, groupsOf(config, i.lanes), tree, read, (row, touch) =>
        touch("acc", i.dst + row * i.sd),
      );
    }
  }
}

const rowAt = (r: { row: number; nx: number; sy: number; sx: number }, at: number): number =>
  r.row + Math.floor(at / r.nx) * r.sy + (at % r.nx) * r.sx;

const groupsOf = (config: NpuConfig, lanes: number): number => Math.ceil(lanes / config.vector.lanes);

function readVector(i: Vector, row: number, touch: Touch): void {
  // A row that is read again and again is kept.
  if (i.fn !== "set" && (i.sa !== 0 || row === 0)) touch("acc", i.a + row * i.sa);
  if ((i.from === "rows" || i.from === "lane") && (i.sb !== 0 || row === 0)) touch("acc", i.b + row * i.sb);
  if (i.fn === "choose") touch("acc", i.dst + row * i.sd);
}

/** `each` cycles a row: read at the beginning, written `latency` cycles (and a tree's) after its last. */
function rowWise(
  { vector }: NpuConfig,
  count: number,
  each: number,
  tree: number,
  read: (row: number, touch: Touch) => void,
  write: (row: number, touch: Touch) => void,
): Timing {
  const busy = count * each;
  const depth = vector.latency + tree;
  return {
    busy,
    latency: busy + depth,
    touch(s, touch) {
      if (s < busy && s % each === 0) read(s / each, touch);
      const done = s - depth - (each - 1);
      if (done >= 0 && done % each === 0) write(done / each, touch);
    },
  };
}
