/** The files that a grading run writes, and what it prints: the same options for every command that has reports. */
import { appendFile, readFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import type { Settings } from "../batch/settings.js";
import { InputError } from "../errors.js";
import type { Report } from "../judge/report.js";
import { canvasCsv, parseRoster } from "../report/canvas.js";
import { annotations, stepSummary, withoutCommands } from "../report/github.js";
import { gradesCsv } from "../report/grades.js";
import { gradescopeResults } from "../report/gradescope.js";
import { junitXml } from "../report/junit.js";
import { type Audience, forAudience } from "../report/learner.js";
import { ltiScores } from "../report/lti.js";
import { prairieLearnResults } from "../report/prairielearn.js";
import { resultsAsJson } from "../report/results.js";
import { printable, reportsAsText } from "../report/terminal.js";
import { replaceFile, writeHtml } from "../report/write.js";

export interface OutputFlags {
  json?: string;
  html?: string;
  junit?: string;
  csv?: string;
  gradescope?: string;
  prairielearn?: string;
  canvas?: string;
  roster?: string;
  column?: string;
  lti?: string;
  github?: boolean;
  audience?: Audience;
}

export function withOutputs(command: Command): Command {
  return command
    .option("--json <file>", "write all results, for programs and instructors")
    .option("--html <file or folder>", "write feedback for learners")
    .option("--junit <file>", "write JUnit XML")
    .option("--csv <file>", "write a table of grades")
    .option("--gradescope <file>", "write Gradescope's results.json (of one submission)")
    .option("--prairielearn <file>", "write PrairieLearn's results.json (of one submission)")
    .option("--canvas <file>", "write a table for Canvas; needs --roster and --column")
    .option("--roster <file>", "the grades as Canvas exported them")
    .option("--column <title>", 'the assignment\'s column in Canvas, "Exercise 3 (12345)"')
    .option("--lti <file>", "write scores for LTI's Assignment and Grade Services")
    .option("--github", "annotations and a summary for GitHub Actions (default there)")
    .addOption(
      new Option("--audience <who>", "who reads what is printed, JUnit and GitHub's pages").choices([
        "learner",
        "instructor",
      ]),
    );
}

/** @throws InputError for options that do not go together; to be called before the work */
export function checkOutputs(flags: OutputFlags): void {
  if (flags.canvas !== undefined && (flags.roster === undefined || flags.column === undefined))
    throw new InputError("bad-settings", "--canvas needs --roster FILE and --column TITLE");
}

/** Prints and writes everything that was asked for. @throws InputError when the reports do not fit a format */
export async function writeOutputs(
  reports: readonly Report[],
  flags: OutputFlags,
  settings: Settings,
): Promise<void> {
  const github = flags.github ?? process.env.GITHUB_ACTIONS === "true";
  const shared = github || process.env.GITLAB_CI === "true";
  const shown = forAudience(flags.audience ?? (shared ? "learner" : "instructor"), reports);
  if (reports.length > 0) print(reportsAsText(shown), github);
  const due = new Map(
    Object.entries(settings.assignments).flatMap(([slug, { due }]) =>
      due === undefined ? [] : [[slug, due]],
    ),
  );
  const write = async (path: string | undefined, text: () => string) => {
    if (path !== undefined) await replaceFile(path, text());
  };
  await write(flags.json, () => resultsAsJson(reports));
  await write(flags.junit, () => junitXml(shown));
  await write(flags.csv, () => gradesCsv(reports, { due }));
  await write(flags.gradescope, () => asJson(gradescopeResults(only(reports, "--gradescope"))));
  await write(flags.prairielearn, () => asJson(prairieLearnResults(only(reports, "--prairielearn"))));
  await write(flags.lti, () => asJson(ltiScores(reports, { now: new Date() })));
  if (flags.html !== undefined && reports.length > 0) await writeHtml(flags.html, reports);
  if (flags.canvas !== undefined) await writeCanvas(reports, flags);
  if (github) {
    process.stdout.write(annotations(shown));
    const page = process.env.GITHUB_STEP_SUMMARY;
    if (page) await appendFile(page, stepSummary(shown));
  }
}

function print(text: string, github: boolean): void {
  if (github) process.stdout.write(withoutCommands(text));
  else console.log(text);
}

async function writeCanvas(reports: readonly Report[], flags: OutputFlags): Promise<void> {
  const { canvas = "", roster: rosterFile = "", column = "" } = flags;
  const text = await readFile(rosterFile, "utf8").catch(() => {
    throw new InputError("missing", `${rosterFile}: there is no such file`);
  });
  const slugs = new Set(reports.flatMap(({ assignment }) => (assignment === undefined ? [] : [assignment])));
  if (slugs.size > 1)
    throw new InputError(
      "bad-settings",
      `--canvas takes one assignment at a time, not ${[...slugs].join(", ")}: choose one with --assignment`,
    );
  const points = Math.max(0, ...reports.map((report) => report.points));
  const { csv, strangers, ungraded } = canvasCsv(reports, parseRoster(text, rosterFile), column, points);
  await replaceFile(canvas, csv);
  const list = (names: string[]) => printable(names.join(", ")).replaceAll("\n", " ");
  if (strangers.length > 0) process.stderr.write(`not in the roster: ${list(strangers)}\n`);
  if (ungraded.length > 0) process.stderr.write(`no grade for: ${list(ungraded)}\n`);
}

function only(reports: readonly Report[], option: string): Report {
  if (reports.length === 1) return reports[0];
  throw new InputError("bad-settings", `${option} takes one submission, not ${reports.length}`);
}

function asJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
