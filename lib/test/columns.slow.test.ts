/** Files of columns that we write, read by pyarrow. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { data } from "../src/index.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const VENV = join(ROOT, ".mlsys", "pyarrow-venv");
const SCRIPT = fileURLToPath(new URL("./support/columns_oracle.py", import.meta.url));

/** A Python that has pyarrow: of the tests' own. `null`: there is no Python. In CI that is an error. */
function pythonWithPyarrow(): string | null {
  const own = join(VENV, "bin", "python");
  const has = (): boolean => spawnSync(own, ["-c", "import pyarrow"]).status === 0;
  if (existsSync(own) && has()) return own;
  if (spawnSync("python3", ["--version"]).status !== 0 && process.env.CI !== "true") return null;
  mkdirSync(join(ROOT, ".mlsys"), { recursive: true });
  execFileSync("python3", ["-m", "venv", VENV], { stdio: "pipe" });
  execFileSync(own, ["-m", "pip", "install", "-q", "pyarrow==26.0.1"], { stdio: "pipe" });
  return own;
}

describe("files of columns that we write", () => {
  let python: string | null = null;
  const folder = mkdtempSync(join(tmpdir(), "mlsys-pyarrow-"));
  beforeAll(() => {
    python = pythonWithPyarrow();
  }, 600_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("hold for pyarrow what we put in", async (context) => {
    if (!python) return context.skip();
    const table = fc.integer({ min: 1, max: 30 }).chain((n) => {
      const list = <T>(value: fc.Arbitrary<T>) => fc.array(value, { minLength: n, maxLength: n });
      return fc.record({
        i: list(fc.option(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }))),
        l: list(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
        x: list(fc.double({ noNaN: true, noDefaultInfinity: true }).map((v) => v + 0.5)),
        s: list(fc.option(fc.string({ unit: "grapheme", maxLength: 8 }))),
        b: list(fc.boolean()),
      });
    });
    for (const columns of fc.sample(table, { numRuns: 12, seed: 7 })) {
      const wanted = columns.i.map((i, k) => ({
        i: i === null ? null : String(i),
        l: String(columns.l[k]),
        x: columns.x[k],
        s: columns.s[k],
        b: columns.b[k],
      }));
      for (const kind of ["parquet", "arrow"] as const) {
        const path = join(folder, `a.${kind}`);
        if (kind === "parquet")
          await data.writeParquet(path, columns, { groupRows: 7, types: { i: "INT32", x: "DOUBLE" } });
        else await data.writeArrow(path, { ...columns, f: Float32Array.from(columns.x, (v) => v % 1000) });
        const found = JSON.parse(execFileSync(python, [SCRIPT, path], { encoding: "utf8" })) as {
          types: Record<string, string>;
          rows: Record<string, unknown>[];
        };
        expect(found.types.l).toBe("int64");
        const rows = found.rows.map(({ i, l, x, s, b }) => ({
          i: i === null ? null : String(Number(i)),
          l,
          x,
          s,
          b,
        }));
        expect(rows).toEqual(wanted);
        if (kind === "arrow")
          expect(found.rows.map(({ f }) => f)).toEqual(columns.x.map((v) => Math.fround(v % 1000)));
      }
    }
  }, 600_000);
});
