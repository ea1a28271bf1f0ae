/**
 * Winograd's convolutions F(m×m, r×r) of stride 1: tiles of images and the filters are transformed, multiplied element by
 * element, which summed over channels is (m + r − 1)² matrix products, and transformed back. The matrices come from
 * `cookToom`; the transforms are kernels of the loop compiler, the products the device's own. (Lavin & Gray 2016; book,
 * chapter 8.)
 */
import { allocate, release } from "../../runtime/heap.js";
import { gemm, type Matrix } from "../../runtime/wasm/kernels/gemm.js";
import { affine } from "../loop/affine.js";
import type { Buffer, LoopKernel, Stmt } from "../loop/ir.js";
import { type ConvAlgorithm, type HostDevice, lanesOf, piece, together } from "./algorithm.js";
import { cookToom, type FastFilter } from "./cook-toom.js";
import { type ConvGeometry, outputOf } from "./geometry.js";
import {
  APART,
  alloc,
  buffer,
  combination,
  define,
  guarded,
  imagesOf,
  load,
  loop,
  matrices,
  name,
  paddedLines,
  store,
  vectors,
} from "./statements.js";
import { type Tiles, tilesAcross } from "./tiles.js";

/** Bytes of transformed images and products that stay in the cache; more where the filters fill it anyway. */
const CACHED = 1.5 * 1024 * 1024;
/** Bytes of an image's lines that a thread holds. */
const LOCAL = 512 * 1024;

interface SquareTiles extends Tiles {
  /** Lines of tiles of an image, and how many of them are computed at once. */
  readonly down: number;
  readonly strip: number;
  /** Images computed at once. */
  readonly images: number;
}

/** `algorithm: "winograd"` with tiles of m × m outputs. */
export function winograd(id: string, m: number): ConvAlgorithm {
  return {
    name: id,
    about: `F(${m}×${m}, r×r): tiles transformed`,
    refuses({ kernel: [kh, kw], stride, dilation }) {
      if (kh !== kw) return `filters of ${kh}×${kw}: they must be square`;
      if (kh < 2 || kh > 5) return `filters of ${kh}×${kw}: 2×2 to 5×5`;
      if (stride.some((s) => s !== 1)) return "stride is not 1";
      return dilation.some((s) => s !== 1) ? "dilation is not 1" : null;
    },
    multiplications(g) {
      const { f, down, across } = tilesOf(g, m, 1);
      return g.n * g.filters * (g.channels / g.groups) * down * across * f.inputs ** 2;
    },
    workspace(g, device) {
      const { inputs, products, filters } = room(g, tilesOf(g, m, lanesOf(device)));
      return inputs + products + filters;
    },
    prepare: (g, device) => prepare(g, device, m),
  };
}

function tilesOf(g: ConvGeometry, m: number, lanes: number): SquareTiles {
  const [oh, ow] = outputOf(g);
  const f = cookToom(m, g.kernel[0]);
  const { across, lanes: width } = tilesAcross(ow, m, lanes);
  const down = Math.ceil(oh / m);
  const line = f.inputs ** 2 * across * 4 * (g.channels + g.filters);
  const budget = Math.max(CACHED, (f.inputs ** 2 * 4 * g.filters * g.channels) / g.groups);
  const lines = Math.min(Math.floor(budget / line), Math.floor(LOCAL / (m * (across * m + f.inputs) * 4)));
  const strip = Math.max(1, Math.min(down, lines));
  const images = strip < down ? 1 : Math.max(1, Math.min(g.n, Math.floor(budget / (line * down))));
  return { f, across, lanes: width, down, strip, images };
}

/** Bytes of the three kinds of matrices. */
function room(g: ConvGeometry, { f, strip, across, images }: SquareTiles) {
  const bytes = (elements: number): number => f.inputs ** 2 * (elements + APART) * 4;
  return {
    inputs: bytes(g.channels * strip * across * images),
    products: bytes(g.filters * strip * across * images),
    filters: bytes((g.filters * g.channels) / g.groups),
  };
}

function prepare(g: ConvGeometry, device: HostDevice, m: number) {
  const t = tilesOf(g, m, lanesOf(device));
  const { f, down, strip, across, images } = t;
  const bytes = room(g, t);
  const key = `F(${m}, ${f.taps}) ${JSON.stringify({ ...g, n: 0 })}, ${strip} lines`;
  const forLanes = (lanes: number): SquareTiles => ({ ...t, lanes: Math.min(t.lanes, lanes) });
  const filters = piece(device, `filters of ${key}`, (lanes) => filterTransform(g, f, lanes));
  const input = piece(device, `images of ${key}`, (lanes) => inputTransform(g, forLanes(lanes), lanes));
  const output = piece(device, `results of ${key}`, (lanes) => outputTransform(g, forLanes(lanes), lanes));
  const [oh, ow] = outputOf(g);
  const per = { channels: g.channels / g.groups, filters: g.filters / g.groups };
  return together([filters, input, output], (x, w, y) => {
    const all = bytes.filters + bytes.inputs + bytes.products;
    const u = allocate(all);
    const [v, p] = [u + bytes.filters, u + bytes.filters + bytes.inputs];
    try {
      filters.run([w, u]);
      for (let first = 0; first < g.n; first += images) {
        const n = Math.min(images, g.n - first);
        const columns = n * strip * across;
        for (let line = 0; line < down; line += strip) {
          const start = Math.min(line, down - strip); // the last strip may overlap the one before
          input.run([x + first * g.channels * g.height * g.width * 4, v], [n, start]);
          for (let group = 0; group < g.groups; group++) {
            const at = (ptr: number, row: number, columns: number, rows: number): Matrix => ({
              ptr: ptr + row * columns * 4,
              rows: columns,
              columns: 1,
              batch: rows * columns + APART,
            });
            gemm(
              "float32",
              [per.filters, columns, per.channels],
              at(u, group * per.filters, per.channels, g.filters),
              at(v, group * per.channels, columns, g.channels),
              at(p, group * per.filters, columns, g.filters),
              f.inputs ** 2,
            );
          }
          output.run([p, y + first * g.filters * oh * ow * 4], [n, start]);
        }
      }
    } finally {
      release(u, all);
    }
  });
}

/** U[ξ, ν, f, c] = (G w Gᵀ)[ξ, ν]. */
function filterTransform(
  g: ConvGeometry,
  { g: taps, taps: r, inputs: n }: FastFilter,
  lanes: number,
): LoopKernel {
  const channels = g.channels / g.groups;
  const from = buffer("W", [g.filters, channels, r, r], "param");
  const to = matrices("U", n * n, [g.filters, channels], true);
  const body = loop("f", g.filters, "parallel", [
    vectors("c", channels, lanes, (c) => {
      const statements: Stmt[] = [];
      for (let p = 0; p < r; p++)
        for (let q = 0; q < r; q++) statements.push(define(`w${p}_${q}`, load(from, "f", c, p, q)));
      taps.forEach((row, i) => {
        for (let q = 0; q < r; q++) {
          const column = Array.from({ length: r }, (_, p) => name(`w${p}_${q}`));
          statements.push(define(`t${i}_${q}`, combination(row, column)));
        }
      });
      for (let i = 0; i < n; i++)
        taps.forEach((row, j) => {
          const line = Array.from({ length: r }, (_, q) => name(`t${i}_${q}`));
          statements.push(store(to, [i * n + j, "f", c], combination(row, line)));
        });
      return statements;
    }),
  ]);
  return { name: "winogradFilters", sizes: [], params: [from, to], body: [body] };
}

/** V[ξ, ν, c, tiles] = (Bᵀ d B)[ξ, ν]: first all rows of a line of tiles, then the columns of each. */
function inputTransform(g: ConvGeometry, { f, strip, across, lanes }: SquareTiles, most: number): LoopKernel {
  const { inputs: n, outputs: m, bt } = f;
  const width = Math.ceil((across * m + n - m) / most) * most;
  const images = imagesOf(g);
  const padded = buffer("Xp", [strip * m + n - m, width], "local");
  const to = matrices("V", n * n, [g.channels, "N", strip, across], true);
  const lines = buffer("lines", [n, width], "local");
  const body = loop("b", "N", "parallel", [
    loop("c", g.channels, "parallel", [
      ...paddedLines(g, images, padded, affine("First").times(m), most),
      loop("ty", strip, "serial", [
        alloc(lines),
        vectors("x", width, most, (x) => [
          ...bt.map((_, i) => define(`d${i}`, load(padded, affine("ty").times(m).plus(i), x))),
          ...bt.map((row, i) =>
            store(
              lines,
              [i, x],
              combination(
                row,
                bt.map((_, k) => name(`d${k}`)),
              ),
            ),
          ),
        ]),
        loop("k", n, "serial", [
          vectors("tx", across, lanes, (tx) => [
            ...bt.map((_, j) => define(`r${j}`, load(lines, "k", tx.times(m).plus(j)))),
            ...bt.map((row, j) =>
              store(
                to,
                [affine("k").times(n).plus(j), "c", "b", "ty", tx],
                combination(
                  row,
                  bt.map((_, i) => name(`r${i}`)),
                ),
              ),
            ),
          ]),
        ]),
      ]),
    ]),
  ]);
  return { name: "winogradImages", sizes: ["N", "First"], params: [images, to], body: [body] };
}

/** Y = Aᵀ p A for each tile; tiles that stick out are cut off. */
function outputTransform(
  g: ConvGeometry,
  { f, strip, across, lanes }: SquareTiles,
  most: number,
): LoopKernel {
  const { inputs: n, outputs: m, at } = f;
  const [oh, ow] = outputOf(g);
  const from = matrices("P", n * n, [g.filters, "N", strip, across], false);
  const to = buffer("Y", ["N", g.filters, oh, ow], "param", true);
  const [half, lines] = [buffer("half", [m, n, across], "local"), buffer("lines", [m, across * m], "local")];
  const transformed = (into: Buffer, place: (i: number) => Parameters<typeof store>[1], prefix: string) =>
    at.map((row, i) =>
      store(
        into,
        place(i),
        combination(
          row,
          row.map((_, k) => name(`${prefix}${k}`)),
        ),
      ),
    );
  const row = affine("ty").plus("First").times(m).plus("o");
  const body = loop("b", "N", "parallel", [
    loop("f", g.filters, "parallel", [
      loop("ty", strip, "serial", [
        alloc(half),
        alloc(lines),
        loop("k", n, "serial", [
          vectors("tx", across, lanes, (tx) => [
            ...at[0].map((_, i) => define(`p${i}`, load(from, affine("k").plus(i * n), "f", "b", "ty", tx))),
            ...transformed(half, (i) => [i, "k", tx], "p"),
          ]),
        ]),
        loop("i", m, "serial", [
          vectors("ux", across, lanes, (tx) => [
            ...at[0].map((_, j) => define(`h${j}`, load(half, "i", j, tx))),
            ...transformed(lines, (j) => ["i", tx.times(m).plus(j)], "h"),
          ]),
        ]),
        loop("o", m, "serial", [
          guarded(
            [[row, oh]],
            [vectors("x", ow, most, (x) => [store(to, ["b", "f", row, x], load(lines, "o", x))])],
          ),
        ]),
      ]),
    ]),
  ]);
  return { name: "winogradResults", sizes: ["N", "First"], params: [from, to], body: [body] };
}
