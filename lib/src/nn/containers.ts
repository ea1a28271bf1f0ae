/** Modules made of modules, and those that only change the form of what goes through. */
import { ValueError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { Module } from "./module.js";

type Step = (x: Tensor) => Tensor;

/** Modules one after the other. */
export class Sequential extends Module {
  readonly layers: Module[];

  constructor(...layers: Module[]) {
    super();
    this.layers = layers;
  }

  override forward(x: Tensor): Tensor {
    let y = x;
    for (const layer of this.layers) y = (layer.forward as Step).call(layer, y);
    return y;
  }

  /** Number of layers. */
  get length(): number {
    return this.layers.length;
  }

  /** A layer by its place; negative ones count from the end. @throws ValueError if there is none. */
  at(place: number): Module {
    return this.layers[this.checked(place, this.length - 1)];
  }

  /** Adds a layer at the end. */
  append(layer: Module): this {
    this.layers.push(layer);
    return this;
  }

  /** Puts a layer before the one at `place`. @throws ValueError if there is no such place. */
  insert(place: number, layer: Module): this {
    this.layers.splice(this.checked(place, this.length), 0, layer);
    return this;
  }

  /** Takes a layer out, and returns it. @throws ValueError if there is none. */
  remove(place: number): Module {
    return this.layers.splice(this.checked(place, this.length - 1), 1)[0];
  }

  [Symbol.iterator](): Iterator<Module> {
    return this.layers[Symbol.iterator]();
  }

  private checked(place: number, last: number): number {
    const from = place < 0 ? place + this.length : place;
    if (!Number.isInteger(from) || from < 0 || from > last)
      throw new ValueError(`Sequential: there is no place ${place} among ${this.length} layers`);
    return from;
  }
}

/** x + inner(x): a residual connection (残差连接; He et al. 2016). */
export class Residual extends Module {
  constructor(readonly inner: Module) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return x.add((this.inner.forward as Step).call(this.inner, x));
  }
}

/** What comes in. */
export class Identity extends Module {
  override forward(x: Tensor): Tensor {
    return x;
  }
}

/** (n, …) → (n, product of the rest). */
export class Flatten extends Module {
  override forward(x: Tensor): Tensor {
    return x.flatten(1);
  }
}
