/** One file to one report: whatever is wrong with the file or the grader ends up in the report, never as an exception. */
import { assignmentOf, folderOf } from "../assignment/assignment.js";
import { isSeeded, personal, seededValues } from "../assignment/seeded.js";
import type { SharedChecker } from "../checker/checker.js";
import { AuthoringError, InputError, messageOf } from "../errors.js";
import { type GradeOptions, gradeSubmission, type Judge, prepareJudge } from "../judge/grade.js";
import { DEFAULT_LIMITS, type GradeLimits } from "../judge/limits.js";
import type { Report } from "../judge/report.js";
import { claimedStudent, submissionOf } from "../judge/submission.js";
import { sumPoints } from "../kit/check.js";
import { readNotebook } from "../notebook/format.js";
import { checksum, nbgraderOf } from "../notebook/nbgrader.js";
import { chooseIsolation, type Isolation, NO_ISOLATION } from "../sandbox/ladder.js";
import { boxes, kernelFactory, type OpenBox } from "../session/open.js";
import type { SessionFactory } from "../session/session.js";
import { type Judges, sha256 } from "./course.js";

export interface FileOptions {
  limits?: GradeLimits;
  /** Where the learner's code runs. Default: in boxes of the strongest isolation that works here; a check: beside the grader. */
  place?: Place;
  /** Assignment of all files, instead of what each says. */
  slug?: string;
  visibleOnly?: boolean;
  /** Grade these tasks only. */
  tasks?: readonly string[];
  /** Who handed it in, where that is known for sure. */
  student?: string;
  onTest?: GradeOptions["onTest"];
  finished?: GradeOptions["finished"];
}

/** Boxes of a level of isolation. */
export interface Place {
  isolation: Isolation;
  open: OpenBox;
  /** For submissions whose cells the checker found right: less is started for them. */
  openBare?: (cwd: string) => SessionFactory | undefined;
  /** For an assignment's folder; without it, the kernels check types themselves. */
  checker?: (cwd: string) => SharedChecker;
}

/** Grades with the instructor's tests. */
export function gradeFile(file: string, judges: Judges, options: FileOptions = {}): Promise<Report> {
  return reported(file, options, async (report) => {
    const notebook = await readNotebook(file);
    const slug = options.slug ?? (await judges.slugFor(notebook, file));
    const judge = await judges.get(slug);
    describe(report, judge);
    const student = isSeeded(judge.assignment) ? (options.student ?? claimedStudent(notebook)) : undefined;
    const values = student === undefined ? undefined : seededValues(judge.assignment, student);
    const submission = submissionOf(notebook, personal(judge.assignment, values), file);
    report.notes = [...submission.notes, ...whose(student, options.student, claimedStudent(notebook))];
    const place = options.place ?? (await strongest(options.limits));
    report.isolation = isolationOf(place.isolation);
    const folder = folderOf(judge.assignment);
    return gradeSubmission(judge, submission, {
      ...options,
      student,
      open: place.open(folder),
      openBare: place.openBare?.(folder),
      checker: place.checker?.(folder),
    });
  });
}

/** Where a notebook has a student's own values, and it may not be this student's. */
function whose(
  student: string | undefined,
  known: string | undefined,
  claimed: string | undefined,
): string[] {
  if (student === undefined) return [];
  const name = (id: string) => JSON.stringify(id.slice(0, 80));
  if (known === undefined)
    return [`graded with the values of ${name(student)}, whom only the notebook itself names`];
  return claimed === undefined || claimed === known
    ? []
    : [`the notebook is that of ${name(claimed)}; graded with the values of ${name(known)}`];
}

async function strongest(limits: GradeLimits = DEFAULT_LIMITS): Promise<Place> {
  const isolation = await chooseIsolation();
  return { isolation, open: boxes({ isolation, limits: limits.box }) };
}

/** As the report records it. */
export function isolationOf({ spec: _, ...facts }: Isolation): Report["isolation"] {
  return facts;
}

/** Runs the tests that the file itself shows: the learner's own check, which needs no course. */
export function checkFile(file: string, options: FileOptions = {}): Promise<Report> {
  return reported(file, { ...options, visibleOnly: true }, async (report) => {
    const notebook = await readNotebook(file);
    const assignment = readClaims(() =>
      assignmentOf({ ...notebook, metadata: { ...notebook.metadata, mlsys: undefined } }, file),
    );
    if (assignment.tasks.length === 0)
      throw new InputError("missing-answers", `${file}: holds no tasks: it is not an exercise`);
    const judge = await prepareJudge(assignment, { released: true }).catch((error: unknown) => {
      throw new InputError(
        "not-a-notebook",
        `${file}: its test cells don't run (${messageOf(error)}); get a fresh copy of the exercise and move your answers there`,
      );
    });
    describe(report, judge);
    // The tests are the file's own, and the code runs unfenced beside them.
    report.trust = "in-kernel";
    const submission = submissionOf(notebook, assignment, file);
    report.notes = notebook.cells.flatMap((cell, index) => {
      const metadata = nbgraderOf(cell, `cell ${index + 1}`);
      if (!metadata?.checksum || metadata.solution || metadata.checksum === checksum(cell, metadata))
        return [];
      return [`the locked cell "${metadata.grade_id}" was changed; grading uses the original`];
    });
    return gradeSubmission(judge, submission, {
      ...options,
      visibleOnly: true,
      // It is the learner's own machine and own code.
      open: (options.place?.open ?? kernelFactory)(folderOf(assignment)),
    });
  });
}

/** For a file that the grader could not grade; never a score. */
export async function failedReport(file: string, message: string): Promise<Report> {
  return { ...(await emptyReport(file)), status: "grader", problem: "grader", message };
}

/** What is known of a file before anything is. */
export async function emptyReport(file: string, visibleOnly = false): Promise<Report> {
  return {
    version: 1, file, status: "graded", visibleOnly, isolation: isolationOf(NO_ISOLATION), trust: "judge",
    score: 0, points: 0, tasks: [], notes: [], sha256: await sha256(file), timing: { ms: 0 },
  }; // biome-ignore format: a record
}

async function reported(
  file: string,
  options: FileOptions,
  grade: (report: Report) => Promise<Report["tasks"]>,
): Promise<Report> {
  const start = performance.now();
  const report = await emptyReport(file, options.visibleOnly);
  try {
    report.tasks = await grade(report);
    report.score = sumPoints(report.tasks.map((task) => task.score));
    report.points = sumPoints(report.tasks.map((task) => task.points));
    const broken = report.tasks.flatMap((task) => task.tests).find((test) => test.status === "grader");
    if (broken)
      Object.assign(report, {
        status: "grader",
        problem: "grader",
        message: `${broken.name}: ${broken.message}`,
      });
  } catch (error) {
    report.status = error instanceof InputError ? "invalid" : "grader";
    report.problem =
      error instanceof InputError ? error.problem : error instanceof AuthoringError ? "assignment" : "grader";
    report.message = messageOf(error);
  }
  report.timing.ms = Math.round(performance.now() - start);
  return report;
}

function describe(report: Report, judge: Judge): void {
  report.assignment = judge.assignment.slug;
  report.title = judge.assignment.title;
  report.points = judge.assignment.points;
  if (judge.assignment.manual.length > 0) report.manual = judge.assignment.manual;
}

/** What is a mistake of an author in a source is, in a learner's file, a damaged file. */
function readClaims<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof AuthoringError)
      throw new InputError("not-a-notebook", `${error.message}; get a fresh copy of the exercise`);
    throw error;
  }
}
