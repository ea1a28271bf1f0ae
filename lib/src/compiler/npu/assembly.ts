/**
 * Programs as text: an instruction a line, `opcode field=value …`; fields that have their default are left out, `wait=` and
 * `post=` list units, `;` begins a comment, numbers may be hexadecimal.
 */
import { NpuError, UNITS, type Unit } from "./config.js";
import { fieldProblem, fieldValue, othersOf, rangeOfField, typeOfImmediate } from "./encoding.js";
import { type Field, fieldsOf, type Instruction, instruction, OPCODES, type Opcode } from "./isa.js";

/** A mistake in assembly text. */
export class AssemblyError extends NpuError {
  override name = "AssemblyError";

  constructor(
    readonly line: number,
    /** From 1. */
    readonly column: number,
    message: string,
  ) {
    super(`line ${line}, column ${column}: ${message}`);
  }
}

/**
 * Instructions from text.
 * @throws AssemblyError at the line and column of the first mistake.
 * @example assemble("drain acc=0 m=4 n=4 post=vector ; sums")[0].post // ["vector"]
 */
export function assemble(text: string): Instruction[] {
  return text.split("\n").flatMap((line, at) => {
    const words = [...line.replace(/;.*/, "").matchAll(/\S+/g)].map((m) => ({
      text: m[0],
      column: m.index + 1,
    }));
    return words.length === 0 ? [] : [parseLine(words, at + 1)];
  });
}

interface Word {
  readonly text: string;
  readonly column: number;
}

function parseLine([first, ...rest]: readonly Word[], line: number): Instruction {
  const fail = (word: Word, message: string, offset = 0): never => {
    throw new AssemblyError(line, word.column + offset, message);
  };
  if (!(OPCODES as readonly string[]).includes(first.text))
    fail(first, `no opcode "${first.text}"; there are ${OPCODES.join(", ")}`);
  const op = first.text as Opcode;
  const fields = fieldsOf(op);
  const known = [...Object.keys(fields), "wait", "post"];
  const out = { ...instruction(op, {}) } as unknown as Record<string, unknown>;
  const places = new Map<string, Word & { readonly offset: number }>();
  const numbers: [name: string, text: string][] = [];
  for (const word of rest) {
    const [, name, value] =
      /^([^=]*)=(.*)$/.exec(word.text) ?? fail(word, `"${word.text}" is no field=value`);
    if (!known.includes(name)) fail(word, `${op} has no field "${name}"; it has ${known.join(", ")}`);
    if (places.has(name)) fail(word, `"${name}" is given twice`);
    places.set(name, { ...word, offset: name.length + 1 });
    if (name === "wait" || name === "post") {
      const units = value.split(",");
      for (const unit of units)
        if (!(UNITS as readonly string[]).includes(unit))
          fail(word, `no unit "${unit}"; there are ${UNITS.join(", ")}`, name.length + 1);
      if (new Set(units).size < units.length) fail(word, `a unit stands twice in "${name}"`, name.length + 1);
      out[name] = UNITS.filter((unit) => units.includes(unit));
    } else if (fields[name].names) out[name] = value;
    else numbers.push([name, value]);
  }
  // Numbers last: how an immediate is read depends on the type.
  for (const [name, value] of numbers) {
    const number = numberFrom(value);
    const place = places.get(name)!;
    if (number === null) fail(place, `${name}: "${value}" is no number`, place.offset);
    const float = fields[name].number && typeOfImmediate(out as unknown as Instruction) === "float32";
    out[name] = float ? Math.fround(number!) : number;
  }
  const made = out as unknown as Instruction;
  for (const [name, field] of Object.entries(fields)) {
    const place = places.get(name);
    if (!place && fieldValue(made, name) === undefined) fail(first, `${op} needs ${name} (${field.about})`);
    const problem = fieldProblem(made, name, field);
    if (problem) fail(place ?? first, problem, place?.offset ?? 0);
  }
  for (const name of ["wait", "post"] as const) {
    const own = made[name]?.find((unit) => !othersOf(made).includes(unit));
    const place = places.get(name);
    if (own && place)
      fail(place, `${op} runs on ${own} itself: a unit is in order with itself`, place.offset);
  }
  return made;
}

/** Decimal, hexadecimal, `inf`, `-inf`, `nan`; `null`: no number. */
function numberFrom(text: string): number | null {
  if (/^-?0x[0-9a-f]+$/i.test(text)) return text.startsWith("-") ? -Number(text.slice(1)) : Number(text);
  if (/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text)) return Number(text);
  return { inf: Number.POSITIVE_INFINITY, "-inf": Number.NEGATIVE_INFINITY, nan: Number.NaN }[text] ?? null;
}

/**
 * Text that `assemble` turns into the same instructions.
 * @example disassemble([instruction("matmul", { row: 0, nx: 16, acc: 4 })]) // "matmul row=0 nx=16 acc=4\n"
 */
export function disassemble(program: readonly Instruction[]): string {
  return program.map((i) => `${lineOf(i)}\n`).join("");
}

/**
 * One instruction as text.
 * @example lineOf(instruction("sync", { unit: "load", wait: ["array"] })) // "sync unit=load wait=array"
 */
export function lineOf(i: Instruction): string {
  const parts: string[] = [i.op];
  for (const [name, field] of Object.entries(fieldsOf(i.op))) {
    const value = fieldValue(i, name);
    if (!Object.is(value, field.default)) parts.push(`${name}=${textOf(value, field)}`);
  }
  for (const name of ["wait", "post"] as const) {
    const units: readonly Unit[] = i[name] ?? [];
    if (units.length > 0) parts.push(`${name}=${units.join(",")}`);
  }
  return parts.join(" ");
}

function textOf(value: unknown, field: Field): string {
  if (typeof value !== "number") return String(value);
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  return Object.is(value, -0) && field.number ? "-0" : String(value);
}

/**
 * The formats as a table in Markdown: bits, fields, what each is for.
 * @example isaTable().includes("| `matmul` |") // true
 */
export function isaTable(): string {
  const rows = OPCODES.map((op, code) => {
    let bit = 13;
    const fields = Object.entries(fieldsOf(op)).map(([name, f]) => {
      const at = bit;
      bit += f.bits;
      const what = f.names
        ? f.names.join(" / ")
        : f.number
          ? "int32 or float32"
          : `${rangeOfField(f).join(" … ")}`;
      return `\`${name}\` ${at}–${bit - 1}: ${f.about} (${what}${f.default === undefined ? "" : `; default ${f.default}`})`;
    });
    return `| ${code} | \`${op}\` | ${fields.join("<br>") || "–"} |`;
  });
  return `| code | opcode | bits of its fields (0–4 opcode, 5–8 wait, 9–12 post: load, array, vector, store) |\n| ---: | --- | --- |\n${rows.join("\n")}\n`;
}
