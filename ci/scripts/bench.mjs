// npm run bench -- SUITE: runs a room's benchmark beside its peers, prints the table and keeps the results.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { updateReadme } from "./bench-readme.mjs";
import { build, nodePackages } from "./setup.mjs";
import { command, parseOptions, root, SetupError, UsageError } from "./steps.mjs";

const ROOMS = {
  kernel: "kernel",
  grader: "ci",
  service: "ci",
  compute: "lib",
  data: "lib",
  distributed: "lib",
  devices: "lib",
  deploy: "lib",
  generate: "lib",
  serve: "lib",
  convolution: "lib",
  robotics: "lib",
};
const usage = `Usage: npm run bench -- SUITE [--quick] [--json FILE]\nSUITE: ${Object.keys(ROOMS).join(", ")}, all`;

const file = (suite) => join(root, ROOMS[suite], "bench", `${suite}.bench.mjs`);

function table({ rows }) {
  const names = (key) => [...new Set(rows.flatMap((row) => Object.keys(row[key] ?? {})))];
  const [ours, peers] = [names("ours"), [...names("peers"), ...names("limit")]];
  const cell = (value) =>
    typeof value === "number" ? Number(value.toPrecision(3)).toString() : value === undefined ? "" : "–";
  const lines = rows.map((row) => {
    const best = Object.values(row.ours ?? {}).filter((v) => typeof v === "number");
    const mine = row.better === "higher" ? Math.max(...best) : Math.min(...best);
    const ratio = (value) =>
      typeof value === "number" && best.length > 0
        ? ` (${(row.better === "higher" ? mine / value : value / mine).toFixed(2)}×)`
        : "";
    const all = { ...row.peers, ...row.limit };
    return [
      row.name,
      row.unit,
      ...ours.map((name) => cell(row.ours?.[name])),
      ...peers.map((name) => cell(all[name]) + ratio(all[name])),
    ];
  });
  const head = ["", "unit", ...ours, ...peers];
  const width = head.map((title, i) => Math.max(title.length, ...lines.map((line) => line[i].length)));
  return [head, ...lines]
    .map((line) =>
      line
        .map((text, i) => text.padEnd(width[i]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

async function main(argv) {
  const { values, positionals } = parseOptions(
    argv,
    { quick: { type: "boolean" }, json: { type: "string" }, help: { type: "boolean", short: "h" } },
    true,
  );
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const [suite, ...rest] = positionals;
  if (suite === undefined) throw new UsageError("Name a suite.");
  if (rest.length > 0) throw new UsageError(`One suite at a time: "${rest.join(" ")}" is too much.`);
  if (suite !== "all" && !Object.hasOwn(ROOMS, suite)) throw new UsageError(`There is no suite "${suite}".`);
  const suites = suite === "all" ? Object.keys(ROOMS).filter((name) => existsSync(file(name))) : [suite];
  await nodePackages();
  await build();
  const machine = {
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: `${type()} ${release()}`,
    node: process.version,
  };
  for (const name of suites) {
    if (!existsSync(file(name))) throw new SetupError(`The ${name} suite has no benchmarks yet.`);
    const { run } = await import(pathToFileURL(file(name)).href);
    const result = {
      machine,
      date: new Date().toISOString().slice(0, 10),
      suite: name,
      ...(await run({ quick: values.quick ?? false })),
    };
    console.log(`\n${table(result)}\n(×: ours against the peer; above 1 is better)`);
    for (const [peer, reason] of Object.entries(result.missing ?? {}))
      console.log(`${peer}: not measured: ${reason}`);
    const target =
      values.json && suites.length === 1
        ? values.json
        : join(root, ROOMS[name], "bench", "results", `${name}.json`);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, `${JSON.stringify(result, null, 2)}\n`);
    console.log(`written to ${target}`);
  }
  updateReadme();
  return 0;
}

await command(usage, main);
