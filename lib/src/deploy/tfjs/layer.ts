/** A layer of Keras as TF.js writes it: its settings and its weights, each checked when it is read. */
import type { Tensor } from "../../core/tensor.js";
import { activation } from "./activations.js";
import type { Padding, Pair } from "./images.js";
import { isJson, type Json, shown, TfjsError } from "./weights.js";

/** What a layer computes. */
export type LayerFunction = (...inputs: Tensor[]) => Tensor;

export class Layer {
  readonly where: string;

  constructor(
    readonly className: string,
    readonly name: string,
    readonly config: Json,
    private readonly weights: ReadonlyMap<string, Tensor>,
    /** Parts of its weights' names: its own name, and those of layers around it. */
    private readonly path: readonly string[],
    where: string,
  ) {
    this.where = `${where}: layer ${shown(name)} (${shown(className).slice(1, -1)})`;
  }

  /** A weight by the last part of its name. @throws TfjsError if there is none. */
  weight(kind: string): Tensor {
    const found = this.optional(kind);
    if (found) return found;
    throw new TfjsError(`${this.where}: its weight "${kind}" is missing`);
  }

  optional(kind: string): Tensor | null {
    for (const [name, value] of this.weights) {
      const parts = name.replace(/:\d+$/, "").split("/");
      if (parts.at(-1) === kind && this.path.every((part) => parts.includes(part))) return value;
    }
    return null;
  }

  /** The same settings under a layer inside. */
  inside(className: string, name: string, config: Json): Layer {
    return new Layer(className, name, config, this.weights, [...this.path, name], this.where);
  }

  number(key: string, otherwise?: number): number {
    const value = this.config[key] ?? otherwise;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    return this.refuse(key, "a number");
  }

  numbers(key: string): number[] {
    const value = this.config[key];
    if (Array.isArray(value) && value.every((n) => typeof n === "number")) return value as number[];
    return this.refuse(key, "numbers");
  }

  flag(key: string, otherwise = false): boolean {
    const value = this.config[key] ?? otherwise;
    return typeof value === "boolean" ? value : this.refuse(key, "true or false");
  }

  /** One number for both axes, or two. */
  pair(key: string, otherwise?: Pair): Pair {
    const value = this.config[key] ?? otherwise;
    const list = Array.isArray(value) ? value : [value, value];
    const both = list.length === 1 ? [list[0], list[0]] : list;
    if (both.length === 2 && both.every((n) => Number.isInteger(n) && n >= 1)) return both as unknown as Pair;
    return this.refuse(key, "one whole number or two");
  }

  get padding(): Padding {
    const value = this.config.padding ?? "valid";
    if (value === "same" || value === "valid") return value;
    return this.refuse("padding", '"same" or "valid"');
  }

  activation(key = "activation"): (x: Tensor) => Tensor {
    const value = this.config[key];
    return activation(isJson(value) ? value.class_name : value, this.where);
  }

  /** @throws TfjsError unless channels come last. */
  channelsLast(): void {
    const format = this.config.data_format ?? "channels_last";
    if (format !== "channels_last" && format !== "channelsLast") this.refuse("data_format", "channels_last");
  }

  refuse(key: string, wanted: string): never {
    throw new TfjsError(`${this.where}: ${key} is ${shown(this.config[key])}, ${wanted} was expected`);
  }
}

export interface LayerRow {
  readonly className: string;
  readonly make: (layer: Layer) => LayerFunction;
}
