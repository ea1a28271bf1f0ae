/** A kernel's statements, one after the other: products with what follows them to the array, the rest to the vector unit. */
import type { Stmt } from "../loop/ir.js";
import { type NpuConfig, NpuError } from "./config.js";
import { convolutionIn, emitConvolution } from "./convolution.js";
import { Evaluator, type Grid, type Value } from "./expressions.js";
import { ELEMENT_BYTES, instruction } from "./isa.js";
import { Emitter, elementOf, type FixedKernel, flat, laneType, placeOf } from "./kernel.js";
import { each, VectorCompiler } from "./nests.js";
import { type Block, type Epilogue, emitProduct, type TileStep } from "./product.js";
import {
  epilogueIn,
  type FoundEpilogue,
  type FoundProduct,
  matricesOf,
  plainSize,
  productIn,
  readsBuffer,
  scheduledSteps,
  zeroes,
} from "./recognize.js";
import { type Prediction, searchTilings, type Tiling, tileSteps } from "./tiling.js";

export interface LowerOptions {
  /** Tile of every product; without: the search's best. */
  readonly tiling?: Tiling;
  /** The loop of a scheduled product from which on everything is one tile. */
  readonly bind?: string;
  /** False: nothing goes to the array. */
  readonly array?: boolean;
}

/** What became of a statement. */
export interface Lowered {
  readonly what: "product" | "convolution" | "vector";
  /** Elementwise nests that were done before the results left the chip. */
  readonly fused: number;
  readonly tiling: Tiling | null;
  readonly predicted: Prediction | null;
  /** Why it is not on the array. */
  readonly why: string | null;
  /** Its statements in the kernel's body (without declarations), and its instructions: from, to (exclusive). */
  readonly statements: readonly [number, number];
  readonly instructions: readonly [number, number];
}

/** Emits all statements; what became of each. */
export function lower(
  config: NpuConfig,
  kernel: FixedKernel,
  out: Emitter,
  options: LowerOptions = {},
): Lowered[] {
  const body = kernel.body.filter((s) => s.kind !== "alloc");
  const vector = new VectorCompiler(config, kernel, out, { base: 0, rows: config.memory.acc.rows });
  const done: Lowered[] = [];
  let from = 0;
  const note = (piece: Omit<Lowered, "statements" | "instructions">, at: number, count: number): void => {
    done.push({ ...piece, statements: [at, at + count], instructions: [from, out.program.length] });
    from = out.program.length;
  };
  for (let at = 0; at < body.length; ) {
    // A nest of zeros and the nest that adds to them are one.
    const sum = at + 1 < body.length ? targetOf(body[at + 1]) : null;
    const zeroed = sum !== null && zeroes(kernel, body[at], sum);
    const s = zeroed ? body[at + 1] : body[at];
    const rest = body.slice(at + (zeroed ? 2 : 1));
    const found = options.array === false ? "it was asked for the vector unit" : productIn(config, kernel, s);
    if (typeof found !== "string") {
      const { fused, ...how } = product(config, kernel, out, found, !zeroed, rest, options);
      const count = (zeroed ? 2 : 1) + fused;
      note({ what: "product", fused, why: null, ...how }, at, count);
      at += count;
      continue;
    }
    const conv = options.array === false ? null : convolutionIn(config, kernel, s);
    if (conv && emitConvolution(config, out, conv, !zeroed)) {
      note({ what: "convolution", fused: 0, tiling: null, predicted: null, why: null }, at, zeroed ? 2 : 1);
      at += zeroed ? 2 : 1;
      continue;
    }
    vector.block([body[at]]);
    note({ what: "vector", fused: 0, tiling: null, predicted: null, why: found }, at, 1);
    at++;
  }
  if (options.bind !== undefined && !done.some((d) => d.what === "product"))
    throw new NpuError(
      `${kernel.name}: no product has a loop "${options.bind}" to bind to the array; ${done
        .map((d) => d.why)
        .filter(Boolean)
        .join("; ")}`,
    );
  return done;
}

function targetOf(s: Stmt) {
  let at = s;
  while (at.kind === "for" && at.body.length === 1) [at] = at.body;
  return at.kind === "reduce" ? at.buffer : null;
}

function product(
  config: NpuConfig,
  kernel: FixedKernel,
  out: Emitter,
  found: FoundProduct,
  onto: boolean,
  rest: readonly Stmt[],
  options: LowerOptions,
): { fused: number; tiling: Tiling | null; predicted: Prediction | null } {
  const size = plainSize(found);
  const bound = options.bind !== undefined && found.loops.some((l) => l.variable === options.bind);
  const batches = found.loops.filter((l) => found.axis.get(l.variable) === "batch");
  const epilogues = batches.length > 0 ? [] : followers(kernel, found, rest, size);
  const place = placeOf(kernel, found.c.name);
  const keep =
    place.role === "output" ||
    epilogues.length === 0 ||
    readsBuffer(rest.slice(epilogues.length), found.c.name);
  const scratch = epilogues.length > 0 ? Math.floor(config.memory.acc.rows / 4) : 0;
  const epilogue =
    epilogues.length > 0 ? new EpilogueWriter(config, kernel, out, found, epilogues, rest, scratch) : null;
  if (bound || !size) {
    const inside = options.bind ?? innermostTile(found);
    emitProduct(
      config,
      out,
      matricesOf(kernel, found, onto, keep),
      scheduledSteps(kernel, found, inside),
      epilogue,
    );
    return { fused: epilogues.length, tiling: null, predicted: null };
  }
  if (size.m * size.n * size.k === 0 && !onto)
    throw new NpuError(`${kernel.name}: a product of ${size.m} × ${size.n} × ${size.k} is empty`);
  const predicted = options.tiling ? null : searchTilings(config, size, { scratch })[0];
  const tiling = options.tiling ?? (predicted as Prediction).tiling;
  const { am, ak, bk, bn, cm, cn } = found.steps;
  const plain = tileSteps(size, tiling, { a: [am, ak], b: [bk, bn], c: [cm, cn] });
  const steps: TileStep[] = [];
  each(batches, new Map(), (at) => {
    const zero = new Map([...found.loops.map((l) => [l.variable, 0] as const), ...at]);
    const [a, b, c] = [found.offsets.a, found.offsets.b, found.offsets.c].map((o) => o.evaluate(zero));
    for (const s of plain) steps.push({ ...s, a: s.a + a, b: s.b + b, c: s.c + c });
  });
  emitProduct(config, out, matricesOf(kernel, found, onto, keep), steps, epilogue);
  return { fused: epilogues.length, tiling, predicted };
}

/** The outermost loop from which on there is one loop for each size. */
function innermostTile(found: FoundProduct): string {
  const seen = new Set<string>();
  let first = found.loops[found.loops.length - 1].variable;
  for (const l of [...found.loops].reverse()) {
    const axis = found.axis.get(l.variable) as string;
    if (axis === "batch" || seen.has(axis)) break;
    seen.add(axis);
    first = l.variable;
  }
  return first;
}

/** The elementwise nests right behind a product that read its result. */
function followers(
  kernel: FixedKernel,
  found: FoundProduct,
  rest: readonly Stmt[],
  size: { readonly m: number; readonly n: number } | null,
): FoundEpilogue[] {
  const epilogues: FoundEpilogue[] = [];
  const resident = new Set([found.c.name]);
  const { cm, cn } = found.steps;
  if (!size || found.offsets.c.constant !== 0) return epilogues;
  for (const s of rest) {
    const next = epilogueIn(kernel, s, size, { cm, cn }, resident);
    if (!next) break;
    const { write } = next;
    const index = flat(kernel, write.buffer, write.indices);
    epilogues.push(next);
    // A result that lies as C does can be read by the next nest without leaving.
    if (
      index.constant === 0 &&
      index.coefficient(next.rowVariable) === cm &&
      index.coefficient(next.columnVariable) === cn
    )
      resident.add(write.buffer.name);
    else break;
  }
  return epilogues;
}

/** Elementwise nests on a product's results while they are in the accumulators. */
class EpilogueWriter implements Epilogue {
  private half = 0;

  constructor(
    private readonly config: NpuConfig,
    private readonly kernel: FixedKernel,
    private readonly out: Emitter,
    private readonly found: FoundProduct,
    private readonly nests: readonly FoundEpilogue[],
    private readonly rest: readonly Stmt[],
    readonly scratch: number,
  ) {}

  run(block: Block): void {
    const most = Math.floor(this.scratch / 2);
    const used = this.emit({ ...block, rows: Math.min(block.rows, 2) }, new Emitter(), 0);
    const fit = Math.floor(most / Math.ceil(used / Math.min(block.rows, 2)));
    if (fit < 1)
      throw new NpuError(
        `${this.kernel.name}: what follows the product needs ${used} rows of accumulators; there are ${most}`,
      );
    for (let r = 0; r < block.rows; r += fit) {
      this.half = 1 - this.half;
      const base = this.config.memory.acc.rows - this.scratch + this.half * most;
      const rows = Math.min(fit, block.rows - r);
      const moved = block.along === "m" ? { m0: block.m0 + r } : { n0: block.n0 + r };
      this.emit({ ...block, ...moved, row: block.row + r, rows }, this.out, base);
    }
  }

  private emit(block: Block, out: Emitter, base: number): number {
    const values = new Map<string, Value>();
    const varying = { perRow: block.rows > 1, perLane: block.lanes > 1 };
    values.set(this.found.c.name, {
      type: laneType(this.found.c.dtype),
      place: block.row,
      number: 0,
      ...varying,
    });
    let next = base;
    this.nests.forEach(({ rowVariable, columnVariable, write }, i) => {
      const [along, lane] =
        block.along === "m" ? [rowVariable, columnVariable] : [columnVariable, rowVariable];
      const grid: Grid = {
        at: new Map([
          [rowVariable, block.m0],
          [columnVariable, block.n0],
        ]),
        row: along,
        lane,
        rows: block.rows,
        lanes: block.lanes,
      };
      const ev = new Evaluator(this.kernel, grid, out, next, (e) => values.get(e.buffer.name) ?? null);
      const value = ev.materialize(ev.evaluate(write.value), varying.perRow, varying.perLane);
      next += ev.used;
      const place = placeOf(this.kernel, write.buffer.name);
      const later = this.rest.slice(this.nests.length);
      const inside = i + 1 < this.nests.length;
      if (inside) values.set(write.buffer.name, value);
      if (place.role === "temporary" && inside && !readsBuffer(later, write.buffer.name)) return;
      const index = flat(this.kernel, write.buffer, write.indices);
      const type = elementOf(place.dtype);
      out.emit(
        instruction("store", {
          type,
          row: value.place as number,
          nx: block.rows,
          sx: value.perRow ? 1 : 0,
          lanes: block.lanes,
          dram: place.offset + index.evaluate(grid.at) * ELEMENT_BYTES[type],
          dx: index.coefficient(along),
          dl: index.coefficient(lane),
        }),
      );
    });
    return next - base;
  }
}
