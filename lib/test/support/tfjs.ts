/** TensorFlow.js on its own backend, in plain JavaScript, which needs no TensorFlow: what the device `tfjs` is tested on everywhere. */
import { createRequire } from "node:module";
import type { Tfjs } from "../../src/runtime/tfjs/tfjs.js";

const require = createRequire(import.meta.url);

/** TensorFlow.js, its backend `cpu` ready. */
export async function plainTfjs(): Promise<Tfjs> {
  const tf = require("@tensorflow/tfjs-core") as Tfjs;
  require("@tensorflow/tfjs-backend-cpu");
  if (!(await tf.setBackend("cpu"))) throw new Error("TensorFlow.js's backend cpu does not start");
  return tf;
}
