/**
 * Winograd's convolution along lines, F(m, r): each line of the images and each line of the filters are transformed; the
 * filters' lines are summed as products that go on, with images shifted by a line each time. Fewer multiplications are
 * saved than in two dimensions, fewer additions and digits are spent, and filters need not be square. (Book, chapter 8.)
 */
import { allocate, release } from "../../runtime/heap.js";
import { gemm, type Matrix } from "../../runtime/wasm/kernels/gemm.js";
import { affine } from "../loop/affine.js";
import type { LoopKernel, Stmt } from "../loop/ir.js";
import { type ConvAlgorithm, type HostDevice, lanesOf, piece, together } from "./algorithm.js";
import { cookToom } from "./cook-toom.js";
import { type ConvGeometry, outputOf } from "./geometry.js";
import {
  APART,
  alloc,
  buffer,
  combination,
  define,
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

export function winogradLines(id: string, m: number): ConvAlgorithm {
  return {
    name: id,
    about: `F(${m}, r) along lines`,
    refuses({ kernel: [, kw], stride, dilation }) {
      if (kw < 2 || kw > 7) return `filters ${kw} wide: 2 to 7`;
      if (stride.some((s) => s !== 1)) return "stride is not 1";
      return dilation[1] !== 1 ? "columns are dilated" : null;
    },
    multiplications(g) {
      const { f, across } = tilesOf(g, m, 1);
      return g.n * g.filters * (g.channels / g.groups) * g.kernel[0] * outputOf(g)[0] * across * f.inputs;
    },
    workspace(g, device) {
      const { images, products, filters } = room(g, tilesOf(g, m, lanesOf(device)));
      return images + products + filters;
    },
    prepare: (g, device) => prepare(g, device, m),
  };
}

function tilesOf(g: ConvGeometry, m: number, lanes: number): Tiles {
  return { f: cookToom(m, g.kernel[1]), ...tilesAcross(outputOf(g)[1], m, lanes) };
}

/** Lines of the images with zeros around. */
const linesOf = (g: ConvGeometry): number => outputOf(g)[0] + (g.kernel[0] - 1) * g.dilation[0];

/** Bytes: of one transformed image, its products, and the filters. */
function room(g: ConvGeometry, { f, across }: Tiles) {
  const bytes = (elements: number): number => f.inputs * (elements + APART) * 4;
  return {
    images: bytes(g.channels * linesOf(g) * across),
    products: bytes(g.filters * outputOf(g)[0] * across),
    filters: bytes((g.kernel[0] * g.filters * g.channels) / g.groups),
  };
}

function prepare(g: ConvGeometry, device: HostDevice, m: number) {
  const t = tilesOf(g, m, lanesOf(device));
  const { f, across } = t;
  const bytes = room(g, t);
  const key = `lines F(${m}, ${f.taps}) ${JSON.stringify({ ...g, n: 0 })}`;
  const forLanes = (lanes: number): Tiles => ({ ...t, lanes: Math.min(t.lanes, lanes) });
  const filters = piece(device, `filters of ${key}`, (lanes) => filterTransform(g, t, lanes));
  const input = piece(device, `images of ${key}`, (lanes) => inputTransform(g, forLanes(lanes), lanes));
  const output = piece(device, `results of ${key}`, (lanes) => outputTransform(g, forLanes(lanes), lanes));
  const [oh, ow] = outputOf(g);
  const lines = linesOf(g);
  const per = { channels: g.channels / g.groups, filters: g.filters / g.groups };
  return together([filters, input, output], (x, w, y) => {
    const all = bytes.filters + bytes.images + bytes.products;
    const u = allocate(all);
    try {
      const [v, p] = [u + bytes.filters, u + bytes.filters + bytes.images];
      filters.run([w, u]);
      for (let image = 0; image < g.n; image++) {
        input.run([x + image * g.channels * g.height * g.width * 4, v], [1]);
        for (let group = 0; group < g.groups; group++)
          for (let line = 0; line < g.kernel[0]; line++) {
            const a: Matrix = {
              ptr: u + (line * g.filters + group * per.filters) * per.channels * 4,
              rows: per.channels,
              columns: 1,
              batch: g.kernel[0] * g.filters * per.channels + APART,
            };
            const b: Matrix = {
              ptr: v + (group * per.channels * lines + line * g.dilation[0]) * across * 4,
              rows: lines * across,
              columns: 1,
              batch: g.channels * lines * across + APART,
            };
            const c: Matrix = {
              ptr: p + group * per.filters * oh * across * 4,
              rows: oh * across,
              columns: 1,
              batch: g.filters * oh * across + APART,
            };
            gemm("float32", [per.filters, oh * across, per.channels], a, b, c, f.inputs, line > 0);
          }
        output.run([p, y + image * g.filters * oh * ow * 4], [1]);
      }
    } finally {
      release(u, all);
    }
  });
}

/** U[ξ, p, f, c] = (G w[p])[ξ]. */
function filterTransform(g: ConvGeometry, { f }: Tiles, lanes: number): LoopKernel {
  const channels = g.channels / g.groups;
  const [kh, kw] = g.kernel;
  const from = buffer("W", [g.filters, channels, kh, kw], "param");
  const to = matrices("U", f.inputs, [kh, g.filters, channels], true);
  const body = loop("f", g.filters, "parallel", [
    loop("p", kh, "serial", [
      vectors("c", channels, lanes, (c) => {
        const taps = Array.from({ length: kw }, (_, q) => name(`w${q}`));
        return [
          ...taps.map((_, q) => define(`w${q}`, load(from, "f", c, "p", q))),
          ...f.g.map((row, i): Stmt => store(to, [i, "p", "f", c], combination(row, taps))),
        ];
      }),
    ]),
  ]);
  return { name: "winogradLineFilters", sizes: [], params: [from, to], body: [body] };
}

/** V[ξ, c, line, tile] = (Bᵀ d)[ξ]. */
function inputTransform(g: ConvGeometry, { f, across, lanes }: Tiles, most: number): LoopKernel {
  const { inputs: n, outputs: m, bt } = f;
  const lines = linesOf(g);
  const width = Math.ceil((across * m + n - m) / most) * most;
  const images = imagesOf(g);
  const padded = buffer("Xp", [1, width], "local");
  const to = matrices("V", n, [g.channels, "N", lines, across], true);
  const values = bt.map((_, i) => name(`d${i}`));
  const body = loop("b", "N", "parallel", [
    loop("c", g.channels, "parallel", [
      loop("y", lines, "serial", [
        ...paddedLines(g, images, padded, "y", most),
        vectors("tx", across, lanes, (tx) => [
          ...bt.map((_, i) => define(`d${i}`, load(padded, 0, tx.times(m).plus(i)))),
          ...bt.map((row, i) => store(to, [i, "c", "b", "y", tx], combination(row, values))),
        ]),
      ]),
    ]),
  ]);
  return {
    name: "winogradLineImages",
    sizes: ["N"],
    params: [images, to],
    body: [body],
  };
}

/** Y = Aᵀ p for each tile of a line; the last one is cut off. */
function outputTransform(g: ConvGeometry, { f, across, lanes }: Tiles, most: number): LoopKernel {
  const { inputs: n, outputs: m, at } = f;
  const [oh, ow] = outputOf(g);
  const from = matrices("P", n, [g.filters, "N", oh, across], false);
  const to = buffer("Y", ["N", g.filters, oh, ow], "param", true);
  const line = buffer("line", [across * m], "local");
  const values = at[0].map((_, i) => name(`p${i}`));
  const body = loop("b", "N", "parallel", [
    loop("f", g.filters, "parallel", [
      loop("y", oh, "serial", [
        alloc(line),
        vectors("tx", across, lanes, (tx) => [
          ...values.map((_, i) => define(`p${i}`, load(from, i, "f", "b", "y", tx))),
          ...at.map((row, j) => store(line, [affine(tx).times(m).plus(j)], combination(row, values))),
        ]),
        vectors("x", ow, most, (x) => [store(to, ["b", "f", "y", x], load(line, x))]),
      ]),
    ]),
  ]);
  return { name: "winogradLineResults", sizes: ["N"], params: [from, to], body: [body] };
}
