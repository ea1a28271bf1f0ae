/** An instance of TensorFlow.js that the program made itself. Its types stay out of the declaration: who uses this need not have them. */
import { DeviceError } from "../../core/errors.js";
import { keepTfjs } from "./load.js";
import type { Tfjs } from "./tfjs.js";

/**
 * Makes the device `tfjs` use this instance of TensorFlow.js, on whatever backend it has: TensorFlow's, or
 * its own `cpu`. Before the first tensor is on the device.
 * @param tf the module, as `import * as tf from "@tensorflow/tfjs"` gives it, its backend ready
 * @throws DeviceError if it is none
 * @example
 * const tf = await import("@tensorflow/tfjs-core");
 * await import("@tensorflow/tfjs-backend-cpu");
 * await tf.setBackend("cpu");
 * extend.useTfjs(tf);
 * devices().find((device) => device.name === "tfjs")?.detail // "TensorFlow.js, backend cpu"
 */
export function useTfjs(tf: object): void {
  const given = tf as Partial<Tfjs>;
  if (typeof given.tensor !== "function" || typeof given.getBackend !== "function")
    throw new DeviceError("useTfjs: this is not TensorFlow.js: it has no tensor() and getBackend()");
  if (!given.getBackend())
    throw new DeviceError("useTfjs: TensorFlow.js has no backend yet: await tf.setBackend(name) first");
  const why = REFUSED[given.getBackend()];
  if (why)
    throw new DeviceError(`useTfjs: TensorFlow.js's backend ${given.getBackend()} can't serve: ${why}`);
  keepTfjs(given as Tfjs);
}

/** Backends that give wrong results, or none when asked. */
const REFUSED: Readonly<Record<string, string>> = {
  wasm: "it reverses bool as if it had 4 bytes, past its memory, and its matmul knows float32 alone (4.22)",
  webgpu: "it can't be read at once, which a device must be",
};
