/** The type checker that submissions share says what each kernel would have said, and its failures cost nobody anything. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { Judges } from "../src/batch/course.js";
import { gradeFile } from "../src/batch/grade-file.js";
import { SharedChecker } from "../src/checker/checker.js";
import { sharingChecker } from "../src/checker/place.js";
import { Box, type BoxCell } from "../src/judge/box.js";
import { DEFAULT_LIMITS } from "../src/judge/limits.js";
import { buildImage, closeImage, withImage } from "../src/sandbox/image.js";
import { chooseIsolation } from "../src/sandbox/ladder.js";
import { viewFor } from "../src/sandbox/view.js";
import { boxes } from "../src/session/open.js";
import { shutdownAll } from "../src/session/running.js";
import { COURSE, handIn, scratchFolder, solved } from "./support/course.js";

const SOLUTIONS = join(COURSE, "solutions");
const folder = scratchFolder(afterAll);
const isolation = await chooseIsolation("auto", { unsafe: true });
const image = await buildImage();
const fast = { ...isolation, spec: withImage(isolation.spec, image) };
const shared = sharingChecker(fast, DEFAULT_LIMITS.box);
const together = {
  open: shared.open(SOLUTIONS),
  openBare: shared.openBare?.(SOLUTIONS),
  checker: shared.checker?.(SOLUTIONS),
};
const alone = boxes({ isolation, limits: DEFAULT_LIMITS.box });
afterAll(async () => {
  await shutdownAll();
  closeImage(image);
});

const given: BoxCell = {
  gradeId: "given",
  kind: "given",
  source:
    'import { rng } from "@mlsys/grader/kit";\nimport { tensor } from "mlsys";\ntype Edge = [string, string];',
};

/** Answers of one submission, each with what its kernel must say. */
const SESSIONS: Record<string, string[]> = {
  "types that do not fit": [
    'const x: number = "a";',
    "const y: string = tensor([1]);",
    "const z: Edge = ['a'];",
  ],
  "names of refused cells are not there": ['const a: number = "x";', "const b = a + 1;"],
  "names of earlier cells, declared again": ["const a = 1;", 'const a = "text";', "const b: string = a;"],
  "what is declared by let may change": ["let n = 1;", "n = 2;", 'n = "three";'],
  "types, classes, enums": [
    "interface P { x: number }\nenum E { A, B }\nclass C<T> { constructor(readonly t: T) {} }",
    "const c: C<P> = new C({ x: E.A });",
    "const d: P = { y: 1 };",
  ],
  grammar: ["function (", "const = 3", "let ok = 1;"],
  "unchecked cells": [
    "// @ts-nocheck\nconst u: number = 'x';",
    "const v: number = u;",
    "// @ts-nocheck\nfunction (",
  ],
  "errors of running do not count": ["const r: number = 1; throw new Error('no');", "const s: number = r;"],
  magics: ["%time 1 + 1", "const t: number = 'x';"],
  nothing: ["", "   ", "// only a comment"],
};

const REMEMBERED = new Set(["names of earlier cells, declared again", "unchecked cells"]);

async function outcomes(box: Box) {
  try {
    await box.start();
    return [...box.cells.values()].map(({ gradeId, status, message }) => [gradeId, status, message]);
  } finally {
    await box.stop();
  }
}

describe("beside the kernel's own check", () => {
  it.each(Object.entries(SESSIONS))(
    "%s",
    async (title, sources) => {
      const cells = [
        given,
        ...sources.map((source, i): BoxCell => ({ gradeId: `a${i}`, kind: "answer", source })),
      ];
      const [own, sharing] = [
        await outcomes(new Box({ open: alone(SOLUTIONS) }, cells, DEFAULT_LIMITS)),
        await outcomes(new Box(together, cells, DEFAULT_LIMITS)),
      ];
      expect(sharing).toEqual(own);
      if (!REMEMBERED.has(title)) return;
      // The second time the verdicts are remembered.
      const again = new Box(together, cells, DEFAULT_LIMITS);
      expect(await outcomes(again)).toEqual(own);
    },
    120_000,
  );
});

describe("a checker that fails", () => {
  it("costs nobody anything: the kernel checks", async () => {
    const judges = new Judges({ solutions: SOLUTIONS, exercises: join(COURSE, "exercises") });
    const broken = new SharedChecker({
      isolation,
      // It has no program to start.
      view: { ...viewFor(SOLUTIONS), readable: ["/usr"] },
      limits: DEFAULT_LIMITS.box,
    });
    const wrong = await solved({ "softmax-answer": 'function softmax(): number { return "x"; }' });
    const place = { ...shared, checker: () => broken };
    const report = await gradeFile(handIn(folder, wrong), judges, { place });
    expect(report).toMatchObject({ status: "graded", score: 9 });
    expect(report.tasks[1].cells[0]).toMatchObject({
      status: "compile",
      message: expect.stringMatching(/Type 'string'/),
    });
  }, 120_000);
});

describe("the image", () => {
  it("changes nothing but the time: the same verdicts for the course's own answers", async () => {
    const solutions = fileURLToPath(new URL("../../solutions", import.meta.url));
    const judges = new Judges({ solutions, exercises: join(solutions, "../exercises") });
    for (const slug of ["03-computational-graphs"]) {
      const report = await gradeFile(join(solutions, `${slug}.ipynb`), judges, { place: shared, slug });
      expect([report.status, report.message]).toEqual(["graded", undefined]);
      expect(report.score).toBe(report.points);
    }
  }, 200_000);
});
