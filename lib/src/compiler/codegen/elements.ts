/** Elements of buffers as a target's values: register buffers are variables, loads are kept where the target asks for that. */
import { type Affine, affine } from "../loop/affine.js";
import { type Buffer, LoopError, type Stmt, walk } from "../loop/ir.js";
import { offsetOf } from "./address.js";
import { type Lanes, placeOf } from "./places.js";
import type { Cell, Target } from "./target.js";

interface Registers<E> {
  readonly lanes: number;
  readonly cells: Map<number, Cell<E>>;
}

export class Elements<E> {
  private readonly registers = new Map<string, Registers<E>>();
  /** Values in variables, by what they were read from: of the straight piece of code being written. */
  private kept = new Map<string, { readonly buffer: string; readonly value: E }>();

  constructor(
    private readonly kernelName: string,
    private readonly target: Target<E>,
  ) {}

  /** Declares a register buffer, kept in vectors of so many lanes. */
  declare(buffer: Buffer, lanes: number): void {
    this.registers.set(buffer.name, { lanes, cells: new Map() });
  }

  /** The vectors that hold all of a register buffer; `null` if it is not kept in several lanes. */
  vectors(buffer: Buffer): E[] | null {
    const file = this.registers.get(buffer.name);
    const count = buffer.shape.reduce((n, d) => n * d.constant, 1);
    if (!file || file.lanes === 1 || count % file.lanes !== 0) return null;
    const cells = Array.from({ length: count / file.lanes }, (_, slot) => file.cells.get(slot));
    return cells.every((cell) => cell !== undefined) ? cells.map((cell) => cell.get()) : null;
  }

  /** Writes code that may run often or not at all: what is read in it is not known outside. */
  apart(write: () => void): void {
    const { kept } = this;
    this.kept = new Map();
    write();
    this.kept = kept;
  }

  /** Elements that these statements write are to be read again. */
  forget(body: readonly Stmt[]): void {
    walk(body, (s) => {
      if (s.kind === "store" || s.kind === "reduce") this.forgetBuffer(s.buffer.name);
    });
  }

  /** A value that follows from a buffer's elements only: made once while they stay, if the target wants that. */
  keep(key: string, { name, dtype }: Pick<Buffer, "name" | "dtype">, lanes: number, make: () => E): E {
    if (!this.target.keepsLoads) return make();
    let kept = this.kept.get(key);
    if (!kept) {
      const cell = this.target.cell("x", dtype, lanes);
      cell.set(make());
      kept = { buffer: name, value: cell.get() };
      this.kept.set(key, kept);
    }
    return kept.value;
  }

  read(buffer: Buffer, indices: readonly Affine[], lanes: Lanes | null): E {
    const { target } = this;
    const count = lanes?.count ?? 1;
    if (buffer.scope !== "register") {
      const place = placeOf(buffer, indices, lanes);
      const existing = place.lie === "same" ? null : (lanes?.existing ?? null);
      const key = `${buffer.name} ${place.offset.key()} ${place.lie} ${place.step.key()} ${count} ${existing}`;
      return this.keep(key, buffer, count, () => target.load(place, count, existing));
    }
    const { cell, lane, width } = this.register(buffer, indices, lanes);
    if (lane === null) return cell.get();
    const one = width === 1 ? cell.get() : target.lane(cell.get(), lane, buffer.dtype, width);
    return count === 1 ? one : target.splat(one, buffer.dtype, count);
  }

  write(buffer: Buffer, indices: readonly Affine[], value: E, lanes: Lanes | null): void {
    const { target } = this;
    const count = lanes?.count ?? 1;
    if (buffer.scope !== "register") {
      target.store(placeOf(buffer, indices, lanes), value, count, lanes?.existing ?? null);
      this.forgetBuffer(buffer.name);
      return;
    }
    const { cell, lane, width } = this.register(buffer, indices, lanes);
    if (lane === null)
      cell.set(
        lanes?.existing ? target.blend(lanes.existing, value, cell.get(), buffer.dtype, count) : value,
      );
    else if (width === 1) cell.set(value);
    else cell.set(target.withLane(cell.get(), lane, value, buffer.dtype, width));
  }

  /** The variable that holds an element of a register buffer; `lane` null: the whole vector is meant. */
  private register(
    buffer: Buffer,
    indices: readonly Affine[],
    lanes: Lanes | null,
  ): { cell: Cell<E>; lane: number | null; width: number } {
    const file = this.registers.get(buffer.name);
    if (!file)
      throw new LoopError(`${this.kernelName}: the register buffer "${buffer.name}" is not declared here`);
    const along = lanes !== null && indices.some((i) => i.coefficient(lanes.variable) !== 0);
    const fixed = lanes
      ? indices.map((i) => i.substitute(new Map([[lanes.variable, affine(lanes.first)]])))
      : indices;
    const offset = offsetOf(buffer, fixed).number;
    if (offset === null)
      throw new LoopError(
        `${this.kernelName}: the index [${indices.join(", ")}] of the register buffer "${buffer.name}" is not constant; unroll its loops`,
      );
    const slot = Math.floor(offset / file.lanes);
    let cell = file.cells.get(slot);
    if (!cell) {
      cell = this.target.cell(`${buffer.name}_${slot}`, buffer.dtype, file.lanes);
      file.cells.set(slot, cell);
    }
    if (along && (lanes.count !== file.lanes || offset % file.lanes !== 0))
      throw new LoopError(`${this.kernelName}: "${buffer.name}" is not kept in vectors of ${lanes.count}`);
    return { cell, lane: along ? null : file.lanes === 1 ? 0 : offset % file.lanes, width: file.lanes };
  }

  private forgetBuffer(name: string): void {
    for (const [key, { buffer }] of this.kept) if (buffer === name) this.kept.delete(key);
  }
}
