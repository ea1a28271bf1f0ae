// The kernel beside its peers: the same client, the same run, medians after a warm-up.
// Run by `npm run bench -- kernel`; alone: `node kernel/bench/kernel.bench.mjs [--quick]`.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { KernelClient, launchKernel } from "../dist/client/index.js";
import { kernels } from "./peers.mjs";

/** Row name, unit, which is better, and how to measure it in a running kernel (null: it cannot). */
const ROWS = [
  ["trivial cell p50", "ms", "lower", trivialCell],
  ["typed 20-line cell p50", "ms", "lower", typedCell],
  ["completion member p50", "ms", "lower", completion],
  ["completion while a cell runs p50", "ms", "lower", completionWhileBusy],
  ["inspect p50", "ms", "lower", inspection],
  ["10,000 lines", "ms", "lower", (session) => lines(session, 10_000)],
  ["100,000 lines", "ms", "lower", (session) => lines(session, 100_000)],
  ["control reply while busy p50", "ms", "lower", controlWhileBusy],
  ["interrupt sync loop", "ms", "lower", interrupt],
];

/** @returns {Promise<{rows: object[], missing: Record<string, string>, notes: string[]}>} as the other suites do */
export async function run({ quick }) {
  const rows = new Map();
  const missing = {};
  const notes = [
    "Deno runs cells unchecked; ipykernel runs the same work in Python.",
    "Completions of Deno are the object's run-time properties, ours and tslab's are typed.",
  ];
  const put = (name, unit, better, kernel, value) => {
    const row = rows.get(name) ?? { name, unit, better, ours: {}, peers: {} };
    rows.set(name, row);
    row[kernel === "mlsys" ? "ours" : "peers"][kernel] = value;
  };
  for (const [name, spec] of Object.entries(kernels())) {
    if (spec.missing) {
      missing[name] = spec.missing;
      continue;
    }
    try {
      put("spawn to first result", "ms", "lower", name, await firstResult(spec, quick ? 3 : 7));
      let session = await begin(spec, quick);
      put(
        "resident memory after first cell",
        "MB",
        "lower",
        name,
        residentMegabytes(session.kernel.process.pid),
      );
      await sleep(SETTLE_MS);
      for (const [row, unit, better, measure] of ROWS) {
        const value = await answered(measure(session)).catch((error) => error);
        if (value instanceof Unanswered) {
          await close(session);
          session = await begin(spec, quick);
        }
        if (typeof value === "number") put(row, unit, better, name, round(value));
        else notes.push(`${name}: "${row}" not measured, ${value instanceof Error ? value.message : value}`);
      }
      put(
        "resident memory after the suite",
        "MB",
        "lower",
        name,
        residentMegabytes(session.kernel.process.pid),
      );
      await close(session);
    } catch (error) {
      notes.push(`${name}: stopped, ${error.message}`);
    }
  }
  return { rows: [...rows.values()], missing, notes };
}

/** A kernel that stopped answering: it is replaced for the next row. */
class Unanswered extends Error {}

const ROW_SECONDS = 100;

function answered(measured) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Unanswered(`no answer within ${ROW_SECONDS} seconds`)),
      ROW_SECONDS * 1000,
    );
  });
  measured.catch(() => {}); // told by then
  return Promise.race([measured, late]).finally(() => clearTimeout(timer));
}

/** Kernels load what later cells need (checkers, transpilers) behind the first cell; rows are of one that has settled. */
const SETTLE_MS = 2_000;

/** A session that has run its first cell. */
async function begin(spec, quick) {
  const session = await open(spec);
  session.quick = quick;
  await session.client.execute(spec.cells.simple, { timeoutMs: 30_000 });
  return session;
}

async function open(spec) {
  const cwd = mkdtempSync(join(tmpdir(), "bench-"));
  const kernel = await launchKernel(spec, {
    cwd,
    transport: "tcp",
    env: { ...spec.env, MLSYS_HISTORY: join(cwd, "h") },
  });
  const client = await KernelClient.connect(kernel.connection, 30_000);
  return { spec, kernel, client, cwd };
}

async function close({ client, kernel, cwd }) {
  client.close();
  await kernel.kill();
  rmSync(cwd, { recursive: true, force: true });
}

async function firstResult(spec, runs) {
  const times = [];
  for (let i = 0; i < runs + 1; i++) {
    const start = performance.now();
    const session = await open(spec);
    await session.client.execute(spec.cells.simple, { timeoutMs: 30_000 });
    times.push(performance.now() - start);
    await close(session);
  }
  return round(median(times.slice(1)));
}

async function trivialCell({ client, spec, quick }) {
  await repeat(20, () => client.execute(spec.cells.simple));
  return repeat(quick ? 50 : 200, () => client.execute(spec.cells.simple));
}

async function typedCell({ client, spec, quick }) {
  for (let i = 0; i < 5; i++) await succeed(client, spec.cells.typed(`w${i}`));
  return repeat(quick ? 20 : 60, (i) => succeed(client, spec.cells.typed(i)));
}

async function completion({ client, spec, quick }) {
  const { define, code } = spec.cells.members;
  await succeed(client, define);
  const ask = () =>
    client.request("complete_request", { code, cursor_pos: code.length }, { timeoutMs: 10_000 });
  for (let i = 0; i < 5; i++) await ask();
  const { matches } = (await ask()).reply.content;
  if (!matches.some((match) => match.endsWith("alpha"))) return `its reply lacks the member "alpha"`;
  return repeat(quick ? 20 : 60, ask);
}

/** Of a cell that computes without a pause: a kernel that waits for its end answers about two seconds late. */
async function completionWhileBusy({ client, spec }) {
  const { code } = spec.cells.members;
  const busy = client.execute(spec.cells.busy(2_000), { timeoutMs: 30_000 });
  const end = Date.now() + 1_700;
  await sleep(200);
  const times = [];
  while (Date.now() < end && times.length < 60) {
    const start = performance.now();
    await client.request(
      "complete_request",
      { code, cursor_pos: code.length },
      { timeoutMs: 30_000, needsIdle: false },
    );
    times.push(performance.now() - start);
  }
  await busy;
  return median(times);
}

async function inspection({ client, quick, spec }) {
  const { define } = spec.cells.members;
  await succeed(client, define);
  const ask = () =>
    client.request(
      "inspect_request",
      { code: "probe", cursor_pos: 3, detail_level: 0 },
      { timeoutMs: 10_000 },
    );
  for (let i = 0; i < 5; i++) await ask();
  if ((await ask()).reply.content.found !== true) return "it finds nothing";
  return repeat(quick ? 20 : 60, ask);
}

async function lines({ client, spec, quick }, count) {
  if (spec.losesLines) return "it loses lines past about 500, and the idle status with them";
  const times = [];
  for (let i = 0; i < (quick || count > 50_000 ? 3 : 6); i++) {
    const start = performance.now();
    // The time counts until the last line is there: Deno goes on sending after idle.
    const arrived = new Promise((resolve, reject) => {
      let seen = 0;
      const timer = setTimeout(() => reject(new Error(`only ${seen} of ${count} lines arrived`)), 30_000);
      const stop = client.onMessage(({ header, content }) => {
        if (header.msg_type === "stream") seen += String(content.text).split("\n").length - 1;
        if (seen < count) return;
        stop();
        clearTimeout(timer);
        resolve();
      });
    });
    await Promise.all([arrived, client.execute(spec.cells.lines(count), { timeoutMs: 30_000 })]);
    times.push(performance.now() - start);
  }
  return median(times.slice(1));
}

async function controlWhileBusy({ client, spec, quick }) {
  const times = [];
  const busy = client.execute(spec.cells.busy(quick ? 1_000 : 2_000));
  const end = Date.now() + (quick ? 700 : 1_700);
  await sleep(200);
  while (Date.now() < end && times.length < 100) {
    const start = performance.now();
    await client.request(
      "kernel_info_request",
      {},
      { channel: "control", timeoutMs: 30_000, needsIdle: false },
    );
    times.push(performance.now() - start);
  }
  await busy;
  return median(times);
}

async function interrupt({ client, kernel, spec, quick }) {
  await succeed(client, spec.cells.state);
  const times = [];
  for (let i = 0; i < (quick ? 3 : 6); i++) {
    const cell = client.execute(spec.cells.loop, { timeoutMs: 10_000 });
    await sleep(200);
    const start = performance.now();
    if (spec.cells.loop.startsWith("while True") || spec.losesLines) kernel.process.kill("SIGINT");
    else void client.interrupt().catch(() => {});
    await cell;
    times.push(performance.now() - start);
    if (!(await keepsState(client, spec))) return "the variables were lost";
  }
  return median(times.slice(1));
}

/** tslab aborts the first request after an interrupt, whatever it is: the second one tells. */
async function keepsState(client, spec) {
  for (let i = 0; i < 3; i++)
    if ((await client.execute(spec.cells.readState, { timeoutMs: 10_000 })).reply.status === "ok")
      return true;
  return false;
}

async function succeed(client, code) {
  const { reply } = await client.execute(code, { timeoutMs: 30_000 });
  if (reply.status !== "ok")
    throw new Error(`a cell failed: ${reply.ename ?? reply.status} ${reply.evalue ?? ""}`);
}

async function repeat(count, body) {
  const times = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await body(i);
    times.push(performance.now() - start);
  }
  return median(times);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

function round(value) {
  return Number(value.toPrecision(4));
}

/** Of a process and everything that it started. Linux. */
function residentMegabytes(pid) {
  const parents = new Map();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // It ended meanwhile.
    }
  }
  const family = [pid];
  for (const member of family)
    for (const [child, parent] of parents) if (parent === member) family.push(child);
  const pages = family.map((member) => {
    try {
      return Number(readFileSync(`/proc/${member}/statm`, "utf8").split(" ")[1]);
    } catch {
      return 0;
    }
  });
  return round((pages.reduce((sum, count) => sum + count, 0) * 4096) / 1e6);
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = await run({ quick: process.argv.includes("--quick") });
  console.log(JSON.stringify(result, null, 2));
  process.exit(0);
}
