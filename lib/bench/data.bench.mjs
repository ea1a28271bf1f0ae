// Pipelines of data beside PyTorch's DataLoader and Node's streams: the same files, the same work, each in a process of
// its own, in turn and several times. Run by `npm run bench -- data`.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatRows } from "./data/formats.mjs";
import { IMAGE, madeData, PHOTO, RECORD } from "./data/made.mjs";
import { pythonPeer } from "./peers/python.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = join(root, ".mlsys", "bench-data");
const TORCH = {
  what: ["torch==2.13.0", "pillow", "numpy"],
  proof: "import torch, PIL, numpy",
};
const TENSORFLOW = { what: ["tensorflow-cpu", "numpy"], proof: "import tensorflow, numpy" };
const LIMIT_MS = 180_000;

/** The rows that a program prints, or the reason why there are none. */
function measure(command, file, mode, row, quick) {
  try {
    const out = execFileSync(command, [fileURLToPath(new URL(`data/${file}`, import.meta.url))], {
      encoding: "utf8",
      timeout: LIMIT_MS,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        BENCH_ROW: row,
        BENCH_MODE: mode,
        BENCH_DATA: folder,
        BENCH_QUICK: quick ? "1" : "0",
        BENCH_TASKS: JSON.stringify({ IMAGE, PHOTO, RECORD }),
      },
    });
    const lines = out.split("\n").filter((line) => line.startsWith("{"));
    return { rows: lines.map((line) => JSON.parse(line)), problem: null };
  } catch (error) {
    return {
      rows: [],
      problem: String(error.stderr || error.message)
        .trim()
        .split("\n")
        .at(-1),
    };
  }
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

export async function run({ quick }) {
  await madeData(folder);
  const torch = pythonPeer("bench-venv", TORCH);
  const tensorflow = pythonPeer("bench-tf-venv", TENSORFLOW); // its NumPy is another one
  const libraries = [
    ["ours", "2 workers", process.execPath, "mlsys.mjs", "threads"],
    ["ours", "no workers", process.execPath, "mlsys.mjs", "one thread"],
    ["peers", "node streams", process.execPath, "streams.mjs", ""],
    ...(torch.problem ? [] : [["peers", "pytorch", torch.python, "loader.py", ""]]),
    ...(tensorflow.problem ? [] : [["peers", "tf.data", tensorflow.python, "tfdata.py", ""]]),
  ];
  const notes = [
    `images: ${IMAGE.count} pictures of ${IMAGE.size} × ${IMAGE.size} × 3, deflated, drawn in random order: read, inflate, random crop of ${IMAGE.crop}, random flip, normalize, channels first, batches of ${IMAGE.batch}.`,
    `photos: ${PHOTO.count} JPEGs of ${PHOTO.width} × ${PHOTO.height}, in random order: read, decode, shorter side to ${PHOTO.resize} (antialiased), random crop of ${PHOTO.crop}, random flip, normalize, channels first, batches of ${PHOTO.batch}. pytorch: Pillow, as torchvision has it; node streams: sharp.`,
    `records: ${RECORD.count} records of ${RECORD.features} float32 and a label, in random order, batches of ${RECORD.batch}.`,
    "tf.data: 2 threads; photos lie in memory, records are shuffled through a buffer of 4096, as it can't read by position; it has no op for the deflated images.",
    "pytorch: DataLoader with 2 workers. Rates are from the first batch to the last: the start of workers is left out. Our order is checked against that of a walk without threads.",
    "peak memory of pytorch: the process, and its workers as large as the largest of them.",
  ];
  const seen = new Map();
  for (let round = 0; round < (quick ? 1 : 3); round++)
    for (const task of ["images", "photos", "records"])
      for (const [side, name, command, file, mode] of libraries) {
        if (task === "images" && name === "tf.data") continue;
        console.log(`measuring ${task}: ${name}`);
        const { rows, problem } = measure(command, file, mode, task, quick);
        if (problem) notes.push(`${name}: ${task} not measured, ${problem}`);
        for (const { row, value } of rows) {
          const entry = seen.get(row) ?? { ours: {}, peers: {} };
          seen.set(row, entry);
          entry[side][name] = [...(entry[side][name] ?? []), value];
        }
      }
  const of = (values) =>
    Object.fromEntries(
      Object.entries(values).map(([name, list]) => [name, Number(median(list).toPrecision(4))]),
    );
  const rows = [...seen].map(([name, { ours, peers }]) => ({
    name,
    unit: name.endsWith("per second") ? "/s" : name.endsWith("memory") ? "MiB" : "µs",
    better: name.endsWith("per second") ? "higher" : "lower",
    ours: of(ours),
    peers: of(peers),
  }));
  const formats = await formatRows({ quick });
  return {
    rows: [...rows, ...formats.rows],
    missing: {
      ...(torch.problem ? { pytorch: torch.problem } : {}),
      ...(tensorflow.problem ? { "tf.data": tensorflow.problem } : {}),
      ...formats.missing,
    },
    notes: [...notes, ...formats.notes],
  };
}
