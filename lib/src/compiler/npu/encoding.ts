/** Instructions as bytes, and back. */
import { NpuError, UNITS, type Unit } from "./config.js";
import {
  type Field,
  fieldsOf,
  INSTRUCTION_BYTES,
  type Instruction,
  OPCODE_BITS,
  OPCODES,
  type Opcode,
  TOKEN_BITS,
  unitOf,
} from "./isa.js";

const scratch = new DataView(new ArrayBuffer(4));

/**
 * The bytes of a program, 32 an instruction, little-endian: opcode in bits 0–4, `wait` in 5–8, `post` in 9–12 (a bit for each of
 * load, array, vector, store), then the fields of `FORMATS` in order; the rest is zero.
 * @throws NpuError naming instruction and field if a value does not fit.
 * @example encodeProgram([instruction("drain", { acc: 3, m: 4, n: 4 })]).length // 32
 */
export function encodeProgram(program: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(program.length * INSTRUCTION_BYTES);
  program.forEach((i, at) => {
    let word = 0n;
    let bit = 0;
    const put = (value: bigint, bits: number): void => {
      word |= value << BigInt(bit);
      bit += bits;
    };
    put(BigInt(OPCODES.indexOf(i.op)), OPCODE_BITS);
    put(maskOf(i.wait), TOKEN_BITS);
    put(maskOf(i.post), TOKEN_BITS);
    for (const [name, field] of Object.entries(fieldsOf(i.op))) {
      const problem = fieldProblem(i, name, field);
      if (problem) throw new NpuError(`instruction ${at} (${i.op}): ${problem}`);
      put(bitsOf(fieldValue(i, name), field, typeOfImmediate(i)), field.bits);
    }
    for (let b = 0; b < INSTRUCTION_BYTES; b++)
      bytes[at * INSTRUCTION_BYTES + b] = Number((word >> BigInt(8 * b)) & 0xffn);
  });
  return bytes;
}

/**
 * A program from its bytes.
 * @throws NpuError for a length that is no whole number of instructions, an unknown opcode, an unknown name's number, or bits
 * behind the last field.
 * @example decodeProgram(encodeProgram([instruction("sync", { unit: "load" })]))[0].op // "sync"
 */
export function decodeProgram(bytes: Uint8Array): Instruction[] {
  if (bytes.length % INSTRUCTION_BYTES !== 0)
    throw new NpuError(
      `${bytes.length} bytes are no whole number of instructions of ${INSTRUCTION_BYTES} bytes`,
    );
  return Array.from({ length: bytes.length / INSTRUCTION_BYTES }, (_, at) => {
    let word = 0n;
    for (let b = INSTRUCTION_BYTES - 1; b >= 0; b--)
      word = (word << 8n) | BigInt(bytes[at * INSTRUCTION_BYTES + b]);
    const take = (bits: number): bigint => {
      const value = word & ((1n << BigInt(bits)) - 1n);
      word >>= BigInt(bits);
      return value;
    };
    const code = Number(take(OPCODE_BITS));
    const op: Opcode | undefined = OPCODES[code];
    if (!op) throw new NpuError(`instruction ${at}: no opcode ${code}; there are ${OPCODES.length}`);
    const [wait, post] = [unitsOf(take(TOKEN_BITS)), unitsOf(take(TOKEN_BITS))];
    const out: Record<string, unknown> = { op };
    const raw = Object.entries(fieldsOf(op)).map(([name, field]) => [name, field, take(field.bits)] as const);
    for (const [name, field, value] of raw) {
      if (!field.names) continue;
      const chosen = field.names[Number(value)];
      if (chosen === undefined)
        throw new NpuError(`instruction ${at} (${op}): ${name} has no number ${value}`);
      out[name] = chosen;
    }
    for (const [name, field, value] of raw)
      if (!field.names) out[name] = numberOf(value, field, out.type === "float32" || out.fn === "requantize");
    if (word !== 0n) throw new NpuError(`instruction ${at} (${op}): bits are set behind its last field`);
    if (wait.length > 0) out.wait = wait;
    if (post.length > 0) out.post = post;
    return out as unknown as Instruction;
  });
}

/** What is wrong with a field's value, in words; `null`: nothing. */
export function fieldProblem(i: Instruction, name: string, field: Field): string | null {
  const value = fieldValue(i, name);
  if (field.names)
    return field.names.includes(value as string)
      ? null
      : `${name} is one of ${field.names.join(", ")}, not ${value}`;
  if (typeof value !== "number") return `${name} is missing`;
  if (field.number && typeOfImmediate(i) === "float32")
    return Object.is(Math.fround(value), value) ? null : `${name}=${value} is no float32`;
  const [low, high] = rangeOfField(field);
  if (!Number.isInteger(value) || value < low || value > high)
    return `${name} is a whole number from ${low} to ${high}, not ${value}`;
  return null;
}

/** Least and greatest value of a field of whole numbers. */
export function rangeOfField({ bits, signed, number }: Field): readonly [number, number] {
  return signed || number ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
}

/** How the immediate is read: float32 for lanes of floats and for the scale of `requantize`. */
export function typeOfImmediate(i: Instruction): "int32" | "float32" {
  if (i.op === "vector") return i.fn === "requantize" ? "float32" : i.type;
  return i.op === "fill" ? i.type : "int32";
}

export const fieldValue = (i: Instruction, name: string): unknown =>
  (i as unknown as Record<string, unknown>)[name];

function bitsOf(value: unknown, field: Field, type: "int32" | "float32"): bigint {
  if (field.names) return BigInt(field.names.indexOf(value as string));
  if (field.number && type === "float32") {
    scratch.setFloat32(0, value as number);
    return BigInt(scratch.getUint32(0));
  }
  return BigInt.asUintN(field.bits, BigInt(value as number));
}

function numberOf(bits: bigint, field: Field, float: boolean): number {
  if (field.number && float) {
    scratch.setUint32(0, Number(bits));
    return scratch.getFloat32(0);
  }
  return Number(field.signed || field.number ? BigInt.asIntN(field.bits, bits) : bits);
}

const maskOf = (units: readonly Unit[] = []): bigint =>
  UNITS.reduce((mask, unit, b) => (units.includes(unit) ? mask | (1n << BigInt(b)) : mask), 0n);
const unitsOf = (mask: bigint): Unit[] => UNITS.filter((_, b) => (mask >> BigInt(b)) & 1n);

/** Units that an instruction may wait for: all but its own. */
export const othersOf = (i: Instruction): Unit[] => UNITS.filter((unit) => unit !== unitOf(i));
