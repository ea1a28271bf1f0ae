// npm run coverage [-- --collect]: writes lib/COVERAGE.md and the summary in lib/README.md; with --collect, reads the peers' names anew.
import { readFileSync, writeFileSync } from "node:fs";

const BETWEEN = ["<!-- coverage -->", "<!-- /coverage -->"];

/** README.md with the summary between its marks. */
export function withSummary(readme, table) {
  const [from, to] = BETWEEN.map((mark) => readme.indexOf(mark));
  if (from < 0 || to < from)
    throw new Error(`lib/README.md has no place for the summary: ${BETWEEN.join(" … ")}`);
  return `${readme.slice(0, from + BETWEEN[0].length)}\n\n${table}\n\n${readme.slice(to)}`;
}

async function main(argv) {
  if (argv.some((arg) => arg !== "--collect")) {
    console.error("Usage: npm run coverage [-- --collect]");
    return 2;
  }
  if (argv.includes("--collect")) await (await import("./collect.mjs")).collect();
  const { coverageMarkdown, summary } = await import("./table.mjs");
  writeFileSync(new URL("../../COVERAGE.md", import.meta.url), coverageMarkdown());
  const readme = new URL("../../README.md", import.meta.url);
  writeFileSync(readme, withSummary(readFileSync(readme, "utf8"), summary()));
  return 0;
}

if (process.argv[1] === new URL(import.meta.url).pathname)
  process.exitCode = await main(process.argv.slice(2));
