/** Random programs, for the tests: sensible ones, in an order in which they can run, without tokens. */
import type { Dice } from "../dice.js";
import { type ArrayType, type Dataflow, lanesOf, type Memory, type NpuConfig, npuConfig } from "./config.js";
import { ELEMENT_BYTES, type Element, type Instruction, instruction, type VectorFunction } from "./isa.js";
import { movingMemory, stationaryMemory } from "./regions.js";

/** Small accelerators of every kind. */
export function randomConfig(dice: Dice): NpuConfig {
  const dataflow = dice.pick<Dataflow>(["weight", "input", "output", "cube"]);
  const memory = () => ({ rows: 24, banks: dice.pick([1, 2, 4]), ports: 1 + dice.below(4) });
  const size = 2 + dice.below(4);
  return npuConfig("teaching-4x4", {
    rows: size,
    columns: dataflow === "cube" ? size : 2 + dice.below(4),
    dataflow,
    type: dice.pick<ArrayType>(["int8", "float32", "float16"]),
    buffers: dice.pick([1, 2]),
    memory: { input: memory(), weight: memory(), acc: memory() },
    load: { bytesPerCycle: dice.pick([1, 4, 16]), latency: dice.below(9) },
    store: { bytesPerCycle: dice.pick([1, 4, 16]), latency: dice.below(9) },
    sharedChannel: dice.below(2) === 0,
    vector: {
      lanes: 1 + dice.below(4),
      latency: dice.below(2) + 1 + dice.below(4),
      special: 1 + dice.below(4),
    },
  });
}

export const DRAM_BYTES = 512;

/** Instructions that keep every rule but the order, which tokens will give. All memories are filled first. */
export function randomProgram(dice: Dice, config: NpuConfig, count: number): Instruction[] {
  const element: Element = config.type === "int8" ? "int8" : config.type;
  const program: Instruction[] = (["input", "weight", "acc"] as const).map((mem) =>
    instruction("fill", {
      mem,
      type: config.type === "int8" ? "int32" : "float32",
      row: 0,
      nx: 24,
      lanes: lanesOf(config, mem),
      imm: dice.below(5),
    }),
  );
  const R = config.rows;
  const C = config.columns;
  if (config.dataflow === "output")
    program.push(instruction("outer", { row: 0, weight: 0, k: 3, m: R, n: C }));
  else program.push(instruction("preload", { row: 0, rows: R, columns: C }));
  for (let i = 0; i < count; i++) program.push(next());
  return program;

  function rectangle(mem: Memory) {
    const [ny, nx] = [1 + dice.below(2), 1 + dice.below(4)];
    const [sy, sx] = [dice.below(6), 1 + dice.below(2)];
    const lanes = 1 + dice.below(lanesOf(config, mem));
    const reach = (ny - 1) * sy + (nx - 1) * sx;
    return {
      row: dice.below(24 - reach),
      lane: dice.below(lanesOf(config, mem) - lanes + 1),
      ny,
      nx,
      sy,
      sx,
      lanes,
    };
  }
  function outside(type: Element) {
    const size = ELEMENT_BYTES[type];
    return {
      dram: size * dice.below((DRAM_BYTES - 200) / size),
      dy: dice.below(8),
      dx: dice.below(8),
      dl: dice.pick([1, 1, 2, 0]),
    };
  }
  function next(): Instruction {
    const acc = config.type === "int8" ? "int32" : "float32";
    switch (dice.below(9)) {
      case 0:
      case 1: {
        const mem = dice.pick<Memory>(["input", "weight", "acc"]);
        const type = mem === "acc" ? acc : element;
        return instruction("load", { mem, type, ...rectangle(mem), ...outside(type) });
      }
      case 2: {
        const type = dice.pick<Element>(config.type === "int8" ? ["int32", "int8"] : ["float32", "bfloat16"]);
        const to = outside(type);
        return instruction("store", { type, ...rectangle("acc"), ...to, dl: 1 });
      }
      case 3: {
        const mem = dice.pick<Memory>(["input", "weight", "acc"]);
        return instruction("fill", { mem, type: acc, ...rectangle(mem), imm: dice.below(9) - 4 });
      }
      case 4:
      case 5:
      case 6:
        return arrayInstruction();
      default: {
        const [sd, sa, sb, rows, lanes] = [
          1 + dice.below(2),
          dice.below(3),
          dice.below(3),
          1 + dice.below(5),
          1 + dice.below(C),
        ];
        const place = {
          dst: dice.below(14),
          a: dice.below(14),
          sd,
          sa,
          rows,
          lanes,
          lane: dice.below(C - lanes + 1),
        };
        if (dice.below(4) === 0)
          return instruction("reduce", {
            ...place,
            fn: dice.pick(["add", "maximum", "minimum"] as const),
            type: acc,
            accumulate: dice.below(2),
          });
        const fn = dice.pick<VectorFunction>(["add", "mul", "maximum", "neg", "copy", "choose", "set"]);
        const from =
          fn === "neg" || fn === "copy" || fn === "set"
            ? "none"
            : dice.pick(["rows", "lane", "imm"] as const);
        return instruction("vector", {
          ...place,
          fn,
          type: acc,
          from,
          b: dice.below(14),
          sb,
          imm: dice.below(3),
        });
      }
    }
  }
  function arrayInstruction(): Instruction {
    const accumulate = dice.below(2);
    if (config.dataflow === "output") {
      const [m, n] = [1 + dice.below(R), 1 + dice.below(C)];
      if (dice.below(2) === 0) return instruction("drain", { acc: dice.below(24 - m), m, n, accumulate });
      const k = 1 + dice.below(6);
      return instruction("outer", {
        row: dice.below(24 - k),
        weight: dice.below(24 - k),
        k,
        m,
        n,
        accumulate,
      });
    }
    if (dice.below(3) === 0) {
      const rows = 1 + dice.below(R);
      return instruction("preload", {
        row: dice.below(config.memory[stationaryMemory(config)].rows - rows),
        rows,
        columns: 1 + dice.below(C),
      });
    }
    const { row, ny, nx, sy, sx } = rectangle(movingMemory(config));
    return instruction("matmul", { row, ny, nx, sy, sx, acc: dice.below(24 - ny * nx), accumulate });
  }
}
