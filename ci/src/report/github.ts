/**
 * What GitHub Actions reads from a step: commands on standard output, and Markdown for the summary page. Whatever a
 * learner wrote may look like a command: it is printed only while commands are stopped by a token that nobody can guess.
 */
import { randomUUID } from "node:crypto";
import { finalScore, type Report, type TestReport, taskScore } from "../judge/report.js";
import { cellTexts, STATUS_WORDS, testText } from "./learner.js";

/** GitHub shows ten of a kind in a step. */
const MAX_ANNOTATIONS = 10;
const MAX_MESSAGE = 4_000;
/** GitHub refuses a summary of more than 1 MiB. */
const MAX_SUMMARY = 1_000_000;

/** Prints text that is not to be taken for commands. */
export function withoutCommands(text: string, token: string = randomUUID()): string {
  // A line that ends the stop can't stand in the text: nobody knew the token when it was written.
  return `::stop-commands::${token}\n${text.replace(/\r/g, " ")}\n::${token}::\n`;
}

/** One annotation for each file that lost points, and GitHub Classroom's two notices. */
export function annotations(reports: readonly Report[]): string {
  const lines = reports
    .flatMap((report) => problems(report))
    .slice(0, MAX_ANNOTATIONS)
    .map(({ kind, file, title, message }) => command(kind, { file, title }, message));
  const graded = reports.filter(({ status }) => status === "graded");
  const total = round(graded.reduce((sum, report) => sum + finalScore(report), 0));
  const points = round(reports.reduce((sum, report) => sum + report.points, 0));
  // No score is reported where the grader failed.
  if (reports.every(({ status }) => status !== "grader")) {
    lines.push(
      command("notice", { title: "Autograding complete" }, `Points ${total}/${points}`),
      command(
        "notice",
        { title: "Autograding report" },
        JSON.stringify({ totalPoints: total, maxPoints: points }),
      ),
    );
  }
  return lines.map((line) => `${line}\n`).join("");
}

interface Annotation {
  kind: "error" | "warning";
  file: string;
  title: string;
  message: string;
}

function problems(report: Report): Annotation[] {
  if (report.status !== "graded") {
    const title = report.status === "invalid" ? "The notebook could not be graded" : "The grader failed";
    return [{ kind: "error", file: report.file, title, message: report.message ?? report.status }];
  }
  return report.tasks.flatMap((task): Annotation[] => {
    const lost = task.tests.filter(({ status }) => status !== "passed");
    if (lost.length === 0) return [];
    const title = `${task.number}. ${task.title}: ${taskScore(task)}/${task.points}`;
    const message = [...cellTexts(task), ...lost.map((test) => `${test.name}: ${testText(test)}`)].join(
      "\n\n",
    );
    return [{ kind: "warning", file: report.file, title, message }];
  });
}

/** `::name key=value::message`, escaped so that neither ends early nor begins another line. */
export function command(name: string, properties: Record<string, string>, message: string): string {
  const pairs = Object.entries(properties).map(([key, value]) => `${key}=${property(value)}`);
  return `::${name} ${pairs.join(",")}::${data(visible(message).slice(0, MAX_MESSAGE))}`;
}

function data(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return data(visible(text)).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

/** Without what moves the cursor or turns the text round; line breaks stay. */
function visible(text: string): string {
  return text.replace(/(?![\n\r])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ");
}

/** Markdown for `$GITHUB_STEP_SUMMARY`. */
export function stepSummary(reports: readonly Report[]): string {
  const parts = reports.map((report) => summaryOf(report));
  let text = "";
  for (const [index, part] of parts.entries()) {
    if (Buffer.byteLength(text) + Buffer.byteLength(part) > MAX_SUMMARY)
      return `${text}\n… and ${parts.length - index} more\n`;
    text += part;
  }
  return text;
}

function summaryOf(report: Report): string {
  const title = `### ${inline(report.title ?? report.assignment ?? report.file)}: ${
    report.status === "graded" ? `${finalScore(report)} of ${report.points} points` : report.status
  }\n\n`;
  if (report.status !== "graded") return `${title}${block(report.message ?? report.status)}\n`;
  const rows = report.tasks.flatMap((task) =>
    task.tests.map(
      (test) =>
        `| ${task.number}. ${inline(task.title)} | ${inline(test.name)} | ${mark(test)} ${STATUS_WORDS[test.status]} | ${test.score}/${test.points} |`,
    ),
  );
  const details = report.tasks.flatMap((task) => [
    ...cellTexts(task).map(block),
    ...task.tests
      .filter(({ status }) => status !== "passed")
      .map(
        (test) =>
          `<details><summary>${inline(test.name)}</summary>\n\n${block(testText(test))}\n</details>\n`,
      ),
  ]);
  return [
    title,
    "| task | test | result | points |\n| :-- | :-- | :-- | --: |\n",
    ...rows.map((row) => `${row}\n`),
    "\n",
    ...details,
    "\n",
  ].join("");
}

function mark(test: TestReport): string {
  return test.status === "passed" ? "✅" : "❌";
}

/** Text inside a line or a table: every character that Markdown or HTML could read is written as a reference. */
function inline(text: string): string {
  return visible(text.slice(0, 300))
    .replace(/[\r\n]+/g, " ")
    .replace(/[^\p{L}\p{N} ]/gu, (char) => `&#${char.codePointAt(0)};`);
}

/** Text as it is, in a block that Markdown does not look into. */
function block(text: string): string {
  const kept = visible(text.slice(0, 5_000))
    .replace(/\r/g, "")
    .replace(/[^\p{L}\p{N} ]/gu, (char) => `&#${char.codePointAt(0)};`);
  return `<pre>${kept}</pre>\n\n`;
}

function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
