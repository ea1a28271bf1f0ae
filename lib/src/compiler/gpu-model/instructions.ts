/**
 * What the warps of a block do, instruction by instruction: the loops of a kernel are walked, registers named, and addresses
 * of all lanes computed. Values are not.
 */

import { bytesPerElement } from "../../core/dtype.js";
import type { Affine } from "../loop/affine.js";
import { type Buffer, type Condition, type Expr, type For, type Stmt, walk, walkExpr } from "../loop/ir.js";
import { type Grid, roundsOf } from "./grid.js";
import { type Code, compile, flatIndex } from "./indices.js";
import { sectorsOf, turnsOf } from "./memory-access.js";
import { WARP } from "./occupancy.js";

/** One instruction of a warp. */
export interface Instruction {
  readonly kind: "math" | "load" | "store" | "barrier" | "copy";
  /** Where a load or store goes. */
  readonly space: "global" | "shared" | null;
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  /** Global: sectors of 32 bytes. */
  readonly sectors: readonly number[];
  /** Shared: turns of the banks, and how many there would be without conflicts. */
  readonly turns: number;
  readonly ideal: number;
  /** Operations on floats of all lanes; a multiply-add counts two. */
  readonly flops: number;
}

const TEMPORARIES = 256;
const NOTHING: readonly number[] = [];
/** Counter, comparison and jump of a loop, spread over a few rounds that a compiler unrolls. */
const LOOP_MATH = 1;

interface Vector {
  readonly variable: string;
  readonly count: number;
}

interface Lanes {
  readonly loops: readonly For[];
  /** Values of the thread loops' variables, lane by lane. */
  readonly of: readonly (readonly number[])[];
}

/** The instructions of one warp of one block. */
export class Warp {
  private readonly values = new Map<string, number>();
  private readonly registerOf = new Map<string, number>();
  private readonly names = new Map<string, readonly number[]>();
  private readonly codes = new WeakMap<Affine, Code>();
  private readonly baseOf = new Map<string, number>();
  private temporary = 0;
  private lanes: Lanes = { loops: [], of: [[]] };
  private pending = { read: new Set<string>(), written: new Set<string>() };

  constructor(
    private readonly grid: Grid,
    private readonly warp: number,
    block: readonly number[],
    /** At most so many rounds of the longest loop. */
    private readonly most: number,
  ) {
    grid.blocks.forEach((loop, i) => {
      this.values.set(loop.variable, block[i]);
    });
    grid.kernel.params.forEach((buffer, i) => {
      this.baseOf.set(buffer.name, i * 2 ** 36);
    });
  }

  *run(): Generator<Instruction> {
    yield* this.block(this.grid.body);
  }

  private *block(body: readonly Stmt[], vector: Vector | null = null): Generator<Instruction> {
    for (const s of body) yield* this.statement(s, vector);
  }

  private *statement(s: Stmt, vector: Vector | null): Generator<Instruction> {
    switch (s.kind) {
      case "for":
        yield* s.loop === "thread" ? this.threads(s) : this.loop(s, vector);
        break;
      case "if": {
        const kept = this.lanes.of.filter((lane) => this.holds(s.conditions, lane));
        if (kept.length === 0) break;
        const before = this.lanes;
        this.lanes = { ...before, of: kept };
        yield* this.block(s.body, vector);
        this.lanes = before;
        break;
      }
      case "let":
        this.names.set(s.name, yield* this.value(s.value, vector));
        break;
      case "store":
        yield* this.store(s.buffer, s.indices, s.value, vector);
        break;
      case "reduce": {
        const product = s.op === "add" && s.value.kind === "op" && s.value.op === "mul" ? s.value.args : null;
        const parts: (readonly number[])[] = [];
        for (const arg of product ?? [s.value]) parts.push(yield* this.value(arg, vector));
        const old = yield* this.load(s.buffer, s.indices, vector, null);
        const inRegisters = isPrivate(s.buffer);
        const sum = inRegisters ? old : old.map(() => this.fresh());
        for (let i = 0; i < old.length; i++)
          yield this.math([...parts.map((p) => p[i] ?? p[0]), old[i]], sum[i], product ? 2 : 1);
        if (!inRegisters) yield* this.memory(s.buffer, s.indices, vector, "store", sum);
      }
    }
  }

  /** A nest of thread loops: this warp's threads of it, with a barrier before it where other warps' work is read. */
  private *threads(outer: For): Generator<Instruction> {
    const loops = [outer];
    for (
      let s = outer.body[0];
      outer.body.length === 1 && s.kind === "for" && s.loop === "thread";
      s = s.body[0]
    )
      loops.push(s);
    const inner = loops[loops.length - 1].body;
    const { read, written } = sharedIn(inner);
    const conflict = (mine: Iterable<string>, theirs: ReadonlySet<string>): boolean =>
      [...mine].some((name) => theirs.has(name));
    const { pending } = this;
    if (
      conflict(written, pending.read) ||
      conflict(written, pending.written) ||
      conflict(read, pending.written)
    ) {
      pending.read.clear();
      pending.written.clear();
      yield BARRIER;
    }
    for (const name of read) pending.read.add(name);
    for (const name of written) pending.written.add(name);
    const counts = loops.map(roundsOf);
    const total = counts.reduce((a, b) => a * b, 1);
    const of: number[][] = [];
    for (let lane = 0; lane < WARP; lane++) {
      let rest = this.warp * WARP + lane;
      if (rest >= total) break;
      const at = new Array<number>(loops.length);
      for (let axis = loops.length - 1; axis >= 0; axis--) {
        at[axis] = rest % counts[axis];
        rest = Math.floor(rest / counts[axis]);
      }
      of.push(at);
    }
    if (of.length === 0) return;
    this.lanes = { loops, of };
    for (const loop of loops) this.values.set(loop.variable, 0); // registers are named without the thread
    yield* this.block(inner);
    this.lanes = { loops: [], of: [[]] };
  }

  private *loop(s: For, vector: Vector | null): Generator<Instruction> {
    const from = this.evaluate(s.from, this.lanes.of[0]);
    const to = this.evaluate(s.to, this.lanes.of[0]);
    if (s.loop === "vectorized" && vector === null) {
      this.values.set(s.variable, from);
      yield* this.block(s.body, { variable: s.variable, count: to - from });
      return;
    }
    const cut = s.loop === "serial" && s.variable === this.grid.longest?.variable;
    const end = cut ? Math.min(to, from + this.most) : to;
    const innermost = s.loop === "serial" && this.lanes.loops.length > 0;
    for (let i = from; i < end; i++) {
      this.values.set(s.variable, i);
      if (innermost) for (let k = 0; k < LOOP_MATH; k++) yield this.math(NOTHING, -1, 0);
      yield* this.block(s.body, vector);
    }
  }

  private *store(
    buffer: Buffer,
    indices: readonly Affine[],
    value: Expr,
    vector: Vector | null,
  ): Generator<Instruction> {
    if (!isPrivate(buffer)) {
      const from = yield* this.value(value, vector);
      yield* this.memory(buffer, indices, vector, "store", from);
      return;
    }
    const targets = this.registers(buffer, indices, vector);
    if (value.kind === "load") {
      const from = yield* this.load(
        value.buffer,
        value.indices,
        vector,
        isPrivate(value.buffer) ? null : targets,
      );
      if (isPrivate(value.buffer)) yield { ...COPY, reads: from, writes: targets };
      return;
    }
    const from = yield* this.value(value, vector);
    for (let i = 0; i < targets.length; i++)
      yield this.math(from[i] >= 0 ? [from[i]] : NOTHING, targets[i], 0);
  }

  /** Registers of a value, one per element of the vector; −1: a constant. */
  private *value(e: Expr, vector: Vector | null): Generator<Instruction, readonly number[]> {
    const width = vector?.count ?? 1;
    switch (e.kind) {
      case "constant":
      case "index":
        return new Array<number>(width).fill(-1);
      case "name":
        return this.names.get(e.name) ?? new Array<number>(width).fill(-1);
      case "load":
        return yield* this.load(e.buffer, e.indices, vector, null);
      case "cast":
        return yield* this.value(e.of, vector);
      case "when": {
        const holds = this.lanes.of.filter((lane) => this.holds(e.conditions, lane));
        const before = this.lanes;
        let found: readonly number[] = new Array<number>(width).fill(-1);
        if (holds.length > 0) {
          this.lanes = { ...before, of: holds };
          found = yield* this.value(e.yes, vector);
          this.lanes = before;
        }
        return found;
      }
      default: {
        const parts: (readonly number[])[] = [];
        for (const arg of e.args) parts.push(yield* this.value(arg, vector));
        const out: number[] = [];
        for (let i = 0; i < width; i++) {
          const to = this.fresh();
          yield this.math(
            parts.map((p) => p[i] ?? p[0]).filter((r) => r >= 0),
            to,
            1,
          );
          out.push(to);
        }
        return out;
      }
    }
  }

  private *load(
    buffer: Buffer,
    indices: readonly Affine[],
    vector: Vector | null,
    into: readonly number[] | null,
  ): Generator<Instruction, readonly number[]> {
    if (isPrivate(buffer)) return this.registers(buffer, indices, vector);
    const to = into ?? Array.from({ length: vector?.count ?? 1 }, () => this.fresh());
    yield* this.memory(buffer, indices, vector, "load", to);
    return to;
  }

  /** Accesses of the lanes to memory: one of several elements where they are neighbours, of at most 16 bytes. */
  private *memory(
    buffer: Buffer,
    indices: readonly Affine[],
    vector: Vector | null,
    kind: "load" | "store",
    registers: readonly number[],
  ): Generator<Instruction> {
    const width = bytesPerElement(buffer.dtype);
    const flat = flatIndex(buffer, indices);
    const count = vector?.count ?? 1;
    const step = vector ? flat.coefficient(vector.variable) : 0;
    const neighbours = vector !== null && step === 1 && flat.isAffineIn(vector.variable);
    const piece = neighbours ? Math.min(count, Math.max(1, 16 / width)) : 1;
    const rounds = step === 0 ? 1 : Math.ceil(count / piece);
    for (let r = 0; r < rounds; r++) {
      const base = (this.baseOf.get(buffer.name) ?? 0) + r * piece * step * width;
      const addresses = this.lanes.of.map((lane) => base + this.evaluate(flat, lane) * width);
      const mine = step === 0 ? registers : registers.slice(r * piece, (r + 1) * piece);
      const used = mine.filter((x) => x >= 0);
      const space = buffer.scope === "workgroup" ? "shared" : "global";
      const bytes = piece * width;
      const { turns, ideal } = space === "shared" ? turnsOf(addresses, bytes) : NO_TURNS;
      yield {
        kind,
        space,
        reads: kind === "store" ? used : NOTHING,
        writes: kind === "load" ? used : NOTHING,
        sectors: space === "global" ? sectorsOf(addresses, bytes) : NOTHING,
        turns,
        ideal,
        flops: 0,
      };
    }
  }

  private registers(buffer: Buffer, indices: readonly Affine[], vector: Vector | null): readonly number[] {
    const flat = flatIndex(buffer, indices);
    const at = this.codeOf(flat)(this.values);
    const step = vector ? flat.coefficient(vector.variable) : 0;
    return Array.from({ length: vector?.count ?? 1 }, (_, i) => {
      const key = `${buffer.name} ${at + i * step}`;
      let register = this.registerOf.get(key);
      if (register === undefined) {
        register = TEMPORARIES + this.registerOf.size;
        this.registerOf.set(key, register);
      }
      return register;
    });
  }

  private math(reads: readonly number[], write: number, flopsPerLane: number): Instruction {
    return {
      ...COPY,
      kind: "math",
      reads: reads.filter((r) => r >= 0),
      writes: write >= 0 ? [write] : NOTHING,
      flops: flopsPerLane * this.lanes.of.length,
    };
  }

  private fresh(): number {
    this.temporary = (this.temporary + 1) % TEMPORARIES;
    return this.temporary;
  }

  private holds(conditions: readonly Condition[], lane: readonly number[]): boolean {
    return conditions.every(({ left, right }) => this.evaluate(left, lane) < this.evaluate(right, lane));
  }

  /** For one lane. */
  private evaluate(e: Affine, lane: readonly number[]): number {
    const { loops } = this.lanes;
    for (let i = 0; i < loops.length; i++) this.values.set(loops[i].variable, lane[i]);
    const value = this.codeOf(e)(this.values);
    for (const loop of loops) this.values.set(loop.variable, 0);
    return value;
  }

  private codeOf(e: Affine): Code {
    let code = this.codes.get(e);
    if (!code) {
      code = compile(e);
      this.codes.set(e, code);
    }
    return code;
  }
}

const NO_TURNS = { turns: 0, ideal: 0 } as const;
const COPY: Instruction = {
  kind: "copy",
  space: null,
  reads: NOTHING,
  writes: NOTHING,
  sectors: NOTHING,
  turns: 0,
  ideal: 0,
  flops: 0,
};
const BARRIER: Instruction = { ...COPY, kind: "barrier" };

const isPrivate = ({ scope }: Buffer): boolean => scope === "register" || scope === "local";

/** Workgroup buffers that statements read and write. */
function sharedIn(body: readonly Stmt[]): { read: Set<string>; written: Set<string> } {
  const read = new Set<string>();
  const written = new Set<string>();
  const note = (buffer: Buffer, into: Set<string>): void => {
    if (buffer.scope === "workgroup") into.add(buffer.name);
  };
  walk(body, (s) => {
    if (s.kind === "store" || s.kind === "reduce") note(s.buffer, written);
    if (s.kind === "reduce") note(s.buffer, read);
    if (s.kind === "store" || s.kind === "reduce" || s.kind === "let")
      walkExpr(s.value, (e) => {
        if (e.kind === "load") note(e.buffer, read);
      });
  });
  return { read, written };
}
