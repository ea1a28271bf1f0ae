/**
 * GRADIENTS.md: measured errors of every derivative rule. `npm run gradients` writes the file; this test measures again and sees
 * that no op, input or dtype is missing there.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { ops } from "../../src/index.js";
import {
  floatInputs,
  type GradientRow,
  gradientRows,
  gradientsMarkdown,
  graphOps,
  NARROW,
  type NarrowDType,
  reasonOf,
  smoothOps,
} from "../support/gradient-table.js";

const FILE = new URL("../../GRADIENTS.md", import.meta.url);

const LIMIT = 2e-7;
/** Some multiples of the precision of each dtype, for the matrices among the samples. */
const NARROW_LIMIT: Record<NarrowDType, number> = { float32: 2e-6, float16: 2e-2, bfloat16: 0.1 };

const rows: GradientRow[] = [];

describe("measured", () => {
  it.each(smoothOps().map((op) => ({ op, name: op.name })))("$name", ({ op }) => {
    const found = gradientRows(op);
    rows.push(...found);
    expect(found.map((row) => row.input)).toEqual(floatInputs(op));
    for (const row of found) {
      const where = `input ${row.input}`;
      expect(row.samples, where).toBeGreaterThan(0);
      for (const error of [row.reverse, row.forward, row.second]) expect(error, where).toBeLessThan(LIMIT);
      for (const dtype of NARROW)
        expect(row.narrow[dtype], `${where} ${dtype}`).toBeLessThan(NARROW_LIMIT[dtype]);
    }
  });
});

describe("GRADIENTS.md", () => {
  let text = "";
  beforeAll(() => {
    if (process.env.MLSYS_UPDATE === "1") writeFileSync(FILE, gradientsMarkdown(rows));
    text = readFileSync(FILE, "utf8");
  });
  const missing = (what: string): string => `${what} is not in lib/GRADIENTS.md: run \`npm run gradients\``;

  it("has every op, every input, every dtype", () => {
    const lines = text.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
    const head = lines.find((cells) => cells[1] === "op");
    expect(head?.slice(1, -1)).toEqual(["op", "input", "samples", "reverse", "forward", "second", ...NARROW]);
    const listed = new Set(lines.map((cells) => `${cells[1]} ${cells[2]}`));
    expect(listed.size).toBeGreaterThan(100);
    for (const op of smoothOps())
      for (const input of floatInputs(op))
        expect(listed.has(`\`${op.name}\` ${input}`), missing(`input ${input} of ${op.name}`)).toBe(true);
  });

  it("lists the ops without a derivative, each with its reason, and those that hold graphs", () => {
    const smooth = new Set(smoothOps().map((op) => op.name));
    for (const op of ops().filter(({ name, kind }) => !smooth.has(name) && kind !== "control")) {
      expect(
        reasonOf(op),
        `the reason why ${op.name} has no derivative: give it in gradient-table.ts`,
      ).toBeDefined();
      expect(text.includes(`\`${op.name}\``), missing(op.name)).toBe(true);
    }
    for (const op of graphOps()) expect(text.includes(`\`${op.name}\``), missing(op.name)).toBe(true);
  });

  it("has no op that the registry lacks", () => {
    const named = [...text.matchAll(/^\| `(\w+)` +\|/gm)].map(([, name]) => name);
    const known = new Set(ops().map(({ name }) => name));
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });
});
