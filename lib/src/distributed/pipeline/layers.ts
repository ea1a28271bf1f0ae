/** Models as rows of layers, tensor to tensor: what a pipeline can cut. */
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
  private readonly named: readonly NamedLayer[];
  /** Under their paths in the whole model. */
  readonly parts: Readonly<Record<string, Module>>;

  constructor(
    /** Number of the stage, from 0. */
    readonly number: number,
    layers: readonly NamedLayer[],
  ) {
    super();
    this.named = layers;
    this.parts = Object.fromEntries(layers.map(([, layer], i) => [String(i), layer]));
  }

  override forward(x: Tensor): Tensor {
    return Object.values(this.parts).reduce((y, layer) => runLayer(layer, y), x);
  }

  /** Variables by their path in the whole model. */
  wholePaths(): Map<string, ReturnType<Module["namedVariables"]>[number][1]> {
    return new Map(
      this.named.flatMap(([path, layer]) =>
        layer
          .namedVariables()
          .map(([name, variable]) => [path === "" ? name : `${path}.${name}`, variable] as const),
      ),
    );
  }
}
