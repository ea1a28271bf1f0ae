/**
 * Products on the array. A product is a list of steps, one tile each; what lies where, and what moves when, follows from the
 * steps' order and the memories' sizes. Tiles that come round again are kept, the next ones come while this one is used.
 */
import { type Memory, type NpuConfig, NpuError } from "./config.js";
import { ELEMENT_BYTES, type Element, instruction } from "./isa.js";
import type { Emitter } from "./kernel.js";
import { TileSlots } from "./slots.js";

/** A matrix in outer memory: byte address, elements from row to row and from column to column. */
export interface Matrix {
  readonly address: number;
  readonly down: number;
  readonly across: number;
  readonly type: Element;
}

/** C (m × n) = A (m × k) · B (k × n). */
export interface Product {
  readonly a: Matrix;
  readonly b: Matrix;
  readonly c: Matrix;
  /** Adds to what is in C. */
  readonly onto: boolean;
  /** C itself is wanted, not just what the epilogue makes of it. */
  readonly keep: boolean;
}

/** One tile of a product: corners in elements from the matrices' beginnings, and sizes. */
export interface TileStep {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  /** The tile's corner in C, for epilogues. */
  readonly m0: number;
  readonly n0: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Results in the accumulators, for an epilogue: a block of rows × lanes. */
export interface Block {
  readonly row: number;
  /** Which size its rows go along; the lanes go along the other. */
  readonly along: "m" | "n";
  readonly m0: number;
  readonly n0: number;
  readonly rows: number;
  readonly lanes: number;
}

export interface Epilogue {
  /** Rows at the end of the accumulators that it works in. */
  readonly scratch: number;
  run(block: Block): void;
}

/** Rows that a tile of at most this size takes in each memory. */
export function tileRows(
  config: NpuConfig,
  { m, n, k }: { readonly m: number; readonly n: number; readonly k: number },
): Record<Memory, number> {
  const { rows, columns, dataflow } = config;
  const up = Math.ceil;
  if (dataflow === "output")
    return { input: up(m / rows) * k, weight: up(n / columns) * k, acc: up(n / columns) * m };
  const [moving, across] = dataflow === "input" ? [n, m] : [m, n];
  const stays = rows * up(k / rows) * up(across / columns);
  const moves = moving * up(k / rows);
  const acc = moving * up(across / columns);
  return dataflow === "input" ? { input: stays, weight: moves, acc } : { input: moves, weight: stays, acc };
}

/** Tiles that each memory has room for. */
export interface Room {
  readonly rows: Record<Memory, number>;
  readonly slots: Record<Memory, number>;
}

/**
 * @throws NpuError naming the memory that a tile does not fit into.
 */
export function roomFor(
  config: NpuConfig,
  size: { readonly m: number; readonly n: number; readonly k: number },
  scratch = 0,
): Room {
  const rows = tileRows(config, size);
  const slots = Object.fromEntries(
    Object.entries(rows).map(([memory, need]) => {
      const all = config.memory[memory as Memory].rows - (memory === "acc" ? scratch : 0);
      if (need > all)
        throw new NpuError(
          `a tile of m × n × k = ${size.m} × ${size.n} × ${size.k} needs ${need} rows of ${memory}; ${config.name} has ${all}${scratch > 0 && memory === "acc" ? ` beside the epilogue's ${scratch}` : ""}`,
        );
      return [memory, Math.floor(all / need)];
    }),
  ) as Record<Memory, number>;
  return { rows, slots };
}

/** Keys of a step's tiles: equal keys, equal tiles. */
export const tileKeys = (s: TileStep) => ({
  a: `${s.a} ${s.m} ${s.k}`,
  b: `${s.b} ${s.k} ${s.n}`,
  c: `${s.c}`,
});

/** What happens to the tiles in each step, for the program and for predictions alike. */
export interface StepPlan {
  readonly a: { readonly slot: number; readonly missed: boolean };
  readonly b: { readonly slot: number; readonly missed: boolean };
  readonly c: { readonly slot: number; readonly missed: boolean };
  /** First and last step of this tile of C. */
  readonly first: boolean;
  readonly last: boolean;
  /** A tile of C whose partial sums must go out to make room: the step that has it. */
  readonly spill: { readonly step: TileStep; readonly slot: number } | null;
}

/** Goes through the steps and decides where each tile lies. */
export function planSteps(steps: readonly TileStep[], room: Room): StepPlan[] {
  const keys = steps.map(tileKeys);
  const slots = {
    a: new TileSlots(
      "input",
      room.slots.input,
      keys.map((k) => k.a),
    ),
    b: new TileSlots(
      "weight",
      room.slots.weight,
      keys.map((k) => k.b),
    ),
    c: new TileSlots(
      "acc",
      room.slots.acc,
      keys.map((k) => k.c),
    ),
  };
  const begun = new Map<string, TileStep>();
  return steps.map((step, at) => {
    const key = keys[at];
    const [a, b, c] = [slots.a.take(key.a, at), slots.b.take(key.b, at), slots.c.take(key.c, at)];
    const first = !begun.has(key.c);
    begun.set(key.c, step);
    const spilled = c.evicted === null ? null : (begun.get(c.evicted) as TileStep);
    return {
      a,
      b,
      c,
      first,
      last: !slots.c.needed(key.c),
      spill: spilled && { step: spilled, slot: c.slot },
    };
  });
}

/** Emits a product, tile by tile, in the order of its meaning. */
export function emitProduct(
  config: NpuConfig,
  out: Emitter,
  product: Product,
  steps: readonly TileStep[],
  epilogue: Epilogue | null = null,
): void {
  if (steps.length === 0) return;
  const most = (f: (s: TileStep) => number): number => steps.reduce((x, s) => Math.max(x, f(s)), 1);
  const size = { m: most((s) => s.m), n: most((s) => s.n), k: most((s) => s.k) };
  const scratch = epilogue?.scratch ?? 0;
  const room = roomFor(config, size, scratch);
  const writer = new TileWriter(config, out, product, size, room, scratch);
  planSteps(steps, room).forEach((plan, at) => {
    const step = steps[at];
    if (plan.spill) writer.store(plan.spill.step, plan.spill.slot);
    if (plan.a.missed) writer.loadA(step, plan.a.slot);
    if (plan.b.missed) writer.loadB(step, plan.b.slot);
    const accumulate = !plan.first || product.onto;
    if (plan.c.missed && accumulate) writer.loadC(step, plan.c.slot);
    writer.multiply(step, plan, accumulate);
    if (!plan.last) return;
    if (product.keep) writer.store(step, plan.c.slot);
    if (epilogue) for (const block of writer.blocks(step, plan.c.slot)) epilogue.run(block);
  });
}

class TileWriter {
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

/** Lanes of the array's memories, for those who plan tiles. */
export const arrayTile = (
  config: NpuConfig,
): { readonly m: number; readonly n: number; readonly k: number } => {
  const { rows, columns, dataflow } = config;
  if (dataflow === "output") return { m: rows, n: columns, k: 1 };
  return dataflow === "input"
    ? { m: columns, n: 1, k: rows }
    : { m: dataflow === "cube" ? rows : 1, n: columns, k: rows };
};
