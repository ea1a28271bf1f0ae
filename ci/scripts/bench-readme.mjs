// Puts the committed results of the benchmarks into the README, between its markers.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./steps.mjs";

const SUITES = { kernel: "kernel", grader: "ci", compute: "lib" };
const MARKERS = /<!-- bench -->.*<!-- \/bench -->/s;

const digits = (value) =>
  value >= 1000 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(3)));

/** A Markdown table: ours, then each peer with how many times better we are. */
function table({ machine, date, suite, rows }) {
  const names = (key) => [...new Set(rows.flatMap((row) => Object.keys(row[key] ?? {})))];
  const [ours, peers] = [names("ours"), [...names("peers"), ...names("limit")]];
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const body = rows.map((row) => {
    const mine = Object.values(row.ours ?? {}).filter((v) => typeof v === "number");
    const best = row.better === "higher" ? Math.max(...mine) : Math.min(...mine);
    const peer = (value) => {
      if (typeof value !== "number") return "–";
      const ratio = row.better === "higher" ? best / value : value / best;
      return `${digits(value)} (${Number(ratio.toPrecision(2))}×)`;
    };
    return line([
      row.name,
      row.unit,
      ...ours.map((name) => (typeof row.ours?.[name] === "number" ? `**${digits(row.ours[name])}**` : "–")),
      ...peers.map((name) => peer(row.peers?.[name] ?? row.limit?.[name])),
    ]);
  });
  const head = [`${suite}`, "", ...ours.map((name) => (ours.length > 1 ? `mlsys, ${name}` : name)), ...peers];
  const align = head.map((_, i) => (i < 2 ? ":--" : "--:"));
  const where = `${date}, ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}. In brackets: how many times better ours is.`;
  return [line(head), line(align), ...body, "", where].join("\n");
}

/** Writes the tables of all suites that have results. */
export function updateReadme() {
  const file = join(root, "README.md");
  const text = readFileSync(file, "utf8");
  const tables = Object.entries(SUITES).flatMap(([suite, room]) => {
    const results = join(root, room, "bench", "results", `${suite}.json`);
    return existsSync(results) ? [table(JSON.parse(readFileSync(results, "utf8")))] : [];
  });
  const next = text.replace(MARKERS, () => `<!-- bench -->\n${tables.join("\n\n")}\n<!-- /bench -->`);
  if (next === text) return;
  writeFileSync(file, next);
  execFileSync(
    process.execPath,
    [join(root, "node_modules/@biomejs/biome/bin/biome"), "format", "--write", file],
    {
      stdio: "ignore",
    },
  );
}
