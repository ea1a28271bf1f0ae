/** The course itself: every exercise gives 0 untouched, all points for its solution, and each kept wrong answer its expected score. */
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIN = fileURLToPath(new URL("../bin/mlsys-grade.mjs", import.meta.url));
const assignments = readdirSync(`${ROOT}/solutions`)
  .filter((name) => name.endsWith(".ipynb"))
  .map((name) => name.replace(/\.ipynb$/, ""));

function grade(...args: string[]): Promise<{ code: number; out: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [BIN, ...args],
      { cwd: ROOT, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } },
      (error, out, err) => resolve({ code: error ? Number(error.code) : 0, out: out + err }),
    );
  });
}

describe.each(assignments)("%s", (name) => {
  it("passes every check of its author's", { timeout: 1_200_000 }, async () => {
    const { code, out } = await grade("validate", name);
    expect(out).not.toMatch(/✗/);
    expect(out).toMatch(/✓/);
    expect(code).toBe(0);
  });
});
