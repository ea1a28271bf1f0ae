/**
 * Sketches: the shape of a schedule, with numbers left open. Which sketches a kernel has follows from its nests by rules
 * (Zheng et al. 2020, "Ansor": multi-level tiling, cache writing, packing); random annotation fills in the numbers.
 */
import { type Expr, type For, LoopError, type LoopKernel, type Stmt, walkExpr } from "../loop/ir.js";
import { Schedule } from "../schedule/schedule.js";
import { capOf } from "../schedule/tree.js";

export interface Sketch {
  readonly name: string;
  /** The open numbers and what they may be. */
  readonly choices: Readonly<Record<string, readonly number[]>>;
  /** The schedule with these numbers. @throws LoopError if they do not fit together. */
  build(numbers: Readonly<Record<string, number>>): Schedule;
}

interface Nest {
  readonly loops: readonly For[];
  readonly inside: Extract<Stmt, { kind: "store" | "reduce" }>;
}

const TILES = [1, 2, 3, 4, 6, 8, 12, 14, 16];
const WIDTHS = [4, 8, 12, 16, 24, 32, 48, 64];
const DEPTHS = [16, 32, 64, 128, 256, 512];

/**
 * The sketches of a kernel: at least one.
 * @example sketchesOf(loop.matmul(64, 64, 64)).map((s) => s.name) // ["tiled", "packed"]
 */
export function sketchesOf(kernel: LoopKernel): Sketch[] {
  const nests = kernel.body.flatMap((s) => nestOf(s) ?? []);
  const main = nests
    .filter((n) => n.inside.kind === "reduce")
    .sort((a, b) => b.loops.length - a.loops.length)[0];
  if (!main) return [pointwise(kernel, nests)];
  const used = new Set(main.inside.indices.flatMap((i) => [...i.variables()]));
  const spatial = main.loops.filter((l) => used.has(l.variable));
  const summed = main.loops.filter((l) => !used.has(l.variable));
  if (spatial.length < 2 || summed.length === 0) return [rowwise(kernel, main, spatial, summed)];
  if (guardedLoads(main).length > 0) return [padded(kernel, main, spatial, summed)];
  return [tiled(kernel, main, spatial, summed, false), tiled(kernel, main, spatial, summed, true)];
}

/** Rows and columns of the output tiled, the tile's accumulators in registers; `packed`: inputs copied block by block. */
function tiled(
  kernel: LoopKernel,
  main: Nest,
  spatial: readonly For[],
  summed: readonly For[],
  packed: boolean,
): Sketch {
  const [row, column] = spatial.slice(-2).map((l) => l.variable);
  const outer = spatial.slice(0, -2).map((l) => l.variable);
  const [deep, ...others] = summed.map((l) => l.variable);
  const choices: Record<string, readonly number[]> = {
    rows: upTo(TILES, spatial[spatial.length - 2]),
    columns: upTo(WIDTHS, spatial[spatial.length - 1]),
    depth: upTo(DEPTHS, summed[0]),
    ...(packed ? { down: [1, 2, 4, 8, 16] } : {}),
    unroll: [0, 1],
  };
  return {
    name: packed ? "packed" : "tiled",
    choices,
    build({ rows, columns, depth, down = 1, unroll }) {
      const s = new Schedule(kernel);
      s.split(row, rows * down, ["row_block", "row_in"]);
      s.split("row_in", rows, ["row_tile", "row"].map((n) => `t_${n}`) as [string, string]);
      s.split(column, columns, ["t_column_tile", "t_column"]);
      s.split(deep, depth, ["t_depth_block", "t_depth"]);
      const around = [...outer, "row_block", "t_depth_block"];
      s.reorder(...around, "t_column_tile", "t_row_tile", ...others, "t_depth", "t_row", "t_column");
      if (packed) {
        for (const [i, load] of loadsOf(main).entries()) {
          const uses = (v: string): number => load.indices.findIndex((index) => index.variables().has(v));
          const axis = Math.max(uses(row), uses(column));
          const by = uses(column) >= 0 ? columns : rows;
          attempt(() =>
            s.cacheRead(load.buffer.name, "t_depth_block", { name: `t_pack${i}`, pack: { axis, by } }),
          );
        }
      }
      s.cacheWrite(main.inside.buffer.name, "t_row_tile", { name: "t_sum" });
      const rank = main.inside.indices.length;
      for (const loop of ["t_row", "t_column"]) attempt(() => s.pad(loop));
      for (const part of ["zero", "out"]) {
        for (let d = 0; d < rank - 1; d++) s.unroll(`t_sum_${part}${d}`);
        s.vectorize(`t_sum_${part}${rank - 1}`);
      }
      s.unroll("t_row").vectorize("t_column");
      if (unroll) for (const o of others) attempt(() => s.unroll(o));
      attempt(() => s.parallel([...outer, "row_block"][0]));
      return s;
    },
  };
}

/**
 * Of a kernel that asks at each read whether it is inside (convolutions): a copy with zeros around is read instead. The tile
 * is made of neighbours along the last axis, times an axis along which the copy's elements serve again.
 */
function padded(kernel: LoopKernel, main: Nest, spatial: readonly For[], summed: readonly For[]): Sketch {
  const inputs = guardedLoads(main);
  const column = spatial[spatial.length - 1];
  const reads = (l: For): boolean => inputs.some((e) => e.indices.some((i) => i.variables().has(l.variable)));
  const row = [...spatial.slice(0, -1)].reverse().find((l) => !reads(l)) ?? spatial[spatial.length - 2];
  const outer = spatial.filter((l) => l !== row && l !== column).map((l) => l.variable);
  const inner = summed.map((l) => l.variable);
  const rank = main.inside.indices.length;
  return {
    name: "padded",
    choices: { rows: upTo(TILES, row), columns: WIDTHS, lanes: [4, 8, 16], pack: [0, 1], unroll: [0, 1] },
    build({ rows, columns: wanted, lanes, pack, unroll }) {
      const columns = Math.ceil(wanted / lanes) * lanes;
      const width = capOf(column);
      if (width === null)
        throw new LoopError(`${kernel.name}: the line "${column.variable}" has no known length`);
      const whole = Math.max(1, ...divisors(capOf(row) ?? 1).filter((d) => d <= rows));
      const round = width > columns ? columns : lanes;
      const beyond = Math.ceil(width / round) * round - width;
      const s = new Schedule(kernel);
      s.split(row.variable, whole, ["t_row_tile", "t_row"]);
      s.split(column.variable, columns, ["t_column_tile", "t_column"]);
      s.reorder(...outer, "t_row_tile", "t_column_tile", ...inner, "t_row", "t_column");
      for (const [i, e] of inputs.entries()) {
        const room = e.indices.map((index) => beyond * Math.abs(index.coefficient(column.variable)));
        s.cacheRead(e.buffer.name, null, { name: `t_padded${i}`, room });
        for (const loop of ["axis0", "axis1"]) attempt(() => s.parallel(`t_padded${i}_${loop}`));
      }
      s.cacheWrite(main.inside.buffer.name, "t_column_tile", { name: "t_sum" });
      s.pad("t_column", lanes);
      for (const part of ["zero", "out"]) {
        for (let d = 0; d < rank - 1; d++) s.unroll(`t_sum_${part}${d}`);
        s.vectorize(`t_sum_${part}${rank - 1}`);
      }
      s.unroll("t_row").vectorize("t_column");
      if (pack)
        for (const [i, load] of loadsOf(main).entries()) {
          const axis = load.indices.findIndex((index) => index.toString() === row.variable);
          if (axis >= 0 && !inputs.some((e) => e.buffer.name === load.buffer.name))
            attempt(() =>
              s.cacheRead(load.buffer.name, null, { name: `t_pack${i}`, pack: { axis, by: whole } }),
            );
        }
      if (unroll) attempt(() => s.unroll(inner[inner.length - 1]));
      for (const loop of outer) attempt(() => s.parallel(loop));
      return s;
    },
  };
}

const divisors = (n: number): number[] =>
  Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);

/** Reads under conditions. */
function guardedLoads({ inside }: Nest): readonly Extract<Expr, { kind: "load" }>[] {
  const found: Extract<Expr, { kind: "load" }>[] = [];
  walkExpr(inside.value, (e, under) => {
    if (e.kind === "load" && under.length > 0) found.push(e);
  });
  return found;
}

/** Reductions of rows: several partial sums along the last axis. */
function rowwise(kernel: LoopKernel, main: Nest, spatial: readonly For[], summed: readonly For[]): Sketch {
  const last = summed[summed.length - 1];
  return {
    name: "partial sums",
    choices: { width: upTo([4, 8, 16, 32, 64], last) },
    build({ width }) {
      const s = new Schedule(kernel);
      s.split(last.variable, width, ["t_block", "t_lane"]);
      if (main.loops.length === spatial.length + summed.length)
        attempt(() => s.rfactor("t_lane", "t_block", "t_part").vectorize("t_lane").vectorize("t_part_zero"));
      if (spatial.length > 0) attempt(() => s.parallel(spatial[0].variable));
      return s;
    },
  };
}

/** Elementwise nests: vectors along the last axis, threads along the first. */
function pointwise(kernel: LoopKernel, nests: readonly Nest[]): Sketch {
  return {
    name: "pointwise",
    choices: { width: [4, 8, 16, 32, 64] },
    build({ width }) {
      const s = new Schedule(kernel);
      for (const [i, { loops }] of nests.entries()) {
        const last = loops[loops.length - 1].variable;
        s.split(last, width, [`t${i}_block`, `t${i}_lane`]);
        attempt(() => s.vectorize(`t${i}_lane`));
        attempt(() => s.parallel(loops.length > 1 ? loops[0].variable : `t${i}_block`));
      }
      return s;
    },
  };
}

/** A step that may not apply is left out. */
function attempt(step: () => unknown): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof LoopError)) throw error;
  }
}

function nestOf(s: Stmt): Nest | null {
  const loops: For[] = [];
  let inside = s;
  while (inside.kind === "for" && inside.body.length === 1) {
    loops.push(inside);
    inside = inside.body[0];
  }
  return loops.length > 0 && (inside.kind === "store" || inside.kind === "reduce") ? { loops, inside } : null;
}

function loadsOf({ inside }: Nest) {
  const loads: { buffer: { name: string }; indices: readonly { variables(): Set<string> }[] }[] = [];
  const scan = (e: typeof inside.value): void => {
    if (e.kind === "load") loads.push(e);
    else if (e.kind === "op" || e.kind === "select") for (const a of e.args) scan(a);
    else if (e.kind === "cast") scan(e.of);
    else if (e.kind === "when") scan(e.yes);
  };
  scan(inside.value);
  return loads;
}

/** The choices that are not beyond the loop's length. */
function upTo(choices: readonly number[], loop: For): readonly number[] {
  const cap = capOf(loop);
  const fit = choices.filter((c) => cap === null || c <= cap);
  return fit.length > 0 ? fit : [1];
}
