/** The whole way: generate, untouched scores 0, solved scores all, each variant what it says, in real kernels. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { generateRelease } from "../src/assignment/generate.js";
import { readVariants } from "../src/assignment/variants.js";
import { Judges } from "../src/batch/course.js";
import { checkFile, gradeFile } from "../src/batch/grade-file.js";
import { validate } from "../src/batch/validate.js";
import { reportSchema } from "../src/judge/report.js";
import {
  COURSE,
  handIn,
  miniAssignment,
  placeHere,
  released,
  scratchFolder,
  solved,
} from "./support/course.js";

const folder = scratchFolder(afterAll);
const place = await placeHere();
const judges = new Judges({ solutions: join(COURSE, "solutions"), exercises: join(COURSE, "exercises") });

describe("fixture course", () => {
  it("has the release that its source generates, and no leak in it", async () => {
    const release = generateRelease(await miniAssignment());
    expect(release.leaks).toEqual([]);
    expect(readFileSync(join(COURSE, "exercises", "mini.ipynb"), "utf8")).toBe(release.text);
  });

  it("validates: solution, untouched release, tasks 1 to k, every variant", async () => {
    const assignment = await miniAssignment();
    const proofs = await validate(assignment);
    expect(proofs.filter((proof) => !proof.ok)).toEqual([]);
    const variants = await readVariants(assignment);
    // The count of runs is asserted: a proof that silently did not run proves nothing.
    // Leaks, solution, untouched, determinism, times; tasks 1 to k; variants.
    expect(proofs).toHaveLength(5 + (assignment.tasks.length - 1) + variants.length);
    expect(variants).toHaveLength(12);
  }, 280_000);

  it("grades files: untouched 0 of 12, solved 12 of 12, with every test of the manifest in the report", async () => {
    const blank = await gradeFile(handIn(folder, await released()), judges, { place });
    expect(reportSchema.parse(blank)).toMatchObject({ status: "graded", score: 0, points: 12, notes: [] });
    const full = await gradeFile(handIn(folder, await solved()), judges, { place });
    expect(reportSchema.parse(full)).toMatchObject({ status: "graded", score: 12, points: 12, notes: [] });
    expect(full.tasks.flatMap((task) => task.tests)).toHaveLength(10);
    expect(full.tasks.map((task) => task.title)).toEqual([
      "Order the nodes",
      "Softmax",
      "A tape",
      "Functions of functions",
    ]);
  }, 120_000);

  it("lets a learner check the visible tests of a file, without the course", async () => {
    const report = await checkFile(handIn(folder, await solved(), "renamed.ipynb"));
    expect(report).toMatchObject({ status: "graded", score: 4, points: 4, visibleOnly: true, notes: [] });
    expect(report.tasks.flatMap((task) => task.tests).some((test) => test.hidden)).toBe(false);
  }, 120_000);
});
