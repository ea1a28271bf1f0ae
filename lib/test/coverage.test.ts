/** COVERAGE.md: every op, function, layer, optimizer, loss and initializer stands in the comparison with the peers. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as M from "../src/index.js";
import { ops } from "../src/index.js";

interface Row {
  readonly family: string;
  readonly ours: string;
  readonly theirs: readonly (string | null)[];
}
interface Names {
  readonly NOT_COMPARED: Readonly<Record<string, string>>;
  readonly INSIDE: Readonly<Record<string, string>>;
}
interface Table {
  rows(): Row[];
  summary(): string;
  coverageMarkdown(): string;
}
interface Script {
  withSummary(readme: string, table: string): string;
}

const file = (path: string): URL => new URL(`../${path}`, import.meta.url);
const load = async <T>(name: string): Promise<T> => (await import(file(`bench/peers/${name}`).href)) as T;
const { NOT_COMPARED, INSIDE } = await load<Names>("names.mjs");
const { rows, summary, coverageMarkdown } = await load<Table>("table.mjs");
const { withSummary } = await load<Script>("coverage.mjs");

const named = new Set(rows().map((row) => row.ours));
const left = new Set(Object.values(NOT_COMPARED).flatMap((names) => names.split(" ")));

/** Functions and classes that index.ts exports, with those of its namespaces that are compared. */
function exported(): string[] {
  const callables = (space: object, prefix: string): string[] =>
    Object.entries(space).flatMap(([name, value]) => (typeof value === "function" ? [prefix + name] : []));
  const spaces = { "": M, "linalg.": M.linalg, "random.": M.random, "nn.": M.nn, "optim.": M.optim };
  return Object.entries(spaces).flatMap(([prefix, space]) => callables(space, prefix));
}

const HOW =
  'add a row to lib/bench/peers/names.mjs, under its family: "ours | tfjs | jax-js | PyTorch" ("=": the same name there, "–": it has none), or its name to NOT_COMPARED with a reason; then `npm run coverage`';

describe("the comparison with the peers", () => {
  it.each(exported())("has %s", (name) => {
    expect(named.has(name) || left.has(name), `${name} is not compared: ${HOW}`).toBe(true);
    expect(named.has(name) && left.has(name), `${name} is compared and in NOT_COMPARED`).toBe(false);
  });

  it("has every op of the registry, by its own name or that of the function that runs on it", () => {
    for (const { name, kind } of ops()) {
      if (kind === "control") continue;
      if (name in M.distributed) continue; // peers cut graphs and code gradients elsewhere than in ops
      const known = named.has(name) || named.has(INSIDE[name]);
      expect(
        known,
        `the op ${name} is not compared: ${HOW}; for an op without a function of its own, a line in INSIDE`,
      ).toBe(true);
    }
  });

  it("names nothing that we do not export, and nothing twice", () => {
    const all = new Set(exported());
    expect([...named, ...left].filter((name) => !all.has(name))).toEqual([]);
    const ours = rows().map((row) => row.ours);
    expect(ours.filter((name, i) => ours.indexOf(name) !== i)).toEqual([]);
    const registered = new Set(ops().map(({ name }) => name));
    expect(Object.keys(INSIDE).filter((name) => !registered.has(name))).toEqual([]);
  });

  it("is written as the data say: COVERAGE.md and the summary in README.md", () => {
    expect(readFileSync(file("COVERAGE.md"), "utf8"), "run `npm run coverage`").toBe(coverageMarkdown());
    const readme = readFileSync(file("README.md"), "utf8");
    expect(readme, "run `npm run coverage`").toBe(withSummary(readme, summary()));
  });
});
