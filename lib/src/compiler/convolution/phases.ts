/**
 * A copy of the images with zeros around, whose columns are sorted by their remainder by the stride: what neighbouring
 * outputs read then lies side by side, whatever the stride and the dilation.
 */
import { type Affine, affine, floordiv, type Index, mod } from "../loop/affine.js";
import { type Definition, lit, type TensorRef, when } from "../loop/compute.js";
import { type ConvGeometry, outputOf } from "./geometry.js";

/** Lines, phases, and columns of a phase when lines of outputs run to a multiple of `columns`. */
function sizes(g: ConvGeometry, columns: number): readonly [number, number, number] {
  const [oh, ow] = outputOf(g);
  const lines = (oh - 1) * g.stride[0] + (g.kernel[0] - 1) * g.dilation[0] + 1;
  const reach = Math.floor(((g.kernel[1] - 1) * g.dilation[1]) / g.stride[1]);
  return [lines, g.stride[1], Math.ceil(ow / columns) * columns + reach];
}

/** Its stage: loops `pb`, `pc`, `py`, `ph`, `px`. */
export function padPhases(d: Definition, x: TensorRef, g: ConvGeometry, columns: number): TensorRef {
  const [lines, phases, width] = sizes(g, columns);
  const to = d.temp("Xp", "float32", ["N", g.channels, lines, phases, width]);
  const axes = { pb: "N", pc: g.channels, py: lines, ph: phases, px: width };
  d.compute(to, axes, (v) => {
    const row = v.py.minus(g.padding[0][0]);
    const column = v.px.times(g.stride[1]).plus(v.ph).minus(g.padding[1][0]);
    const inside: readonly (readonly [Index, Index])[] = [
      [-1, row],
      [row, g.height],
      [-1, column],
      [column, g.width],
    ];
    return [[v.pb, v.pc, v.py, v.ph, v.px], when(inside, x.at(v.pb, v.pc, row, column), lit(0))];
  });
  return to;
}

/** Indices behind the channel of the pixel that output (y, x) meets at tap (r, q). */
export function phasesOf(
  g: ConvGeometry,
  { y, x, r, q }: Record<"y" | "x" | "r" | "q", Affine>,
): [Affine, Affine, Affine] {
  const away = affine(q).times(g.dilation[1]);
  return [
    y.times(g.stride[0]).plus(r.times(g.dilation[0])),
    mod(away, g.stride[1]),
    x.plus(floordiv(away, g.stride[1])),
  ];
}

export function phasesBytes(g: ConvGeometry): number {
  return sizes(g, 16).reduce((n, dim) => n * dim, 4 * g.n * g.channels);
}

/** Lanes of vectors for lines so short that wider ones would be half empty. */
export function fittingLanes(width: number, lanes: number): number {
  let count = lanes;
  while (count > 4 && width <= count / 2) count /= 2;
  return count;
}
