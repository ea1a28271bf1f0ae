/**
 * Convolutions on the array without a copy of the input per tap: an input's patch lies on the chip once, pixel by pixel with its
 * channels in the lanes, and each tap of the filter moves another rectangle of it through the array (implicit im2col: Zhou et al.,
 * "Characterizing and demystifying the implicit convolution algorithm on commercial matrix-multiplication accelerators", 2021).
 */
import type { Affine } from "../loop/affine.js";
import type { Expr, For, Stmt } from "../loop/ir.js";
import type { NpuConfig } from "./config.js";
import { ELEMENT_BYTES, type Element, instruction } from "./isa.js";
import { type Emitter, elementOf, type FixedKernel, flat, type LoadExpr, placeOf } from "./kernel.js";
import { each, perfectNest } from "./nests.js";

/** One of the two axes of the window: input index = out · stride + tap · dilation − before. */
interface WindowAxis {
  readonly out: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  /** Input's size, and elements from one pixel, output pixel and tap to the next. */
  readonly size: number;
  readonly inputStep: number;
  readonly outputStep: number;
  readonly weightStep: number;
}

export interface FoundConvolution {
  readonly y: WindowAxis;
  readonly x: WindowAxis;
  readonly channels: { readonly count: number; readonly input: number; readonly weight: number };
  readonly filters: { readonly count: number; readonly output: number; readonly weight: number };
  /** Loops over images. */
  readonly images: readonly For[];
  readonly input: { readonly offset: Affine; readonly address: number; readonly type: Element };
  readonly weights: { readonly address: number; readonly type: Element };
  readonly output: { readonly offset: Affine; readonly address: number; readonly type: Element };
}

/** A convolution in the form of `loop.conv2d` (any strides, dilation, zeros around), for stationary weights and cubes. */
export function convolutionIn(config: NpuConfig, kernel: FixedKernel, s: Stmt): FoundConvolution | null {
  if (config.dataflow !== "weight" && config.dataflow !== "cube") return null;
  const perfect = s.kind === "for" ? perfectNest(s) : null;
  if (!perfect) return null;
  const { loops, write } = perfect;
  if (write.kind !== "reduce" || write.op !== "add" || write.value.kind !== "op" || write.value.op !== "mul")
    return null;
  if (loops.some((l) => !l.from.isConstant || l.from.constant !== 0 || !l.to.isConstant)) return null;
  const [first, second] = write.value.args;
  const input = guardedLoad(first);
  const weights = guardedLoad(second);
  if (!input || !weights || weights.guards.length > 0) return null;
  for (const { buffer } of [input.load, weights.load]) if (buffer.dtype !== config.type) return null;
  const [x, w, c] = [input.load, weights.load, write].map((a) => flat(kernel, a.buffer, a.indices));
  const count = (l: For): number => l.to.constant;
  const kind = (l: For): string =>
    [x, w, c].map((e) => (e.coefficient(l.variable) !== 0 ? "1" : "0")).join("");
  if (![x, w, c].every((e) => loops.every((l) => e.isAffineIn(l.variable)))) return null;
  const windows: WindowAxis[] = [];
  const used = new Set<string>();
  input.load.indices.forEach((index, axis) => {
    const here = loops.filter((l) => index.coefficient(l.variable) !== 0);
    const out = here.find((l) => kind(l) === "101");
    const tap = here.find((l) => kind(l) === "110");
    if (here.length !== 2 || !out || !tap) return;
    used.add(out.variable).add(tap.variable);
    const place = placeOf(kernel, input.load.buffer.name);
    windows.push({
      out: count(out),
      taps: count(tap),
      stride: index.coefficient(out.variable),
      dilation: index.coefficient(tap.variable),
      before: -index.constant,
      size: input.load.buffer.shape[axis].isConstant ? input.load.buffer.shape[axis].constant : 0,
      inputStep: place.strides[axis],
      outputStep: c.coefficient(out.variable),
      weightStep: w.coefficient(tap.variable),
    });
  });
  const others = loops.filter((l) => !used.has(l.variable));
  const channel = others.filter((l) => kind(l) === "110");
  const filter = others.filter((l) => kind(l) === "011");
  const images = others.filter((l) => kind(l) === "101");
  if (windows.length !== 2 || channel.length !== 1 || filter.length !== 1) return null;
  if (
    images.length + 2 !== others.length ||
    windows.some((a) => a.size < 1 || a.stride < 1 || a.dilation < 1)
  )
    return null;
  if (!guardsAreBorders(input)) return null;
  const place = (e: LoadExpr["buffer"]) => placeOf(kernel, e.name);
  return {
    y: windows[0],
    x: windows[1],
    channels: {
      count: count(channel[0]),
      input: x.coefficient(channel[0].variable),
      weight: w.coefficient(channel[0].variable),
    },
    filters: {
      count: count(filter[0]),
      output: c.coefficient(filter[0].variable),
      weight: w.coefficient(filter[0].variable),
    },
    images,
    input: { offset: x, address: place(input.load.buffer).offset, type: elementOf(input.load.buffer.dtype) },
    weights: { address: place(weights.load.buffer).offset, type: elementOf(weights.load.buffer.dtype) },
    output: { offset: c, address: place(write.buffer).offset, type: elementOf(write.buffer.dtype) },
  };
}

interface Guarded {
  readonly load: LoadExpr;
  /** right − left > 0 for each condition. */
  readonly guards: readonly Affine[];
}

/** A load, perhaps widened, perhaps zero where conditions don't hold. */
function guardedLoad(e: Expr): Guarded | null {
  if (e.kind === "load") return { load: e, guards: [] };
  if (e.kind === "cast") return guardedLoad(e.of);
  if (e.kind !== "when" || e.no.kind !== "constant" || e.no.value !== 0) return null;
  const inner = guardedLoad(e.yes);
  return (
    inner && {
      load: inner.load,
      guards: [...inner.guards, ...e.conditions.map(({ left, right }) => right.minus(left))],
    }
  );
}

/** Conditions that say no more than that the element exists. */
function guardsAreBorders({ load, guards }: Guarded): boolean {
  const borders = load.indices
    .flatMap((index, axis) => [index.plus(1), load.buffer.shape[axis].minus(index)])
    .map(String);
  return guards.every((g) => borders.includes(String(g)));
}

/** Emits a convolution; false if not even its smallest tile fits, and nothing was emitted. */
export function emitConvolution(
  config: NpuConfig,
  out: Emitter,
  f: FoundConvolution,
  onto: boolean,
): boolean {
  const tile = chooseTile(config, f);
  if (!tile) return false;
  const { columns: C } = config;
  let turn = 0;
  for (let from = 0, round = 0; from < f.filters.count; from += tile.filters, round++) {
    const filters = Math.min(tile.filters, f.filters.count - from);
    const weightBase = tile.weightSlots > 1 ? (round % 2) * Math.floor(config.memory.weight.rows / 2) : 0;
    loadWeights(config, out, f, from, filters, weightBase);
    each(f.images, new Map(), (image) => {
      for (let y = 0; y < f.y.out; y += tile.y)
        for (let x = 0; x < f.x.out; x += tile.x) {
          const rows = { y, x, ny: Math.min(tile.y, f.y.out - y), nx: Math.min(tile.x, f.x.out - x) };
          const patchBase = tile.inputSlots > 1 ? (turn % 2) * Math.floor(config.memory.input.rows / 2) : 0;
          const accBase = tile.accSlots > 1 ? (turn % 2) * Math.floor(config.memory.acc.rows / 2) : 0;
          turn++;
          const zero = new Map([...zeros(f), ...image]);
          // The taps' way back out of the image is the patch's business.
          const inputAt =
            f.input.offset.evaluate(zero) + f.y.before * f.y.inputStep + f.x.before * f.x.inputStep;
          const outputAt = f.output.offset.evaluate(zero);
          const patch = loadPatch(config, out, f, rows, inputAt, patchBase);
          const move = (op: "load" | "store"): void => {
            for (let q = 0; q * C < filters; q++) {
              const fields = {
                type: f.output.type,
                row: accBase + q * rows.ny * rows.nx,
                ny: rows.ny,
                nx: rows.nx,
                sy: rows.nx,
                lanes: Math.min(C, filters - q * C),
                dram:
                  f.output.address +
                  (outputAt + y * f.y.outputStep + x * f.x.outputStep + (from + q * C) * f.filters.output) *
                    ELEMENT_BYTES[f.output.type],
                dy: f.y.outputStep,
                dx: f.x.outputStep,
                dl: f.filters.output,
              };
              out.emit(
                op === "load" ? instruction("load", { ...fields, mem: "acc" }) : instruction("store", fields),
              );
            }
          };
          if (onto) move("load");
          multiply(config, out, f, filters, weightBase, patch, rows, accBase, onto);
          move("store");
        }
    });
  }
  return true;
}

const zeros = (f: FoundConvolution): [string, number][] =>
  [...new Set([...f.input.offset.variables(), ...f.output.offset.variables()])].map((v) => [v, 0]);

interface Tile {
  readonly y: number;
  readonly x: number;
  readonly filters: number;
  readonly inputSlots: number;
  readonly weightSlots: number;
  readonly accSlots: number;
}

const reach = (a: WindowAxis, out: number): number => (out - 1) * a.stride + (a.taps - 1) * a.dilation + 1;

/** As many filters as the weights' memory holds, and the largest patch of whole lines of which two fit. */
function chooseTile(config: NpuConfig, f: FoundConvolution): Tile | null {
  const { rows: R, columns: C, memory } = config;
  const chunks = Math.ceil(f.channels.count / R);
  const perBlock = f.y.taps * f.x.taps * chunks * R;
  const blocks = Math.ceil(f.filters.count / C);
  const fit = Math.min(blocks, Math.floor(memory.weight.rows / perBlock));
  if (fit < 1) return null;
  const weightSlots = fit >= blocks ? 1 : fit >= 2 ? 2 : 1;
  for (let take = weightSlots === 2 ? Math.floor(fit / 2) : fit; take >= 1; take--)
    for (const slots of [2, 1])
      for (let x = f.x.out; x >= 1; x = x > 1 ? Math.ceil(x / 2) : 0)
        for (let y = f.y.out; y >= 1; y--) {
          const input = chunks * reach(f.y, y) * reach(f.x, x);
          if (input * slots > memory.input.rows || take * y * x * slots > memory.acc.rows || y > 4095)
            continue;
          return { y, x, filters: take * C, inputSlots: slots, weightSlots, accSlots: slots };
        }
  return null;
}

/** Weights of some filters: tap by tap, chunk of channels by chunk, block of filters by block; channels down, filters across. */
function loadWeights(
  config: NpuConfig,
  out: Emitter,
  f: FoundConvolution,
  from: number,
  filters: number,
  base: number,
): void {
  const { rows: R, columns: C } = config;
  const bytes = ELEMENT_BYTES[f.weights.type];
  let row = base;
  for (let r = 0; r < f.y.taps; r++)
    for (let q = 0; q < f.x.taps; q++)
      for (let c = 0; c < f.channels.count; c += R)
        for (let n = 0; n < filters; n += C, row += R)
          out.emit(
            instruction("load", {
              mem: "weight",
              type: f.weights.type,
              row,
              nx: Math.min(R, f.channels.count - c),
              lanes: Math.min(C, filters - n),
              dram:
                f.weights.address +
                (r * f.y.weightStep +
                  q * f.x.weightStep +
                  c * f.channels.weight +
                  (from + n) * f.filters.weight) *
                  bytes,
              dx: f.channels.weight,
              dl: f.filters.weight,
            }),
          );
}

interface Rows {
  readonly y: number;
  readonly x: number;
  readonly ny: number;
  readonly nx: number;
}

interface Patch {
  readonly base: number;
  readonly width: number;
  /** Rows of a chunk of channels. */
  readonly rows: number;
}

/** The pixels that these outputs need, zeros where the image ends. */
function loadPatch(
  config: NpuConfig,
  out: Emitter,
  f: FoundConvolution,
  t: Rows,
  image: number,
  base: number,
): Patch {
  const { rows: R } = config;
  const [height, width] = [reach(f.y, t.ny), reach(f.x, t.nx)];
  const [top, left] = [t.y * f.y.stride - f.y.before, t.x * f.x.stride - f.x.before];
  // Part of the patch that lies in the image.
  const [y0, y1] = [Math.max(0, -top), Math.min(height, f.y.size - top)];
  const [x0, x1] = [Math.max(0, -left), Math.min(width, f.x.size - left)];
  const bytes = ELEMENT_BYTES[f.input.type];
  for (let c = 0, at = base; c < f.channels.count; c += R, at += height * width) {
    const lanes = Math.min(R, f.channels.count - c);
    const fill = (row: number, ny: number, nx: number): void => {
      if (ny > 0 && nx > 0)
        out.emit(
          instruction("fill", {
            mem: "input",
            type: config.type === "int8" ? "int32" : "float32",
            row: at + row,
            ny,
            nx,
            sy: width,
            lanes,
          }),
        );
    };
    if (y1 <= y0 || x1 <= x0) {
      fill(0, height, width);
      continue;
    }
    fill(0, y0, width);
    fill(y1 * width, height - y1, width);
    fill(y0 * width, y1 - y0, x0);
    fill(y0 * width + x1, y1 - y0, width - x1);
    out.emit(
      instruction("load", {
        mem: "input",
        type: f.input.type,
        row: at + y0 * width + x0,
        ny: y1 - y0,
        nx: x1 - x0,
        sy: width,
        lanes,
        dram:
          f.input.address +
          (image + (top + y0) * f.y.inputStep + (left + x0) * f.x.inputStep + c * f.channels.input) * bytes,
        dy: f.y.inputStep,
        dx: f.x.inputStep,
        dl: f.channels.input,
      }),
    );
  }
  return { base, width, rows: height * width };
}

function multiply(
  config: NpuConfig,
  out: Emitter,
  f: FoundConvolution,
  filters: number,
  weightBase: number,
  patch: Patch,
  t: Rows,
  accBase: number,
  onto: boolean,
): void {
  const { rows: R, columns: C } = config;
  let row = weightBase;
  let first = !onto;
  for (let r = 0; r < f.y.taps; r++)
    for (let q = 0; q < f.x.taps; q++)
      for (let c = 0; c < f.channels.count; c += R) {
        for (let n = 0; n < filters; n += C, row += R) {
          out.emit(
            instruction("preload", {
              row,
              rows: Math.min(R, f.channels.count - c),
              columns: Math.min(C, filters - n),
            }),
          );
          out.emit(
            instruction("matmul", {
              row: patch.base + (c / R) * patch.rows + r * f.y.dilation * patch.width + q * f.x.dilation,
              ny: t.ny,
              sy: f.y.stride * patch.width,
              nx: t.nx,
              sx: f.x.stride,
              acc: accBase + (n / C) * t.ny * t.nx,
              accumulate: first ? 0 : 1,
            }),
          );
        }
        first = false;
      }
}
