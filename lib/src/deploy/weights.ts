/** A module's weights in safetensors files, by their path in the module. */
import type { Module } from "../nn/module.js";
import { loadSafetensors, saveSafetensors } from "../train/safetensors.js";

/**
 * Writes all variables of a module to a safetensors file.
 * @throws as `train.saveSafetensors`.
 * @example await deploy.saveWeights("/tmp/mlsys-example-weights.safetensors", new nn.Dense(2, 3))
 */
export async function saveWeights(
  file: string,
  model: Module,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await saveSafetensors(file, model.stateDict(), metadata);
}

export interface LoadWeightsOptions {
  /** From a name in the file to the path in the module; `null`: it is left out. Default: the same. */
  readonly rename?: (name: string) => string | null;
}

/**
 * Assigns what a safetensors file holds to the module's variables.
 * @returns the module
 * @throws MlsysError listing every missing, unknown and misshapen entry; nothing is assigned then.
 * @example await deploy.saveWeights("/tmp/mlsys-example-weights.safetensors", new nn.Dense(2, 3)); (await deploy.loadWeights("/tmp/mlsys-example-weights.safetensors", new nn.Dense(2, 3))).parameters().length // 2
 */
export async function loadWeights<M extends Module>(
  file: string,
  model: M,
  { rename = (name) => name }: LoadWeightsOptions = {},
): Promise<M> {
  const found = await loadSafetensors(file);
  const named = [...found].flatMap(([name, tensor]) => {
    const path = rename(name);
    return path === null ? [] : [[path, tensor] as const];
  });
  model.loadStateDict(new Map(named));
  return model;
}
