/**
 * Pruning in patterns that sparse kernels like: whole blocks, and N:M of vectors, whose elements share an input index. Between
 * single weights and whole channels, in accuracy as in speed.
 */
import { ValueError } from "../../core/errors.js";
import type { Module } from "../../nn/module.js";
import { tensor } from "../../ops/convert.js";
import { tidy } from "../../ops/tidy.js";
import { customFromMask, labelOf, maskOf, type Parameter, parameterOf } from "./mask.js";
import { type Amount, countOf, groupMask, leastOf } from "./select.js";

/** A weight as a matrix of blocks: the sum of magnitudes in each, and whether anything is left of it. */
interface Blocks {
  readonly rows: number;
  readonly columns: number;
  readonly scores: Float64Array;
  readonly live: Uint8Array;
  /** The block of each element. */
  readonly of: Int32Array;
}

function blocksOf(parameter: Parameter, [high, wide]: readonly [number, number]): Blocks {
  if (![high, wide].every((size) => Number.isInteger(size) && size >= 1))
    throw new ValueError(`prune: ${high} × ${wide} is no block`);
  const { shape, value } = parameterOf(parameter);
  if (shape.length < 2)
    throw new ValueError(`prune: ${labelOf(parameter)} has ${shape.length} axes; blocks need two`);
  const across = shape.slice(1).reduce((a, b) => a * b, 1);
  const [rows, columns] = [Math.ceil(shape[0] / high), Math.ceil(across / wide)];
  const values = value.toTypedArray();
  const kept = maskOf(parameter)?.toTypedArray();
  const [scores, live] = [new Float64Array(rows * columns), new Uint8Array(rows * columns)];
  const of = Int32Array.from(values, (_, i) => {
    return Math.floor(i / across / high) * columns + Math.floor((i % across) / wide);
  });
  of.forEach((block, i) => {
    scores[block] += Math.abs(values[i]);
    if (!kept || kept[i] !== 0) live[block] = 1;
  });
  return { rows, columns, scores, live, of };
}

function putMask([module, name]: Parameter, of: Int32Array, keep: (block: number) => boolean): void {
  const { shape } = parameterOf([module, name]);
  tidy(() => {
    customFromMask(
      module,
      name,
      tensor(
        Uint8Array.from(of, (block) => Number(keep(block))),
        { shape, dtype: "bool" },
      ),
    );
    return null;
  });
}

/**
 * Prunes whole blocks of a weight, those of least mean magnitude first. The weight is seen as a matrix: Dense (inputs, outputs),
 * convolutions (filters, all the rest). Blocks at the edges may be smaller.
 * @param options `shape`: of a block, default [1, 16]: 16 outputs of a Dense that share an input, which `SparseDense` stores together
 * @throws ValueError for an amount or a block that is none.
 * @example
 * const layer = new nn.Dense(8, 32);
 * deploy.prune.blocks(layer, "weight", 0.5);
 * new deploy.prune.BlockMatrix(layer.weight).stored // 128
 */
export function blocks(
  module: Module,
  name: string,
  amount: Amount,
  { shape = [1, 16] }: { readonly shape?: readonly [number, number] } = {},
): void {
  const parameter = [module, name] as const;
  const { scores, live, of } = blocksOf(parameter, shape);
  const sizes = new Float64Array(scores.length);
  for (const block of of) sizes[block]++;
  const places = Int32Array.from(scores.keys()).filter((block) => live[block] === 1);
  const means = scores.map((score, block) => score / sizes[block]);
  const goes = new Set(leastOf(means, countOf(amount, places.length), places));
  putMask(parameter, of, (block) => !goes.has(block));
}

/**
 * N:M sparsity of vectors: of each `of` neighbouring inputs of a Dense, the `keep` greatest stay, the same ones for each `vector`
 * neighbouring outputs. What sparse tensor cores do for single weights, in the form that vector units of a CPU like.
 * @throws ValueError where groups do not fill the inputs.
 * @example
 * const layer = new nn.Dense(8, 32);
 * deploy.prune.nOfMVectors(layer, "weight");
 * new deploy.prune.BlockMatrix(layer.weight).stored // 128
 */
export function nOfMVectors(
  module: Module,
  name: string,
  {
    keep = 2,
    of = 4,
    vector = 16,
  }: { readonly keep?: number; readonly of?: number; readonly vector?: number } = {},
): void {
  const parameter = [module, name] as const;
  const found = blocksOf(parameter, [1, vector]);
  const scores = found.scores.map((score, block) => (found.live[block] === 1 ? score : -1));
  const mask = groupMask(scores, [found.rows, found.columns], { keep, of, axis: 0 });
  putMask(parameter, found.of, (block) => mask[block] === 1);
}
