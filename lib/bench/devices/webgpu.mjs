// The webgpu device beside TensorFlow.js's WebGPU backend: the same Dawn, the same adapter.
import { createRequire } from "node:module";
import { join } from "node:path";
import { devices, setDevice } from "../../dist/index.js";
import { mlsysWork } from "../compute/mlsys-work.mjs";
import { tfjsWork } from "../compute/tfjs-work.mjs";
import { measureInTurns, say } from "./turns.mjs";

const info = devices().find(({ name }) => name === "webgpu");
if (!info?.available) {
  say({ missing: info?.detail ?? "no such device" });
  process.exit(0);
}
say({ adapter: info.detail });
setDevice("webgpu");

const read = (y) => void y.toTypedArray();
const sides = {
  eager: mlsysWork({ asGraph: false, read }),
  graph: mlsysWork({ asGraph: true, read }),
};

async function tensorflow() {
  const require = createRequire(join(process.env.BENCH_PEERS, "package.json"));
  const { create, globals } = await import(createRequire(import.meta.url).resolve("webgpu"));
  Object.assign(globalThis, globals);
  globalThis.benchGpu = create([]); // Dawn crashes if it is collected
  Object.defineProperty(globalThis, "navigator", {
    value: { gpu: globalThis.benchGpu, userAgent: "node" },
    configurable: true,
  });
  globalThis.requestAnimationFrame ??= (f) => setTimeout(f, 0);
  const tf = require("@tensorflow/tfjs");
  require("@tensorflow/tfjs-backend-webgpu");
  await tf.setBackend("webgpu");
  await tf.ready();
  return tfjsWork(tf, async (y) => {
    await y.data();
    y.dispose();
  });
}

if (!process.env.BENCH_NO_PEER) {
  try {
    sides["tfjs-webgpu"] = await tensorflow();
  } catch (error) {
    say({ problem: `tfjs-webgpu: ${error.message}` });
  }
}

await measureInTurns(sides);
process.exit(0);
