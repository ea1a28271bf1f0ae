/** Copies are found however they are disguised; answers that were written independently are not. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";
import { describe, expect, it } from "vitest";
import { readAssignment } from "../src/assignment/assignment.js";
import { generateRelease } from "../src/assignment/generate.js";
import { readVariants } from "../src/assignment/variants.js";
import { type Answers, similarPairs } from "../src/similarity/compare.js";
import { similarityPage } from "../src/similarity/page.js";
import { tokensOf } from "../src/similarity/tokens.js";
import { fingerprintsOf } from "../src/similarity/winnow.js";

const SOLUTIONS = fileURLToPath(new URL("../../solutions", import.meta.url));
const SLUG = "03-computational-graphs";
const assignment = await readAssignment(join(SOLUTIONS, `${SLUG}.ipynb`));
const variants = await readVariants(assignment);
const given = generateRelease(assignment).notebook.cells.map((cell) =>
  cell.type === "code" ? cell.source : "",
);
const reference = new Map(
  assignment.cells.flatMap((cell) => (cell.kind === "answer" ? [[cell.gradeId, cell.source] as const] : [])),
);
const submission = (student: string, answers: ReadonlyMap<string, string>): Answers => ({
  name: `${student}.ipynb`,
  student,
  answers,
});
const mapped = (change: (source: string) => string) =>
  new Map([...reference].map(([id, source]) => [id, change(source)]));
const alike = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>) =>
  similarPairs([submission("alice", a), submission("bob", b)], { given, threshold: 0 })[0]?.similarity ?? 0;

/** Another name for everything that an answer itself names, other texts and numbers. */
function renamed(source: string): string {
  const own = new Set(
    [...source.matchAll(/\b(?:const|let|function|class)\s+(\w+)/g)].map(([, name]) => name),
  );
  let text = source;
  for (const name of own) text = text.replaceAll(new RegExp(`\\b${name}\\b`, "g"), `${name}_of_mine`);
  return text.replace(/\b\d+\b/g, "7").replace(/"[^"\n]*"/g, '"other"');
}

/** Comments, layout and types gone, as by a tool. */
const minified = (source: string) =>
  transformSync(source, { loader: "ts", minifyWhitespace: true, format: "esm" }).code;

describe("disguised copies", () => {
  it.each<[string, (source: string) => string, number]>([
    ["the same", (source) => source, 1],
    ["renamed, with other numbers and texts", renamed, 0.99],
    [
      "with comments and blank lines between all lines",
      (source) => source.replaceAll("\n", " // mine\n\n"),
      0.99,
    ],
    ["without types, comments and layout", minified, 0.65],
    ["renamed and without types", (source) => renamed(minified(source)), 0.65],
    ["with var for const and let", (source) => source.replace(/\b(const|let)\b/g, "var"), 0.95],
    ["with its second half before its first", swapped, 0.7],
  ])("%s", (_, change, least) => {
    expect(alike(reference, mapped(change))).toBeGreaterThanOrEqual(least);
  });

  function swapped(source: string): string {
    const statements = source.split(/\n(?=(?:function|class|const|export) )/);
    return [...statements.slice(1), statements[0]].join("\n");
  }
});

describe("independent answers", () => {
  const correct = variants.filter((variant) => variant.correct);

  it("written otherwise are far below a copy", () => {
    expect(correct.length).toBeGreaterThan(3);
    for (const variant of correct) {
      const mine = new Map([...variant.answers.keys()].map((id) => [id, reference.get(id) ?? ""]));
      // Of the same task, by another way: a person must not be accused for that.
      expect(alike(mine, variant.answers), `${variant.task}/${variant.name}`).toBeLessThan(0.5);
    }
  });

  it("untouched exercises share nothing: what was given counts for nobody", () => {
    const stubs = new Map(
      assignment.cells.flatMap((cell) =>
        cell.kind === "answer" ? [[cell.gradeId, cell.stub] as const] : [],
      ),
    );
    expect(alike(stubs, stubs)).toBe(0);
    expect(alike(reference, stubs)).toBe(0);
  });

  it("a passage that most of a course has counts for nobody", () => {
    const shared = [...reference][0];
    const course = Array.from({ length: 12 }, (_, i) => submission(`s${i}`, new Map([shared])));
    expect(similarPairs(course.slice(0, 3), { given })).toHaveLength(3);
    expect(similarPairs(course, { given })).toEqual([]);
  });
});

describe("winnowing", () => {
  it("keeps a fingerprint of every shared passage that is long enough, wherever it stands", () => {
    const passage =
      "for (let i = 0; i < n; i++) { total += weights[i] * inputs[i + 1] - bias; best = Math.max(best, total); }";
    for (let before = 0; before < 12; before++) {
      const a = `let z = 1;\n`.repeat(before) + passage;
      const b = `${passage}\nconsole.log(x);`;
      const hashes = new Set(fingerprintsOf(tokensOf(a)).map(({ hash }) => hash));
      expect(fingerprintsOf(tokensOf(b)).filter(({ hash }) => hashes.has(hash)).length).toBeGreaterThan(1);
    }
  });

  it("reads anything: empty text, and what does not parse", () => {
    expect(fingerprintsOf(tokensOf(""))).toEqual([]);
    expect(tokensOf("function ( { ] `${ ").length).toBeGreaterThan(0);
    expect(fingerprintsOf(tokensOf("@@@ \u0000 ".repeat(100)))).toBeDefined();
  });

  it("a course of 300 takes seconds, not minutes", () => {
    const many = Array.from({ length: 300 }, (_, i) =>
      submission(
        `s${i}`,
        new Map([[`answer`, renamed([...reference.values()][i % reference.size]).repeat(2)]]),
      ),
    );
    expect(similarPairs(many, { given, common: 1 }).length).toBeGreaterThan(1000);
  }, 60_000);
});

describe("page", () => {
  it("marks the lines, and hostile text stays text", () => {
    const nasty = new Map(
      [...reference].map(([id, source]) => [id, `${source}\n// </pre><script>alert(1)</script>`]),
    );
    const both = [submission("<b>alice", nasty), submission("bob", nasty)];
    const page = similarityPage("Graphs", similarPairs(both, { given }), both);
    expect(page).toContain("<mark>");
    expect(page).not.toMatch(/<script|<b>/);
    expect(existsSync(SOLUTIONS)).toBe(true);
  });
});
