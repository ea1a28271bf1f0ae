/** PrairieLearn's `results.json` of an external grader. */
import { finalScore, type Report, taskScore } from "../judge/report.js";
import { cellTexts, forLearner, testText } from "./learner.js";

export interface PrairieLearnResults {
  /** `false`: the attempt does not count. */
  gradable: boolean;
  /** From 0 to 1. */
  score?: number;
  message?: string;
  format_errors?: string[];
  output?: string;
  tests?: {
    name: string;
    description: string;
    points: number;
    max_points: number;
    message: string;
  }[];
}

/** PrairieLearn refuses a file of more than 1 MB. */
const MAX_BYTES = 1_000_000;
const TEXT_LIMITS = [10_000, 1_000, 100, 0];

/** A file that can't be graded, and a failure of the grader, cost no attempt. */
export function prairieLearnResults(full: Report): PrairieLearnResults {
  for (const limit of TEXT_LIMITS) {
    const results = limited(forLearner(full), limit);
    if (Buffer.byteLength(JSON.stringify(results)) < MAX_BYTES) return results;
  }
  return { gradable: true, score: fraction(full), message: "The report is too large to be shown." };
}

function limited(report: Report, limit: number): PrairieLearnResults {
  if (report.status !== "graded") {
    const message = (report.message ?? report.status).slice(0, limit);
    return { gradable: false, message, format_errors: [message] };
  }
  return {
    gradable: true,
    score: fraction(report),
    message: [...(report.comments ?? []), ...report.notes].join("\n").slice(0, limit),
    output: report.tasks.flatMap(cellTexts).join("\n").slice(0, limit),
    tests: report.tasks.flatMap((task) => [
      ...task.tests.map((test) => ({
        name: `${task.number}. ${test.name}`.slice(0, 200),
        description: task.title.slice(0, 200),
        points: test.score,
        max_points: test.points,
        message: test.status === "passed" ? "" : testText(test).slice(0, limit),
      })),
      ...(task.override
        ? [
            {
              name: `${task.number}. decided by your instructor`,
              description: task.title.slice(0, 200),
              points: Math.round((taskScore(task) - task.score) * 1e6) / 1e6,
              max_points: 0,
              message: (task.comments ?? []).join("\n").slice(0, limit),
            },
          ]
        : []),
    ]),
  };
}

function fraction(report: Report): number {
  return report.points === 0 ? 0 : Math.min(1, finalScore(report) / report.points);
}
