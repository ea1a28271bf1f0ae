// The service that learners hand in to: how fast it takes uploads, each on the disk before its receipt. Beside it SQLite
// alone, which writes the same bytes with the same promise: what the disk allows.
// Run by `npm run bench -- service`; alone: `node ci/bench/service.bench.mjs [--quick]`.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Sqlite from "libsql";
import { SLUG, writeSource, writeSubmission } from "./course.mjs";

const PROCESS = fileURLToPath(new URL("service-process.mjs", import.meta.url));
const AT_ONCE = 32;
const PEOPLE = 200;

export async function run({ quick }) {
  const folder = mkdtempSync(join(tmpdir(), "mlsys-bench-"));
  let service;
  try {
    writeSource(join(folder, "solutions", `${SLUG}.ipynb`));
    const file = join(folder, `${SLUG}.ipynb`);
    writeSubmission(file, 0);
    const notebook = readFileSync(file);
    service = await start(join(folder, "data"), folder);
    return await measure(service, notebook, quick ? 200 : 2_000, folder);
  } finally {
    service?.child.kill("SIGTERM");
    if (service) await service.ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure({ address, tokens, instructor }, notebook, count, folder) {
  const load = readFileSync("/proc/loadavg", "utf8").split(" ")[0];
  const upload = async (index) => {
    const form = new FormData();
    form.set("file", new Blob([notebook]), `${SLUG}.ipynb`);
    const headers = { authorization: `Bearer ${tokens[index % tokens.length]}` };
    const start = performance.now();
    const response = await fetch(`${address}/submissions`, { method: "POST", headers, body: form });
    const { receipt } = await response.json();
    if (response.status !== 201 || !receipt) throw new Error(`an upload was refused: ${response.status}`);
    return performance.now() - start;
  };
  for (let i = 0; i < AT_ONCE; i++) await upload(i); // what is compiled and opened first
  const steady = await timed(count, AT_ONCE, upload);
  const crowd = await timed(PEOPLE, PEOPLE, upload);
  const disk = sqliteAlone(join(folder, "alone.db"), notebook, Math.min(count, 500));
  const page = await gradebook(address, instructor);
  return {
    rows: [
      row("accepted uploads per second", "1/s", "higher", (count / steady.ms) * 1000, {
        SQLite: disk.perSecond,
      }),
      row(`receipt p50, ${AT_ONCE} at once`, "ms", "lower", quantile(steady.times, 0.5)),
      row(`receipt p95, ${AT_ONCE} at once`, "ms", "lower", quantile(steady.times, 0.95)),
      row(`receipt p95, ${PEOPLE} at once`, "ms", "lower", quantile(crowd.times, 0.95)),
      row(`last receipt of ${PEOPLE} at once`, "ms", "lower", crowd.ms),
      row(`gradebook of ${PEOPLE} people, ${count + PEOPLE} submissions`, "ms", "lower", page),
    ],
    missing: {},
    notes: [
      `Notebooks of ${Math.round(notebook.length / 1024)} KB; client and service on the same machine. Load of the machine by others when it began: ${load}.`,
    ],
  };
}

const row = (name, unit, better, value, limit = {}) => ({
  name,
  unit,
  better,
  ours: { mlsys: Number(value.toPrecision(4)) },
  peers: {},
  limit,
});

/** Does it `count` times, so many at once. */
async function timed(count, atOnce, work) {
  const times = [];
  let next = 0;
  const start = performance.now();
  const one = async () => {
    while (next < count) times.push(await work(next++));
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return { ms: performance.now() - start, times };
}

function quantile(times, share) {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

/** One transaction a notebook, on the disk when it returns. */
function sqliteAlone(path, notebook, count) {
  const database = new Sqlite(path);
  database.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t(id INTEGER, bytes BLOB)",
  );
  const insert = database.prepare("INSERT INTO t VALUES (?, ?)");
  const start = performance.now();
  for (let i = 0; i < count; i++) insert.run([i, notebook]);
  const perSecond = Number(((count / (performance.now() - start)) * 1000).toPrecision(4));
  database.close();
  return { perSecond };
}

/** The best of some: the page is the same each time. */
async function gradebook(address, token) {
  const times = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    const response = await fetch(`${address}/gradebook`, { headers: { authorization: `Bearer ${token}` } });
    if (!(await response.text()).includes("<table")) throw new Error("the gradebook is no table");
    times.push(performance.now() - start);
  }
  return Math.min(...times);
}

function start(data, course) {
  const child = spawn(process.execPath, [PROCESS, data, course, String(PEOPLE)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  return new Promise((resolve, reject) => {
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      said += text;
      if (said.endsWith("\n")) resolve({ child, ended, ...JSON.parse(said) });
    });
    child.once("exit", (code) => reject(new Error(`the service ended with ${code}`)));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  console.log(JSON.stringify(await run({ quick: process.argv.includes("--quick") }), null, 2));
