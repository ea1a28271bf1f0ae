/** Models in compressed files, and what each way of writing them takes: real bytes, and what the model is worth after it. */
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { gzipSync } from "node:zlib";
import { displaySymbol, type MimeBundle } from "../../core/display.js";
import { bytesPerElement } from "../../core/dtype.js";
import type { Tensor } from "../../core/tensor.js";
import type { Module } from "../../nn/module.js";
import { tidy } from "../../ops/tidy.js";
import { encodeSafetensors } from "../../train/safetensors.js";
import { dequantizeTensor, quantizeTensor, quantParams, type Range } from "../quantize/scheme.js";
import { apply, parameterOf, weights } from "../sparsity/mask.js";
import { outputAxis } from "../sparsity/prune.js";
import { tableBundle, textTable } from "../sparsity/report.js";
import { type CompressedTensor, decodeCompressed, encodeCompressed } from "./format.js";

/**
 * Writes all variables of a model to a compressed file (see `encodeCompressed`): first beside it, then in its place. Small if
 * the model is pruned and shares its weights; right in any case.
 * @returns how each was written
 * @example (await deploy.saveCompressed("/tmp/mlsys-example.mldc", new nn.Dense(2, 3))).length // 2
 */
export async function saveCompressed(file: string, model: Module): Promise<readonly CompressedTensor[]> {
  apply(model);
  const { bytes, tensors } = encodeCompressed(model.stateDict());
  await mkdir(dirname(file), { recursive: true });
  const partial = `${file}.${process.pid}.partial`;
  try {
    const handle = await open(partial, "w");
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  return tensors;
}

/**
 * Assigns what a compressed file holds to a model's variables. Nothing larger than the model is made of it.
 * @returns the model
 * @throws ModelFileError for a damaged file; MlsysError listing every missing, unknown and misshapen entry; nothing is assigned then.
 * @example
 * const model = new nn.Dense(2, 3);
 * await deploy.saveCompressed("/tmp/mlsys-example.mldc", model);
 * (await deploy.loadCompressed("/tmp/mlsys-example.mldc", new nn.Dense(2, 3))).weight.equal(model.weight).all() // true
 */
export async function loadCompressed<M extends Module>(file: string, model: M): Promise<M> {
  const limit = model
    .namedVariables()
    .reduce((sum, [, variable]) => sum + variable.size * bytesPerElement(variable.dtype), 0);
  const found = decodeCompressed(await readFile(file), { limit, where: file });
  try {
    model.loadStateDict(found);
  } finally {
    for (const tensor of found.values()) tensor.dispose();
  }
  return model;
}

/** One way of writing a model. */
export interface SizeRow {
  readonly format: string;
  readonly bytes: number;
  /** Times smaller than plain safetensors. */
  readonly ratio: number;
  /** What `evaluate` says of the model that is read back; `null` without it. */
  readonly score: number | null;
}

/** Sizes of a model, and its worth; shows itself as a table. */
export class SizeTable {
  constructor(
    readonly rows: readonly SizeRow[],
    readonly tensors: readonly CompressedTensor[],
  ) {}

  private cells(): string[][] {
    const scored = this.rows.some((row) => row.score !== null);
    return [
      ["format", "bytes", "ratio", ...(scored ? ["score"] : [])],
      ...this.rows.map(({ format, bytes, ratio, score }) => [
        ...[format, String(bytes), `${ratio.toFixed(2)}×`],
        ...(scored ? [score?.toPrecision(4) ?? ""] : []),
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
 * What a model takes as safetensors, with gzip, with weights of 8 bits (per channel, symmetric), and compressed. The files are
 * really made. Compressing loses nothing: what it is worth was decided when the model was pruned and its weights shared.
 * @param options `evaluate`: a number of the model, for the last column; the model is as before in the end
 * @example
 * const model = new nn.Dense(64, 64);
 * deploy.prune.l1Unstructured(model, "weight", 0.9);
 * deploy.shareWeights(model, { bits: 4 }).finish();
 * (await deploy.compressedSizes(model)).rows.map((row) => row.format) // ["safetensors", "safetensors, gzip", "int8", "int8, gzip", "compressed"]
 */
export async function compressedSizes(
  model: Module,
  { evaluate }: { readonly evaluate?: () => number | Promise<number> } = {},
): Promise<SizeTable> {
  apply(model);
  const score = async (): Promise<number | null> => (evaluate ? await evaluate() : null);
  const whole = await score();
  const state = model.stateDict();
  const plain = encodeSafetensors(state);
  const { bytes, tensors } = encodeCompressed(state);
  const quantized = asBytes(model, state);
  let rounded: number | null = null;
  if (evaluate)
    try {
      model.loadStateDict(quantized.back);
      rounded = await score();
    } finally {
      model.loadStateDict(state);
    }
  const row = (format: string, size: number, worth: number | null): SizeRow => ({
    ...{ format, bytes: size, ratio: plain.length / size, score: worth },
  });
  return new SizeTable(
    [
      row("safetensors", plain.length, whole),
      row("safetensors, gzip", gzipSync(plain, { level: 9 }).length, whole),
      row("int8", quantized.file.length, rounded),
      row("int8, gzip", gzipSync(quantized.file, { level: 9 }).length, rounded),
      row("compressed", bytes.length, whole),
    ],
    tensors,
  );
}

/** The weights of layers as int8 with a scale for each output, the rest as it is; and the state that it stands for. */
function asBytes(
  model: Module,
  state: ReadonlyMap<string, Tensor>,
): { file: Uint8Array; back: Map<string, Tensor> } {
  const names = new Map(model.namedVariables().map(([name, variable]) => [variable, name]));
  const [written, back] = [new Map(state), new Map(state)];
  for (const parameter of weights(model)) {
    const variable = parameterOf(parameter);
    const name = names.get(variable);
    if (name === undefined || variable.dtype !== "float32") continue;
    const axis = outputAxis(parameter[0]);
    const { value } = variable;
    const over = value.shape.flatMap((_, i) => (i === axis ? [] : [i]));
    const [least, most] = tidy(() =>
      [value.min(over), value.max(over)].map((limit) => Array.from(limit.toTypedArray())),
    );
    const ranges = least.map((from, i): Range => [from, most[i]]);
    const shape = value.shape.map((size, i) => (i === axis ? size : 1));
    const params = quantParams(ranges, shape, { bits: 8, symmetric: true });
    const q = quantizeTensor(value, params);
    written.set(name, q).set(`${name}.scale`, params.scale);
    back.set(name, dequantizeTensor(q, params));
  }
  return { file: encodeSafetensors(written), back };
}
