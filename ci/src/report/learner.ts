/**
 * What a learner may see of a report. Every output that reaches learners is made from this and from nothing else: of a
 * hidden test there are the name, the result and the hint.
 */
import type { Report, TaskReport, TestReport } from "../judge/report.js";

export type Audience = "learner" | "instructor";

const NOT_A_SCORE =
  "The grader failed. This is not your fault and not a score. Your instructor has been told.";

export function forLearner(report: Report): Report {
  if (report.status === "grader") {
    // The message may quote a hidden test.
    return { ...report, message: NOT_A_SCORE, problem: "grader", tasks: [], score: 0 };
  }
  return { ...report, tasks: report.tasks.map(taskForLearner) };
}

export function forAudience(audience: Audience, reports: readonly Report[]): Report[] {
  return audience === "learner" ? reports.map(forLearner) : [...reports];
}

function taskForLearner(task: TaskReport): TaskReport {
  return { ...task, tests: task.tests.map(testForLearner) };
}

function testForLearner(test: TestReport): TestReport {
  if (!test.hidden) return test;
  const { name, hidden, status, score, points } = test;
  const hint = test.status === "passed" ? undefined : test.hint;
  return { name, hidden, status, score, points, ...(hint === undefined ? {} : { hint }) };
}

/** How a test ended, in words to the learner. */
export const STATUS_WORDS: Record<TestReport["status"], string> = {
  passed: "passed",
  failed: "wrong answer",
  error: "error in your code",
  timeout: "took too long",
  oom: "ran out of memory",
  exit: "your code ended the process",
  limit: "used more than it may",
  protocol: "no valid answer",
  compile: "does not compile",
  grader: "the grader failed",
};

/** What is said about a test that did not pass, as lines of text. */
export function testText(test: TestReport): string {
  const lines = [STATUS_WORDS[test.status]];
  if (test.message !== undefined) lines.push(test.message);
  if (test.comparison)
    lines.push(`your answer: ${test.comparison.got}`, `expected:    ${test.comparison.expected}`);
  if (test.hint !== undefined) lines.push(`hint: ${test.hint}`);
  return lines.join("\n");
}

/** What happened to a task's cells, for those that did not run to their end. */
export function cellTexts(task: TaskReport): string[] {
  return task.cells
    .filter((cell) => cell.status !== "ok")
    .map((cell) => `Your cell "${cell.gradeId}" did not run to its end: ${cell.message ?? cell.status}`);
}
