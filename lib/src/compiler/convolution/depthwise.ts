/** Each channel with filters of its own: no product is worth its columns, so that lines are kept in registers instead. */
import { floordiv } from "../loop/affine.js";
import { Definition, lit, op } from "../loop/compute.js";
import type { LoopKernel } from "../loop/ir.js";
import { Schedule } from "../schedule/schedule.js";
import { type ConvAlgorithm, piece, together } from "./algorithm.js";
import { type ConvGeometry, definitionWork, outputOf } from "./geometry.js";
import { fittingLanes, padPhases, phasesBytes, phasesOf } from "./phases.js";

export const depthwise: ConvAlgorithm = {
  name: "depthwise",
  about: "a register tile of lines of one channel",
  refuses: (g) => (g.groups === g.channels ? null : "channels have no filters of their own"),
  multiplications: definitionWork,
  workspace: (g) => phasesBytes(g),
  prepare(g, device) {
    const kernel = piece(device, `depthwise ${JSON.stringify({ ...g, n: 0 })}`, (lanes) =>
      kernelOf(g, lanes),
    );
    return together([kernel], (x, w, y) => kernel.run([x, w, y], [g.n]));
  },
};

const LINES = 4;

function kernelOf(g: ConvGeometry, widest: number): LoopKernel {
  const [oh, ow] = outputOf(g);
  const lanes = fittingLanes(ow, widest);
  const d = new Definition("depthwise", ["N"]);
  const x = d.input("X", "float32", ["N", g.channels, g.height, g.width]);
  const w = d.input("W", "float32", [g.filters, 1, ...g.kernel]);
  const y = d.output("Y", "float32", ["N", g.filters, oh, ow]);
  const columns = Math.min(2 * lanes, Math.ceil(ow / lanes) * lanes);
  const images = padPhases(d, x, g, columns);
  const each = g.filters / g.channels;
  d.reduce(
    y,
    { b: "N", f: g.filters, y: oh, x: ow },
    { r: g.kernel[0], q: g.kernel[1] },
    "add",
    lit(0),
    (v) => [
      [v.b, v.f, v.y, v.x],
      op("mul", images.at(v.b, floordiv(v.f, each), ...phasesOf(g, v)), w.at(v.f, 0, v.r, v.q)),
    ],
  );
  const s = new Schedule(d.kernel());
  s.split("y", largestDivisor(oh, LINES), ["yb", "yi"]);
  s.split("x", columns, ["xb", "xi"]);
  s.reorder("b", "f", "yb", "xb", "r", "q", "yi", "xi");
  s.cacheWrite("Y", "xb", { name: "acc" });
  if (ow > 1) s.pad("xi", lanes);
  s.unroll("yi").vectorize("xi");
  for (const part of ["zero", "out"])
    s.unroll(`acc_${part}1`).unroll(`acc_${part}2`).vectorize(`acc_${part}3`);
  s.parallel("b").parallel("f");
  return copyInVectors(s, lanes).kernel;
}

/** The copy of the images, by vectors and threads. */
export function copyInVectors(s: Schedule, lanes: number): Schedule {
  s.split("px", lanes, ["pxb", "pxi"]);
  return s.vectorize("pxi").parallel("pb").parallel("pc");
}

export function largestDivisor(n: number, most: number): number {
  let d = Math.min(n, most);
  while (n % d !== 0) d--;
  return d;
}
