/**
 * A small typed assembler: WebAssembly modules as bytes. Expressions are trees that emit themselves
 * (`op("i32.add", p, i32(16))`); a Func collects statements (set, store, loops). Nothing is parsed or linked:
 * what one writes is what one gets. Binary format: WebAssembly Core Specification 2.0, chapter 5, with the threads
 * and relaxed-SIMD proposals.
 */
import {
  LOADS,
  NATURAL_ALIGNMENT,
  OPS,
  type OperandsOf,
  type ResultOf,
  STORES,
  type ValueType,
} from "./opcodes.js";

export type { ValueType } from "./opcodes.js";

/** A value that a piece of code leaves on the stack. */
export interface Expr<T extends ValueType = ValueType> {
  readonly type: T;
  emit(out: number[]): void;
}

type Exprs<T extends readonly ValueType[]> = { [K in keyof T]: Expr<T[K]> };
type Name<T> = keyof T & string;

/** A local variable or parameter; as an expression, its value. */
export class Local<T extends ValueType = ValueType> implements Expr<T> {
  constructor(
    readonly type: T,
    readonly index: number,
  ) {}
  emit(out: number[]): void {
    out.push(0x20);
    unsigned(out, this.index);
  }
}

/**
 * An instruction applied to its operands.
 * @example extend.wasm.op("i32.add", extend.wasm.i32(1), extend.wasm.i32(2)).type // "i32"
 */
export function op<N extends Name<typeof OPS>>(
  name: N,
  ...operands: Exprs<OperandsOf<(typeof OPS)[N]["signature"]>>
): Expr<ResultOf<(typeof OPS)[N]["signature"]>> {
  return instruction(name, operands as readonly Expr[]) as never;
}

/**
 * Instructions that name a lane.
 * @example extend.wasm.laneOp("f32x4.extract_lane", 0, extend.wasm.v128(new Float32Array(4))).type // "f32"
 */
export function laneOp<N extends Name<typeof OPS>>(
  name: N,
  lane: number,
  ...operands: Exprs<OperandsOf<(typeof OPS)[N]["signature"]>>
): Expr<ResultOf<(typeof OPS)[N]["signature"]>> {
  return instruction(name, operands as readonly Expr[], lane) as never;
}

/**
 * Reads memory at `address + offset` bytes.
 * @example extend.wasm.load("f32.load", extend.wasm.i32(1024)).type // "f32"
 */
export function load<N extends Name<typeof LOADS>>(
  name: N,
  address: Expr<"i32">,
  offset = 0,
): Expr<ResultOf<(typeof LOADS)[N]["signature"]>> {
  const row = LOADS[name];
  return {
    type: typeOf(row.signature),
    emit(out: number[]) {
      address.emit(out);
      encode(out, row.code);
      memoryArgument(out, name, offset);
    },
  } as never;
}

/**
 * Replaces one 32-bit lane of `vector` by the word at `address + offset`.
 * @example extend.wasm.load32Lane(1, extend.wasm.i32(1024), extend.wasm.v128(new Float32Array(4))).type // "v128"
 */
export function load32Lane(
  lane: number,
  address: Expr<"i32">,
  vector: Expr<"v128">,
  offset = 0,
): Expr<"v128"> {
  return laneLoad(86, lane, address, vector, offset);
}

/**
 * Replaces one 64-bit lane.
 * @example extend.wasm.load64Lane(1, extend.wasm.i32(1024), extend.wasm.v128(new Float64Array(2))).type // "v128"
 */
export function load64Lane(
  lane: number,
  address: Expr<"i32">,
  vector: Expr<"v128">,
  offset = 0,
): Expr<"v128"> {
  return laneLoad(87, lane, address, vector, offset);
}

/** @example extend.wasm.i32(7).type // "i32" */
export function i32(value: number): Expr<"i32"> {
  return constant("i32", (out) => {
    out.push(0x41);
    signed(out, value);
  });
}

/** @example extend.wasm.f32(0.5).type // "f32" */
export function f32(value: number): Expr<"f32"> {
  return constant("f32", (out) => {
    out.push(0x43, ...new Uint8Array(new Float32Array([value]).buffer));
  });
}

/** @example extend.wasm.f64(0.5).type // "f64" */
export function f64(value: number): Expr<"f64"> {
  return constant("f64", (out) => {
    out.push(0x44, ...new Uint8Array(new Float64Array([value]).buffer));
  });
}

/**
 * A vector constant of the bytes of `lanes` (16 bytes).
 * @example extend.wasm.v128(new Float32Array([1, 2, 3, 4])).type // "v128"
 */
export function v128(lanes: Int32Array | Float32Array | Float64Array | Uint8Array): Expr<"v128"> {
  const bytes = new Uint8Array(lanes.buffer, lanes.byteOffset, 16);
  return constant("v128", (out) => {
    out.push(0xfd, 12, ...bytes);
  });
}

/**
 * Bytes of `a` (0–15) and `b` (16–31) in the order of `lanes`.
 * @example
 * const v = extend.wasm.v128(new Float32Array([1, 2, 3, 4]));
 * extend.wasm.shuffle([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3], v, v).type // "v128"
 */
export function shuffle(lanes: readonly number[], a: Expr<"v128">, b: Expr<"v128">): Expr<"v128"> {
  return constant("v128", (out) => {
    a.emit(out);
    b.emit(out);
    out.push(0xfd, 13, ...lanes);
  });
}

/**
 * Value of `local` after setting it.
 * @example new extend.wasm.ModuleBuilder().func("f", ["i32", "i32"], null, (f) => { const x = f.let(extend.wasm.i32(1)); extend.wasm.tee(x, extend.wasm.i32(2)); })
 */
export function tee<T extends ValueType>(local: Local<T>, value: Expr<T>): Expr<T> {
  return {
    type: local.type,
    emit(out) {
      value.emit(out);
      out.push(0x22);
      unsigned(out, local.index);
    },
  };
}

/**
 * `condition ? a : b`, both evaluated.
 * @example extend.wasm.select(extend.wasm.i32(1), extend.wasm.f32(2), extend.wasm.f32(3)).type // "f32"
 */
export function select<T extends ValueType>(condition: Expr<"i32">, a: Expr<T>, b: Expr<T>): Expr<T> {
  return {
    type: a.type,
    emit(out) {
      a.emit(out);
      b.emit(out);
      condition.emit(out);
      out.push(0x1c, 1, TYPE_CODES[a.type]);
    },
  };
}

/** Body of a function under construction: locals, and statements in order. */
export class Func {
  readonly code: number[] = [];
  readonly localTypes: ValueType[] = [];

  constructor(
    readonly index: number,
    readonly params: readonly ValueType[],
    readonly result: ValueType | null,
  ) {}

  param<T extends ValueType>(index: number): Local<T> {
    return new Local(this.params[index] as T, index);
  }

  local<T extends ValueType>(type: T): Local<T> {
    this.localTypes.push(type);
    return new Local(type, this.params.length + this.localTypes.length - 1);
  }

  /** A new local with this value. */
  let<T extends ValueType>(value: Expr<T>): Local<T> {
    const local = this.local(value.type);
    this.set(local, value);
    return local;
  }

  set<T extends ValueType>(local: Local<T>, value: Expr<T>): void {
    value.emit(this.code);
    this.code.push(0x21);
    unsigned(this.code, local.index);
  }

  store<N extends Name<typeof STORES>>(
    name: N,
    address: Expr<"i32">,
    value: Expr,
    offset = 0,
    lane = 0,
  ): void {
    const row = STORES[name];
    address.emit(this.code);
    value.emit(this.code);
    encode(this.code, row.code);
    memoryArgument(this.code, name, offset);
    if ("lane" in row) this.code.push(lane);
  }

  /** Runs `body` while `condition` holds; tested before the first round. */
  while(condition: Expr<"i32">, body: () => void): void {
    this.if(condition, () => this.repeat(body, condition));
  }

  /** Runs `body` once, then again while `condition` holds. */
  repeat(body: () => void, condition: Expr<"i32">): void {
    this.code.push(0x03, 0x40);
    body();
    condition.emit(this.code);
    this.code.push(0x0d, 0, 0x0b);
  }

  /** `for (; i < end; i += step) body()`, signed. */
  for(i: Local<"i32">, end: Expr<"i32">, step: Expr<"i32"> | number, body: () => void): void {
    const by = typeof step === "number" ? i32(step) : step;
    this.while(op("i32.lt_s", i, end), () => {
      body();
      this.set(i, op("i32.add", i, by));
    });
  }

  if(condition: Expr<"i32">, then: () => void, otherwise?: () => void): void {
    condition.emit(this.code);
    this.code.push(0x04, 0x40);
    then();
    if (otherwise) {
      this.code.push(0x05);
      otherwise();
    }
    this.code.push(0x0b);
  }

  /** Calls a function of the module for its effect. */
  call(target: Func, ...args: readonly Expr[]): void {
    callInto(this.code, target, args);
    if (target.result) this.code.push(0x1a);
  }

  /** Calls a function of the module for its result. */
  callValue<T extends ValueType>(target: Func, ...args: readonly Expr[]): Expr<T> {
    return { type: target.result as T, emit: (out) => callInto(out, target, args) };
  }

  /** Copies `bytes` bytes (regions may overlap). */
  copy(to: Expr<"i32">, from: Expr<"i32">, bytes: Expr<"i32">): void {
    for (const operand of [to, from, bytes]) operand.emit(this.code);
    this.code.push(0xfc, 10, 0, 0);
  }

  /** Sets `bytes` bytes to the low byte of `value`. */
  fill(to: Expr<"i32">, value: Expr<"i32">, bytes: Expr<"i32">): void {
    for (const operand of [to, value, bytes]) operand.emit(this.code);
    this.code.push(0xfc, 11, 0);
  }

  return(value?: Expr): void {
    value?.emit(this.code);
    this.code.push(0x0f);
  }
}

/** A module over the shared memory that it imports as `env.memory`. */
export class ModuleBuilder {
  private readonly functions: Func[] = [];
  private readonly exports: { name: string; index: number }[] = [];

  /** Declares a function and builds its body at once. With `name` it is exported. */
  func<R extends ValueType | null>(
    name: string | null,
    params: readonly ValueType[],
    result: R,
    build: (f: Func) => void,
  ): Func {
    const f = new Func(this.functions.length, params, result);
    this.functions.push(f);
    if (name !== null) this.exports.push({ name, index: f.index });
    build(f);
    return f;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const out: number[] = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
    const { functions } = this;
    section(out, 1, functions, (s, f) => {
      s.push(0x60);
      unsigned(s, f.params.length);
      for (const type of f.params) s.push(TYPE_CODES[type]);
      if (f.result) s.push(1, TYPE_CODES[f.result]);
      else s.push(0);
    });
    section(out, 2, [0], (s) => {
      text(s, "env");
      text(s, "memory");
      s.push(2, 3); // memory, shared with a maximum
      unsigned(s, 1);
      unsigned(s, 65536);
    });
    section(out, 3, functions, (s, f) => unsigned(s, f.index));
    section(out, 7, this.exports, (s, e) => {
      text(s, e.name);
      s.push(0);
      unsigned(s, e.index);
    });
    section(out, 10, functions, (s, f) => {
      const body: number[] = [];
      unsigned(body, f.localTypes.length);
      for (const type of f.localTypes) body.push(1, TYPE_CODES[type]);
      for (const byte of f.code) body.push(byte);
      body.push(0x0b);
      unsigned(s, body.length);
      for (const byte of body) s.push(byte);
    });
    return new Uint8Array(out);
  }
}

const TYPE_CODES: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };
const LETTERS: Record<string, ValueType> = { i: "i32", l: "i64", f: "f32", d: "f64", v: "v128" };

function typeOf(signature: string): ValueType {
  return LETTERS[signature[signature.length - 1]];
}

function instruction(name: Name<typeof OPS>, operands: readonly Expr[], lane?: number): Expr {
  const row = OPS[name];
  return {
    type: typeOf(row.signature),
    emit(out) {
      for (const operand of operands) operand.emit(out);
      encode(out, row.code);
      if (lane !== undefined) out.push(lane);
    },
  };
}

function laneLoad(
  opcode: number,
  lane: number,
  address: Expr<"i32">,
  vector: Expr<"v128">,
  offset: number,
): Expr<"v128"> {
  return constant("v128", (out) => {
    address.emit(out);
    vector.emit(out);
    out.push(0xfd, opcode, 0);
    unsigned(out, offset);
    out.push(lane);
  });
}

function constant<T extends ValueType>(type: T, emit: (out: number[]) => void): Expr<T> {
  return { type, emit };
}

function callInto(out: number[], target: Func, args: readonly Expr[]): void {
  for (const argument of args) argument.emit(out);
  out.push(0x10);
  unsigned(out, target.index);
}

function encode(out: number[], [prefix, opcode]: readonly [number, number]): void {
  if (prefix === 0) out.push(opcode);
  else {
    out.push(prefix);
    unsigned(out, opcode);
  }
}

function memoryArgument(out: number[], name: string, offset: number): void {
  out.push(NATURAL_ALIGNMENT[name] ?? 0);
  unsigned(out, offset);
}

function section<T>(
  out: number[],
  id: number,
  items: readonly T[],
  write: (s: number[], item: T) => void,
): void {
  const s: number[] = [];
  unsigned(s, items.length);
  for (const item of items) write(s, item);
  out.push(id);
  unsigned(out, s.length);
  for (const byte of s) out.push(byte);
}

function text(out: number[], value: string): void {
  const bytes = new TextEncoder().encode(value);
  unsigned(out, bytes.length);
  out.push(...bytes);
}

/** Unsigned LEB128. */
function unsigned(out: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
}

/** Signed LEB128. */
function signed(out: number[], value: number): void {
  let rest = value | 0;
  for (;;) {
    const byte = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0)) {
      out.push(byte);
      return;
    }
    out.push(byte | 0x80);
  }
}
