/** Results as a table in the terminal. Text of the learner's is shown without control characters. */
import Table from "cli-table3";
import colors from "picocolors";
import type { TaskMutation } from "../batch/mutation.js";
import type { Proof } from "../batch/validate.js";
import type { Report, TestReport } from "../judge/report.js";

/** One line per file; for a single file, its tests as well. */
export function reportsAsText(reports: readonly Report[]): string {
  const table = new Table({ head: ["file", "assignment", "score", "tasks", "remarks"], style: plain });
  for (const report of reports)
    table.push(
      [report.file, report.assignment ?? "–", scoreOf(report), tasksOf(report), remarkOf(report)].map(
        printable,
      ),
    );
  const levels = [...new Set(reports.map(({ isolation }) => isolation.level))].filter(
    (level) => level !== "none",
  );
  const fence = levels.length > 0 ? `\nisolation: ${levels.join(", ")}` : "";
  const details = reports.length === 1 ? `\n${testsAsText(reports[0])}` : "";
  return `${table.toString()}${fence}${details}`;
}

/** Every test of a report, with what it says about the answer. */
export function testsAsText(report: Report): string {
  const lines: string[] = [];
  for (const task of report.tasks) {
    lines.push(colors.bold(`${task.number}. ${printable(task.title)}  ${task.score}/${task.points}`));
    for (const cell of task.cells) {
      if (cell.status !== "ok")
        lines.push(`  ${colors.red(`cell ${cell.gradeId}: ${cell.status}`)} ${indent(cell.message ?? "")}`);
    }
    for (const test of task.tests) lines.push(`  ${testLine(test)}`);
  }
  for (const note of report.notes) lines.push(colors.yellow(`note: ${printable(note)}`));
  return lines.join("\n");
}

export function proofsAsText(slug: string, proofs: readonly Proof[]): string {
  const lines = proofs.map((proof) => {
    const mark = proof.ok ? colors.green("✓") : colors.red("✗");
    if (proof.ok) return `  ${mark} ${proof.name}: ${proof.got}`;
    const details = proof.details
      .map((detail) => `\n      ${printable(detail).replaceAll("\n", "\n      ")}`)
      .join("");
    return `  ${mark} ${proof.name}: expected ${proof.expected}, got ${proof.got}${details}`;
  });
  const failed = proofs.filter((proof) => !proof.ok).length;
  const summary =
    failed === 0 ? colors.green("holds") : colors.red(`${failed} of ${proofs.length} do not hold`);
  return [`${colors.bold(slug)}: ${summary}`, ...lines].join("\n");
}

/** What no test noticed, for the author to look at. */
export function mutationAsText(slug: string, tasks: readonly TaskMutation[]): string {
  const lines = tasks.flatMap(({ task, ran, killed, survivors }) => [
    `  ${survivors.length === 0 ? colors.green("✓") : colors.yellow("·")} ${task}: ${killed} of ${ran} mutants fail a test`,
    ...survivors.map(({ gradeId, mutant }) =>
      printable(`      survives: ${gradeId}, line ${mutant.line}: ${mutant.change}`),
    ),
  ]);
  return [colors.bold(`${slug}: mutants of the reference answers`), ...lines].join("\n");
}

/** Without control characters: no terminal escapes from a learner's text. Line breaks stay. */
export function printable(text: string): string {
  return text.replace(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ");
}

const plain = { head: [], border: [], compact: true };

function testLine(test: TestReport): string {
  const score = `${test.score}/${test.points}${test.hidden ? ", hidden" : ""}`;
  if (test.status === "passed") return `${colors.green("✓")} ${printable(test.name)} (${score})`;
  const message = test.message === undefined ? "" : `\n      ${indent(test.message)}`;
  const hint = test.hint === undefined ? "" : `\n      hint: ${printable(test.hint)}`;
  return `${colors.red("✗")} ${printable(test.name)} (${score}) ${test.status}${message}${hint}`;
}

function scoreOf(report: Report): string {
  if (report.status === "graded") return `${report.score}/${report.points}`;
  return report.status === "invalid" ? "invalid" : "not graded";
}

function tasksOf(report: Report): string {
  return report.tasks.map((task) => `${task.number}: ${task.score}/${task.points}`).join("  ");
}

function remarkOf(report: Report): string {
  if (report.status !== "graded") return (report.message ?? report.problem ?? "").slice(0, 300);
  const odd = new Set(report.tasks.flatMap((task) => task.tests.map((test) => test.status)));
  return ["timeout", "oom", "exit", "protocol", "limit", "compile"]
    .filter((status) => odd.has(status as TestReport["status"]))
    .join(", ");
}

function indent(text: string): string {
  return printable(text).replaceAll("\n", "\n      ");
}
