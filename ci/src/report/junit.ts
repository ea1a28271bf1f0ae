/** JUnit XML, as CI servers read it: a wrong answer is a failure, a crash or a time-out an error. */
import { finalScore, type Report, type TaskReport, type TestReport } from "../judge/report.js";
import { cellTexts, STATUS_WORDS, testText } from "./learner.js";

/** Servers cut long texts anyway, some of them the whole report. */
const MAX_TEXT = 10_000;

export function junitXml(reports: readonly Report[]): string {
  const suites = reports.map(suite);
  const total = (key: "tests" | "failures" | "errors") =>
    suites.reduce((sum, { counts }) => sum + counts[key], 0);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="mlsys-grade" tests="${total("tests")}" failures="${total("failures")}" errors="${total("errors")}" time="${seconds(reports.reduce((sum, { timing }) => sum + timing.ms, 0))}">`,
    ...suites.map(({ text }) => text),
    "</testsuites>",
    "",
  ].join("\n");
}

interface Suite {
  text: string;
  counts: { tests: number; failures: number; errors: number };
}

function suite(report: Report): Suite {
  const name = [report.student ?? report.file, report.assignment].filter((part) => part !== undefined);
  const cases =
    report.status === "graded"
      ? report.tasks.flatMap((task) => task.tests.map((test) => testcase(report, task, test)))
      : [problem(report)];
  const count = (tag: string) => cases.filter((text) => text.includes(`<${tag} `)).length;
  const counts = { tests: cases.length, failures: count("failure"), errors: count("error") };
  const text = [
    `  <testsuite name="${attribute(name.join(" / "))}" tests="${counts.tests}" failures="${counts.failures}" errors="${counts.errors}" skipped="0" time="${seconds(report.timing.ms)}">`,
    "    <properties>",
    ...Object.entries(properties(report)).map(
      ([key, value]) => `      <property name="${key}" value="${attribute(String(value))}"/>`,
    ),
    "    </properties>",
    ...cases,
    "  </testsuite>",
  ].join("\n");
  return { text, counts };
}

function properties(report: Report): Record<string, string | number> {
  const facts = { status: report.status, isolation: report.isolation.level, trust: report.trust };
  // No score where none is claimed.
  return report.status === "graded" ? { ...facts, score: finalScore(report), points: report.points } : facts;
}

function testcase(report: Report, task: TaskReport, test: TestReport): string {
  const open = `    <testcase classname="${attribute(`${report.assignment ?? report.file}.${task.name}`)}" name="${attribute(test.name)}" file="${attribute(report.file)}" time="0"`;
  if (test.status === "passed") return `${open}/>`;
  const tag = test.status === "failed" ? "failure" : "error";
  const said = [...cellTexts(task), testText(test)].join("\n");
  return `${open}>\n      <${tag} type="${test.status}" message="${attribute(`${STATUS_WORDS[test.status]} (${test.score}/${test.points})`)}">${content(said)}</${tag}>\n    </testcase>`;
}

function problem(report: Report): string {
  const message = report.message ?? report.problem ?? report.status;
  return `    <testcase classname="${attribute(report.assignment ?? "submission")}" name="can be graded" file="${attribute(report.file)}" time="0">\n      <error type="${report.status}" message="${attribute(message)}">${content(message)}</error>\n    </testcase>`;
}

function attribute(text: string): string {
  return content(text.slice(0, 1_000)).replace(/[\n\t\r]/g, (char) => `&#${char.charCodeAt(0)};`);
}

function content(text: string): string {
  return legal(text.slice(0, MAX_TEXT))
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** XML 1.0 has no way to write most control characters and lone surrogates, not even as references. */
function legal(text: string): string {
  const wellFormed = Buffer.from(text, "utf8").toString("utf8");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  return wellFormed.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]/g, "\ufffd");
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}
