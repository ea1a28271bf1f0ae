// The webgpu device beside TensorFlow.js's WebGPU backend: the same Dawn, the same adapter, in turns, so that a busy machine is as
// busy for both. Prints a line for each row.
import { createRequire } from "node:module";
import { join } from "node:path";
import { devices, setDevice } from "../../dist/index.js";
import { mlsysWork } from "../compute/mlsys-work.mjs";
import { tfjsWork } from "../compute/tfjs-work.mjs";
import { ROWS } from "./tasks.mjs";

const info = devices().find(({ name }) => name === "webgpu");
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
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

const quick = process.env.BENCH_QUICK === "1";
const rounds = quick ? 5 : 15;
const BUDGET_MS = quick ? 1500 : 6000;
const wanted = new RegExp(process.env.BENCH_ROWS ?? "");

for (const { row, task, args, amount, unit } of ROWS) {
  if (!wanted.test(row)) continue;
  const runs = {};
  for (const [name, work] of Object.entries(sides)) {
    try {
      const run = await work[task]?.(args);
      for (let i = 0; i < 2; i++) await run();
      runs[name] = run;
    } catch (error) {
      say({ problem: `"${row}": ${name}: ${String(error?.message ?? error).slice(0, 300)}` });
    }
  }
  const taken = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
  const until = performance.now() + BUDGET_MS;
  for (let i = 0; i < rounds && (i < 3 || performance.now() < until); i++)
    for (const [name, run] of Object.entries(runs)) {
      const start = performance.now();
      await run();
      taken[name].push((performance.now() - start) / 1000);
    }
  const values = {};
  for (const [name, list] of Object.entries(taken)) {
    const s = list.sort((a, b) => a - b)[list.length >> 1];
    values[name] = unit === "ms" ? amount * s : amount / s;
  }
  say({ row, values });
}
process.exit(0);
