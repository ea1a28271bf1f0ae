/**
 * Addresses and index expressions as i32. An address that grows evenly in a loop becomes a pointer that the loop moves along
 * (V8 does not find them itself: measured, 2–3 times on matrix products).
 */
import { bytesPerElement } from "../../../core/dtype.js";
import { type Expr, type Func, i32, type Local, op, select } from "../../../runtime/wasm/assembler.js";
import { type Affine, type Atom, affine } from "../../loop/affine.js";
import type { Buffer, Condition } from "../../loop/ir.js";
import { Polynomial } from "../address.js";
import type { Place } from "../target.js";
import { WasmArithmetic } from "./arithmetic.js";

type I = Expr<"i32">;

/** A loop being written: pointers that it moves. */
export interface Moving {
  readonly variable: string;
  readonly from: Affine;
  readonly pointers: Map<
    string,
    { readonly local: Local<"i32">; readonly start: Polynomial; readonly step: Polynomial }
  >;
}

export class WasmAddresses extends WasmArithmetic {
  protected moving: Moving[] = [];
  protected variables = new Map<string, Local<"i32">>();
  protected scratchUsed = 0;
  protected readonly locals = new Map<string, number>();

  /** `names`: where sizes and buffers are found among the parameters. */
  constructor(
    f: Func,
    protected names: ReadonlyMap<string, Local<"i32">>,
    protected scratch: Local<"i32">,
    relaxed: boolean,
  ) {
    super(f, relaxed);
  }

  /** Bytes of scratch memory that local buffers take. */
  get scratchBytes(): number {
    return this.scratchUsed;
  }

  bind(variable: string, local: Local<"i32">): void {
    this.variables.set(variable, local);
  }

  local(buffer: Buffer): void {
    if (this.locals.has(buffer.name)) return;
    const size = buffer.shape.reduce((n, d) => n * d.constant, 1) * bytesPerElement(buffer.dtype);
    this.locals.set(buffer.name, this.scratchUsed);
    this.scratchUsed += Math.ceil(size / 64) * 64;
  }

  protected step(place: Place): I {
    return this.polynomial(place.step.scale(bytesPerElement(place.buffer.dtype)));
  }

  /** Where an element lies: a pointer and a constant offset. */
  protected address({ buffer, offset }: Place): { base: I; offset: number } {
    const size = bytesPerElement(buffer.dtype);
    const name = this.names.get(buffer.name);
    const local = this.locals.get(buffer.name);
    if (!name && local === undefined) throw new TypeError(`no memory for the buffer "${buffer.name}"`);
    const bytes = offset.scale(size).plus(Polynomial.of(affine(local ?? 0)));
    const whole = bytes.plus(Polynomial.of(affine(name ? ` ${buffer.name}` : " scratch")));
    const immediate = Math.max(0, bytes.constant);
    return { base: this.pointer(immediate === 0 ? whole : whole.withoutConstant()), offset: immediate };
  }

  /** The address as a pointer of the innermost loop being written, where it grows evenly. */
  protected pointer(address: Polynomial): I {
    const moving = this.moving.pop();
    if (!moving) return this.polynomial(address);
    try {
      const step = address.slope(moving.variable);
      if (step === null) return this.polynomial(address);
      if (step.number === 0) {
        if (address.terms.size === 1) return this.polynomial(address);
      }
      const key = address.key();
      let found = moving.pointers.get(key);
      if (!found) {
        found = { local: this.f.local("i32"), start: address.substitute(moving.variable, moving.from), step };
        moving.pointers.set(key, found);
      }
      return found.local;
    } finally {
      this.moving.push(moving);
    }
  }

  protected condition(conditions: readonly Condition[]): I {
    return conditions
      .map(({ left, right }): I => op("i32.lt_s", this.number(left), this.number(right)))
      .reduce((a, b) => op("i32.and", a, b));
  }

  /** An index expression as an i32. */
  integer(e: Affine): I {
    return this.number(e);
  }

  protected number(e: Affine): I {
    return this.polynomial(Polynomial.of(e));
  }

  protected polynomial(p: Polynomial): I {
    let sum: I | null = null;
    for (const { coefficient, factors } of p.terms.values()) {
      if (factors.length === 0) continue;
      let product = factors.map(({ atom }) => this.atom(atom)).reduce((a, b) => op("i32.mul", a, b));
      if (coefficient !== 1) product = op("i32.mul", product, i32(coefficient));
      sum = sum === null ? product : op("i32.add", sum, product);
    }
    if (sum === null) return i32(p.constant);
    return p.constant === 0 ? sum : op("i32.add", sum, i32(p.constant));
  }

  protected atom(atom: Atom): I {
    const { f } = this;
    if (atom.kind === "var") {
      if (atom.name === " scratch") return this.scratch;
      const local = this.variables.get(atom.name) ?? this.names.get(atom.name.trim());
      if (!local) throw new TypeError(`no variable "${atom.name}"`);
      return local;
    }
    if (atom.kind === "min" || atom.kind === "max") {
      return atom.of
        .map((p) => this.number(p))
        .reduce((a, b) => {
          const [x, y] = [f.let(a), f.let(b)];
          return select(op(atom.kind === "min" ? "i32.lt_s" : "i32.gt_s", x, y), x, y);
        });
    }
    const of = this.number(atom.of);
    const { by } = atom;
    if ((by & (by - 1)) === 0)
      return atom.kind === "mod" ? op("i32.and", of, i32(by - 1)) : op("i32.shr_s", of, i32(Math.log2(by)));
    const x = f.let(of);
    // Rounds down below zero too.
    const quotient = op(
      "i32.div_s",
      op("i32.sub", x, op("i32.and", op("i32.shr_s", x, i32(31)), i32(by - 1))),
      i32(by),
    );
    return atom.kind === "floordiv" ? quotient : op("i32.sub", x, op("i32.mul", quotient, i32(by)));
  }
}
