/**
 * A batch: every submission of an inbox to a report, some at once, each exactly once over any number of runs. What an
 * earlier run found in the same submission with the same tests is taken up and not graded again.
 */
import type { Assignment } from "../assignment/assignment.js";
import { messageOf } from "../errors.js";
import { type Report, taskScore } from "../judge/report.js";
import { sumPoints } from "../kit/check.js";
import { sha256 } from "./course.js";
import { fingerprints } from "./fingerprint.js";
import { emptyReport, failedReport } from "./grade-file.js";
import type { HandedIn } from "./inbox.js";
import type { BatchLog, Graded } from "./log.js";

export interface BatchOptions {
  log: BatchLog;
  /** Grades one file, or only some of its tasks. */
  grade: (file: string, tasks?: readonly string[], student?: string) => Promise<Report>;
  /** The assignment of a report, to know what it was graded with. */
  assignment: (slug: string) => Promise<Assignment>;
  /** Submissions at once. */
  jobs: number;
  /** Tasks that are graded again, whatever is known of them. */
  regrade?: readonly string[];
  signal?: AbortSignal;
  onStep?: (name: string, done: number, total: number) => void;
}

/** @returns a report for each item that was finished, in the order of the items */
export async function runBatch(items: readonly HandedIn[], options: BatchOptions): Promise<Report[]> {
  const { log, jobs, regrade, signal, onStep } = options;
  if (regrade && !items.some(({ name }) => isPending(log, name, regrade)))
    await log.append({ type: "stale", tasks: [...regrade] });
  const found: (Report | undefined)[] = items.map(() => undefined);
  let next = 0;
  let done = 0;
  const work = async () => {
    while (next < items.length && !signal?.aborted) {
      const index = next++;
      onStep?.(items[index].name, done, items.length);
      found[index] = await settle(items[index], options);
      done++;
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(jobs, items.length)) }, work));
  onStep?.("", done, items.length);
  return found.filter((report) => report !== undefined);
}

/** Left over from a regrade that was interrupted: this run goes on with it. */
function isPending(log: BatchLog, name: string, tasks: readonly string[]): boolean {
  const known = log.find(name);
  return known?.report.status === "graded" && tasks.some((task) => known.stale.has(task));
}

/** @returns nothing when the user stopped meanwhile: what was under way says nothing */
async function settle(item: HandedIn, options: BatchOptions): Promise<Report | undefined> {
  const { log, signal } = options;
  const known = log.find(item.name);
  const sum = item.refused ? undefined : await sha256(item.file);
  const same = known?.report.status === "graded" && sum !== undefined && known.report.sha256 === sum;
  const now = same ? await current(known.report.assignment, options) : undefined;
  const stale =
    now && known
      ? Object.keys(now).filter((task) => known.stale.has(task) || known.tasks[task] !== now[task])
      : undefined;
  if (known && stale?.length === 0) return labelled(known.report, item);

  const tasks = now && stale && stale.length < Object.keys(now).length ? stale : undefined;
  let report = await attempt(item, options, tasks);
  if (signal?.aborted) return undefined;
  if (tasks && known && report.status === "graded") report = merged(known.report, report, now as object);
  report = labelled(report, item);
  if (known && report.status === "invalid" && sameVerdict(known.report, report)) return known.report;
  await log.append({
    type: "graded",
    name: item.name,
    tasks: report.status === "graded" ? ((await current(report.assignment, options)) ?? {}) : {},
    report,
  } satisfies Graded);
  return report;
}

async function attempt(item: HandedIn, { grade }: BatchOptions, tasks?: readonly string[]): Promise<Report> {
  if (item.refused) return { ...(await emptyReport(item.file)), status: "invalid", ...item.refused };
  try {
    return await grade(item.file, tasks, item.student);
  } catch (error) {
    return failedReport(item.file, messageOf(error));
  }
}

/** What the tasks of an assignment are graded with now. */
async function current(
  slug: string | undefined,
  { assignment }: BatchOptions,
): Promise<Record<string, string> | undefined> {
  if (slug === undefined) return undefined;
  return assignment(slug).then(fingerprints, () => undefined);
}

/** The earlier report with some of its tasks graded anew, in the assignment's order. */
function merged(before: Report, partial: Report, now: object): Report {
  const tasks = Object.keys(now).flatMap((name) => {
    const task =
      partial.tasks.find((candidate) => candidate.name === name) ??
      before.tasks.find((candidate) => candidate.name === name);
    return task ? [task] : [];
  });
  return {
    ...partial,
    tasks,
    score: sumPoints(tasks.map(taskScore)),
    points: sumPoints(tasks.map((task) => task.points)),
  };
}

/** As the submission is named, wherever it was unpacked. */
function labelled(report: Report, { file, name, student, submittedAt }: HandedIn): Report {
  const rename = (text: string) => text.replaceAll(file, name);
  const { message, notes, timing, ...rest } = report;
  return {
    ...rest,
    file: name,
    student,
    ...(submittedAt === undefined ? {} : { submittedAt }),
    ...(message === undefined ? {} : { message: rename(message) }),
    notes: notes.map(rename),
    timing,
  };
}

function sameVerdict(a: Report, b: Report): boolean {
  const text = ({ timing: _, ...report }: Report) =>
    JSON.stringify(Object.entries(report).sort(([x], [y]) => (x < y ? -1 : 1)));
  return text(a) === text(b);
}
