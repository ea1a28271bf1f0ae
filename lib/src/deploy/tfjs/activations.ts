/** Activations by the names that Keras and TensorFlow give them. */
import type { Tensor } from "../../core/tensor.js";
import { shown, TfjsError } from "./weights.js";

const ACTIVATIONS: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  linear: (x) => x,
  relu: (x) => x.relu(),
  relu6: (x) => x.relu6(),
  sigmoid: (x) => x.sigmoid(),
  hardsigmoid: (x) => x.mul(0.2).add(0.5).clip(0, 1),
  tanh: (x) => x.tanh(),
  softmax: (x) => x.softmax(x.ndim - 1),
  logsoftmax: (x) => x.logSoftmax(x.ndim - 1),
  elu: (x) => x.elu(),
  selu: (x) => x.selu(),
  softplus: (x) => x.softplus(),
  softsign: (x) => x.softsign(),
  swish: (x) => x.silu(),
  silu: (x) => x.silu(),
  gelu: (x) => x.gelu(),
  gelunew: (x) => x.geluTanh(),
  mish: (x) => x.mish(),
  exponential: (x) => x.exp(),
};

/** @throws TfjsError for one that is unknown. */
export function activation(name: unknown, where: string): (x: Tensor) => Tensor {
  if (name === undefined || name === null) return ACTIVATIONS.linear;
  const key = String(name).toLowerCase().replaceAll("_", "");
  if (!Object.hasOwn(ACTIVATIONS, key))
    throw new TfjsError(
      `${where}: activation ${shown(name)}; there are ${Object.keys(ACTIVATIONS).join(", ")}`,
    );
  return ACTIVATIONS[key];
}
