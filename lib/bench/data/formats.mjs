// Formats beside their peers: record files, TFRecord, CSV, BPE, an order of 10 M positions. Each side in a process of its own;
// `formatRows` is for the suite, and `node lib/bench/data/formats.mjs [--quick]` prints the rows alone.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const venv = join(root, ".mlsys", "bench-venv");
const python = join(venv, "bin", "python");
const folder = join(root, ".mlsys", "bench-formats");
const PYTHON_PEERS = ["torch==2.13.0", "numpy", "pandas", "tokenizers==0.23.3", "tfrecord==1.14.6"];
const LIMIT_MS = 240_000;

const UNITS = {
  "record file in order": "records/s",
  "record file shuffled": "records/s",
  "order of 10 M positions": "positions/s",
  "order of 10 M positions, memory": "MiB",
  "TFRecord with Example": "records/s",
  CSV: "MB/s",
  "BPE encode": "MB/s",
  "BPE train to 8000": "s",
};

function installPython() {
  const done = join(venv, ".formats");
  const what = PYTHON_PEERS.join(" ");
  if (existsSync(done) && readFileSync(done, "utf8") === what) return null;
  try {
    mkdirSync(join(root, ".mlsys"), { recursive: true });
    if (!existsSync(python)) execFileSync("python3", ["-m", "venv", venv], { stdio: "pipe" });
    console.log(`installing peers: ${what}`);
    execFileSync(python, ["-m", "pip", "install", "-q", "--disable-pip-version-check", ...PYTHON_PEERS], {
      stdio: "pipe",
    });
    writeFileSync(done, what);
    return null;
  } catch (error) {
    return `not installed: ${String(error.stderr ?? error.message)
      .trim()
      .split("\n")
      .at(-1)}`;
  }
}

/** Lines `{ row, name, value }` that a program prints, or why there are none. */
function measure(command, file, quick) {
  try {
    const out = execFileSync(command, [fileURLToPath(new URL(file, import.meta.url))], {
      encoding: "utf8",
      timeout: LIMIT_MS,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        BENCH_DATA: folder,
        BENCH_QUICK: quick ? "1" : "0",
        TOKENIZERS_PARALLELISM: "false",
      },
    });
    const lines = out.split("\n").filter((line) => line.startsWith("{"));
    return { found: lines.map((line) => JSON.parse(line)), problem: null };
  } catch (error) {
    return {
      found: [],
      problem: String(error.stderr || error.message)
        .trim()
        .split("\n")
        .at(-1),
    };
  }
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** @returns rows, missing peers and notes, in the form of a suite's */
export async function formatRows({ quick = false } = {}) {
  mkdirSync(folder, { recursive: true });
  const missing = installPython();
  const seen = new Map();
  const notes = [
    "record file: 400,000 records of 64 float32 and a label in batches of 256; pytorch: DataLoader with 2 workers over the same bytes at fixed places, no checksums. Ours is one thread, each page's CRC-32C compared.",
    "order of 10 M positions: ours computes each position, numpy and pytorch make the list.",
    "TFRecord with Example: 20,000 of them, 64 floats and a label, checksums compared; tfrecord is the PyPI package.",
    "CSV: 12 MB of integers, floats and quoted text, into rows (ours), a frame (pandas), untyped fields (papaparse).",
    "BPE: Moby-Dick; tokenizers on one thread.",
  ];
  for (let round = 0; round < (quick ? 1 : 3); round++)
    for (const [side, command, file] of [
      ["ours", process.execPath, "formats-mlsys.mjs"], // first: it makes the files
      ...(missing ? [] : [["peers", python, "formats_peers.py"]]),
    ]) {
      const { found, problem } = measure(command, file, quick);
      if (problem) notes.push(`${file}: not measured, ${problem}`);
      for (const { row, name, value } of found) {
        const entry = seen.get(row) ?? { ours: {}, peers: {} };
        seen.set(row, entry);
        const where = name === "mlsys" ? entry.ours : side === "ours" ? entry.peers : entry[side];
        where[name] = [...(where[name] ?? []), value];
      }
    }
  const of = (lists) =>
    Object.fromEntries(
      Object.entries(lists).map(([name, list]) => [name, Number(median(list).toPrecision(3))]),
    );
  const rows = Object.entries(UNITS)
    .filter(([name]) => seen.has(name))
    .map(([name, unit]) => ({
      name,
      unit,
      better: unit === "s" || unit === "MiB" ? "lower" : "higher",
      ours: of(seen.get(name).ours),
      peers: of(seen.get(name).peers),
    }));
  return { rows, missing: missing ? { pytorch: missing } : {}, notes };
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  console.log(JSON.stringify(await formatRows({ quick: process.argv.includes("--quick") }), null, 1));
