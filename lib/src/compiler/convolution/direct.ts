/**
 * The definition itself, scheduled: a copy of the images with zeros around, filters packed, and a register tile of filters ×
 * neighbouring pixels, so that each vector of pixels is read once for several filters. No columns.
 */
import { Definition, lit, op } from "../loop/compute.js";
import type { LoopKernel } from "../loop/ir.js";
import { Schedule } from "../schedule/schedule.js";
import { type ConvAlgorithm, piece, together } from "./algorithm.js";
import { copyInVectors, largestDivisor } from "./depthwise.js";
import { type ConvGeometry, definitionWork, outputOf } from "./geometry.js";
import { fittingLanes, padPhases, phasesBytes, phasesOf } from "./phases.js";

export const direct: ConvAlgorithm = {
  name: "direct",
  about: "a register tile of filters × pixels, no columns",
  refuses: () => null,
  multiplications: definitionWork,
  workspace: (g) => phasesBytes(g) + (g.filters * g.channels * g.kernel[0] * g.kernel[1] * 4) / g.groups,
  prepare(g, device) {
    const kernel = piece(device, `direct ${JSON.stringify({ ...g, n: 0 })}`, (lanes) => kernelOf(g, lanes));
    return together([kernel], (x, w, y) => kernel.run([x, w, y], [g.n]));
  },
};

function kernelOf(g: ConvGeometry, widest: number): LoopKernel {
  const [oh, ow] = outputOf(g);
  const lanes = fittingLanes(ow, widest);
  const [channels, filters] = [g.channels / g.groups, g.filters / g.groups];
  const [rows, columns] = [
    largestDivisor(filters, widest === 16 ? 8 : widest === 8 ? 4 : 2),
    Math.min((lanes === 4 ? 4 : 2) * lanes, Math.ceil(ow / lanes) * lanes),
  ];
  const d = new Definition("direct", ["N"]);
  const x = d.input("X", "float32", ["N", g.channels, g.height, g.width]);
  const w = d.input("W", "float32", [g.filters, channels, ...g.kernel]);
  const y = d.output("Y", "float32", ["N", g.filters, oh, ow]);
  const images = padPhases(d, x, g, columns);
  const packed = d.temp("Wp", "float32", [g.filters / rows, channels, ...g.kernel, rows]);
  const axes = { wf: g.filters / rows, wc: channels, wr: g.kernel[0], wq: g.kernel[1], wi: rows };
  d.compute(packed, axes, (v) => [
    [v.wf, v.wc, v.wr, v.wq, v.wi],
    w.at(v.wf.times(rows).plus(v.wi), v.wc, v.wr, v.wq),
  ]);
  const outer = { b: "N", g: g.groups, fb: filters / rows, fi: rows, y: oh, x: ow };
  const over = { c: channels, r: g.kernel[0], q: g.kernel[1] };
  d.reduce(y, outer, over, "add", lit(0), (v) => {
    const panel = v.g.times(filters / rows).plus(v.fb);
    const pixel = images.at(v.b, v.g.times(channels).plus(v.c), ...phasesOf(g, v));
    return [
      [v.b, panel.times(rows).plus(v.fi), v.y, v.x],
      op("mul", pixel, packed.at(panel, v.c, v.r, v.q, v.fi)),
    ];
  });
  const s = new Schedule(d.kernel());
  s.split("x", columns, ["xb", "xi"]);
  s.reorder("b", "y", "g", "fb", "xb", "c", "r", "q", "fi", "xi");
  s.cacheWrite("Y", "xb", { name: "acc" });
  if (ow > 1) s.pad("xi", lanes);
  s.unroll("fi").vectorize("xi");
  for (const part of ["zero", "out"])
    s.unroll(`acc_${part}1`).unroll(`acc_${part}2`).vectorize(`acc_${part}3`);
  s.parallel("b").parallel("y");
  return copyInVectors(s, lanes).kernel;
}
