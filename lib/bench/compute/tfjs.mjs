// TensorFlow.js on its WebAssembly backend, from the folder of peers.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { measureAll } from "./tasks.mjs";
import { tfjsWork } from "./tfjs-work.mjs";

const require = createRequire(join(process.env.BENCH_PEERS, "package.json"));
const tf = require("@tensorflow/tfjs");
const wasm = require("@tensorflow/tfjs-backend-wasm");
wasm.setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json"))}/wasm-out/`);
await tf.setBackend("wasm");
await tf.ready();

const finish = (y) => {
  y.dataSync();
  y.dispose();
};
await measureAll(tfjsWork(tf, finish));
process.exit(0);
