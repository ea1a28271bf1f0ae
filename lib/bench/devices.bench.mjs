// Devices with a memory of their own beside their peers. Run by `npm run bench -- devices`. Peers are installed into
// .mlsys/peers/devices, once.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROWS } from "./devices/tasks.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const peers = join(root, ".mlsys", "peers", "devices");
const cache = join(root, ".mlsys", "cache");
const PEERS = ["@tensorflow/tfjs@4.22.0", "@tensorflow/tfjs-backend-webgpu@4.22.0"];
/** What is printed by then counts. */
const LIMIT_MS = 600_000;

/** @returns why the peers are not there; `null` if they are */
function install() {
  const done = join(peers, ".done");
  const what = PEERS.join(" ");
  if (existsSync(done) && readFileSync(done, "utf8") === what) return null;
  console.log(`installing peers: ${what}`);
  try {
    mkdirSync(peers, { recursive: true });
    writeFileSync(join(peers, "package.json"), '{ "private": true }\n');
    const options = ["--no-audit", "--no-fund", "--ignore-scripts"];
    execFileSync("npm", ["install", ...options, ...PEERS], { cwd: peers, stdio: "pipe" });
    writeFileSync(done, what);
    return null;
  } catch (error) {
    return `not installed: ${String(error.stderr ?? error.message)
      .trim()
      .split("\n")
      .at(-1)}`;
  }
}

/** TensorFlow for Node, where the tests keep it too. @returns why it is not there; `null` if it is */
function installTensorFlow() {
  console.log("installing TensorFlow for Node");
  try {
    const command = fileURLToPath(new URL("../bin/mlsys.mjs", import.meta.url));
    execFileSync(process.execPath, [command, "devices", "install", "tfjs"], {
      stdio: "pipe",
      env: { ...process.env, MLSYS_CACHE: cache },
    });
    return null;
  } catch (error) {
    return `not installed: ${String(error.stderr ?? error.message)
      .trim()
      .split("\n")
      .at(-1)}`;
  }
}

/** The lines that a device's script prints. */
function measure(file, env) {
  return new Promise((resolve) => {
    const script = fileURLToPath(new URL(`devices/${file}`, import.meta.url));
    const child = spawn(process.execPath, [script], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    let out = "";
    const late = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
    child.stdout.on("data", (data) => {
      out += data;
    });
    child.on("close", (code, signal) => {
      clearTimeout(late);
      const lines = out
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line));
      if (code !== 0) lines.push({ problem: `${file} ended with ${signal ?? code}` });
      resolve(lines);
    });
  });
}

export async function run({ quick }) {
  const noPeer = install();
  const noTensorFlow = installTensorFlow();
  const missing = { ...(noPeer && { "tfjs-webgpu": noPeer }), ...(noTensorFlow && { tfjs: noTensorFlow }) };
  const notes = [
    "eager runs op by op, graph what was captured and compiled. Every result is read back.",
    "tfjs-webgpu: the same Dawn and the same adapter as webgpu; tfjs-node: the same TensorFlow as tfjs. Each in one process with ours, in turns.",
    "Steps are forward, cross entropy, backward, Adam, the loss read. mlp: 784–128–64–10; cnn: two convolutions of 8 and 16 filters, 28 × 28.",
  ];
  const env = {
    BENCH_PEERS: peers,
    BENCH_QUICK: quick ? "1" : "0",
    BENCH_NO_PEER: noPeer ? "1" : "",
    MLSYS_TFJS: join(cache, "devices", "tfjs"),
  };
  const round = (value) => Number(value.toPrecision(4));
  const rows = [];
  for (const device of ["webgpu", ...(noTensorFlow ? [] : ["tfjs"])]) {
    console.log(`measuring ${device}`);
    for (const line of await measure(`${device}.mjs`, env)) {
      if (line.missing) missing[device] = line.missing;
      if (line.adapter) notes.push(`${device}: ${line.adapter}`);
      if (line.problem) notes.push(`${device}: not measured: ${line.problem}`);
      if (!line.row) continue;
      const { unit, better } = ROWS.find(({ row }) => row === line.row);
      const entry = { name: `${device}: ${line.row}`, unit, better, ours: {}, peers: {} };
      for (const [name, value] of Object.entries(line.values))
        entry[name.startsWith("tfjs-") ? "peers" : "ours"][name] = round(value);
      rows.push(entry);
    }
  }
  return { rows, missing, notes };
}
