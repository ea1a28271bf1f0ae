/** Mutants of reference answers: each is the answer with one change, and is a program. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { readAssignment } from "../src/assignment/assignment.js";
import { mutantsOf } from "../src/assignment/mutants.js";

const changes = (source: string) => mutantsOf(source).map(({ change }) => change);

describe("mutants", () => {
  it.each<[string, string[]]>([
    ["const c = a + b;", ["a + b → a - b"]],
    ["if (i <= n) stop();", ["i <= n → i < n", "i <= n → !(i <= n)"]],
    ["const t = true, n = 3;", ["true → false", "3 → 4"]],
    ["function f() { list.push(x); return -x; }", ["list.push(x); → ;", "push → unshift", "-x → x"]],
    [
      "const all = xs.every((x) => x === 0) ? xs : [...ys];",
      [
        "every → some",
        "xs.every((x) => x === 0) → !(xs.every((x) => x === 0))",
        "x === 0 → x !== 0",
        "0 → 1",
        "...ys → nothing",
      ],
    ],
    ["n++;", ["n++ → n--"]],
    // What does not run, and what may be worded in many ways.
    ['type T = 1 | 2; import x from "y"; function f(): 3 { throw new Error("no 4" + 5); }', []],
  ])("%s", (source, expected) => {
    expect(changes(source).sort()).toEqual(expected.sort());
  });

  it("of every reference answer of the course parse, differ from it, and from each other", async () => {
    const solutions = fileURLToPath(new URL("../../solutions", import.meta.url));
    let count = 0;
    for (const slug of ["02-programming-model", "03-computational-graphs"]) {
      const assignment = await readAssignment(join(solutions, `${slug}.ipynb`));
      for (const cell of assignment.cells) {
        if (cell.kind !== "answer") continue;
        const mutants = mutantsOf(cell.source);
        expect(new Set([cell.source, ...mutants.map(({ source }) => source)]).size).toBe(mutants.length + 1);
        for (const { source, change } of mutants) {
          const { diagnostics } = ts.transpileModule(source, { reportDiagnostics: true });
          expect(
            diagnostics?.map(({ messageText }) => messageText),
            `${cell.gradeId}: ${change}`,
          ).toEqual([]);
          count++;
        }
      }
    }
    expect(count).toBeGreaterThan(100);
  });
});
