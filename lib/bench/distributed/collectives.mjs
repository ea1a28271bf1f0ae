// allReduce of our threads, and of our algorithms over MPI's messages, beside Open MPI's own: members on this machine, each
// in processes of its own, in turn and several times. Rows are algorithm bandwidths: a member's bytes by the time.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const KB = 1024;
const MB = 1024 * KB;
const LIMIT_MS = 240_000;
const script = (name) => fileURLToPath(new URL(name, import.meta.url));
const lastLine = (error) =>
  String(error.stderr || error.message)
    .trim()
    .split("\n")
    .at(-1);

/** The program of the peer, or why there is none. */
function build(folder) {
  const program = join(folder, "allreduce");
  try {
    execFileSync("mpicc", ["-O2", script("allreduce.c"), "-o", program], { stdio: "pipe" });
    return { program, problem: null };
  } catch (error) {
    return { program, problem: `mpicc: ${lastLine(error)} (packages openmpi-bin and libopenmpi-dev)` };
  }
}

const mpirun = (size, command) => [
  "mpirun",
  "--allow-run-as-root",
  "--oversubscribe",
  "-n",
  String(size),
  ...command,
];

function measure([command, ...args]) {
  try {
    const out = execFileSync(command, args, {
      encoding: "utf8",
      timeout: LIMIT_MS,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const lines = out.split("\n").filter((line) => line.startsWith("{"));
    return { rows: lines.map((line) => JSON.parse(line)), problem: null };
  } catch (error) {
    return { rows: [], problem: lastLine(error) };
  }
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const nameOf = (bytes) => (bytes < MB ? `${bytes / KB} KB` : `${bytes / MB} MB`);

export async function rows({ quick }) {
  const folder = mkdtempSync(join(tmpdir(), "mlsys-bench-mpi-"));
  const { program, problem } = build(folder);
  const sizes = (quick ? [MB, 16 * MB] : [4 * KB, 64 * KB, MB, 4 * MB, 16 * MB, 64 * MB]).map(String);
  const calls = String(quick ? 7 : 15);
  const node = (mode, size) => [
    process.execPath,
    script("allreduce.mjs"),
    mode,
    String(size),
    calls,
    ...sizes,
  ];
  const sides = [
    ["ours", "threads", (size) => node("threads", size)],
    ...(problem
      ? []
      : [
          ["ours", "mpi messages", (size) => mpirun(size, node("mpi", size))],
          ["peers", "openmpi", (size) => mpirun(size, [program, calls, ...sizes])],
        ]),
  ];
  const notes = [
    "allreduce: float32 sums of all members' data on shared memory, algorithm bandwidth (a member's bytes by the slowest member's time), median of the calls and of the rounds. threads: members as threads of one process; mpi messages: our algorithms over MPI's point-to-point messages, in as many processes as Open MPI's own allReduce has.",
  ];
  const seen = new Map();
  try {
    for (let round = 0; round < (quick ? 1 : 3); round++)
      for (const size of quick ? [2] : [2, 4])
        for (const [side, name, command] of sides) {
          const measured = measure(command(size));
          if (measured.problem) notes.push(`${name}, ${size} members: not measured, ${measured.problem}`);
          for (const { bytes, seconds } of measured.rows) {
            const row = `allreduce ${nameOf(bytes)}, ${size} members`;
            const entry = seen.get(row) ?? { ours: {}, peers: {} };
            seen.set(row, entry);
            entry[side][name] = [...(entry[side][name] ?? []), bytes / seconds / 1e9];
          }
        }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const of = (values) =>
    Object.fromEntries(
      Object.entries(values).map(([name, list]) => [name, Number(median(list).toPrecision(3))]),
    );
  return {
    rows: [...seen].map(([name, { ours, peers }]) => ({
      ...{ name, unit: "GB/s", better: "higher", ours: of(ours), peers: of(peers) },
    })),
    missing: problem ? { openmpi: problem } : {},
    notes,
  };
}
