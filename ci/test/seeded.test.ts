/** Values of a student's own: drawn the same by the release and the judge, different for others, and only that. */
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { type Assignment, readAssignment } from "../src/assignment/assignment.js";
import { generateRelease } from "../src/assignment/generate.js";
import { personal, seededValues } from "../src/assignment/seeded.js";
import { Judges } from "../src/batch/course.js";
import { gradeFile } from "../src/batch/grade-file.js";
import { validate } from "../src/batch/validate.js";
import { generate } from "../src/cli/generate.js";
import { type Notebook, parseNotebook } from "../src/notebook/format.js";
import { cellOf, handIn, placeHere, scratchFolder } from "./support/course.js";

const COURSE = fileURLToPath(new URL("./fixtures/seeded", import.meta.url));
const folder = scratchFolder(afterAll);
const source = await readAssignment(join(COURSE, "solutions", "seeded.ipynb"));
const courseOf = (root: string) => ({
  solutions: join(root, "solutions"),
  exercises: join(root, "exercises"),
});

/** The release of a student with the reference answer, or another one. */
function answered(student: string | undefined, answer?: string): Notebook {
  const { notebook } = generateRelease(source, student);
  cellOf(notebook, "descend-answer").source = answer ?? source.tasks[0].answers[0].source;
  return notebook;
}

function changed(edit: (data: string) => string): Assignment {
  const cells = source.cells.map((cell) =>
    cell.gradeId === "data" ? { ...cell, source: edit(cell.source) } : cell,
  );
  return { ...source, cells };
}

describe("seeded values", () => {
  it("are the same for a student each time, and others for another", () => {
    const [ada, again, grace] = ["ada", "ada", "grace"].map((id) => seededValues(source, id));
    expect(ada).toEqual(again);
    expect([...ada.keys()]).toEqual(["rate", "steps", "points", "unit"]);
    expect(ada).not.toEqual(grace);
    expect((ada.get("points") as number[]).length).toBe((ada.get("steps") as number) + 1);
  });

  it("stay what they are when another one is added or taken away", () => {
    const before = seededValues(source, "ada");
    const more = seededValues(
      changed((data) => `const extra = 0; // SEEDED: r.int(0, 9)\n${data}`),
      "ada",
    );
    for (const [name, value] of before) expect(more.get(name)).toEqual(value);
  });

  it("stand in the release, in code and in words, and nothing tells how they were drawn", () => {
    const values = seededValues(source, "ada");
    const { text, notebook, leaks } = generateRelease(source, "ada");
    const data = cellOf(notebook, "data").source;
    expect(data).toContain(`const rate = ${values.get("rate")};`);
    expect(data).toContain(`const steps: number = ${values.get("steps")};`);
    expect(data).toContain(`const points = ${JSON.stringify(values.get("points"))};`);
    const words = notebook.cells.find((cell) => cell.source.startsWith("## Take steps"))?.source;
    expect(words).toContain(
      `Take ${values.get("steps")} steps at the rate ${values.get("rate")}, in ${values.get("unit")}.`,
    );
    expect(text).not.toContain("SEEDED");
    expect(leaks).toEqual([]);
    expect(notebook.metadata.mlsys).toMatchObject({ assignment: "seeded", student: "ada" });
  });

  it("are the author's in the release for everybody", () => {
    const { text, notebook } = generateRelease(source);
    expect(cellOf(notebook, "data").source).toContain("const rate = 0.1;\nconst steps: number = 3;\n");
    expect(text).toContain("Take 3 steps at the rate 0.1, in metres.");
    expect(text).not.toContain("SEEDED");
    expect(personal(source).cells.length).toBe(source.cells.length);
  });

  it.each([
    ["let x = 1; // SEEDED: 2", /line 1: .*belongs behind a declaration of one line/],
    ["f(); // SEEDED: 2", /belongs behind a declaration/],
    ["const x = 1; // SEEDED: r.choice([])", /"x" can't be drawn: rng.choice: an empty list/],
    [
      "const x = 1; // SEEDED: later\nconst later = 1; // SEEDED: 2",
      /"x" can't be drawn: later is not defined/,
    ],
    ["const x = 1; // SEEDED: 0 / 0", /"x" is no plain data/],
    ["const x = 1; // SEEDED: new Map()", /"x" is no plain data/],
    ["const x = 1; // SEEDED: undefined", /"x" is no plain data/],
    ["const x = 1; // SEEDED: 1\nconst x = 1; // SEEDED: 2", /"x" is seeded twice/],
  ])("refuses %j", (line, message) => {
    expect(() =>
      seededValues(
        changed(() => line),
        "ada",
      ),
    ).toThrow(message);
  });

  it("refuses a statement that shows what is not seeded", () => {
    const cells = source.notebook.cells.map((cell) => ({
      ...cell,
      source: cell.source.replace("SEEDED unit", "SEEDED colour"),
    }));
    const wrong = { ...source, notebook: { ...source.notebook, cells } };
    expect(() => generateRelease(wrong, "ada")).toThrow(/shows "colour", which no given cell has seeded/);
  });
});

describe("grading", async () => {
  const place = await placeHere();
  const judges = new Judges(courseOf(COURSE));
  const grade = (name: string, notebook: Notebook, student?: string) =>
    gradeFile(handIn(folder, notebook, `${name}.ipynb`), judges, { place, slug: "seeded", student });

  it("takes the values of whoever handed it in", async () => {
    const report = await grade("own", answered("ada"), "ada");
    expect(report).toMatchObject({ status: "graded", score: 3, points: 3, notes: [] });
  });

  it("gives nothing for another student's numbers", async () => {
    const values = seededValues(source, "grace");
    const [rate, steps] = [values.get("rate") as number, values.get("steps") as number];
    const copied = (values.get("points") as number[]).map((x) => x * (1 - 2 * rate) ** steps);
    const answer = `function descend(): number[] { return ${JSON.stringify(copied)}; }`;
    expect(await grade("hers", answered("grace", answer), "grace")).toMatchObject({ score: 3 });
    const report = await grade("copied", answered("grace", answer), "ada");
    expect(report.tasks[0].tests[1]).toMatchObject({ name: "leads where it should", score: 0 });
    expect(report.notes.join("\n")).toContain(
      'the notebook is that of "grace"; graded with the values of "ada"',
    );
  });

  it("believes the notebook where nobody else knows, and says so", async () => {
    const report = await grade("claims", answered("ada"));
    expect(report).toMatchObject({ status: "graded", score: 3 });
    expect(report.notes).toEqual(['graded with the values of "ada", whom only the notebook itself names']);
    expect(await grade("plain", answered(undefined))).toMatchObject({ score: 3, notes: [] });
  });

  it("is proved for several students", async () => {
    const proofs = await validate(source, { place });
    const seeded = proofs.filter(({ name }) => name.includes("ada") || name.includes("grace"));
    expect(seeded.map(({ ok, got }) => [ok, got])).toEqual([
      [true, "3"],
      [true, "0 leaks"],
      [true, "3"],
      [true, "0 leaks"],
    ]);
  }, 120_000);
});

describe("mlsys-grade generate --student-seed", () => {
  const root = join(folder, "course");
  mkdirSync(root);
  cpSync(join(COURSE, "solutions"), join(root, "solutions"), { recursive: true });
  if (existsSync(join(COURSE, "node_modules")))
    symlinkSync(join(COURSE, "node_modules"), join(root, "node_modules"));

  it("writes a release for each student of options and roster, and finds them up to date", async () => {
    const roster = join(root, "roster.csv");
    writeFileSync(roster, "id,role\ngrace,student\nteacher,instructor\n");
    const flags = { ...courseOf(root), studentSeed: ["ada"], roster };
    expect(await generate([], { ...flags, check: true })).toBe(1);
    expect(await generate([], flags)).toBe(0);
    expect(await generate([], { ...flags, check: true })).toBe(0);
    const shown = ["ada", "grace"].map((id) => {
      const text = readFileSync(join(root, "exercises", id, "seeded.ipynb"), "utf8");
      return cellOf(parseNotebook(text, id), "data").source;
    });
    expect(shown[0]).not.toBe(shown[1]);
    expect(existsSync(join(root, "exercises", "teacher"))).toBe(false);
  });

  it.each(["../ada", "", ".", "a/b", "-x\n"])("writes into no folder named %j", async (id) => {
    await expect(generate([], { ...courseOf(root), studentSeed: [id] })).rejects.toThrow(
      /can't be a folder's name/,
    );
  });
});
