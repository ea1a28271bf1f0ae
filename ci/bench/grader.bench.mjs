// The grader beside nbgrader, on the same notebooks: 20 cells, 10 tests, each submission with its own text.
// Run by `npm run bench -- grader`; alone: `node ci/bench/grader.bench.mjs [--quick]`.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { kernelSpec } from "@mlsys/kernel/spec";
import { POINTS, SLUG, writeSource, writeSubmission } from "./course.mjs";

const CI = fileURLToPath(new URL("..", import.meta.url));
const ROOT = join(CI, "..");
const BIN = join(CI, "bin", "mlsys-grade.mjs");
const VENV = join(ROOT, ".mlsys", "test-venv");
const NBGRADER = "0.9.5";
const JOBS = 2;

export async function run({ quick }) {
  const folder = mkdtempSync(join(tmpdir(), "mlsys-bench-"));
  try {
    return await measure(folder, quick);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(folder, quick) {
  writeSource(join(folder, "solutions", `${SLUG}.ipynb`));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const batch = quick ? 20 : 100;
  const many = quick ? 60 : 1000;
  for (let i = 0; i < many; i++)
    writeSubmission(join(folder, i < batch ? "batch" : "more", `s${i}`, SLUG, `${SLUG}.ipynb`), i);

  const first = await graded(folder, "batch");
  const second = await graded(folder, "batch");
  const best = first.seconds < second.seconds ? first : second;
  const long = await graded(folder, ["batch", "more"]);
  const rows = [
    row("submissions per second", "1/s", "higher", best.reports.length / best.seconds),
    row(`${batch} submissions`, "s", "lower", best.seconds),
    row("one submission p50", "s", "lower", quantile(best.reports, 0.5)),
    row("one submission p95", "s", "lower", quantile(best.reports, 0.95)),
    row(`judge's memory after ${batch} submissions`, "MB", "lower", long.memoryAt(batch)),
    row(`judge's memory after ${many} submissions`, "MB", "lower", long.memoryAt(many)),
  ];
  const missing = {};
  const notes = [
    `Isolation: ${best.reports[0].isolation.level}. ${JOBS} submissions at once. nbgrader runs one after the other, in no sandbox.`,
    `Load of the machine by others when it began: ${best.load}.`,
  ];
  const peer = await nbgrader(folder, quick ? 2 : 6).catch((error) => error);
  if (peer instanceof Error) missing.nbgrader = peer.message.slice(0, 300);
  else {
    rows[0].peers.nbgrader = peer.perSecond;
    rows[2].peers.nbgrader = 1 / peer.perSecond;
  }
  return { rows, missing, notes };
}

const row = (name, unit, better, value) => ({
  name,
  unit,
  better,
  ours: { mlsys: Number(value.toPrecision(4)) },
  peers: {},
});

function quantile(reports, share) {
  const times = reports.map(({ timing }) => timing.ms / 1000).sort((a, b) => a - b);
  return times[Math.min(times.length - 1, Math.floor(share * times.length))];
}

/** Grades folders with the command, as a course does. @throws Error for a wrong score: a fast wrong answer is none */
async function graded(folder, inboxes) {
  const [json, log] = [join(folder, "results.json"), join(folder, "log.jsonl")];
  rmSync(log, { force: true });
  const load = readFileSync("/proc/loadavg", "utf8").split(" ")[0];
  const start = performance.now();
  const child = spawn(
    process.execPath,
    [BIN, "grade", ...[inboxes].flat(), "-j", String(JOBS), "--json", json, "--log", log],
    { cwd: folder, stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  child.stderr.on("data", (text) => {
    said += text;
  });
  const samples = [];
  const sampler = setInterval(() => samples.push([linesOf(log), judgeMegabytes(child.pid)]), 1000);
  const code = await new Promise((resolve) => child.once("exit", resolve));
  clearInterval(sampler);
  const seconds = (performance.now() - start) / 1000;
  if (code !== 0) throw new Error(`mlsys-grade ended with ${code}: ${said}`);
  const { reports } = JSON.parse(readFileSync(json, "utf8"));
  for (const { student, status, score } of reports) {
    const expected = Number(student.slice(1)) % 2 === 0 ? POINTS : undefined;
    if (status !== "graded" || (expected === undefined ? score >= POINTS : score !== expected))
      throw new Error(`${student}: ${status}, ${score} points`);
  }
  const memoryAt = (count) =>
    samples.filter(([done, size]) => done <= count && size > 0).at(-1)?.[1] ?? Number.NaN;
  return { seconds, reports, load, memoryAt };
}

function linesOf(file) {
  try {
    return readFileSync(file, "utf8").split("\n").length - 1;
  } catch {
    return 0;
  }
}

/** Of the largest of the command's judges. */
function judgeMegabytes(parent) {
  const sizes = readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      if (Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]) !== parent) return [];
      if (!readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("judge/main.js")) return [];
      return [Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024];
    } catch {
      return [];
    }
  });
  return Math.max(0, ...sizes);
}

/** The real nbgrader over some of the same submissions. */
async function nbgrader(folder, count) {
  const bin = join(VENV, "bin");
  if (!existsSync(join(bin, "nbgrader"))) {
    execFileSync("python3", ["-m", "venv", VENV], { stdio: "pipe" });
    execFileSync(join(bin, "pip"), ["install", "-q", `nbgrader==${NBGRADER}`], { stdio: "pipe" });
  }
  const course = join(folder, "nbgrader");
  const kernel = join(course, "jupyter", "kernels", "mlsys");
  mkdirSync(kernel, { recursive: true });
  writeFileSync(join(kernel, "kernel.json"), JSON.stringify(kernelSpec()));
  writeFileSync(
    join(course, "nbgrader_config.py"),
    `load_subconfig(${JSON.stringify(join(CI, "nbgrader_config.py"))})\nc = get_config()\nc.CourseDirectory.course_id = "bench"\n`,
  );
  symlinkSync(join(ROOT, "node_modules"), join(course, "node_modules"));
  cpSync(join(folder, "solutions", `${SLUG}.ipynb`), join(course, "source", SLUG, `${SLUG}.ipynb`));
  for (let i = 0; i < count; i++)
    cpSync(join(folder, "batch", `s${i}`), join(course, "submitted", `s${i}`), { recursive: true });
  const execute = (...args) => {
    const done = spawnSync(join(bin, "nbgrader"), args, {
      cwd: course,
      encoding: "utf8",
      env: {
        ...process.env,
        JUPYTER_PATH: join(course, "jupyter"),
        JUPYTER_CONFIG_DIR: join(course, "config"),
        JUPYTER_DATA_DIR: join(course, "data"),
        HOME: course,
        PATH: `${bin}:${process.env.PATH}`,
        PYDEVD_DISABLE_FILE_VALIDATION: "1",
      },
    });
    if (done.status !== 0)
      throw new Error(`nbgrader ${args[0]} ended with ${done.status}: ${done.stderr.slice(-2000)}`);
  };
  execute("generate_assignment", SLUG);
  const start = performance.now();
  execute("autograde", SLUG);
  const seconds = (performance.now() - start) / 1000;
  return { perSecond: Number((count / seconds).toPrecision(4)) };
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  console.log(JSON.stringify(await run({ quick: process.argv.includes("--quick") }), null, 2));
