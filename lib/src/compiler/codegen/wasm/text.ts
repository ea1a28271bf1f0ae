/**
 * WebAssembly bytes as text, instruction by instruction, in the linear form of the text format: what `ModuleBuilder`
 * emits, for reading. Names of instructions come from the assembler's own tables.
 */
import { ValueError } from "../../../core/errors.js";
import { LOADS, OPS, STORES } from "../../../runtime/wasm/opcodes.js";

interface Instruction {
  readonly name: string;
  readonly memory: boolean;
  readonly lane: boolean;
}

const TYPES: Record<number, string> = { 127: "i32", 126: "i64", 125: "f32", 124: "f64", 123: "v128" };
const TABLE = new Map<string, Instruction>();
for (const [rows, memory] of [
  [OPS, false],
  [LOADS, true],
  [STORES, true],
] as const) {
  for (const [name, row] of Object.entries(rows)) {
    const { code, lane = false } = row as { code: readonly [number, number]; lane?: boolean };
    TABLE.set(code.join(" "), { name, memory, lane });
  }
}
// Loads of one lane have functions of their own in the assembler.
TABLE.set(`${0xfd} 86`, { name: "v128.load32_lane", memory: true, lane: true });
TABLE.set(`${0xfd} 87`, { name: "v128.load64_lane", memory: true, lane: true });

/**
 * The text of a module that the assembler made.
 * @throws ValueError at an instruction or section that the assembler does not emit, with its position.
 * @example wasmText(wasmModule(loop.matmul(2, 2, 2)).bytes()).startsWith("(module") // true
 */
export function wasmText(bytes: Uint8Array): string {
  const r = new Reader(bytes);
  r.skip(8);
  const signatures: { params: string[]; result: string | null }[] = [];
  const exports = new Map<number, string>();
  const functions: string[] = [];
  let typeOf: number[] = [];
  while (!r.done) {
    const id = r.byte();
    const end = r.unsigned() + r.at;
    const count = r.unsigned();
    if (id === 1) {
      for (let i = 0; i < count; i++) {
        r.byte();
        const params = r.list(() => TYPES[r.byte()]);
        signatures.push({ params, result: r.list(() => TYPES[r.byte()])[0] ?? null });
      }
    } else if (id === 2) r.at = end;
    else if (id === 3) typeOf = Array.from({ length: count }, () => r.unsigned());
    else if (id === 7) {
      for (let i = 0; i < count; i++) {
        const name = r.text();
        r.byte();
        exports.set(r.unsigned(), name);
      }
    } else if (id === 10) {
      for (let i = 0; i < count; i++) {
        const { params, result } = signatures[typeOf[i]];
        const name = exports.get(i);
        const head = [
          `(func $${i}`,
          ...(name === undefined ? [] : [`(export "${name}")`]),
          ...(params.length > 0 ? [`(param ${params.join(" ")})`] : []),
          ...(result ? [`(result ${result})`] : []),
        ];
        functions.push(`  ${head.join(" ")}\n${body(r)}  )`);
      }
    } else throw new ValueError(`wasmText: section ${id} at byte ${r.at} is none that the assembler writes`);
    r.at = end;
  }
  return `(module\n  (import "env" "memory" (memory 1 65536 shared))\n${functions.join("\n")}\n)\n`;
}

function body(r: Reader): string {
  const end = r.unsigned() + r.at;
  const locals = r.list(() => {
    const count = r.unsigned();
    return new Array<string>(count).fill(TYPES[r.byte()]);
  });
  let out = locals.length > 0 ? `    (local ${locals.flat().join(" ")})\n` : "";
  let depth = 2;
  while (r.at < end) {
    const at = r.at;
    const opcode = r.byte();
    if (opcode === 0x0b || opcode === 0x05) depth--;
    if (opcode === 0x0b && r.at === end) break; // the function's own
    out += `${"  ".repeat(depth)}${instruction(r, opcode, at)}\n`;
    if (opcode === 0x03 || opcode === 0x04 || opcode === 0x05) depth++;
  }
  return out;
}

function instruction(r: Reader, opcode: number, at: number): string {
  switch (opcode) {
    case 0x03:
    case 0x04:
      r.byte(); // no result
      return opcode === 0x03 ? "loop" : "if";
    case 0x05:
      return "else";
    case 0x0b:
      return "end";
    case 0x0d:
      return `br_if ${r.unsigned()}`;
    case 0x0f:
      return "return";
    case 0x10:
      return `call $${r.unsigned()}`;
    case 0x1a:
      return "drop";
    case 0x1c:
      return `select (result ${r.list(() => TYPES[r.byte()]).join(" ")})`;
    case 0x20:
    case 0x21:
    case 0x22:
      return `local.${["get", "set", "tee"][opcode - 0x20]} ${r.unsigned()}`;
    case 0x41:
      return `i32.const ${r.signed()}`;
    case 0x43:
      return `f32.const ${r.real(4)}`;
    case 0x44:
      return `f64.const ${r.real(8)}`;
    case 0xfc: {
      const second = r.unsigned();
      r.skip(second === 10 ? 2 : 1);
      return second === 10 ? "memory.copy" : "memory.fill";
    }
  }
  const prefixed = opcode === 0xfd || opcode === 0xfe;
  const second = prefixed ? r.unsigned() : opcode;
  if (opcode === 0xfd && second === 12)
    return `v128.const i32x4 ${[0, 1, 2, 3].map(() => `0x${r.word()}`).join(" ")}`;
  if (opcode === 0xfd && second === 13)
    return `i8x16.shuffle ${Array.from({ length: 16 }, () => r.byte()).join(" ")}`;
  const found = TABLE.get(`${prefixed ? opcode : 0} ${second}`);
  if (!found) throw new ValueError(`wasmText: unknown instruction ${opcode} ${second} at byte ${at}`);
  let text = found.name;
  if (found.memory) {
    r.unsigned(); // alignment
    const offset = r.unsigned();
    if (offset > 0) text += ` offset=${offset}`;
  }
  return found.lane ? `${text} ${r.byte()}` : text;
}

class Reader {
  at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  byte(): number {
    if (this.done) throw new ValueError(`wasmText: the module ends at byte ${this.at}, in the middle`);
    return this.bytes[this.at++];
  }

  skip(count: number): void {
    this.at += count;
  }

  unsigned(): number {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
    }
  }

  signed(): number {
    let value = 0;
    let shift = 0;
    for (;;) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      shift += 7;
      if (byte < 0x80) return shift < 32 && (byte & 0x40) !== 0 ? value | (-1 << shift) : value;
    }
  }

  real(size: 4 | 8): number {
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at, size);
    this.skip(size);
    return size === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true);
  }

  word(): string {
    const word = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at, 4).getUint32(0, true);
    this.skip(4);
    return word.toString(16).padStart(8, "0");
  }

  text(): string {
    const length = this.unsigned();
    const out = new TextDecoder().decode(this.bytes.slice(this.at, this.at + length));
    this.skip(length);
    return out;
  }

  list<T>(item: () => T): T[] {
    return Array.from({ length: this.unsigned() }, item);
  }
}
