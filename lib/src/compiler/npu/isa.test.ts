/** Encoding, assembler, disassembler. */
import { readFileSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Dice } from "../dice.js";
import { AssemblyError, assemble, disassemble, isaTable, lineOf } from "./assembly.js";
import { UNITS } from "./config.js";
import { decodeProgram, encodeProgram, othersOf, rangeOfField, typeOfImmediate } from "./encoding.js";
import {
  FORMATS,
  fieldsOf,
  INSTRUCTION_BYTES,
  type Instruction,
  instruction,
  OPCODE_BITS,
  OPCODES,
  TOKEN_BITS,
} from "./isa.js";

/** Any instruction that can be encoded, sensible or not. */
function randomInstruction(dice: Dice): Instruction {
  const op = dice.pick(OPCODES);
  const out: Record<string, unknown> = { op };
  const fields = Object.entries(fieldsOf(op));
  for (const [name, { names }] of fields) if (names) out[name] = dice.pick(names);
  for (const [name, field] of fields) {
    if (field.names) continue;
    const [low, high] = rangeOfField(field);
    const float = field.number && typeOfImmediate(out as unknown as Instruction) === "float32";
    if (float)
      out[name] = dice.pick([
        0,
        -0,
        1.5,
        Number.NaN,
        Number.NEGATIVE_INFINITY,
        Math.fround(dice.real() * 1e-20),
      ]);
    else
      out[name] = dice.pick([
        low,
        high,
        low + Math.floor(dice.real() * (high - low + 1)),
        field.default ?? low,
      ]);
  }
  const i = out as unknown as Instruction;
  const some = () => othersOf(i).filter(() => dice.below(3) === 0);
  const [wait, post] = [some(), some()];
  return { ...i, ...(wait.length > 0 ? { wait } : {}), ...(post.length > 0 ? { post } : {}) } as Instruction;
}

describe("the instruction set", () => {
  it("fits its 32 bytes", () => {
    for (const op of OPCODES) {
      const bits = Object.values(fieldsOf(op)).reduce((sum, f) => sum + f.bits, OPCODE_BITS + 2 * TOKEN_BITS);
      expect(bits, op).toBeLessThanOrEqual(8 * INSTRUCTION_BYTES);
    }
    expect(OPCODES.length).toBeLessThanOrEqual(2 ** OPCODE_BITS);
    for (const f of OPCODES.flatMap((op) => Object.values(fieldsOf(op))))
      if (f.names) expect(f.names.length, f.about).toBeLessThanOrEqual(2 ** f.bits);
  });

  it("comes back from bytes and from text", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const dice = new Dice(seed);
        const program = Array.from({ length: 1 + dice.below(4) }, () => randomInstruction(dice));
        expect(decodeProgram(encodeProgram(program))).toEqual(program);
        expect(assemble(disassemble(program))).toEqual(program);
      }),
      { numRuns: 400 },
    );
  });

  it("has the bits that the table says", () => {
    const bytes = encodeProgram([
      instruction("drain", { acc: 5, m: 4, n: 3, accumulate: 1, wait: ["load"], post: ["vector", "store"] }),
    ]);
    const word = bytes.reduceRight((w, b) => (w << 8n) | BigInt(b), 0n);
    const opcode = BigInt(OPCODES.indexOf("drain"));
    expect(word).toBe(
      opcode | (1n << 5n) | (0b1100n << 9n) | (5n << 13n) | (4n << 33n) | (3n << 43n) | (1n << 53n),
    );
    expect(isaTable()).toContain("`acc` 13–32: first row of the results (0 … 1048575)");
    expect(isaTable().split("\n")).toHaveLength(OPCODES.length + 3);
  });

  it("is described by the page beside it, made from the table", () => {
    const page = new URL("./README.md", import.meta.url);
    const [begin, end] = ["<!-- formats -->\n", "<!-- /formats -->"];
    const text = readFileSync(page, "utf8");
    const [before, rest] = text.split(begin);
    const wanted = `${before}${begin}${isaTable()}${end}${rest.split(end)[1]}`;
    if (process.env.MLSYS_UPDATE === "1") writeFileSync(page, wanted);
    // The formatter pads tables.
    const bare = (x: string): string => x.replace(/ +/g, " ").replace(/-+/g, "-").replace(/\s+\n/g, "\n");
    expect(bare(text)).toBe(bare(wanted));
  });

  it("refuses bytes that are no instructions", () => {
    expect(() => decodeProgram(new Uint8Array(33))).toThrow("33 bytes are no whole number of instructions");
    expect(() => decodeProgram(new Uint8Array(32).fill(31))).toThrow("no opcode 31");
    const bits = encodeProgram([instruction("sync", { unit: "load" })]);
    bits[31] = 1;
    expect(() => decodeProgram(bits)).toThrow("instruction 0 (sync): bits are set behind its last field");
    const element = encodeProgram([instruction("store", { type: "int8", row: 0, lanes: 1, dram: 0 })]);
    element[1] |= 0b11100000; // type 7
    expect(() => decodeProgram(element)).toThrow("instruction 0 (store): type has no number 7");
  });

  it("refuses values that don't fit, by instruction and field", () => {
    expect(() => encodeProgram([instruction("drain", { acc: 2 ** 20, m: 1, n: 1 })])).toThrow(
      "instruction 0 (drain): acc is a whole number from 0 to 1048575, not 1048576",
    );
    expect(() => encodeProgram([instruction("drain", { m: 1, n: 1 })])).toThrow("acc is missing");
  });

  it("survives any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        let program: Instruction[];
        try {
          program = decodeProgram(bytes);
        } catch (error) {
          expect((error as Error).name).toBe("NpuError");
          return;
        }
        expect(decodeProgram(encodeProgram(program))).toEqual(program);
      }),
    );
  });
});

describe("assembly text", () => {
  it("is a line an instruction, with defaults left out", () => {
    const text =
      "load mem=input type=int8 row=0 nx=4 lanes=4 dram=16 dx=4 post=array\nsync unit=store wait=load,array\n";
    expect(disassemble(assemble(text))).toBe(text);
    expect(lineOf(assemble("  vector fn=add a=1 dst=0 b=2 from=rows lanes=0x4 ; a comment")[0])).toBe(
      "vector fn=add dst=0 a=1 b=2 from=rows lanes=4",
    );
    expect(assemble("\n ; nothing\n")).toEqual([]);
  });

  it.each([
    ["ladd row=0", 1, 1, 'no opcode "ladd"; there are sync, load'],
    ["\n  drain acc=0 m=4 n=four", 2, 21, 'n: "four" is no number'],
    ["drain acc=0 m=4", 1, 1, "drain needs n (columns)"],
    ["drain acc=0 m=4 n=4 k=3", 1, 21, 'drain has no field "k"'],
    ["drain acc=0 acc=1 m=4 n=4", 1, 13, '"acc" is given twice'],
    ["drain acc=-1 m=4 n=4", 1, 11, "acc is a whole number from 0 to 1048575, not -1"],
    ["drain acc=0 m=4 n=4 wait=array", 1, 26, "drain runs on array itself"],
    ["drain acc=0 m=4 n=4 post=stores", 1, 26, 'no unit "stores"'],
    ["drain acc 0", 1, 7, '"acc" is no field=value'],
    ["fill mem=dram row=0 lanes=4", 1, 10, "mem is one of input, weight, acc, not dram"],
    ["fill mem=acc row=0 lanes=4 imm=0.5", 1, 32, "imm is a whole number from -2147483648"],
    ["sync unit=load wait=store,store", 1, 21, 'a unit stands twice in "wait"'],
  ])("%j: line %i, column %i", (text, line, column, message) => {
    try {
      assemble(text);
      expect.fail("it was taken");
    } catch (error) {
      expect(error).toBeInstanceOf(AssemblyError);
      expect([(error as AssemblyError).line, (error as AssemblyError).column]).toEqual([line, column]);
      expect((error as Error).message).toContain(`line ${line}, column ${column}: ${message}`);
    }
  });

  it("survives any text", () => {
    const word = fc.constantFrom(
      "load",
      "vector",
      "mem=acc",
      "row=1",
      "imm=nan",
      "wait=",
      "post=array,",
      "lanes=1e9",
      ";",
      "=",
      "type=",
      "x=1",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word).map((w) => w.join(" ")),
        ),
        (text) => {
          try {
            expect(assemble(disassemble(assemble(text)))).toEqual(assemble(text));
          } catch (error) {
            expect((error as Error).name).toBe("AssemblyError");
          }
        },
      ),
    );
  });

  it("names every unit and every opcode", () => {
    expect(UNITS).toEqual(["load", "array", "vector", "store"]);
    expect(Object.keys(FORMATS)).toEqual(OPCODES);
  });
});
