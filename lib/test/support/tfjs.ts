/** TensorFlow.js on a backend of its own, which needs no TensorFlow: what the device `tfjs` is tested on everywhere. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { useTfjs } from "../../src/extend.js";
import type { Tfjs } from "../../src/runtime/tfjs/tfjs.js";

const require = createRequire(import.meta.url);

/** Makes the device use the backend `cpu` (plain JavaScript) or `wasm` (XNNPACK). */
export async function useBackend(backend: "cpu" | "wasm"): Promise<Tfjs> {
  const tf = require("@tensorflow/tfjs-core") as Tfjs;
  const name = `@tensorflow/tfjs-backend-${backend}`;
  const loaded = require(name) as { setWasmPaths?(folder: string): void };
  loaded.setWasmPaths?.(`${join(dirname(require.resolve(name)))}/`);
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs's backend ${backend} does not start`);
  await tf.ready();
  useTfjs(tf);
  return tf;
}
