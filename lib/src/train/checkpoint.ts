/**
 * Checkpoints (检查点): what a training needs to go on as if there had been no break, in one safetensors file. Weights are
 * under `model.`, the optimizer's state under `optimizer.`, the history as text beside them.
 */
import { MlsysError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import type { Module } from "../nn/module.js";
import type { Optimizer } from "../optim/optimizer.js";
import { History } from "./history.js";
import { loadSafetensors, readSafetensorsHeader, saveSafetensors } from "./safetensors.js";

export interface Training {
  readonly model: Module;
  readonly optimizer?: Optimizer;
  readonly history?: History;
}

const prefixed = (prefix: string, state: ReadonlyMap<string, Tensor>): [string, Tensor][] =>
  [...state].map(([name, value]) => [`${prefix}.${name}`, value]);

const below = (prefix: string, all: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
  new Map(
    [...all].flatMap(([name, value]): [string, Tensor][] =>
      name.startsWith(`${prefix}.`) ? [[name.slice(prefix.length + 1), value]] : [],
    ),
  );

/**
 * Writes a checkpoint. The file appears whole or not at all.
 * @example
 * const model = new nn.Dense(2, 1);
 * await train.saveCheckpoint("/tmp/mlsys-example.safetensors", { model });
 * (await train.readSafetensorsHeader("/tmp/mlsys-example.safetensors")).tensors.size // 2
 */
export async function saveCheckpoint(file: string, { model, optimizer, history }: Training): Promise<void> {
  const state = new Map([
    ...prefixed("model", model.stateDict()),
    ...(optimizer ? prefixed("optimizer", optimizer.stateDict()) : []),
  ]);
  await saveSafetensors(file, state, history ? { history: JSON.stringify(history) } : {});
}

/**
 * Puts a checkpoint's state back into a model, an optimizer of the same kind, and a history that is still empty.
 * @throws MlsysError that names what the file lacks or holds too much; nothing is assigned then.
 * @example
 * const model = new nn.Dense(2, 1);
 * await train.saveCheckpoint("/tmp/mlsys-example.safetensors", { model });
 * const again = new nn.Dense(2, 1);
 * await train.loadCheckpoint("/tmp/mlsys-example.safetensors", { model: again });
 * again.weight.equal(model.weight).all() // true
 */
export async function loadCheckpoint(file: string, { model, optimizer, history }: Training): Promise<void> {
  const kept = history ? await readHistory(file) : null;
  const all = await loadSafetensors(file);
  try {
    const before = model.stateDict();
    model.loadStateDict(below("model", all));
    try {
      optimizer?.loadStateDict(below("optimizer", all));
    } catch (problem) {
      model.loadStateDict(before);
      throw problem;
    }
    if (kept) history?.continueFrom(kept);
  } finally {
    for (const value of all.values()) value.dispose();
  }
}

async function readHistory(file: string): Promise<History> {
  const { metadata } = await readSafetensorsHeader(file);
  if (metadata.history === undefined)
    throw new MlsysError(`${file}: this checkpoint has no history; load it without one`);
  try {
    return History.fromJSON(JSON.parse(metadata.history));
  } catch (cause) {
    throw new MlsysError(`${file}: the history of this checkpoint is damaged: ${(cause as Error).message}`, {
      cause,
    });
  }
}
