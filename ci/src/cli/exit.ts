/** Exit codes of every command: 0 all well, 1 something below the mark, 2 wrong usage or a failure of the grader. */
import type { Report } from "../judge/report.js";
import { finalScore } from "../judge/report.js";

export const EXIT = { ok: 0, below: 1, broken: 2 } as const;

/** @param threshold percent of the points that each report must reach */
export function exitCode(reports: readonly Report[], threshold: number): number {
  if (reports.some((report) => report.status === "grader")) return EXIT.broken;
  const below = reports.some(
    (report) => report.status === "invalid" || finalScore(report) * 100 < threshold * report.points,
  );
  return below ? EXIT.below : EXIT.ok;
}
