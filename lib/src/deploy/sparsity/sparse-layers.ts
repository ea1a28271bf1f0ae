/**
 * Layers that compute with packed weights, and the choice among formats by measurement: a sparse product does fewer
 * multiplications than a dense one, but each of them slower, so that which is faster depends on the layer and the machine.
 */

import { noGrad } from "../../autodiff/tape-mode.js";
import { Variable } from "../../autodiff/variable.js";
import { clock } from "../../core/clock.js";
import { displaySymbol, type MimeBundle } from "../../core/display.js";
import { ValueError } from "../../core/errors.js";
import { sizeOf } from "../../core/shape.js";
import { Tensor } from "../../core/tensor.js";
import { Conv2d } from "../../nn/convolution.js";
import { Dense } from "../../nn/dense.js";
import { Module } from "../../nn/module.js";
import { type Conv2dOptions, conv2d, pair } from "../../ops/conv.js";
import { concat } from "../../ops/shape.js";
import { tidy } from "../../ops/tidy.js";
import { DenseTensor } from "../../runtime/dense.js";
import { remoteOf } from "../../runtime/remote.js";
import { removeAll } from "./mask.js";
import { sparsityOf } from "./prune.js";
import { tableBundle, textTable } from "./report.js";
import { sparseKernelsReady } from "./sparse-kernels.js";
import { BlockMatrix, CsrMatrix, framed, SlidingMatrix } from "./sparse-matrix.js";

export type SparseFormat = "csr" | "blocks";

/** Packed weights by the variable that they were packed from, as long as it does not change, and by what they are packed for. */
const packs = new WeakMap<Variable, { readonly version: number; readonly packed: Map<string, unknown> }>();

function packOf<P>(weight: Variable, key: string, make: (w: Tensor) => P): P {
  let known = packs.get(weight);
  if (known?.version !== weight.version) {
    known = { version: weight.version, packed: new Map() };
    packs.set(weight, known);
  }
  const { packed } = known;
  if (!packed.has(key)) packed.set(key, make(weight.value));
  return packed.get(key) as P;
}

/** True where kernels can run: elements of float32 on the host, and no transformation that wants to see the ops. */
const atOnce = (x: Tensor, weight: unknown): x is DenseTensor =>
  x instanceof DenseTensor && x.dtype === "float32" && weight instanceof Variable && !remoteOf(x.device);

/**
 * A Dense layer for inference whose product leaves out the zeros. Where a transformation watches (`grad`, `capture`, `vmap`), it is
 * the plain product with the same weight.
 */
export class SparseDense extends Module {
  weight: Variable;
  bias: Variable | null;

  /** @throws ShapeError for a layer of another dtype than float32. */
  constructor(
    layer: Dense,
    readonly format: SparseFormat = "csr",
  ) {
    super();
    this.weight = new Variable(layer.weight.value, { name: "weight", requiresGrad: false });
    this.bias = layer.bias && new Variable(layer.bias.value, { name: "bias", requiresGrad: false });
    this.pack();
  }

  private pack(): CsrMatrix | BlockMatrix {
    return this.format === "csr"
      ? packOf(this.weight, "csr", (w) => new CsrMatrix(w.transpose([1, 0])))
      : packOf(this.weight, "blocks", (w) => new BlockMatrix(w));
  }

  /** x: (…, inputs) → (…, outputs). */
  override forward(x: Tensor): Tensor {
    const { weight, bias } = this;
    if (!atOnce(x, weight) || x.ndim < 1) {
      const y = x.matmul(weight);
      return bias ? y.add(bias) : y;
    }
    return tidy(() => {
      const packed = this.pack();
      const rows = x.reshape([sizeOf(x.shape.slice(0, -1)), x.shape[x.ndim - 1]]);
      const y =
        packed instanceof CsrMatrix
          ? packed.matmul(rows.transpose([1, 0])).transpose([1, 0])
          : packed.rmatmul(rows);
      return (bias ? y.add(bias) : y).reshape([...x.shape.slice(0, -1), weight.shape[1]]);
    });
  }
}

/**
 * A Conv2d layer (of one group) for inference that leaves out the zeros. With stride 1 the nonzero weights slide over the padded
 * images; other strides put windows side by side first (im2col). Where a transformation watches, it is the plain convolution.
 */
export class SparseConv2d extends Module {
  weight: Variable;
  bias: Variable | null;
  private readonly options: Conv2dOptions;

  /** @throws ValueError for more than one group. */
  constructor(layer: Conv2d) {
    super();
    const { options } = layer;
    if ((options.groups ?? 1) !== 1)
      throw new ValueError("SparseConv2d: filters in groups are not supported");
    this.options = options;
    this.weight = new Variable(layer.weight.value, { name: "weight", requiresGrad: false });
    this.bias = layer.bias && new Variable(layer.bias.value, { name: "bias", requiresGrad: false });
  }

  /** x: (n, inputs, h, w) → (n, outputs, h', w'). */
  override forward(x: Tensor): Tensor {
    const { weight, bias, options } = this;
    if (!atOnce(x, weight) || x.ndim !== 4 || x.shape[1] !== weight.shape[1]) {
      const y = conv2d(x, weight, options);
      return bias ? y.add(bias) : y;
    }
    return tidy(() => {
      const y = this.windows(x);
      return bias ? y.add(bias) : y;
    });
  }

  private windows(x: DenseTensor): Tensor {
    const { weight } = this;
    const [filters, channels, height, width] = weight.shape;
    const { padded, stride, dilation, shape } = geometryOf(x, weight.shape, this.options);
    const [n, , h, w] = padded.shape;
    const [rows, columns] = shape;
    if (rows < 1 || columns < 1) return conv2d(x, weight, this.options); // which says what is wrong
    // (filters, height · width · channels), in the order in which windows are put side by side
    const matrix = (v: Tensor): Tensor =>
      v.transpose([0, 2, 3, 1]).reshape([filters, height * width * channels]);
    if (stride[0] === 1 && stride[1] === 1) {
      const sliding = packOf(weight, `${h} ${w}`, (v) => {
        const offsets: number[] = [];
        for (let p = 0; p < height; p++)
          for (let q = 0; q < width; q++)
            for (let c = 0; c < channels; c++)
              offsets.push(c * h * w + p * dilation[0] * w + q * dilation[1]);
        return new SlidingMatrix(matrix(v), offsets);
      });
      // places on lines as long as the padded ones; what hangs over the end of a line is cut off
      const lines = sliding.slide(padded.reshape([n, channels * h * w]), rows * w);
      const whole = lines.reshape([n, filters, rows, w]);
      return w === columns ? whole : whole.slice([null, null], [null, null], [null, null], [0, columns]);
    }
    const parts: Tensor[] = [];
    for (let p = 0; p < height; p++)
      for (let q = 0; q < width; q++) {
        const range = (i: number, from: number): [number, number, number] => [
          ...([from, from + (shape[i] - 1) * stride[i] + 1, stride[i]] as const),
        ];
        const [down, across] = [range(0, p * dilation[0]), range(1, q * dilation[1])];
        parts.push(padded.slice([null, null], [null, null], down, across));
      }
    const side = (parts.length === 1 ? parts[0] : concat(parts, 1)).reshape([n, -1, rows * columns]);
    return packOf(weight, "csr", (v) => new CsrMatrix(matrix(v)))
      .matmul(side)
      .reshape([n, filters, rows, columns]);
  }
}

/** Images with their padding, and how many windows there are along both axes. */
function geometryOf(x: DenseTensor, [, , height, width]: readonly number[], options: Conv2dOptions) {
  const [stride, dilation] = [pair(options.stride ?? 1, "stride"), pair(options.dilation ?? 1, "dilation")];
  const span = [height, width].map((size, i) => dilation[i] * (size - 1) + 1);
  const both = (total: number): [number, number] => [Math.floor(total / 2), Math.ceil(total / 2)];
  const wanted = options.padding ?? 0;
  const widths =
    wanted === "same"
      ? span.map((size) => both(size - 1))
      : (wanted === "valid" ? [0, 0] : pair(wanted, "padding", 0)).map((size): [number, number] => [
          size,
          size,
        ]);
  const shape = [0, 1].map((i) => {
    const size = x.shape[2 + i] + widths[i][0] + widths[i][1];
    return Math.floor((size - span[i]) / stride[i]) + 1;
  });
  // wide filters that slide reach into one more line behind the last
  const [[top, bottom], [left, right]] = widths;
  const more = span[1] > 1 && stride[0] === 1 && stride[1] === 1 ? 1 : 0;
  const frame = [top, bottom + more, left, right] as const;
  const padded = frame.some((size) => size > 0) ? framed(x, frame) : x;
  return { padded, stride, dilation, shape };
}

export interface SparsifyOptions {
  /** Layers with fewer zeros are not tried. Default 0.5. */
  readonly least?: number;
  /** Runs of each candidate, of which the median counts. Default 15. */
  readonly runs?: number;
  /** Only what is faster by this factor is taken. Default 1.05. */
  readonly gain?: number;
}

/** One layer that was tried. Times are medians, in milliseconds, on the example's input. */
export interface SparsifiedLayer {
  readonly path: string;
  readonly sparsity: number;
  readonly dense: number;
  readonly csr: number;
  /** `null` for convolutions. */
  readonly blocks: number | null;
  readonly chosen: "dense" | SparseFormat;
}

/** What was measured and chosen; shows itself as a table. */
export class SparsifyReport {
  constructor(readonly layers: readonly SparsifiedLayer[]) {}

  private cells(): string[][] {
    const ms = (time: number | null): string => (time === null ? "" : time.toPrecision(3));
    return [
      ["layer", "sparsity", "dense ms", "CSR ms", "blocks ms", "chosen"],
      ...this.layers.map((l) => [
        ...[l.path, `${(100 * l.sparsity).toFixed(1)} %`, ms(l.dense), ms(l.csr), ms(l.blocks), l.chosen],
      ]),
    ];
  }

  toString(): string {
    return textTable(this.cells());
  }

  [displaySymbol](): MimeBundle {
    return tableBundle(this.cells());
  }
}

/**
 * Puts sparse layers in the place of pruned Dense and Conv2d layers of a model, in place, where they are faster on this machine for
 * inputs like `args`; masks become permanent first. For inference: the new layers' weights are not trained.
 * @throws ValueError if the model is such a layer itself, or for options that are none.
 * @example
 * const model = new nn.Sequential(new nn.Dense(64, 64), new nn.ReLU());
 * deploy.prune.l1Unstructured(model.layers[0], "weight", 0.9);
 * (await deploy.prune.sparsify(model, [ones([8, 64])], { runs: 3 })).layers.length // 1
 */
export async function sparsify(
  model: Module,
  args: readonly unknown[],
  { least = 0.5, runs = 15, gain = 1.05 }: SparsifyOptions = {},
): Promise<SparsifyReport> {
  if (!Number.isInteger(runs) || runs < 1 || !(least >= 0 && least <= 1) || !(gain > 0))
    throw new ValueError(`sparsify: least ${least}, runs ${runs} and gain ${gain} are no choice`);
  if (model instanceof Dense || model instanceof Conv2d)
    throw new ValueError(
      "sparsify: the model is a layer itself; put it into a Sequential, or use SparseDense",
    );
  removeAll(model);
  const tried = model.namedModules().flatMap(([path, layer]) => {
    if (!(layer instanceof Dense || layer instanceof Conv2d) || layer.weight.dtype !== "float32") return [];
    const { groups = 1 } =
      layer instanceof Conv2d ? (layer as unknown as { options: Conv2dOptions }).options : {};
    const sparsity = sparsityOf([[layer, "weight"]]);
    return groups === 1 && sparsity >= least ? [{ path, layer, sparsity }] : [];
  });
  const inputs = inputsOf(
    model,
    args,
    tried.map(({ layer }) => layer),
  );
  const found: SparsifiedLayer[] = [];
  try {
    for (const { path, layer, sparsity } of tried) {
      const x = inputs.get(layer);
      if (!x) continue; // not on the way of this input
      await sparseKernelsReady(x.device);
      const candidates: Record<string, Module> =
        layer instanceof Dense
          ? { dense: layer, csr: new SparseDense(layer, "csr"), blocks: new SparseDense(layer, "blocks") }
          : { dense: layer, csr: new SparseConv2d(layer) };
      const times = measured(candidates, x, runs);
      const [best] = Object.keys(candidates)
        .filter((name) => name === "dense" || times[name] * gain < times.dense)
        .sort((a, b) => times[a] - times[b]) as ("dense" | SparseFormat)[];
      if (best !== "dense") replace(model, layer, candidates[best].train(layer.training));
      const { dense, csr, blocks = null } = times;
      found.push({ path, sparsity, dense, csr, blocks, chosen: best });
    }
  } finally {
    for (const x of inputs.values()) x.dispose();
  }
  return new SparsifyReport(found);
}

/** What goes into each layer when the model runs once, in evaluation mode. */
function inputsOf(
  model: Module,
  args: readonly unknown[],
  layers: readonly Module[],
): Map<Module, DenseTensor> {
  const found = new Map<Module, DenseTensor>();
  const hooks = layers.map((layer) =>
    layer.registerForwardPreHook((_module, [x]) => {
      if (x instanceof DenseTensor && !found.has(layer)) found.set(layer, x.retained());
    }),
  );
  const modes = model.namedModules().map(([, module]) => [module, module.training] as const);
  model.eval();
  try {
    noGrad(() =>
      tidy(() => {
        (model.forward as (...inputs: unknown[]) => unknown).apply(model, [...args]);
        return null;
      }),
    );
  } finally {
    for (const off of hooks) off();
    for (const [module, training] of modes) module.training = training;
  }
  return found;
}

/** Median times, all candidates in turn, so that what interrupts the machine meets them alike. */
function measured(
  candidates: Readonly<Record<string, Module>>,
  x: Tensor,
  runs: number,
): Record<string, number> {
  const times = Object.keys(candidates).map((name) => [name, [] as number[]] as const);
  for (let i = -3; i < runs; i++)
    for (const [name, list] of times) {
      const { forward } = candidates[name] as { forward: unknown };
      const start = clock();
      noGrad(() =>
        tidy(() => {
          const y = (forward as (x: Tensor) => Tensor).call(candidates[name], x);
          if (y instanceof DenseTensor) y.host(); // what runs behind is waited for
          return null;
        }),
      );
      if (i >= 0) list.push(clock() - start);
    }
  return Object.fromEntries(
    times.map(([name, list]) => [name, list.sort((a, b) => a - b)[list.length >> 1]]),
  );
}

/** Puts a module in the place of another, wherever it stands. */
function replace(model: Module, old: Module, by: Module): void {
  const seen = new Set<unknown>();
  const visit = (holder: unknown): void => {
    if (typeof holder !== "object" || holder === null || holder instanceof Tensor || seen.has(holder)) return;
    seen.add(holder);
    if (holder instanceof Map) {
      for (const [key, value] of holder) if (value === old) holder.set(key, by);
      for (const value of holder.values()) visit(value);
      return;
    }
    const plain =
      Array.isArray(holder) || holder instanceof Module || Object.getPrototypeOf(holder) === Object.prototype;
    if (!plain) return;
    for (const [key, value] of Object.entries(holder)) {
      if (value === old) Object.assign(holder, { [key]: by });
      else visit(value);
    }
  };
  visit(model);
}
