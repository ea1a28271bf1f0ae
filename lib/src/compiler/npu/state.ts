/** What the memories hold, and what each instruction does to them. */
import { BFLOAT16, type Encoding, FLOAT16 } from "../../core/encoding.js";
import { foldByRegisters } from "./array.js";
import { lanesOf, type Memory, type NpuConfig, NpuError } from "./config.js";
import { functionOf } from "./functions.js";
import type { Element, Fill, Instruction, Load, Matmul, Outer, Reduce, Store, Vector } from "./isa.js";
import { movingMemory, stationaryMemory } from "./regions.js";

type Words = Int8Array | Int32Array | Float32Array;

/** The stationary operand in the array: rows × columns values, row-major. */
export interface Held {
  readonly rows: number;
  readonly columns: number;
  readonly values: Words;
}

/** The 65,536 numbers of a 16-bit float. */
function numbersOf(encoding: Encoding): Float32Array {
  const codes = Uint16Array.from({ length: 65536 }, (_, code) => code);
  return encoding.decode(codes.buffer, 0, 65536) as Float32Array;
}
const tables = new Map<Encoding, Float32Array>();
function tableOf(encoding: Encoding): Float32Array {
  const found = tables.get(encoding) ?? numbersOf(encoding);
  tables.set(encoding, found);
  return found;
}

export class NpuState {
  readonly input: Words;
  readonly weight: Words;
  /** Accumulators: the same bytes as integers and as floats. */
  readonly acc: Int32Array;
  readonly accFloat: Float32Array;
  private readonly sums: Words;
  private readonly bytes: Int8Array;
  private readonly unsigned: Uint8Array;
  private readonly halves: Uint16Array;
  private readonly ints: Int32Array;
  private readonly floats: Float32Array;
  private readonly code = new Uint16Array(1);
  /** Brought in by the last `preload`. */
  held: Held | null = null;

  constructor(
    readonly config: NpuConfig,
    /** The outer memory; a multiple of four bytes. */
    readonly dram: ArrayBuffer,
    /** `registers`: products go through the array register by register. */
    private readonly array: "fast" | "registers" = "fast",
  ) {
    if (dram.byteLength % 4 !== 0)
      throw new NpuError(`the outer memory has ${dram.byteLength} bytes, no multiple of 4`);
    const size = (memory: Memory): number => config.memory[memory].rows * lanesOf(config, memory);
    const Operands = config.type === "int8" ? Int8Array : Float32Array;
    this.input = new Operands(size("input"));
    this.weight = new Operands(size("weight"));
    this.acc = new Int32Array(size("acc"));
    this.accFloat = new Float32Array(this.acc.buffer);
    const Sums = config.type === "int8" ? Int32Array : Float32Array;
    this.sums = new Sums(config.rows * config.columns);
    this.bytes = new Int8Array(dram);
    this.unsigned = new Uint8Array(dram);
    this.halves = new Uint16Array(dram);
    this.ints = new Int32Array(dram);
    this.floats = new Float32Array(dram);
  }

  /** Does what the instruction does; `held`: what was in the array when it began. */
  execute(i: Instruction, held: Held | null): void {
    switch (i.op) {
      case "sync":
        return;
      case "load":
        this.load(i);
        return;
      case "fill":
        this.fill(i);
        return;
      case "store":
        this.store(i);
        return;
      case "preload": {
        const memory = stationaryMemory(this.config);
        const lanes = lanesOf(this.config, memory);
        const from = this[memory as "input" | "weight"];
        const values =
          this.config.type === "int8"
            ? new Int32Array(i.rows * i.columns)
            : new Float32Array(i.rows * i.columns);
        for (let r = 0; r < i.rows; r++)
          for (let c = 0; c < i.columns; c++) values[r * i.columns + c] = from[(i.row + r) * lanes + c];
        this.held = { rows: i.rows, columns: i.columns, values };
        return;
      }
      case "matmul":
        if (!held) throw new NpuError("matmul: nothing was brought into the array by a preload");
        this.matmul(i, held);
        return;
      case "outer":
        this.outer(i);
        return;
      case "drain": {
        const { columns } = this.config;
        const acc = this.accOf();
        for (let m = 0; m < i.m; m++)
          for (let n = 0; n < i.n; n++) {
            const at = (i.acc + m) * columns + n;
            acc[at] = (i.accumulate ? acc[at] : 0) + this.sums[m * columns + n];
          }
        return;
      }
      case "vector":
        this.vector(i);
        return;
      case "reduce":
        this.reduce(i);
    }
  }

  private accOf(): Int32Array | Float32Array {
    return this.config.type === "int8" ? this.acc : this.accFloat;
  }

  private load(i: Load): void {
    const lanes = lanesOf(this.config, i.mem);
    const [from, shift] = this.outside(i.type);
    const to = i.mem !== "acc" ? this[i.mem] : isInteger(i.type) ? this.acc : this.accFloat;
    const table = i.type === "bfloat16" ? tableOf(BFLOAT16) : i.type === "float16" ? tableOf(FLOAT16) : null;
    for (let y = 0; y < i.ny; y++)
      for (let x = 0; x < i.nx; x++) {
        let source = (i.dram >> shift) + y * i.dy + x * i.dx;
        const target = (i.row + y * i.sy + x * i.sx) * lanes + i.lane;
        for (let l = 0; l < i.lanes; l++, source += i.dl)
          to[target + l] = table ? table[from[source]] : from[source];
      }
  }

  private fill(i: Fill): void {
    const lanes = lanesOf(this.config, i.mem);
    const to = i.mem !== "acc" ? this[i.mem] : i.type === "int32" ? this.acc : this.accFloat;
    for (let y = 0; y < i.ny; y++)
      for (let x = 0; x < i.nx; x++) {
        const target = (i.row + y * i.sy + x * i.sx) * lanes + i.lane;
        to.fill(i.imm, target, target + i.lanes);
      }
  }

  private store(i: Store): void {
    const { columns } = this.config;
    const [to, shift] = this.outside(i.type);
    const from = isInteger(i.type) ? this.acc : this.accFloat;
    const encoding = i.type === "bfloat16" ? BFLOAT16 : i.type === "float16" ? FLOAT16 : null;
    for (let y = 0; y < i.ny; y++)
      for (let x = 0; x < i.nx; x++) {
        const source = (i.row + y * i.sy + x * i.sx) * columns + i.lane;
        let target = (i.dram >> shift) + y * i.dy + x * i.dx;
        for (let l = 0; l < i.lanes; l++, target += i.dl) {
          if (encoding) {
            encoding.encode([from[source + l]], this.code.buffer, 0);
            to[target] = this.code[0];
          } else to[target] = from[source + l];
        }
      }
  }

  /** The outer memory as elements of a type, and log₂ of their size. */
  private outside(
    type: Element,
  ): readonly [Int8Array | Uint8Array | Uint16Array | Int32Array | Float32Array, number] {
    switch (type) {
      case "int8":
        return [this.bytes, 0];
      case "uint8":
        return [this.unsigned, 0];
      case "int32":
        return [this.ints, 2];
      case "float32":
        return [this.floats, 2];
      default:
        return [this.halves, 1];
    }
  }

  private matmul(i: Matmul, { rows: k, columns: n, values }: Held): void {
    const memory = movingMemory(this.config);
    const from = this[memory as "input" | "weight"];
    const lanes = lanesOf(this.config, memory);
    const { columns, type } = this.config;
    if (this.array === "registers" && this.config.dataflow !== "cube") {
      this.matmulByRegisters(i, { rows: k, columns: n, values }, from, lanes);
      return;
    }
    let target = i.acc * columns;
    const row = type === "int8" ? new Int32Array(n) : new Float32Array(n);
    const acc = this.accOf();
    for (let y = 0; y < i.ny; y++)
      for (let x = 0; x < i.nx; x++, target += columns) {
        const source = (i.row + y * i.sy + x * i.sx) * lanes;
        row.fill(0);
        if (type === "int8")
          integerRow(row as Int32Array, from as Int8Array, source, values as Int32Array, k, n);
        else floatRow(row as Float32Array, from as Float32Array, source, values as Float32Array, k, n);
        if (i.accumulate) for (let c = 0; c < n; c++) acc[target + c] += row[c];
        else acc.set(row, target);
      }
  }

  private matmulByRegisters(
    i: Matmul,
    { rows: k, columns: n, values }: Held,
    from: Words,
    lanes: number,
  ): void {
    const count = i.ny * i.nx;
    const a = new Float64Array(count * k);
    for (let at = 0; at < count; at++) {
      const source = (i.row + Math.floor(at / i.nx) * i.sy + (at % i.nx) * i.sx) * lanes;
      for (let l = 0; l < k; l++) a[at * k + l] = from[source + l];
    }
    // Whatever stays, rows of the moving operand go by.
    const { c } = foldByRegisters({ ...this.config, dataflow: "weight" }, { a, b: values, m: count, n, k });
    const acc = this.accOf();
    for (let at = 0; at < count; at++)
      for (let j = 0; j < n; j++) {
        const target = (i.acc + at) * this.config.columns + j;
        acc[target] = (i.accumulate ? acc[target] : 0) + c[at * n + j];
      }
  }

  private outer(i: Outer): void {
    const { columns, rows } = this.config;
    const { sums, input, weight } = this;
    if (!i.accumulate) sums.fill(0);
    if (this.array === "registers" && !i.accumulate) {
      const a = Float64Array.from(
        { length: i.m * i.k },
        (_, at) => input[(i.row + (at % i.k)) * rows + Math.floor(at / i.k)],
      );
      const b = Float64Array.from(
        { length: i.k * i.n },
        (_, at) => weight[(i.weight + Math.floor(at / i.n)) * columns + (at % i.n)],
      );
      const { c } = foldByRegisters(this.config, { a, b, m: i.m, n: i.n, k: i.k });
      for (let m = 0; m < i.m; m++) for (let n = 0; n < i.n; n++) sums[m * columns + n] = c[m * i.n + n];
      return;
    }
    const integers = this.config.type === "int8";
    for (let k = 0; k < i.k; k++)
      for (let m = 0; m < i.m; m++) {
        const x = input[(i.row + k) * rows + m];
        const [source, target] = [(i.weight + k) * columns, m * columns];
        if (integers) for (let n = 0; n < i.n; n++) sums[target + n] += x * weight[source + n];
        else for (let n = 0; n < i.n; n++) sums[target + n] += Math.fround(x * weight[source + n]);
      }
  }

  private vector(i: Vector): void {
    const { columns } = this.config;
    const floats = i.type === "float32";
    const operand = floats ? this.accFloat : this.acc;
    const result =
      i.fn === "toFloat" ? this.accFloat : i.fn === "toInt" || COMPARISONS.has(i.fn) ? this.acc : operand;
    const f = functionOf(i);
    for (let r = 0; r < i.rows; r++) {
      const [a, b, d] = [i.a + r * i.sa, i.b + r * i.sb, i.dst + r * i.sd].map((row) => row * columns);
      for (let l = i.lane; l < i.lane + i.lanes; l++) {
        const y = i.from === "imm" ? i.imm : i.from === "lane" ? operand[b] : operand[b + l];
        if (i.fn === "choose") result[d + l] = this.acc[d + l] !== 0 ? operand[a + l] : y;
        else result[d + l] = f(operand[a + l], y);
      }
    }
  }

  private reduce(i: Reduce): void {
    const { columns } = this.config;
    const operand = i.type === "float32" ? this.accFloat : this.acc;
    const f = functionOf(i);
    const one = i.type === "float32" ? new Float32Array(1) : new Int32Array(1);
    for (let r = 0; r < i.rows; r++) {
      const [a, d] = [(i.a + r * i.sa) * columns, (i.dst + r * i.sd) * columns];
      one[0] = operand[a + i.lane];
      for (let l = i.lane + 1; l < i.lane + i.lanes; l++) one[0] = f(one[0], operand[a + l]);
      operand[d] = i.accumulate ? f(operand[d], one[0]) : one[0];
    }
  }
}

const COMPARISONS: ReadonlySet<string> = new Set(["less", "lessEqual", "equal", "notEqual"]);
const isInteger = (type: Element): boolean => type === "int8" || type === "uint8" || type === "int32";

/** Four steps of k at once: their sum fits 32 bits. */
function integerRow(
  row: Int32Array,
  from: Int8Array,
  source: number,
  values: Int32Array,
  k: number,
  n: number,
): void {
  let l = 0;
  for (; l + 4 <= k; l += 4) {
    const [x0, x1, x2, x3] = [
      from[source + l],
      from[source + l + 1],
      from[source + l + 2],
      from[source + l + 3],
    ];
    const at = l * n;
    for (let c = 0; c < n; c++)
      row[c] =
        (row[c] +
          x0 * values[at + c] +
          x1 * values[at + n + c] +
          x2 * values[at + 2 * n + c] +
          x3 * values[at + 3 * n + c]) |
        0;
  }
  for (; l < k; l++) for (let c = 0; c < n; c++) row[c] = (row[c] + from[source + l] * values[l * n + c]) | 0;
}

function floatRow(
  row: Float32Array,
  from: Float32Array,
  source: number,
  values: Float32Array,
  k: number,
  n: number,
): void {
  for (let l = 0, at = 0; l < k; l++, at += n) {
    const x = from[source + l];
    for (let c = 0; c < n; c++) row[c] += Math.fround(x * values[at + c]);
  }
}
