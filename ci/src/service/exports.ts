/** What the gradebook gives to other systems: the counting submissions in the formats of the command line. */
import { once } from "node:events";
import type { Readable } from "node:stream";
import { ZipFile } from "yazl";
import type { Report } from "../judge/report.js";
import { gradesCsv } from "../report/grades.js";
import { reportAsHtml } from "../report/html.js";
import { junitXml } from "../report/junit.js";
import { ltiScores } from "../report/lti.js";
import { resultsAsJson } from "../report/results.js";
import type { Entry } from "./gradebook.js";
import type { Submissions } from "./submissions.js";

export interface Export {
  type: string;
  /** What it is for, for people. */
  title: string;
  make(reports: readonly Report[], entries: readonly Entry[]): string | Promise<Buffer>;
}

/** By the file's name. */
export const EXPORTS: Readonly<Record<string, Export>> = {
  "grades.csv": {
    type: "text/csv; charset=utf-8",
    title: "Grades with nbgrader's columns (CSV)",
    make: (reports, entries) => {
      const people = entries.map(
        ({ person }) => [person.id, { lastName: person.name, email: person.email }] as const,
      );
      return gradesCsv(reports, { people: new Map(people) });
    },
  },
  "results.json": {
    type: "application/json; charset=utf-8",
    title: "All results with the hidden tests (JSON)",
    make: resultsAsJson,
  },
  "lti.json": {
    type: "application/json; charset=utf-8",
    title: "Scores for LTI's Assignment and Grade Services (JSON)",
    make: (reports) => `${JSON.stringify(ltiScores(reports, { now: new Date() }), null, 2)}\n`,
  },
  "junit.xml": {
    type: "application/xml; charset=utf-8",
    title: "Every test (JUnit XML)",
    make: junitXml,
  },
  "feedback.zip": {
    type: "application/zip",
    title: "Learners' feedback pages (zip)",
    make: pages,
  },
};

/** The reports of the submissions that count, as they count; one for each person and assignment that has one. */
export function countingReports(entries: readonly Entry[], submissions: Submissions): Report[] {
  return entries.flatMap(({ counts }) => {
    const report = counts && submissions.report(counts.id);
    return report ? [{ ...report, file: `${counts.person}/${counts.file}` }] : [];
  });
}

/** `ASSIGNMENT/PERSON.html`. */
async function pages(reports: readonly Report[]): Promise<Buffer> {
  const zip = new ZipFile();
  for (const report of reports) {
    const name = [report.assignment, report.student].map((part) => encodeURIComponent(part ?? "")).join("/");
    zip.addBuffer(Buffer.from(reportAsHtml(report)), `${name}.html`);
  }
  zip.end();
  const chunks: Buffer[] = [];
  const stream = zip.outputStream as Readable;
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(stream, "end");
  return Buffer.concat(chunks);
}
