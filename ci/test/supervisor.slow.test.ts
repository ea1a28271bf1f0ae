/** What an answer can do to the judge through a test that trusts it: the judge is replaced, the other tests go on. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { isolationOf } from "../src/batch/grade-file.js";
import { Supervisor } from "../src/batch/supervisor.js";
import { type Cell, formatNotebook, type Notebook } from "../src/notebook/format.js";
import { chooseIsolation } from "../src/sandbox/ladder.js";
import { SHORT, scratchFolder } from "./support/course.js";

const folder = scratchFolder(afterAll);
const solutions = join(folder, "solutions");
mkdirSync(solutions);

const TESTS = `const lengths = check("Lengths");
lengths.test("well-behaved before", { points: 1 }, async () => expectEqual(await student.one(), 1));
lengths.test("counts to the length", { points: 1 }, async () => {
  const list = await student.list();
  let count = 0;
  for (let i = 0; i < list.length; i++) count++;
  expectEqual(count, 3);
});
lengths.test("copies to the length", { points: 1 }, async () => {
  const list = await student.list();
  const copy = [];
  while (copy.length < Math.min(list.length, 2 ** 31)) copy.push({ copy });
  expectEqual(copy.length, 3);
});
// BEGIN HIDDEN TESTS
lengths.test("well-behaved after", { points: 1 }, async () => expectEqual(await student.one(), 1));
// END HIDDEN TESTS
await lengths.run();`;

function notebook(answer: string): Notebook {
  const cell = (id: string, source: string, nbgrader: object, mlsys?: object): Cell => ({
    type: "code",
    source,
    metadata: { nbgrader: { schema_version: 3, grade_id: id, ...nbgrader }, ...(mlsys ? { mlsys } : {}) },
    outputs: [],
    executionCount: null,
  });
  const [given, solution, tests] = [
    { grade: false, solution: false, locked: true },
    { grade: false, solution: true, locked: false },
    { grade: true, solution: false, locked: true, points: 4 },
  ];
  const cells = [
    cell("setup", 'import { check, expectEqual, student } from "@mlsys/grader/kit";', given),
    cell("answer", answer, solution, { task: "list" }),
    cell("tests", TESTS, tests, { task: "list" }),
  ];
  return { cells, metadata: { mlsys: { assignment: "lengths" } }, nbformatMinor: 5 };
}

const HONEST = "function one() { return 1; }\nfunction list() { return [1, 2, 3]; }";
writeFileSync(
  join(solutions, "lengths.ipynb"),
  formatNotebook(notebook(`// BEGIN SOLUTION\n${HONEST}\n// END SOLUTION`)),
);

describe("the supervisor", () => {
  it("gives a test that hangs or drowns its verdict, and the others theirs", async () => {
    const isolation = isolationOf(await chooseIsolation("auto", { unsafe: true }));
    const setup = {
      course: { solutions, exercises: join(folder, "exercises") },
      isolation,
      limits: SHORT,
      warm: 0,
      readable: [],
    };
    const supervisor = new Supervisor(setup, 15_000);
    try {
      const file = join(folder, "hostile.ipynb");
      writeFileSync(
        file,
        formatNotebook(
          notebook("function one() { return 1; }\nfunction list(): any { return { length: 1e308 }; }"),
        ),
      );
      const report = await supervisor.grade(file, "lengths");
      expect(report, JSON.stringify(report)).toMatchObject({
        status: "graded",
        score: 2,
        points: 4,
        isolation,
      });
      expect(report.tasks[0].tests.map(({ status }) => status)).toEqual([
        "passed",
        "timeout",
        expect.stringMatching(/^(timeout|limit)$/),
        "passed",
      ]);
      expect(report.tasks[0].tests.map(({ points }) => points)).toEqual([1, 1, 1, 1]);

      writeFileSync(file, formatNotebook(notebook(HONEST)));
      expect(await supervisor.grade(file, "lengths")).toMatchObject({ status: "graded", score: 4 });
    } finally {
      await supervisor.close();
    }
  }, 240_000);
});
