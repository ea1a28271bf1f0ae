// The library beside its peers on a CPU: the same work, each library in a process of its own, one after the other.
// Run by `npm run bench -- compute`. The peers are installed into .mlsys/peers/compute and .mlsys/bench-venv, once.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROWS } from "./compute/tasks.mjs";

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

/** No library may take longer: what it has printed by then counts. torch.compile alone takes a minute. */
const LIMIT_MS = 120_000;
const COMPILING_LIMIT_MS = 240_000;

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

/** What torch.compile needs, and does not say at once; `null` if it is there. */
function noCompiler() {
  const compiler = process.env.CXX ?? "g++";
  try {
    execFileSync(compiler, ["--version"], { stdio: "ignore" });
    return null;
  } catch {
    return `torch.compile wants a C++ compiler, and there is no ${compiler}`;
  }
}

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
          BENCH_TASKS: JSON.stringify(ROWS),
          BENCH_VENV: venv,
          TORCHINDUCTOR_CACHE_DIR: join(peers, "inductor"),
          OMP_NUM_THREADS: String(threads),
          OPENBLAS_NUM_THREADS: String(threads),
          MLSYS_NUM_THREADS: String(threads),
        },
      },
    );
    let [out, err] = ["", ""];
    const limit = mode === "pytorch compiled" ? COMPILING_LIMIT_MS : LIMIT_MS;
    const late = setTimeout(() => child.kill("SIGKILL"), limit);
    child.stdout.on("data", (data) => {
      out += data;
    });
    child.stderr.on("data", (data) => {
      err += data;
    });
    child.on("error", (error) => {
      err = error.message;
    });
    child.on("close", (code, signal) => {
      clearTimeout(late);
      const lines = out
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line));
      resolve({
        rows: lines.filter((line) => line.value !== undefined),
        problems: [
          ...lines.filter((line) => line.error).map((line) => `"${line.row}": ${line.error}`),
          ...(signal === "SIGKILL" ? [`ended after ${limit / 1000} s`] : []),
          ...(code === 0 || signal ? [] : [`ended with ${code}: ${err.trim().split("\n").at(-1)}`]),
        ],
      });
    });
  });
}

export async function run({ quick }) {
  const { compiler } = await import("../dist/index.js");
  const noNode = installNode();
  const noPython = installPython();
  const node = process.execPath;
  if (!noPython) await measure(python, "python.py", "models", quick);
  const native = compiler.codegen.nativeAvailable() ? null : "no C compiler, or no koffi";
  const libraries = [
    ["ours", "eager", node, "mlsys.mjs", "eager", null],
    ["ours", "graph", node, "mlsys.mjs", "graph", null],
    ["ours", "c", node, "mlsys.mjs", "c", native],
    ["ours", "c graph", node, "mlsys.mjs", "c graph", native],
    ["peers", "tfjs-wasm", node, "tfjs.mjs", "wasm", noNode],
    ["peers", "jax-js", node, "jax.mjs", "wasm", noNode],
    ["peers", "onnxruntime", node, "onnxruntime.mjs", "cpu", noNode ?? noPython],
    ["peers", "pytorch", python, "python.py", "pytorch", noPython],
    ["peers", "pytorch compiled", python, "python.py", "pytorch compiled", noPython ?? noCompiler()],
    ["peers", "numpy", python, "python.py", "numpy", noPython],
    ["limit", "openblas", node, "limits.mjs", "openblas", noPython ?? native],
    ["limit", "memory", node, "limits.mjs", "memory", native],
  ];
  const rows = new Map(
    ROWS.map(({ row, unit, better }) => [row, { name: row, unit, better, ours: {}, peers: {} }]),
  );
  const missing = {};
  const notes = [
    `Every library may use ${threads} threads. eager, graph: WebAssembly; c, c graph: kernels made by the C compiler.`,
    "onnxruntime-node does not train; NumPy has no convolution; torch.compile was not asked for single products and convolutions.",
    "memory: as many bytes copied as the row's operands have.",
    "Steps are forward, cross entropy, backward, Adam, the loss read. mlp: 784–128–64–10; cnn: two convolutions of 16 and 32 filters, 28 × 28; transformer: two blocks of 128, 64 tokens, batch 16.",
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
      const entry = rows.get(row);
      entry[side] ??= {};
      entry[side][name] = Number(value.toPrecision(4));
    }
  }
  const measured = [...rows.values()].filter((row) => Object.keys(row.ours).length > 0);
  return { rows: measured, missing, notes };
}
