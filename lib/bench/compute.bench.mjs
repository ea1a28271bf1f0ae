// The library beside its peers on a CPU: the same work, each library in a process of its own, one after the other.
// Run by `npm run bench -- compute`. The peers are installed into .mlsys/peers/compute and .mlsys/bench-venv, once.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CHAIN, CONV, MLP, SGEMM, SOFTMAX } from "./compute/tasks.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const peers = join(root, ".mlsys", "peers", "compute");
const venv = join(root, ".mlsys", "bench-venv");
const python = join(venv, "bin", "python");
const threads = Math.min(2, availableParallelism());

const NODE_PEERS = [
  "@tensorflow/tfjs@4.22.0",
  "@tensorflow/tfjs-backend-wasm@4.22.0",
  "@jax-js/jax@0.1.25",
  "onnxruntime-node@1.30.0",
];
const PYTHON_PEERS = ["torch==2.13.0", "numpy", "onnx"];

// Relaxed SIMD is behind a flag in Node 20; the kernel starts its worker with it too.
const flags = Number(process.versions.node.split(".")[0]) <= 20 ? ["--experimental-wasm-relaxed-simd"] : [];

const UNITS = [
  [/^sgemm|^conv2d/, "GFLOP/s", "higher"],
  [/^mlp step/, "samples/s", "higher"],
  [/./, "ms", "lower"],
];

/** @returns why the peers of one language are not there; `null` if they are */
function install(list, done, work) {
  const what = list.join(" ");
  if (existsSync(done) && readFileSync(done, "utf8") === what) return null;
  console.log(`installing peers: ${what}`);
  try {
    work();
    writeFileSync(done, what);
    return null;
  } catch (error) {
    return `not installed: ${String(error.stderr ?? error.message)
      .trim()
      .split("\n")
      .at(-1)}`;
  }
}

const installNode = () =>
  install(NODE_PEERS, join(peers, ".done"), () => {
    mkdirSync(peers, { recursive: true });
    writeFileSync(join(peers, "package.json"), '{ "private": true }\n');
    execFileSync("npm", ["install", "--no-audit", "--no-fund", ...NODE_PEERS], {
      cwd: peers,
      stdio: "pipe",
      env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" }, // the library for CPUs is in the package
    });
  });

const installPython = () =>
  install(PYTHON_PEERS, join(venv, ".done"), () => {
    execFileSync("python3", ["-m", "venv", venv], { stdio: "pipe" });
    execFileSync(python, ["-m", "pip", "install", "-q", "--disable-pip-version-check", ...PYTHON_PEERS], {
      stdio: "pipe",
    });
  });

/** Runs one library's script; its rows by name, or the reason why there are none. */
function measure(command, file, mode, quick) {
  return new Promise((resolve) => {
    const child = spawn(
      command,
      [
        ...(command === process.execPath ? flags : []),
        fileURLToPath(new URL(`compute/${file}`, import.meta.url)),
      ],
      {
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          ...process.env,
          BENCH_MODE: mode,
          BENCH_PEERS: peers,
          BENCH_QUICK: quick ? "1" : "0",
          BENCH_THREADS: String(threads),
          BENCH_TASKS: JSON.stringify({ SGEMM, CHAIN, SOFTMAX, CONV, MLP }),
          OMP_NUM_THREADS: String(threads),
          OPENBLAS_NUM_THREADS: String(threads),
          MLSYS_NUM_THREADS: String(threads),
        },
      },
    );
    let [out, err] = ["", ""];
    child.stdout.on("data", (data) => {
      out += data;
    });
    child.stderr.on("data", (data) => {
      err += data;
    });
    child.on("close", (code) => {
      const lines = out
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line));
      resolve({
        rows: lines.filter((line) => line.value !== undefined),
        problems: [
          ...lines.filter((line) => line.error).map((line) => `"${line.row}": ${line.error}`),
          ...(code === 0 ? [] : [`ended with ${code}: ${err.trim().split("\n").at(-1)}`]),
        ],
      });
    });
  });
}

export async function run({ quick }) {
  const noNode = installNode();
  const noPython = installPython();
  const node = process.execPath;
  if (!noPython) await measure(python, "python.py", "models", quick);
  const libraries = [
    ["ours", "eager", node, "mlsys.mjs", "eager", null],
    ["ours", "graph", node, "mlsys.mjs", "graph", null],
    ["ours", "c", node, "mlsys.mjs", "c", null],
    ["peers", "tfjs-cpu", node, "tfjs.mjs", "cpu", noNode],
    ["peers", "tfjs-wasm", node, "tfjs.mjs", "wasm", noNode],
    ["peers", "jax-js", node, "jax.mjs", "wasm", noNode],
    ["peers", "onnxruntime", node, "onnxruntime.mjs", "cpu", noNode ?? noPython],
    ["peers", "pytorch", python, "python.py", "pytorch", noPython],
    ["peers", "numpy", python, "python.py", "numpy", noPython],
  ];
  const rows = new Map();
  const missing = {};
  const notes = [
    `Every library may use ${threads} threads.`,
    "onnxruntime-node does not train; NumPy has no convolution.",
    "mlp step: 784–128–64–10, cross entropy, Adam; forward, backward, update, loss read.",
  ];
  for (const [side, name, command, file, mode, reason] of libraries) {
    if (reason) {
      missing[name] = reason;
      continue;
    }
    console.log(`measuring ${name}`);
    const { rows: measured, problems } = await measure(command, file, mode, quick);
    for (const problem of problems) notes.push(`${name}: not measured, ${problem}`);
    for (const { row, value } of measured) {
      const [, unit, better] = UNITS.find(([pattern]) => pattern.test(row));
      const entry = rows.get(row) ?? { name: row, unit, better, ours: {}, peers: {} };
      rows.set(row, entry);
      entry[side][name] = Number(value.toPrecision(4));
    }
  }
  return { rows: [...rows.values()], missing, notes };
}
