/**
 * What a transformer costs: parameters, floating-point operations, and seconds on a device, from the shapes of its matrix
 * products and the bytes that its other kernels move. The shapes are GPT's, split over tensor-parallel devices as Megatron
 * does. (Narayanan et al., SC 2021, §3 and appendix.)
 */
import { ValueError } from "../../../core/errors.js";
import type { Device } from "../cluster/presets.js";

export interface Transformer {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly sequence: number;
  readonly vocabulary: number;
}

/** What is computed again in the backward pass instead of kept: nothing, the attention's core, or every layer. */
export type Recompute = "none" | "selective" | "full";

/**
 * Parameters of the model: 12·l·h² (1 + 13/12h + (V + s)/12lh) (Narayanan et al. 2021, equation 2).
 * @example parameterCount({ layers: 96, hidden: 12288, heads: 96, sequence: 2048, vocabulary: 51200 }) / 1e9 // 174.6
 */
export function parameterCount({ layers: l, hidden: h, sequence: s, vocabulary: V }: Transformer): number {
  return 12 * l * h ** 2 * (1 + 13 / (12 * h) + (V + s) / (12 * l * h));
}

/**
 * Floating-point operations of the matrix products for one sequence, forward and backward: about 6 per parameter and token,
 * and those of attention; 8 with full recomputation (Narayanan et al. 2021, equation 3).
 * @example
 * const gpt3 = { layers: 96, hidden: 12288, heads: 96, sequence: 2048, vocabulary: 51200 };
 * flopsPerSequence(gpt3) / (6 * parameterCount(gpt3) * gpt3.sequence) < 1.03 // true
 */
export function flopsPerSequence(model: Transformer, recompute: Recompute = "none"): number {
  const { layers: l, hidden: h, sequence: s, vocabulary: V } = model;
  const passes = recompute === "full" ? 4 : 3;
  const attention = recompute === "selective" ? 4 * l * s * s * h : 0; // its core once more
  return passes * l * (24 * s * h * h + 4 * s * s * h) + attention + 6 * s * h * V;
}

/** A batch of matrix products (rows × inner) · (inner × columns). */
interface Product {
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
}

/**
 * Seconds of matrix products: rounds of tiles over the device's multiprocessors, or its memory's bandwidth, whichever is
 * slower. The library picks the shape of tile that wastes least, the large one or its halves.
 * @param bytes per element
 */
export function productSeconds(device: Device, { batch, rows, columns, inner }: Product, bytes = 2): number {
  const [tall, wide] = device.tile;
  const rate = (device.flops * device.productEfficiency) / device.units;
  const seconds = [
    [tall, wide],
    [tall, wide / 2],
    [tall / 2, wide / 2],
  ].map(([r, c]) => {
    const tiles = batch * Math.ceil(rows / r) * Math.ceil(columns / c);
    return (Math.ceil(tiles / device.units) * 2 * r * c * inner) / rate;
  });
  const moved = bytes * batch * (rows * inner + inner * columns + rows * columns);
  return Math.max(Math.min(...seconds), memorySeconds(device, moved)) + device.kernelOverhead;
}

const memorySeconds = (device: Device, bytes: number): number =>
  bytes / (device.memoryBandwidth * device.memoryEfficiency);

/** Seconds of one pass through a part of the model, on one device of `tensor` that share it. */
export interface PassSeconds {
  readonly forward: number;
  readonly backward: number;
}

/**
 * One layer, without communication.
 * @param batch sequences of a micro-batch
 * @param options `tensor`: devices that share each layer; `sequenceParallel`: also what is between the products
 */
export function layerSeconds(
  device: Device,
  { hidden: h, heads: a, sequence: s }: Transformer,
  batch: number,
  { tensor: t, sequenceParallel = false }: { readonly tensor: number; readonly sequenceParallel?: boolean },
): PassSeconds & { /** The attention's core alone, forward. */ readonly core: number } {
  if (a % t !== 0) throw new ValueError(`layerSeconds: ${a} heads can't be split evenly over ${t} devices`);
  const rows = batch * s;
  const dense = [
    { batch: 1, rows, columns: (3 * h) / t, inner: h },
    { batch: 1, rows, columns: h, inner: h / t },
    { batch: 1, rows, columns: (4 * h) / t, inner: h },
    { batch: 1, rows, columns: h, inner: (4 * h) / t },
  ];
  const core = [
    { batch: (batch * a) / t, rows: s, columns: s, inner: h / a },
    { batch: (batch * a) / t, rows: s, columns: h / a, inner: s },
  ];
  const seconds = (list: readonly Product[]): number =>
    list.reduce((sum, product) => sum + productSeconds(device, product), 0);
  // a product's gradients: by its left side (rows × columns · columns × inner) and its right side
  const back = (list: readonly Product[]): number =>
    seconds(list.map((p) => ({ ...p, columns: p.inner, inner: p.columns }))) +
    seconds(list.map((p) => ({ ...p, rows: p.inner, inner: p.rows })));
  // bytes of the fused kernels in between, 16-bit with 8-bit dropout masks: two layer norms (read and write), bias + GeLU on
  // 4h, bias + dropout + add twice; softmax with mask, and dropout, of the scores
  const alone = ((2 * 4 + 2 * 7) * rows * h) / (sequenceParallel ? t : 1);
  const between = (alone + (16 * rows * h) / t) / 1;
  const scores = ((4 + 5) * batch * a * s * s) / t;
  const overheads = 7 * device.kernelOverhead;
  const coreForward = seconds(core) + memorySeconds(device, scores);
  return {
    forward: seconds(dense) + coreForward + memorySeconds(device, between) + overheads,
    // gradients read the incoming one beside what was kept: half as much again
    backward: back(dense) + back(core) + 1.5 * memorySeconds(device, between + scores) + 1.5 * overheads,
    core: coreForward,
  };
}

/** The output layer and its loss: logits over the vocabulary, split over `tensor` devices. */
export function outputSeconds(
  device: Device,
  model: Transformer,
  batch: number,
  tensor: number,
): PassSeconds {
  const { hidden: h, sequence: s, vocabulary } = model;
  const rows = batch * s;
  const columns = vocabulary / tensor;
  const one = productSeconds(device, { batch: 1, rows, columns, inner: h });
  const loss = memorySeconds(device, 3 * 4 * rows * columns);
  return {
    forward: one + loss,
    backward:
      productSeconds(device, { batch: 1, rows, columns: h, inner: columns }) +
      productSeconds(device, { batch: 1, rows: h, columns, inner: rows }) +
      loss,
  };
}

/** Adam in mixed precision over so many parameters: 32-bit master, two moments and gradient read, all but that written back. */
export function optimizerSeconds(device: Device, parameters: number): number {
  return memorySeconds(device, parameters * (4 + 2 * 12 + 2));
}
