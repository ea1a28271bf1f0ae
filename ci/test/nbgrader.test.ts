/**
 * Unmodified nbgrader as the oracle: it makes the same release from the same source, computes the same checksums,
 * and gives the same scores to honest submissions.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readVariants } from "../src/assignment/variants.js";
import { Judges } from "../src/batch/course.js";
import { gradeFile } from "../src/batch/grade-file.js";
import { type Notebook, parseNotebook } from "../src/notebook/format.js";
import { checksum, type NbgraderMetadata, pythonFloat } from "../src/notebook/nbgrader.js";
import { COURSE, handIn, miniAssignment, placeHere, released, SOURCE, solved } from "./support/course.js";
import {
  installNbgrader,
  type NbgraderCourse,
  nbgraderCourse,
  nbgraderMissing,
  removeCourse,
} from "./support/nbgrader.js";

const missing = nbgraderMissing();

describe.skipIf(missing !== undefined)(`nbgrader${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let course: NbgraderCourse;
  beforeAll(() => {
    installNbgrader();
    course = nbgraderCourse(mkdtempSync(join(tmpdir(), "mlsys-nbgrader-")));
    mkdirSync(join(course.folder, "source", "mini"), { recursive: true });
    cpSync(SOURCE, join(course.folder, "source", "mini", "mini.ipynb"));
    course.run("generate_assignment", "mini");
  }, 300_000);
  afterAll(() => removeCourse(course));

  it("makes the release that we make, cell by cell", async () => {
    const path = join(course.folder, "release", "mini", "mini.ipynb");
    const theirs = parseNotebook(readFileSync(path, "utf8"), path);
    const ours = await released();
    const source = (await miniAssignment()).notebook;
    expect(theirs.cells).toHaveLength(ours.cells.length);
    let compared = 0;
    ours.cells.forEach((cell, index) => {
      // nbgrader does not know STUB lines: it puts its own stub there.
      if (source.cells[index].source.includes("// STUB:")) return;
      compared++;
      const { source: text, outputs, type, id } = theirs.cells[index];
      expect({ text, outputs, type, id }).toEqual({
        text: cell.source,
        outputs: cell.outputs,
        type: cell.type,
        id: cell.id,
      });
      for (const key of ["nbgrader", "deletable", "editable", "mlsys"])
        expect(theirs.cells[index].metadata[key], key).toEqual(cell.metadata[key]);
    });
    expect(compared).toBe(ours.cells.length - 2);
  });

  it("computes our checksums for any cell", () => {
    const cells = fc.sample(
      fc.record({
        source: fc.string({ unit: "grapheme" }),
        type: fc.constantFrom("code" as const, "markdown" as const),
        grade: fc.boolean(), solution: fc.boolean(), locked: fc.boolean(),
        points: fc.oneof(fc.nat(100), fc.double({ min: 0, max: 1e20, noNaN: true }), fc.constantFrom(0, 0.1, 1e-5, 1e16, 1e22)),
      }), // biome-ignore format: a table
      200,
    );
    const code = `
import json, sys
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.utils import compute_checksum
for line in json.load(open(sys.argv[1])):
    cell = (new_code_cell if line["type"] == "code" else new_markdown_cell)(line["source"])
    cell.metadata["nbgrader"] = {k: line[k] for k in ("grade", "solution", "locked", "points")} | {"grade_id": "a-b_1", "schema_version": 3}
    print(compute_checksum(cell), str(float(line["points"])))
`;
    const notebook = join(course.folder, "cells.json");
    writeJson(notebook, cells);
    const theirs = course.python(code, notebook).trim().split("\n");
    const ours = cells.map(({ source, type, ...flags }) => {
      const metadata: NbgraderMetadata = { ...flags, schema_version: 3, grade_id: "a-b_1" };
      return `${checksum({ type, source, metadata: {}, outputs: [], executionCount: null }, metadata)} ${pythonFloat(flags.points)}`;
    });
    expect(ours).toEqual(theirs);
  });

  it("gives honest submissions our scores", async () => {
    const variants = await readVariants(await miniAssignment());
    const wrong = (name: string) =>
      Object.fromEntries(variants.find((variant) => variant.name === name)?.answers ?? []);
    const submissions: Record<string, Notebook> = {
      blank: await released(),
      full: await solved(),
      partial: await solved({ ...wrong("ignores-cycles"), ...wrong("naive"), ...wrong("overwrites") }),
    };
    const judges = new Judges({ solutions: join(COURSE, "solutions"), exercises: join(COURSE, "exercises") });
    const place = await placeHere();
    const ours: Record<string, number> = {};
    for (const [student, notebook] of Object.entries(submissions)) {
      const folder = join(course.folder, "submitted", student, "mini");
      mkdirSync(folder, { recursive: true });
      ours[student] = (await gradeFile(handIn(folder, notebook), judges, { place })).score;
    }
    course.run("autograde", "mini", "--create");
    course.run("export");
    const [header, ...rows] = readFileSync(join(course.folder, "grades.csv"), "utf8")
      .trim()
      .split("\n")
      .map((line) => line.trim().split(","));
    const theirs = Object.fromEntries(
      rows.map((row) => [row[header.indexOf("student_id")], Number(row[header.indexOf("score")])]),
    );
    expect(theirs).toEqual(ours);
    expect(ours).toEqual({ blank: 0, full: 12, partial: 3 + 2 + 1 + 2 });
  }, 300_000);
});

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, JSON.stringify(value));
}
