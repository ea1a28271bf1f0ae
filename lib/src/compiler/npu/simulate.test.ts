/** The simulator against programs run one instruction after the other, and against pencil and paper. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Dice } from "../dice.js";
import { assemble } from "./assembly.js";
import { type NpuConfig, npuConfig, peakTops, UNITS } from "./config.js";
import {
  arrayCycles,
  foldsOf,
  mappingOf,
  type ProductSize,
  pipelineCycles,
  pipelinePeriod,
} from "./counts.js";
import { type Instruction, instruction, unitOf } from "./isa.js";
import { DRAM_BYTES, randomConfig, randomProgram } from "./random-program.js";
import { regionsOf } from "./regions.js";
import { reportText } from "./report.js";
import { simulate } from "./simulate.js";
import { NpuState } from "./state.js";
import { synchronize } from "./synchronize.js";
import { programProblems } from "./verify.js";

function randomDram(dice: Dice): ArrayBuffer {
  const bytes = new Uint8Array(DRAM_BYTES);
  for (let i = 0; i < DRAM_BYTES; i += 4)
    new Float32Array(bytes.buffer, i, 1)[0] = Math.fround(dice.real() * 8 - 4);
  return bytes.buffer;
}

/** What the program means: one instruction after the other. */
function inOrder(config: NpuConfig, program: readonly Instruction[], dram: ArrayBuffer): NpuState {
  const state = new NpuState(config, dram);
  for (const i of program) state.execute(i, state.held);
  return state;
}

const memories = (s: NpuState | null) => s && [s.input, s.weight, s.acc, new Uint8Array(s.dram)];

describe("programs with tokens", () => {
  it("mean what their instructions mean one after the other; registers, jumps and single cycles agree", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const dice = new Dice(seed);
        const config = randomConfig(dice);
        const plain = randomProgram(dice, config, 3 + dice.below(25));
        const program = synchronize(config, plain);
        expect(programProblems(config, program, { dramBytes: DRAM_BYTES })).toEqual([]);
        const [dram, other, third] = [
          randomDram(new Dice(seed)),
          randomDram(new Dice(seed)),
          randomDram(new Dice(seed)),
        ];
        const run = simulate(config, program, { dram, trace: true });
        expect(memories(run.state)).toEqual(memories(inOrder(config, plain, other)));
        const slow = simulate(config, program, {
          dram: third,
          array: "registers",
          everyCycle: true,
          trace: true,
        });
        expect(memories(slow.state)).toEqual(memories(run.state));
        const timed = simulate(config, program, { values: false, trace: true });
        expect(timed).toEqual({ ...run, state: null });
        for (const key of ["cycles", "units", "conflicts", "bytes", "macs", "spans"] as const)
          expect(slow[key]).toEqual(run[key]);
        for (const unit of UNITS) {
          const { working, bank, channel, waiting, done } = run.units[unit];
          const all = working + bank + channel + done + Object.values(waiting).reduce((sum, x) => sum + x, 0);
          expect(all, unit).toBe(run.cycles);
        }
      }),
      { numRuns: process.env.MLSYS_TEST_ALL === "1" ? 1500 : 150 },
    );
  }, 120_000);

  it.each([-1993211894, -1742578721])("once failed: seed %i", (seed) => {
    const dice = new Dice(seed);
    const config = randomConfig(dice);
    const program = synchronize(config, randomProgram(dice, config, 3 + dice.below(25)));
    const run = (everyCycle: boolean) =>
      simulate(config, program, { dram: new ArrayBuffer(DRAM_BYTES), values: false, everyCycle });
    expect(run(true)).toEqual(run(false));
  });

  it("need every token: without one, the verifier names a race or a deadlock", () => {
    let dropped = 0;
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const dice = new Dice(seed);
        const config = randomConfig(dice);
        const program = synchronize(config, randomProgram(dice, config, 3 + dice.below(20)));
        const waits = program.flatMap((i, at) => (i.wait ?? []).map((from) => ({ at, from })));
        if (waits.length === 0) return;
        const { at, from } = dice.pick(waits);
        const to = unitOf(program[at]);
        const place = waits.filter(
          (w) => w.at < at && w.from === from && unitOf(program[w.at]) === to,
        ).length;
        const senders = program.flatMap((i, s) => (unitOf(i) === from && i.post?.includes(to) ? [s] : []));
        const without = program.map((i, s) => ({
          ...i,
          wait: i.wait?.filter((u) => s !== at || u !== from),
          post: i.post?.filter((u) => s !== senders[place] || u !== to),
        })) as Instruction[];
        dropped++;
        expect(programProblems(config, without)[0]).toMatch(/races with/);
        const silent = program.map((i, s) => ({
          ...i,
          post: s === senders[place] ? [] : i.post,
        })) as Instruction[];
        expect(programProblems(config, silent)[0]).toMatch(/races with|deadlock/);
      }),
      { numRuns: 150 },
    );
    expect(dropped).toBeGreaterThan(100);
  }, 60_000);
});

describe("the verifier", () => {
  const teaching = npuConfig("teaching-4x4");
  const given = "fill mem=acc row=0 nx=8 lanes=4 post=store\n";
  it.each([
    ["store type=int32 row=0 lanes=4 dram=0", "reads row 0 of acc, which was never written"],
    [`${given}store type=int32 row=0 lanes=4 dram=0`, "races with instruction 0 (fill on load)"],
    [
      `${given}store type=int32 row=0 lanes=4 dram=0 wait=load\nstore type=int32 row=0 lanes=4 dram=0 wait=array`,
      "deadlock: waits for a token from array that never comes",
    ],
    [
      `${given}store type=int32 row=0 lanes=4 dram=2 wait=load`,
      "address 2 is no multiple of int32's 4 bytes",
    ],
    [`${given}store type=int32 row=0 lanes=4 dram=60 wait=load`, "bytes 60 … 75 of an outer memory of 64"],
    [`${given}store type=int32 row=64 lanes=4 dram=0 wait=load`, "row 64 of acc, which has 64"],
    [`${given}store type=int32 row=0 lane=1 lanes=4 dram=0 wait=load`, "lanes 1 … 4 of acc, which has 4"],
    ["matmul row=0 nx=4 acc=0", "nothing was brought into the array by a preload"],
    ["preload row=0 rows=5 columns=4", "rows = 5; the array takes 1 … 4"],
    ["drain acc=0 m=4 n=4", "only an array with stationary outputs knows drain"],
    ["load mem=input type=float32 row=0 lanes=4 dram=0", "float32 into input, whose elements are int8"],
    [
      "fill mem=acc row=0 lanes=4\nvector fn=exp type=int32 dst=0 a=0 lanes=4 wait=load",
      "exp does not take int32",
    ],
    ["fill mem=acc row=0 lanes=4\nvector fn=add dst=0 a=0 lanes=4", "add takes two operands"],
    ["fill mem=acc row=0 nx=0 lanes=4", "nx = 0; at least 1"],
  ])("%j", (text, message) => {
    const found = programProblems(teaching, assemble(text), { dramBytes: 64 });
    expect(found[0]).toContain(message);
    expect(() => simulate(teaching, assemble(text), { dram: new ArrayBuffer(64) })).toThrow(message);
  });

  it("lets a program that waits for ever end in an error, too", () => {
    const program = assemble("sync unit=array wait=load\nsync unit=load wait=array");
    expect(() => simulate(teaching, program, { verify: false })).toThrow(
      "after 0 cycles every unit waits for a token",
    );
  });
});

/** The product of operands that lie on the chip, pass by pass: what the formula for the array counts. */
function onChip(config: NpuConfig, size: ProductSize): Instruction[] {
  const { down, across, moving } = mappingOf(config, size);
  const { rows: R, columns: C } = config;
  const out: Instruction[] = [];
  for (let d = 0; d < down; d += R)
    for (let a = 0; a < across; a += C) {
      const [rows, columns] = [Math.min(R, down - d), Math.min(C, across - a)];
      if (config.dataflow === "output") {
        out.push(instruction("outer", { row: 0, weight: 0, k: moving, m: rows, n: columns }));
        out.push(instruction("drain", { acc: 0, m: rows, n: columns }));
      } else {
        out.push(instruction("preload", { row: 0, rows, columns }));
        out.push(instruction("matmul", { row: 0, nx: moving, acc: 0 }));
      }
    }
  return out;
}

describe("cycles by formula", () => {
  it("of the array, for every dataflow and size: passes of 2R + C + T − 2, or overlapping", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const dice = new Dice(seed);
        const dataflow = dice.pick(["weight", "input", "output", "cube"] as const);
        const rows = 2 + dice.below(7);
        const memory = { rows: 64, banks: 1, ports: 8 };
        const config = npuConfig("teaching-4x4", {
          rows,
          columns: dataflow === "cube" ? rows : 1 + dice.below(8),
          dataflow,
          buffers: dice.pick([1, 2]),
          memory: { input: memory, weight: memory, acc: memory },
        });
        const size = { m: 1 + dice.below(40), n: 1 + dice.below(40), k: 1 + dice.below(40) };
        const run = simulate(config, onChip(config, size), { verify: false });
        expect(run.cycles).toBe(arrayCycles(config, size));
        expect(run.macs).toBe(size.m * size.n * size.k);
        if (dataflow !== "cube" && (config.buffers === 1 || dataflow === "output")) {
          const { moving } = mappingOf(config, size);
          expect(run.cycles).toBe(foldsOf(config, size) * (2 * rows + config.columns + moving - 2));
        }
      }),
      { numRuns: 200 },
    );
  });

  it("of transfers: latency once, then bytes", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const dice = new Dice(seed);
        const [bytesPerCycle, latency] = [1 + dice.below(16), dice.below(50)];
        const config = npuConfig("teaching-4x4", { load: { bytesPerCycle, latency } });
        const [count, rows] = [1 + dice.below(5), 1 + dice.below(16)];
        const one = instruction("load", {
          mem: "input",
          type: "int8",
          row: 0,
          nx: rows,
          lanes: 4,
          dram: 0,
          dx: 4,
        });
        const program = Array.from({ length: count }, () => one);
        expect(simulate(config, program).cycles).toBe(
          latency + count * Math.ceil((4 * rows) / bytesPerCycle),
        );
        // Rows that are apart outside: a run each.
        const apart = Array.from({ length: count }, () => ({ ...one, dx: 5 }));
        const beats = rows === 1 ? Math.ceil(4 / bytesPerCycle) : rows * Math.ceil(4 / bytesPerCycle);
        expect(simulate(config, apart).cycles).toBe(latency + count * beats);
      }),
      { numRuns: 60 },
    );
  });

  it("of a pipeline load → array → store through two places each", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const dice = new Dice(seed);
        const ports = { banks: 2, ports: 8 };
        const config = npuConfig("teaching-4x4", {
          buffers: 2,
          memory: { input: ports, weight: ports, acc: ports },
          load: { bytesPerCycle: dice.pick([1, 2, 4, 8]), latency: dice.below(30) },
          store: { bytesPerCycle: dice.pick([1, 2, 4, 16]), latency: dice.below(30) },
        });
        const [rows, steps] = [1 + dice.below(32), 1 + dice.below(12)];
        const plain: Instruction[] = [
          instruction("fill", { mem: "weight", row: 0, nx: 4, lanes: 4, imm: 1 }),
          instruction("preload", { row: 0, rows: 4, columns: 4 }),
        ];
        const before = simulate(config, synchronize(config, plain)).cycles;
        for (let i = 0; i < steps; i++) {
          const at = (i % 2) * 32;
          plain.push(
            instruction("load", { mem: "input", type: "int8", row: at, nx: rows, lanes: 4, dram: 0, dx: 4 }),
          );
          plain.push(instruction("matmul", { row: at, nx: rows, acc: at }));
          plain.push(instruction("store", { type: "int32", row: at, nx: rows, lanes: 4, dram: 4096, dx: 4 }));
        }
        // Wait for the weights first, so that the pipeline begins at a known cycle.
        plain[2] = { ...plain[2], wait: ["array"] } as Instruction;
        const program = synchronize(
          config,
          plain.map((i, at) => (at === 2 ? { ...i, wait: [] } : i)) as Instruction[],
        );
        program[1] = { ...program[1], post: ["load"] };
        program[2] = { ...program[2], wait: ["array"] };
        const stages = [
          { busy: Math.ceil((4 * rows) / config.load.bytesPerCycle), latency: 0 },
          { busy: rows, latency: rows + 6 },
          { busy: Math.ceil((16 * rows) / config.store.bytesPerCycle), latency: 0 },
        ];
        stages[0].latency = stages[0].busy + config.load.latency;
        stages[2].latency = stages[2].busy + config.store.latency;
        const { cycles } = simulate(config, program);
        expect(cycles).toBe(before + pipelineCycles(stages, steps, 2));
        const long = pipelineCycles(stages, 400, 2) - pipelineCycles(stages, 200, 2);
        expect(long / 200).toBe(pipelinePeriod(stages, 2));
      }),
      { numRuns: 80 },
    );
  });

  it("of vectors: groups of lanes, then the latency; special functions take longer", () => {
    const config = npuConfig("teaching-4x4", { vector: { lanes: 2, latency: 5, special: 3 } });
    const fill = "fill mem=acc type=float32 row=0 nx=8 lanes=4 imm=1 post=vector\n";
    const cycles = (text: string) => simulate(config, assemble(fill + text)).cycles - 8;
    expect(cycles("vector fn=add dst=8 a=0 from=imm imm=1 rows=8 lanes=4 wait=load")).toBe(8 * 2 + 5);
    expect(cycles("vector fn=exp dst=8 a=0 rows=8 lanes=4 wait=load")).toBe(8 * 2 * 3 + 5);
    expect(cycles("reduce fn=add dst=8 a=0 rows=8 lanes=4 wait=load")).toBe(8 * 2 + 5 + 1);
  });

  it("has the published peaks", () => {
    expect(peakTops(npuConfig("tpu-v1"))).toBeCloseTo(91.75, 2); // "92 TOPS": Jouppi et al., table 2
    const cube = npuConfig("ascend-cube");
    expect(peakTops(cube)).toBeCloseTo(8.192, 6); // 4096 multiply-accumulates in each cycle of 1 ns
    // GV100 (book, chapter 6): 4 × 4 × 4 in each of 8 tensor cores of 80 multiprocessors at 1.53 GHz: 125 TFLOPS.
    const tensorCore = npuConfig("ascend-cube", { rows: 4, columns: 4, clockGHz: 1.53 });
    expect(8 * 80 * peakTops(tensorCore)).toBeCloseTo(125.3, 1);
    const one = simulate(cube, onChip(cube, { m: 16, n: 16, k: 16 }), { verify: false });
    expect([one.macs, one.streaming]).toEqual([4096, 1]);
  });
});

describe("what hinders", () => {
  const shared = { memory: { input: { banks: 2, ports: 1 } }, buffers: 2 } as const;
  const program = (row: number): Instruction[] =>
    synchronize(npuConfig("teaching-4x4"), [
      instruction("fill", { mem: "weight", row: 0, nx: 4, lanes: 4, imm: 1 }),
      instruction("fill", { mem: "input", row: 0, nx: 24, lanes: 4, imm: 1 }),
      instruction("preload", { row: 0, rows: 4, columns: 4 }),
      instruction("matmul", { row: 0, nx: 24, acc: 0 }),
      instruction("load", { mem: "input", type: "int8", row, nx: 8, lanes: 4, dram: 0, dx: 4 }),
    ]);

  it("is a bank with one port that two units want; another bank is free", () => {
    const config = npuConfig("teaching-4x4", shared);
    const [same, other] = [simulate(config, program(24)), simulate(config, program(32))];
    expect(other.conflicts.input).toBe(0);
    expect(same.conflicts.input).toBeGreaterThan(0);
    expect(same.units.load.bank).toBe(same.conflicts.input);
    // The array is not stopped: it stands in front.
    expect(same.units.array.bank).toBe(0);
  });

  it("is a channel that both engines share", () => {
    const text =
      "fill mem=acc row=0 nx=32 lanes=4 post=store\nload mem=input type=int8 row=0 nx=32 lanes=4 dram=0 dx=4\nstore type=int32 row=0 nx=32 lanes=4 dram=1024 dx=4 wait=load";
    const alone = simulate(npuConfig("teaching-4x4"), assemble(text));
    const both = simulate(npuConfig("teaching-4x4", { sharedChannel: true }), assemble(text));
    expect(alone.units.load.channel).toBe(0);
    expect(both.units.load.channel).toBeGreaterThan(0);
    expect(both.bytes).toEqual(alone.bytes);
    expect(both.cycles).toBeGreaterThanOrEqual(alone.cycles);
  });

  it("is a token: cycles are counted by whom they waited for", () => {
    const run = simulate(
      npuConfig("teaching-4x4"),
      assemble(
        "fill mem=acc row=0 nx=16 lanes=4 post=store\nstore type=int32 row=0 lanes=4 dram=0 wait=load",
      ),
    );
    expect(run.units.store.waiting.load).toBe(16);
    expect(run.units.array.done).toBe(run.cycles);
  });
});

describe("counters", () => {
  it("have the bytes of each level, and energy by access", () => {
    const config = npuConfig("teaching-4x4");
    const run = simulate(
      config,
      synchronize(config, [
        instruction("load", { mem: "weight", type: "int8", row: 0, nx: 4, lanes: 4, dram: 0, dx: 4 }),
        instruction("load", { mem: "input", type: "int8", row: 0, nx: 10, lanes: 4, dram: 16, dx: 4 }),
        instruction("preload", { row: 0, rows: 4, columns: 4 }),
        instruction("matmul", { row: 0, nx: 10, acc: 0 }),
        instruction("store", { type: "int32", row: 0, nx: 10, lanes: 4, dram: 64, dx: 4 }),
      ]),
    );
    expect(run.bytes).toEqual({
      dram: { read: 16 + 40, written: 160 },
      input: { read: 40, written: 40 },
      weight: { read: 16, written: 16 },
      acc: { read: 160, written: 160 },
    });
    expect(run.macs).toBe(160);
    expect(run.energy.mac).toBeCloseTo(160 * 0.3e-6, 12);
    expect(run.energy.dram).toBeCloseTo(216 * 243.75e-6, 9);
    const { total, ...parts } = run.energy;
    expect(Object.values(parts).reduce((sum, x) => sum + x, 0)).toBeCloseTo(total, 12);
    expect(run.utilization).toBe(160 / (16 * run.cycles));
  });

  it("as text", () => {
    const config = npuConfig("teaching-4x4");
    const text = reportText(
      simulate(
        config,
        assemble(
          "fill mem=acc row=0 nx=16 lanes=4 post=store\nstore type=int32 row=0 nx=4 lanes=4 dx=4 dram=0 wait=load",
        ),
      ),
    );
    expect(text).toContain("teaching-4x4: 40 cycles (40.00 ns), 2 instructions");
    expect(text).toContain("store  works 60.0 %, waits for load 40.0 %");
    expect(text).toContain("dram   0 bytes read, 64 written");
    expect(text).toMatch(/energy .* µJ: dram \d+ %/);
  });

  it("see the rows that a pass reads", () => {
    const config = npuConfig("teaching-4x4");
    const regions = regionsOf(config, instruction("matmul", { row: 3, nx: 5, acc: 7, accumulate: 1 }), {
      rows: 3,
      columns: 2,
    });
    expect(regions.map((r) => [r.memory, r.write, r.row, r.nx, r.lanes])).toEqual([
      ["input", false, 3, 5, 3],
      ["acc", false, 7, 5, 2],
      ["acc", true, 7, 5, 2],
    ]);
  });
});
