/** Instructions of a tile: how its operands lie on the chip, what goes through the array, where its results are. */
import type { Memory, NpuConfig } from "./config.js";
import { ELEMENT_BYTES, type Element, instruction } from "./isa.js";
import type { Emitter } from "./kernel.js";
import type { Block, Product, Room, StepPlan, TileStep } from "./product.js";

/** Writes tiles of at most one size, into slots of each memory. */
export class TileWriter {
  /** Stationary inputs are stationary weights of the transposed product. */
  private readonly turned: boolean;

  constructor(
    private readonly config: NpuConfig,
    private readonly out: Emitter,
    private readonly product: Product,
    private readonly size: { readonly m: number; readonly n: number; readonly k: number },
    private readonly room: Room,
    private readonly scratch: number,
  ) {
    this.turned = config.dataflow === "input";
  }

  /** Rows of the accumulators between one block of columns and the next. */
  private get blockRows(): number {
    return this.turned ? this.size.n : this.size.m;
  }

  private base(memory: Memory, slot: number): number {
    const all = this.config.memory[memory].rows - (memory === "acc" ? this.scratch : 0);
    return slot * Math.floor(all / this.room.slots[memory]);
  }

  loadA(s: TileStep, slot: number): void {
    const { a } = this.product;
    const { rows, columns, dataflow } = this.config;
    const from = a.address + s.a * ELEMENT_BYTES[a.type];
    const base = this.base("input", slot);
    if (dataflow === "output")
      this.panels(
        "input",
        base,
        a.type,
        from,
        { count: s.k, step: a.across },
        { count: s.m, step: a.down },
        rows,
        this.size.k,
      );
    else if (this.turned)
      this.tiles(
        "input",
        base,
        a.type,
        from,
        { count: s.k, step: a.across },
        { count: s.m, step: a.down },
        columns,
      );
    else
      this.panels(
        "input",
        base,
        a.type,
        from,
        { count: s.m, step: a.down },
        { count: s.k, step: a.across },
        rows,
        this.size.m,
      );
  }

  loadB(s: TileStep, slot: number): void {
    const { b } = this.product;
    const { rows, columns, dataflow } = this.config;
    const from = b.address + s.b * ELEMENT_BYTES[b.type];
    const base = this.base("weight", slot);
    if (dataflow === "output")
      this.panels(
        "weight",
        base,
        b.type,
        from,
        { count: s.k, step: b.down },
        { count: s.n, step: b.across },
        columns,
        this.size.k,
      );
    else if (this.turned)
      this.panels(
        "weight",
        base,
        b.type,
        from,
        { count: s.n, step: b.across },
        { count: s.k, step: b.down },
        rows,
        this.size.n,
      );
    else
      this.tiles(
        "weight",
        base,
        b.type,
        from,
        { count: s.k, step: b.down },
        { count: s.n, step: b.across },
        columns,
      );
  }

  /** Panels as wide as a row of the memory, one after the other: panel p's row i is row p · height + i. */
  private panels(
    memory: Memory,
    base: number,
    type: Element,
    from: number,
    down: Axis,
    across: Axis,
    width: number,
    height: number,
  ): void {
    const bytes = ELEMENT_BYTES[type];
    const load = (panel: number, panels: number, lanes: number): void =>
      this.out.emit(
        instruction("load", {
          mem: memory,
          type,
          row: base + panel * height,
          ny: panels,
          sy: height,
          nx: down.count,
          lanes,
          dram: from + panel * width * across.step * bytes,
          dy: width * across.step,
          dx: down.step,
          dl: across.step,
        }),
      );
    const whole = Math.floor(across.count / width);
    if (whole > 0) load(0, whole, width);
    if (across.count % width > 0) load(whole, 1, across.count % width);
  }

  /** Tiles as large as the array: tile (p, q) begins at row (p · tiles across + q) · R. */
  private tiles(
    memory: Memory,
    base: number,
    type: Element,
    from: number,
    down: Axis,
    across: Axis,
    width: number,
  ): void {
    const { rows } = this.config;
    const wide = Math.ceil((this.turned ? this.size.m : this.size.n) / width);
    for (let p = 0; p * rows < down.count; p++) {
      const height = Math.min(rows, down.count - p * rows);
      this.panels(
        memory,
        base + p * wide * rows,
        type,
        from + p * rows * down.step * ELEMENT_BYTES[type],
        { count: height, step: down.step },
        across,
        width,
        rows,
      );
    }
  }

  multiply(s: TileStep, plan: StepPlan, accumulate: boolean): void {
    const { rows: R, columns: C, dataflow } = this.config;
    const [a, b, c] = [
      this.base("input", plan.a.slot),
      this.base("weight", plan.b.slot),
      this.base("acc", plan.c.slot),
    ];
    const { out, size } = this;
    if (dataflow === "output") {
      for (let q = 0; q * C < s.n; q++)
        for (let p = 0; p * R < s.m; p++) {
          const [m, n] = [Math.min(R, s.m - p * R), Math.min(C, s.n - q * C)];
          out.emit(instruction("outer", { row: a + p * size.k, weight: b + q * size.k, k: s.k, m, n }));
          out.emit(
            instruction("drain", { acc: c + q * size.m + p * R, m, n, accumulate: accumulate ? 1 : 0 }),
          );
        }
      return;
    }
    const [stays, moves] = this.turned ? [a, b] : [b, a];
    const [across, moving, wide, high] = this.turned
      ? [s.m, s.n, size.m, size.n]
      : [s.n, s.m, size.n, size.m];
    for (let p = 0; p * R < s.k; p++)
      for (let q = 0; q * C < across; q++) {
        const row = stays + (p * Math.ceil(wide / C) + q) * R;
        out.emit(
          instruction("preload", {
            row,
            rows: Math.min(R, s.k - p * R),
            columns: Math.min(C, across - q * C),
          }),
        );
        out.emit(
          instruction("matmul", {
            row: moves + p * high,
            nx: moving,
            acc: c + q * high,
            accumulate: accumulate || p > 0 ? 1 : 0,
          }),
        );
      }
  }

  /** The tile of C as rectangles of the accumulators. */
  blocks(s: TileStep, slot: number): Block[] {
    const { columns: C } = this.config;
    const base = this.base("acc", slot);
    const [across, rows] = this.turned ? [s.m, s.n] : [s.n, s.m];
    return Array.from({ length: Math.ceil(across / C) }, (_, q) => ({
      row: base + q * this.blockRows,
      along: this.turned ? ("n" as const) : ("m" as const),
      m0: s.m0 + (this.turned ? q * C : 0),
      n0: s.n0 + (this.turned ? 0 : q * C),
      rows,
      lanes: Math.min(C, across - q * C),
    }));
  }

  store(s: TileStep, slot: number): void {
    this.moveC(s, slot, (i) => this.out.emit(instruction("store", i)));
  }

  loadC(s: TileStep, slot: number): void {
    this.moveC(s, slot, (i) => this.out.emit(instruction("load", { ...i, mem: "acc" })));
  }

  private moveC(
    s: TileStep,
    slot: number,
    emit: (i: Rectangle & { type: Element; dram: number; dy: number; dx: number; dl: number }) => void,
  ): void {
    const { c } = this.product;
    const { columns: C } = this.config;
    const base = this.base("acc", slot);
    const from = c.address + s.c * ELEMENT_BYTES[c.type];
    const [across, rows, step, dx] = this.turned
      ? [s.m, s.n, c.down, c.across]
      : [s.n, s.m, c.across, c.down];
    const go = (q: number, count: number, lanes: number): void =>
      emit({
        type: c.type,
        row: base + q * this.blockRows,
        lane: 0,
        ny: count,
        sy: this.blockRows,
        nx: rows,
        sx: 1,
        lanes,
        dram: from + q * C * step * ELEMENT_BYTES[c.type],
        dy: C * step,
        dx,
        dl: step,
      });
    const whole = Math.floor(across / C);
    if (whole > 0) go(0, whole, C);
    if (across % C > 0) go(whole, 1, across % C);
  }
}

interface Axis {
  readonly count: number;
  readonly step: number;
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
