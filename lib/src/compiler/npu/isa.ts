/**
 * The instruction set. An instruction is 32 bytes: opcode, tokens, then the fields of its format from the low bit up
 * (`FORMATS`, the one table from which encoding, assembler, disassembler and documentation follow).
 *
 * Units work side by side, each through its own instructions in order. What one unit must do before another is said by
 * tokens, as in VTA (Moreau et al., IEEE Micro 2019): an instruction starts when each unit in `wait` has sent it a token, and
 * when it ends it sends one to each unit in `post`. Tokens from one unit to another are counted, and arrive in order.
 */
import { MEMORIES, type Memory, UNITS, type Unit } from "./config.js";

/** Elements in the outer memory, or of a conversion. On the way to `acc`, integers become int32 and floats float32. */
export const ELEMENTS = ["int8", "uint8", "int32", "bfloat16", "float16", "float32"] as const;
export type Element = (typeof ELEMENTS)[number];
export const ELEMENT_BYTES: Readonly<Record<Element, number>> = {
  int8: 1,
  uint8: 1,
  int32: 4,
  bfloat16: 2,
  float16: 2,
  float32: 4,
};

/**
 * Functions of the vector unit on 32-bit lanes. `requantize`: int32 a · imm, to the nearest (halves to the even one), within
 * −128 … 127; `toInt` cuts off; comparisons give int32 1 or 0; `choose`: a where dst is not 0, else b; `set`: the immediate.
 */
export const FUNCTIONS = [
  ...["copy", "neg", "abs", "square", "relu", "sqrt", "exp", "log", "tanh", "sigmoid", "floor"],
  ...["toFloat", "toInt", "wrapInt8", "wrapUint8", "requantize"],
  ...["add", "sub", "mul", "div", "maximum", "minimum"],
  ...["less", "lessEqual", "equal", "notEqual", "and", "or", "choose", "set"],
] as const;
export type VectorFunction =
  | ("copy" | "neg" | "abs" | "square" | "relu" | "sqrt" | "exp" | "log" | "tanh" | "sigmoid" | "floor")
  | ("toFloat" | "toInt" | "wrapInt8" | "wrapUint8" | "requantize")
  | ("add" | "sub" | "mul" | "div" | "maximum" | "minimum")
  | ("less" | "lessEqual" | "equal" | "notEqual" | "and" | "or" | "choose" | "set");

/** Where the second operand of a vector function comes from: nowhere, rows, lane 0 of rows, the immediate. */
export const OPERANDS = ["none", "rows", "lane", "imm"] as const;
/** How lanes of a row become one. */
export const REDUCTIONS = ["add", "mul", "maximum", "minimum"] as const;

export interface Field {
  readonly bits: number;
  readonly signed?: true;
  readonly names?: readonly string[];
  /** A 32-bit number, read by the instruction's `type`. */
  readonly number?: true;
  /** Left out in text if it has this value; without: must be given. */
  readonly default?: number | string;
  readonly about: string;
}

const field = (bits: number, about: string, fallback?: number): Field =>
  fallback === undefined ? { bits, about } : { bits, about, default: fallback };
const names = <N extends string>(bits: number, list: readonly N[], about: string, fallback?: N): Field => ({
  bits,
  names: list,
  about,
  ...(fallback === undefined ? {} : { default: fallback }),
});
const ROW = (about: string): Field => field(20, about);

const RECTANGLE = {
  row: ROW("first row"),
  lane: field(10, "first lane", 0),
  ny: field(12, "outer count", 1),
  nx: field(16, "inner count", 1),
  sy: field(18, "rows from one outer step to the next", 0),
  sx: field(8, "rows from one inner step to the next", 1),
  lanes: field(10, "elements of a row"),
} as const;
const OUTSIDE = {
  dram: field(32, "byte address of the first element"),
  dy: { bits: 28, signed: true, default: 0, about: "elements from one outer step to the next" },
  dx: { bits: 28, signed: true, default: 0, about: "elements from one inner step to the next" },
  dl: { bits: 28, signed: true, default: 1, about: "elements from one lane to the next" },
} as const satisfies Record<string, Field>;

/** Every opcode in order of its number: the unit that runs it, and its fields from the low bit up. */
export const FORMATS = {
  sync: {
    about: "does nothing but wait and send",
    fields: { unit: names(2, UNITS, "which unit waits") },
  },
  load: {
    about: "outer memory → rows (y, x) of an on-chip memory",
    fields: {
      mem: names(2, MEMORIES, "which memory"),
      type: names(3, ELEMENTS, "elements outside"),
      ...RECTANGLE,
      ...OUTSIDE,
    },
  },
  fill: {
    about: "the immediate in every element of rows (y, x)",
    fields: {
      mem: names(2, MEMORIES, "which memory"),
      type: names(1, ["int32", "float32"], "type of the immediate", "int32"),
      ...RECTANGLE,
      imm: { bits: 32, number: true, default: 0, about: "the value" },
    },
  },
  store: {
    about: "rows (y, x) of acc → outer memory, narrowed to the type (integers wrap)",
    fields: { type: names(3, ELEMENTS, "elements outside"), ...RECTANGLE, ...OUTSIDE },
  },
  preload: {
    about: "rows of the stationary operand → array; what is not given is zero",
    fields: { row: ROW("first row"), rows: field(10, "depth k"), columns: field(10, "columns") },
  },
  matmul: {
    about: "rows (y, x) of the moving operand through the array → acc rows, one after the other",
    fields: {
      row: ROW("first row of the moving operand"),
      ny: field(12, "outer count", 1),
      nx: field(16, "inner count"),
      sy: field(18, "rows from one outer step to the next", 0),
      sx: field(8, "rows from one inner step to the next", 1),
      acc: ROW("first row of the results"),
      accumulate: field(1, "1: added to what is there", 0),
    },
  },
  outer: {
    about: "stationary outputs: for each k adds input row k (over m) ⊗ weight row k (over n)",
    fields: {
      row: ROW("first row of input"),
      weight: ROW("first row of weight"),
      k: field(16, "products"),
      m: field(10, "rows that count"),
      n: field(10, "columns that count"),
      accumulate: field(1, "1: onto the sums in the array", 0),
    },
  },
  drain: {
    about: "stationary outputs: the array's sums → acc",
    fields: {
      acc: ROW("first row of the results"),
      m: field(10, "rows"),
      n: field(10, "columns"),
      accumulate: field(1, "1: added to what is there", 0),
    },
  },
  vector: {
    about: "acc rows: dst = fn(a, b), row by row",
    fields: {
      fn: names(6, FUNCTIONS, "function"),
      type: names(1, ["int32", "float32"], "type of the lanes", "float32"),
      dst: ROW("first row of the result"),
      a: { ...ROW("first row of a"), default: 0 },
      b: { ...ROW("first row of b"), default: 0 },
      from: names(2, OPERANDS, "where b comes from", "none"),
      imm: { bits: 32, number: true, default: 0, about: "the immediate; scale of requantize" },
      sd: field(12, "rows from one row of the result to the next", 1),
      sa: field(12, "… of a", 1),
      sb: field(12, "… of b", 1),
      rows: field(16, "rows", 1),
      lane: field(10, "first lane", 0),
      lanes: field(10, "lanes"),
    },
  },
  reduce: {
    about: "acc rows: lane 0 of dst = the lanes of a, as one; accumulate: and what is there",
    fields: {
      fn: names(2, REDUCTIONS, "reduction"),
      type: names(1, ["int32", "float32"], "type of the lanes", "float32"),
      dst: ROW("first row of the result"),
      a: ROW("first row of a"),
      sd: field(12, "rows from one row of the result to the next", 1),
      sa: field(12, "… of a", 1),
      rows: field(16, "rows", 1),
      lane: field(10, "first lane", 0),
      lanes: field(10, "lanes"),
      accumulate: field(1, "1: with what is there", 0),
    },
  },
} as const satisfies Record<
  string,
  { readonly about: string; readonly fields: Readonly<Record<string, Field>> }
>;

export type Opcode = keyof typeof FORMATS;
export const OPCODES = Object.keys(FORMATS) as readonly Opcode[];

/** Bytes of an instruction. */
export const INSTRUCTION_BYTES = 32;
export const OPCODE_BITS = 5;
/** One bit for each unit, first in `wait`, then in `post`. */
export const TOKEN_BITS = 4;

interface Tokens {
  /** Tokens that must have come, one from each of these units. */
  readonly wait?: readonly Unit[];
  /** Units that get a token at the end. */
  readonly post?: readonly Unit[];
}

interface Rectangle {
  readonly row: number;
  readonly lane: number;
  readonly ny: number;
  readonly nx: number;
  readonly sy: number;
  readonly sx: number;
  readonly lanes: number;
}

interface Outside {
  readonly dram: number;
  readonly dy: number;
  readonly dx: number;
  readonly dl: number;
}

export type Load = Tokens &
  Rectangle &
  Outside & { readonly op: "load"; readonly mem: Memory; readonly type: Element };
export type Fill = Tokens &
  Rectangle & {
    readonly op: "fill";
    readonly mem: Memory;
    readonly type: "int32" | "float32";
    readonly imm: number;
  };
export type Store = Tokens & Rectangle & Outside & { readonly op: "store"; readonly type: Element };
export type Preload = Tokens & {
  readonly op: "preload";
  readonly row: number;
  readonly rows: number;
  readonly columns: number;
};
export type Matmul = Tokens & {
  readonly op: "matmul";
  readonly row: number;
  readonly ny: number;
  readonly nx: number;
  readonly sy: number;
  readonly sx: number;
  readonly acc: number;
  readonly accumulate: number;
};
export type Outer = Tokens & {
  readonly op: "outer";
  readonly row: number;
  readonly weight: number;
  readonly k: number;
  readonly m: number;
  readonly n: number;
  readonly accumulate: number;
};
export type Drain = Tokens & {
  readonly op: "drain";
  readonly acc: number;
  readonly m: number;
  readonly n: number;
  readonly accumulate: number;
};
export type Vector = Tokens & {
  readonly op: "vector";
  readonly fn: VectorFunction;
  readonly type: "int32" | "float32";
  readonly dst: number;
  readonly a: number;
  readonly b: number;
  readonly from: (typeof OPERANDS)[number];
  readonly imm: number;
  readonly sd: number;
  readonly sa: number;
  readonly sb: number;
  readonly rows: number;
  readonly lane: number;
  readonly lanes: number;
};
export type Reduce = Tokens & {
  readonly op: "reduce";
  readonly fn: (typeof REDUCTIONS)[number];
  readonly type: "int32" | "float32";
  readonly dst: number;
  readonly a: number;
  readonly sd: number;
  readonly sa: number;
  readonly rows: number;
  readonly lane: number;
  readonly lanes: number;
  readonly accumulate: number;
};
/** `unit`: which one waits. */
export type Sync = Tokens & { readonly op: "sync"; readonly unit: Unit };

export type Instruction = Sync | Load | Fill | Store | Preload | Matmul | Outer | Drain | Vector | Reduce;

/** The fields of an opcode as plain data. */
export function fieldsOf(op: Opcode): Readonly<Record<string, Field>> {
  return FORMATS[op].fields;
}

/**
 * The unit that runs an instruction.
 * @example unitOf(instruction("drain", { acc: 0, m: 4, n: 4 })) // "array"
 */
export function unitOf(i: Instruction): Unit {
  switch (i.op) {
    case "sync":
      return i.unit;
    case "load":
    case "fill":
      return "load";
    case "store":
      return "store";
    case "vector":
    case "reduce":
      return "vector";
    default:
      return "array";
  }
}

type Given<I> = Partial<Omit<I, "op">>;

/**
 * An instruction; fields that have a default may be left out.
 * @example instruction("matmul", { row: 0, nx: 16, acc: 0 }).accumulate // 0
 */
export function instruction<O extends Opcode>(
  op: O,
  given: Given<Extract<Instruction, { op: O }>>,
): Extract<Instruction, { op: O }> {
  const out: Record<string, unknown> = { op };
  for (const [name, { default: value }] of Object.entries(fieldsOf(op)))
    if (value !== undefined) out[name] = value;
  return Object.assign(out, given) as unknown as Extract<Instruction, { op: O }>;
}
