/**
 * Products of 8-bit integers, exact in int32, by dot-product instructions: four neighbours along k are multiplied and summed
 * in one lane. Both operands are packed so that these four lie side by side.
 */
import { ceildiv, floordiv, mod } from "../loop/affine.js";
import { cast, Definition, lit, op, when } from "../loop/compute.js";
import type { LoopKernel } from "../loop/ir.js";
import { Schedule } from "../schedule/schedule.js";
import type { GemmTiles } from "./gemm.js";

export interface Int8Layout {
  readonly a?: "int8" | "uint8";
  readonly b?: "int8" | "uint8";
  /** B lies as (n, k). */
  readonly transposeB?: boolean;
}

/** Sizes of the kernel, in the order in which they are given; the last three are strides of rows. */
export const INT8_SIZES = ["M", "N", "K", "lda", "ldb", "ldc"] as const;

const GROUP = 4;

/**
 * C[m, n] = Σ A[m, k] · B[k, n] in int32, packed for tiles of `rows` × `columns`.
 * @example int8Definition({ rows: 2, columns: 8 }).params.map((p) => p.dtype) // ["int8", "int8", "int32"]
 */
export function int8Definition(
  { rows, columns }: Pick<GemmTiles, "rows" | "columns">,
  { a: typeA = "int8", b: typeB = "int8", transposeB = false }: Int8Layout = {},
): LoopKernel {
  const d = new Definition("int8Matmul", INT8_SIZES);
  const a = d.input("A", typeA, ["M", "K"], ["lda", 1]);
  const b = d.input("B", typeB, transposeB ? ["N", "K"] : ["K", "N"], ["ldb", 1]);
  const c = d.output("C", "int32", ["M", "N"], ["ldc", 1]);
  const groups = floordiv("K", GROUP);
  const ap = d.temp("Ap", typeA, [ceildiv("M", rows), groups, rows, GROUP]);
  const bp = d.temp("Bp", typeB, [ceildiv("N", columns), groups, columns, GROUP]);
  d.compute(ap, { ai: ceildiv("M", rows), ak: groups, ar: rows, ag: GROUP }, ({ ai, ak, ar, ag }) => {
    const row = ai.times(rows).plus(ar);
    const x = a.at(row, ak.times(GROUP).plus(ag));
    return [[ai, ak, ar, ag], when([[row, "M"]], x, lit(0, typeA))];
  });
  d.compute(bp, { bj: ceildiv("N", columns), bk: groups, bv: columns, bg: GROUP }, ({ bj, bk, bv, bg }) => {
    const column = bj.times(columns).plus(bv);
    const k = bk.times(GROUP).plus(bg);
    const x = transposeB ? b.at(column, k) : b.at(k, column);
    return [[bj, bk, bv, bg], when([[column, "N"]], x, lit(0, typeB))];
  });
  d.reduce(c, { i: "M", j: "N" }, { k: groups, g: GROUP }, "add", lit(0, "int32"), ({ i, j, k, g }) => {
    const x = ap.at(floordiv(i, rows), k, mod(i, rows), g);
    const y = bp.at(floordiv(j, columns), k, mod(j, columns), g);
    return [[i, j], op("mul", cast("int32", x), cast("int32", y))];
  });
  // What does not fill a group.
  d.reduce(c, { ti: "M", tj: "N" }, { tk: mod("K", GROUP) }, "add", null, ({ ti, tj, tk }) => {
    const k = groups.times(GROUP).plus(tk);
    return [
      [ti, tj],
      op("mul", cast("int32", a.at(ti, k)), cast("int32", transposeB ? b.at(tj, k) : b.at(k, tj))),
    ];
  });
  return d.kernel();
}

/**
 * The packed, tiled product. `tiles.depth` counts single steps of k.
 * @example int8Schedule({ rows: 2, columns: 8, down: 4, across: 4, depth: 64 }).loops.includes("kb") // true
 */
export function int8Schedule(tiles: GemmTiles, layout: Int8Layout = {}): Schedule {
  const { rows, columns, down, across, depth } = tiles;
  const s = new Schedule(int8Definition(tiles, layout));
  s.split("i", rows * down, ["ib", "ii"]);
  s.split("ii", rows, ["it", "ir"]);
  s.split("j", columns * across, ["jb", "jj"]);
  s.split("jj", columns, ["jt", "jv"]);
  s.split("k", Math.max(1, depth / GROUP), ["kb", "ki"]);
  s.reorder("ib", "jb", "kb", "jt", "it", "ki", "ir", "jv", "g");
  s.cacheWrite("C", "it", { name: "acc" });
  s.pad("ir").pad("jv").unroll("ir").vectorize("jv").unroll("g");
  s.unroll("acc_zero0").vectorize("acc_zero1").unroll("acc_out0").vectorize("acc_out1");
  s.parallel("ib").parallel("jb");
  s.parallel("ai").reorder("ar", "ak").vectorize("ag");
  s.parallel("bj");
  if (layout.transposeB) s.reorder("bv", "bk").vectorize("bg");
  else s.reorder("bg", "bv").vectorize("bv");
  s.split("j_0", 4 * columns, ["z_o", "z_i"]);
  s.parallel("i_0").vectorize("z_i");
  s.parallel("ti");
  return s;
}
