/** Models as rows of layers, tensor to tensor: what a pipeline can cut. */
import type { Variable } from "../../autodiff/variable.js";
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import type { Sequential } from "../../nn/containers.js";
import { Module } from "../../nn/module.js";

/** A layer with the path that its variables have in the whole model. Layers that share a variable have it under the same path. */
export type NamedLayer = readonly [path: string, layer: Module];

/** A model that says itself what row of layers it is. */
export interface LayeredModule extends Module {
  readonly layers: readonly NamedLayer[];
}

/** What a pipeline can cut: `nn.Sequential`, modules that say so, or layers in order (their paths are "layers.0", …). */
export type LayeredModel = Sequential | LayeredModule | readonly (Module | NamedLayer)[];

/** @throws ValueError for what is no row of layers */
export function layersOf(model: LayeredModel): NamedLayer[] {
  const row: unknown = Array.isArray(model) ? model : (model as { layers?: unknown }).layers;
  const named = Array.isArray(row)
    ? row.map((entry: unknown, i): unknown => (entry instanceof Module ? [`layers.${i}`, entry] : entry))
    : [];
  const ok = named.every(
    (entry): entry is NamedLayer =>
      Array.isArray(entry) && typeof entry[0] === "string" && entry[1] instanceof Module,
  );
  if (named.length === 0 || !ok)
    throw new ValueError(
      "pipeline: a row of layers is wanted: nn.Sequential, a list of modules or of [path, module], or a model with such a list as `layers` (distributed.causalLayers makes it of an nn.CausalLM)",
    );
  return named as NamedLayer[];
}

/** Of one tensor to one tensor. */
export const runLayer = (layer: Module, x: Tensor): Tensor =>
  (layer.forward as (x: Tensor) => Tensor).call(layer, x);

/** Layers of a pipeline that stand on one device one after the other. */
export class Stage extends Module {
  readonly parts: readonly Module[];
  /** Of each part in the whole model. */
  private readonly paths: readonly string[];

  constructor(
    /** Number of the stage, from 0. */
    readonly number: number,
    layers: readonly NamedLayer[],
  ) {
    super();
    this.parts = layers.map(([, layer]) => layer);
    this.paths = layers.map(([path]) => path);
  }

  override forward(x: Tensor): Tensor {
    return this.parts.reduce((y, layer) => runLayer(layer, y), x);
  }

  /** Variables by their path in the whole model. */
  wholePaths(): Map<string, Variable> {
    return new Map(
      this.parts.flatMap((part, i) =>
        part
          .namedVariables()
          .map(
            ([name, variable]) =>
              [this.paths[i] === "" ? name : `${this.paths[i]}.${name}`, variable] as const,
          ),
      ),
    );
  }
}
