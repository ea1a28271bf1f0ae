/** Gradescope's `results.json`: one entry a test, hidden tests shown when the grades are published. */
import { finalScore, type Report, taskScore } from "../judge/report.js";
import { cellTexts, forLearner, testText } from "./learner.js";

interface GradescopeTest {
  name: string;
  number: string;
  score: number;
  max_score: number;
  status: "passed" | "failed";
  output: string;
  output_format: "text";
  visibility: "visible" | "after_published";
}

export interface GradescopeResults {
  score: number;
  output: string;
  /** Nothing here is markup. */
  output_format: "text";
  test_output_format: "text";
  test_name_format: "text";
  stdout_visibility: "hidden";
  execution_time: number;
  tests: GradescopeTest[];
  extra_data: Record<string, string | number>;
}

const MAX_OUTPUT = 10_000;

/**
 * Gradescope knows no "not graded": a file that can't be graded gets 0 with the reason in large print, and the status
 * in `extra_data`, so that it is found again.
 */
export function gradescopeResults(full: Report): GradescopeResults {
  const report = forLearner(full);
  const graded = report.status === "graded";
  return {
    score: graded ? finalScore(report) : 0,
    output: (graded
      ? [...(report.comments ?? []), ...report.notes, ...report.tasks.flatMap(cellTexts)]
      : [`NOT GRADED (${report.status}). The 0 is not a score.`, report.message ?? ""]
    )
      .join("\n")
      .slice(0, MAX_OUTPUT),
    output_format: "text",
    test_output_format: "text",
    test_name_format: "text",
    stdout_visibility: "hidden",
    execution_time: Math.round(report.timing.ms / 1000),
    tests: graded ? report.tasks.flatMap(taskTests) : [],
    extra_data: {
      status: report.status,
      isolation: report.isolation.level,
      trust: report.trust,
      points: report.points,
      ...(report.sha256 === undefined ? {} : { sha256: report.sha256 }),
    },
  };
}

function taskTests(task: Report["tasks"][number]): GradescopeTest[] {
  const tests = task.tests.map(
    (test, index): GradescopeTest => ({
      name: `${task.title}: ${test.name}`.slice(0, 500),
      number: `${task.number}.${index + 1}`,
      score: test.score,
      max_score: test.points,
      status: test.status === "passed" ? "passed" : "failed",
      output: test.status === "passed" ? "" : testText(test).slice(0, MAX_OUTPUT),
      output_format: "text",
      visibility: test.hidden ? "after_published" : "visible",
    }),
  );
  if (!task.override) return tests;
  const difference = Math.round((taskScore(task) - task.score) * 1e6) / 1e6;
  tests.push({
    name: `${task.title}: decided by your instructor`.slice(0, 500),
    number: `${task.number}.${tests.length + 1}`,
    score: difference,
    max_score: 0,
    status: "passed",
    output: (task.comments ?? []).join("\n").slice(0, MAX_OUTPUT),
    output_format: "text",
    visibility: "visible",
  });
  return tests;
}
