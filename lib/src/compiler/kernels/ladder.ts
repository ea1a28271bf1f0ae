/**
 * The ladder of GPU matrix products (book, chapter 6): C = α A·B + β C in single precision, from one element a thread to
 * tiles that are fetched while others are computed. Each step is a schedule of the same definition.
 */
import type { Index } from "../loop/affine.js";
import { gemm } from "../loop/definitions.js";
import { findLoop, LoopError } from "../loop/ir.js";
import { Schedule } from "../schedule/schedule.js";

/** What a block and a thread compute. */
export interface LadderTiles {
  /** Rows and columns of C that a block computes, and steps of k that it keeps at a time. */
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** Rows and columns of C that a thread computes: multiples of `lanes`. */
  readonly threadRows: number;
  readonly threadColumns: number;
  /** Elements of a vector: 4, or 1, 2 for tiles that small. */
  readonly lanes: number;
}

/** The book's tiles: 256 threads a block. @example LADDER_TILES.rows // 128 */
export const LADDER_TILES: LadderTiles = {
  rows: 128,
  columns: 128,
  depth: 16,
  threadRows: 8,
  threadColumns: 8,
  lanes: 4,
};

export interface LadderStep {
  readonly name: string;
  /** What it does, and what it is for. */
  readonly idea: string;
  /** The book's figures for M = N = 2048, K = 1024 on an RTX 3080. */
  readonly book: { readonly milliseconds: number; readonly gflops: number; readonly percentOfPeak: number };
  /** The schedule for sizes (numbers, or names of sizes). */
  readonly schedule: (m: Index, n: Index, k: Index, tiles?: LadderTiles) => Schedule;
}

/** Cuts a loop over a block's side into groups × threads × lanes: neighbouring threads read neighbouring vectors. */
function side(s: Schedule, loop: string, whole: number, own: number, lanes: number, name: string): void {
  s.guard(loop);
  s.split(loop, (whole * lanes) / own, [`${name}_group`, `${name}_within`]);
  s.split(`${name}_within`, lanes, [`${name}_thread`, `${name}_lane`]);
}

/** One element a thread. */
function naive(m: Index, n: Index, k: Index, t: LadderTiles): Schedule {
  const s = new Schedule(gemm(m, n, k));
  s.split("i", t.rows / t.threadRows, ["bi", "ti"]);
  s.split("j", t.columns / t.threadColumns, ["bj", "tj"]);
  s.reorder("bi", "bj", "ti", "tj").computeAt("AB", "tj", "register");
  return s.bind("block", "bi", "bj").bind("thread", "ti", "tj");
}

/**
 * The block's tile of C, shared out among threads; sums stay in their registers. The loops that accumulate are
 * `ko`, threads, `ki`, and what a thread computes.
 */
function tiled(m: Index, n: Index, k: Index, t: LadderTiles): Schedule {
  const s = new Schedule(gemm(m, n, k));
  s.split("i", t.rows, ["bi", "i_tile"]);
  s.split("j", t.columns, ["bj", "j_tile"]);
  s.reorder("bi", "bj", "i_tile", "j_tile").computeAt("AB", "bj", "register");
  s.split("k_at1", t.depth, ["ko", "ki"]);
  for (const [down, across, name] of [
    ["im_0_at", "jm_0_at", "zero"],
    ["im_at1", "jm_at1", "sum"],
    ["i_tile", "j_tile", "out"],
  ]) {
    side(s, down, t.rows, t.threadRows, t.lanes, `${name}_i`);
    side(s, across, t.columns, t.threadColumns, t.lanes, `${name}_j`);
    const threads = [`${name}_i_thread`, `${name}_j_thread`];
    const own = [`${name}_i_group`, `${name}_j_group`, `${name}_i_lane`, `${name}_j_lane`];
    if (name === "sum") s.reorder("ko", ...threads, "ki", ...own);
    else s.reorder(...threads, ...own);
  }
  // By thread: AB[thread's row, thread's column, groups, lanes].
  s.layout("AB", { split: [0, (t.rows * t.lanes) / t.threadRows] }).layout("AB", { split: [1, t.lanes] });
  s.layout("AB", { split: [3, (t.columns * t.lanes) / t.threadColumns] });
  s.layout("AB", { split: [4, t.lanes], order: [1, 4, 0, 3, 2, 5] });
  return s.bind("block", "bi", "bj");
}

/** Binds the tile's nests, and unrolls what a thread does. Sums run to their full length: what they read has room. */
function bound(s: Schedule, t: LadderTiles): Schedule {
  for (const name of ["zero", "sum", "out"]) {
    for (const loop of ["i", "j"].flatMap((x) =>
      ["group", "thread", "lane"].map((of) => `${name}_${x}_${of}`),
    ))
      if (name !== "out") s.pad(loop);
    s.bind("thread", `${name}_i_thread`, `${name}_j_thread`);
    s.unroll(`${name}_i_group`).unroll(`${name}_j_group`).unroll(`${name}_i_lane`);
    const asked =
      name === "out" && [...findLoop(s.kernel, "out_j_lane").loop.body].some((x) => x.kind === "if");
    if (asked) s.unroll("out_j_lane");
    else innermost(s, `${name}_j_lane`, t);
  }
  return s;
}

const innermost = (s: Schedule, loop: string, { lanes }: LadderTiles): Schedule =>
  lanes > 1 ? s.vectorize(loop) : s.unroll(loop);

/** A copy in registers; its last axis that is longer than one element is read in vectors if its elements are neighbours. */
function fragment(
  s: Schedule,
  buffer: string,
  at: string,
  name: string,
  vector: boolean,
  t: LadderTiles,
): void {
  s.cacheRead(buffer, at, { name, scope: "register" });
  const loops = s.loops.filter((l) => l.startsWith(`${name}_axis`));
  for (const loop of loops) s.pad(loop);
  for (const loop of vector ? loops.slice(0, -1) : loops) s.unroll(loop);
  if (vector) innermost(s, loops[loops.length - 1], t);
}

/** 4 × 4 elements a thread: A's rows and B's columns come in vectors. */
function wide(m: Index, n: Index, k: Index, t: LadderTiles): Schedule {
  const { lanes } = t;
  const tiles = {
    ...t,
    rows: (t.rows * lanes) / t.threadRows,
    columns: (t.columns * lanes) / t.threadColumns,
    depth: lanes,
    threadRows: lanes,
    threadColumns: lanes,
  };
  const s = tiled(m, n, k, tiles);
  fragment(s, "A", "sum_j_thread", "a", true, tiles);
  fragment(s, "B", "ki", "b", true, tiles);
  return bound(s, tiles).unroll("ki");
}

/** A larger tile a thread: each element that is read serves more products. */
function threadTile(m: Index, n: Index, k: Index, t: LadderTiles): Schedule {
  const s = tiled(m, n, k, t);
  fragment(s, "A", "sum_i_group", "a", false, t);
  fragment(s, "B", "sum_j_group", "b", true, t);
  return bound(s, t);
}

/** The block's tiles of A and B in workgroup memory, fetched by all threads together. */
function shared(m: Index, n: Index, k: Index, t: LadderTiles): Schedule {
  return inWorkgroup(m, n, k, t, false);
}

function inWorkgroup(m: Index, n: Index, k: Index, t: LadderTiles, transposed: boolean): Schedule {
  const s = tiled(m, n, k, t);
  const threads = (t.rows / t.threadRows) * (t.columns / t.threadColumns);
  for (const name of ["A", "B"]) {
    s.cacheRead(name, "ko", { name: `${name}s`, scope: "workgroup" });
    s.cooperate([`${name}s_axis0`, `${name}s_axis1`], `${name}s_fill`, threads, t.lanes);
  }
  // In groups as the threads' tiles are; A's also column by column.
  s.layout("As", {
    split: [0, (t.rows * t.lanes) / t.threadRows],
    order: transposed ? [2, 0, 1] : [0, 1, 2],
    // Rows of 16 elements would put every other row of a warp's threads into the same banks.
    ...(transposed ? {} : { gap: t.lanes }),
  });
  s.layout("Bs", { split: [1, (t.columns * t.lanes) / t.threadColumns] });
  fragment(s, "As", "ki", "a", transposed, t);
  fragment(s, "Bs", "ki", "b", true, t);
  return bound(s, t).unroll("ki");
}

/** A's tile is stored column by column: a thread's rows are neighbours. */
function transposed(m: Index, n: Index, k: Index, t: LadderTiles): Schedule {
  return inWorkgroup(m, n, k, t, true);
}

/** While a step of k is computed, the next one's rows and columns come from workgroup memory. */
function sharedPrefetch(m: Index, n: Index, k: Index, t: LadderTiles): Schedule {
  return transposed(m, n, k, t).prefetch("a", "ki").prefetch("b", "ki");
}

/** While a tile is computed, the next one comes from global memory, by way of registers, into a second pair of tiles. */
function globalPrefetch(m: Index, n: Index, k: Index, t: LadderTiles): Schedule {
  return sharedPrefetch(m, n, k, t).prefetch("As", "ko", "As_next").prefetch("Bs", "ko", "Bs_next");
}

const step = (
  name: string,
  idea: string,
  [milliseconds, gflops, percentOfPeak]: readonly [number, number, number],
  make: (m: Index, n: Index, k: Index, tiles: LadderTiles) => Schedule,
): LadderStep => ({
  name,
  idea,
  book: { milliseconds, gflops, percentOfPeak },
  schedule: (m, n, k, tiles = LADDER_TILES) => make(m, n, k, checked(tiles)),
});

/** @throws LoopError naming a tile that does not fit the others. */
function checked(t: LadderTiles): LadderTiles {
  for (const [name, value] of Object.entries(t))
    if (!Number.isInteger(value) || value < 1)
      throw new LoopError(`ladder: ${name} is ${value}, not a number from 1`);
  const divides = (a: keyof LadderTiles, b: keyof LadderTiles): void => {
    if (t[b] % t[a] !== 0) throw new LoopError(`ladder: ${a} ${t[a]} does not divide ${b} ${t[b]}`);
  };
  divides("threadRows", "rows");
  divides("threadColumns", "columns");
  divides("lanes", "threadRows");
  divides("lanes", "threadColumns");
  divides("lanes", "depth");
  return t;
}

/**
 * The steps, slowest first. The book's times are of its CUDA code; figures of this project's kernels are measured.
 * @example ladder.map((step) => step.name)[0] // "naive"
 */
export const ladder: readonly LadderStep[] = [
  step("naive", "a thread computes one element", [48.961, 185.313, 0.6], naive),
  step("float4", "a thread computes 4 × 4 elements and reads vectors of four", [6.232, 1378.317, 4.6], wide),
  step(
    "thread tile",
    "each element read serves a larger tile of products",
    [3.188, 2694.44, 9.1],
    threadTile,
  ),
  step(
    "shared memory",
    "a block fetches its tiles once for all its threads",
    [0.617, 13925.168, 46.8],
    shared,
  ),
  step("transposed shared memory", "A's tile lies column by column", [0.61, 14083.116, 47.3], transposed),
  step(
    "shared-memory prefetch",
    "the next step's fragments come early",
    [0.585, 14686.179, 49.3],
    sharedPrefetch,
  ),
  step("global prefetch", "the next tiles come early", [0.542, 15838.302, 53.2], globalPrefetch),
];
