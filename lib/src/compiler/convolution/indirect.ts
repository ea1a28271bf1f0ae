/**
 * Convolution through pointers: the channels of a pixel are laid side by side once, a table says where each tap of each
 * output finds its pixel, and the product's inner loop follows it. No columns are written, whatever the geometry (Dukhan
 * 2019). The table is made once for each geometry.
 */
import { allocate, memory, release } from "../../runtime/heap.js";
import { launch, type PoolKernel } from "../../runtime/pool/pool.js";
import { compileKernels } from "../../runtime/wasm/module.js";
import { compileTextInBackground } from "../codegen/c/compile.js";
import { affine, ceildiv } from "../loop/affine.js";
import { Definition, lit, when } from "../loop/compute.js";
import type { LoopKernel } from "../loop/ir.js";
import { nativePrograms } from "../native/programs.js";
import { Schedule } from "../schedule/schedule.js";
import { type ConvAlgorithm, type HostDevice, piece, together } from "./algorithm.js";
import { type ConvGeometry, definitionWork, outputOf } from "./geometry.js";
import { indirectSource, TILE as NATIVE_TILE } from "./indirect-c.js";
import { indirectModule, PANEL } from "./indirect-wasm.js";
import { pointersOf } from "./pointers.js";

export const indirect: ConvAlgorithm = {
  name: "indirect",
  about: "taps found through a table of pointers, no columns",
  refuses: () => null,
  multiplications: definitionWork,
  workspace(g) {
    const { image, pointers, filters } = room(g);
    return image + pointers + filters;
  },
  prepare,
};

const WORTH_A_THREAD = 60_000; // multiply-adds

const panelsOf = (g: ConvGeometry): number => Math.ceil(g.filters / g.groups / PANEL);

/** Bytes of an image with channels side by side, of the table, and of the packed filters. */
function room(g: ConvGeometry) {
  const [oh, ow] = outputOf(g);
  const taps = g.kernel[0] * g.kernel[1];
  return {
    image: (g.height * g.width + 1) * g.channels * 4,
    pointers: Math.ceil((oh * ow * taps) / 16) * 64,
    filters: panelsOf(g) * PANEL * taps * g.channels * 4,
  };
}

let module: Record<"indirect", PoolKernel> | null = null;

function prepare(g: ConvGeometry, device: HostDevice) {
  const [oh, ow] = outputOf(g);
  const [pixels, taps] = [oh * ow, g.kernel[0] * g.kernel[1]];
  const per = { channels: g.channels / g.groups, filters: g.filters / g.groups };
  const key = JSON.stringify({ ...g, n: 0 });
  const lay = piece(device, `pixels of ${key}`, () => pixelsOf(g));
  const pack = piece(device, `panels of ${key}`, () => packedFilters(g));
  const native =
    device === "native"
      ? nativePrograms("indirect convolution", () => compileTextInBackground("indirect", indirectSource))
      : null;
  const table = pointersOf(g, g.channels * 4);
  const bytes = room(g);
  const work = taps * g.channels * per.filters;
  let done = native === null || native.current() !== null;
  if (!done)
    void native?.ready.then(() => {
      done = true;
    });
  const product = { ready: native?.ready ?? Promise.resolve(), isReady: () => done };
  return together([lay, pack, product], (x, w, y) => {
    const all = bytes.image + bytes.pointers + bytes.filters;
    const image = allocate(all);
    const [pointers, filters] = [image + bytes.image, image + bytes.image + bytes.pointers];
    try {
      new Int32Array(memory.buffer, pointers, table.length).set(table);
      pack.run([w, filters]);
      for (let i = 0; i < g.n; i++) {
        lay.run([x + i * g.channels * g.height * g.width * 4, image]);
        for (let group = 0; group < g.groups; group++) {
          const args = [
            image + group * per.channels * 4,
            pointers,
            filters + group * panelsOf(g) * PANEL * taps * per.channels * 4,
            y + (i * g.filters + group * per.filters) * pixels * 4,
            ...[pixels, taps, per.channels, per.filters],
          ];
          const run = native?.current();
          if (run) {
            const items = Math.ceil(pixels / NATIVE_TILE);
            run([...args, items, Math.max(1, Math.ceil(WORTH_A_THREAD / (work * NATIVE_TILE)))]);
          } else {
            module ??= compileKernels(indirectModule(), ["indirect"]);
            launch(module.indirect, args, pixels, Math.max(2, Math.ceil(WORTH_A_THREAD / work)), 2);
          }
        }
      }
    } finally {
      release(image, all);
    }
  });
}

/** One image with its channels side by side, a pixel of zeros behind it. */
function pixelsOf(g: ConvGeometry): LoopKernel {
  const d = new Definition("pixels", []);
  const x = d.input("X", "float32", [g.channels, g.height, g.width]);
  const y = d.output("P", "float32", [g.height * g.width + 1, g.channels]);
  const { width } = g;
  d.compute(y, { py: g.height, px: width, pc: g.channels }, (v) => [
    [v.py.times(width).plus(v.px), v.pc],
    x.at(v.pc, v.py, v.px),
  ]);
  d.compute(y, { zc: g.channels }, ({ zc }) => [[g.height * width, zc], lit(0)]);
  const s = new Schedule(d.kernel());
  s.split("pc", 4, ["pcb", "pci"]);
  s.reorder("py", "pcb", "px", "pci");
  s.vectorize("pci").parallel("py");
  return s.kernel;
}

/** Panels of filters: [group][panel][tap][channel][filter of the panel]. */
function packedFilters(g: ConvGeometry): LoopKernel {
  const d = new Definition("panels", []);
  const per = { channels: g.channels / g.groups, filters: g.filters / g.groups };
  const [kh, kw] = g.kernel;
  const w = d.input("W", "float32", [g.filters, per.channels, kh, kw]);
  const out = d.output("U", "float32", [g.groups, ceildiv(per.filters, PANEL), kh, kw, per.channels, PANEL]);
  const axes = { g: g.groups, p: panelsOf(g), r: kh, q: kw, c: per.channels, f: PANEL };
  d.compute(out, axes, (v) => {
    const within = v.p.times(PANEL).plus(v.f);
    const from = w.at(v.g.times(per.filters).plus(within), v.c, v.r, v.q);
    return [[v.g, v.p, v.r, v.q, v.c, v.f], when([[within, affine(per.filters)]], from, lit(0))];
  });
  const s = new Schedule(d.kernel());
  s.reorder("g", "p", "c", "r", "q", "f");
  return s.parallel("g").parallel("p").kernel;
}
