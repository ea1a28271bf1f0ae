/** A release must not show what it hides: markers, lines of reference answers, lines and names of hidden tests. */
import type { Notebook } from "../notebook/format.js";
import { cutHiddenTests, hasMarker, secretLines } from "../notebook/markers.js";
import type { Assignment } from "./assignment.js";

/** A single secret line this long is a leak; shorter ones only two in a row. */
const TELLING_LINE = 40;

interface Secret {
  what: string;
  lines: string[];
}

/** One message per leak, naming the released cell. */
export function findLeaks(assignment: Assignment, release: Notebook): string[] {
  // What a test cell shows anyway gives nothing away when a hidden test says it too.
  const shownByTests = new Set(
    assignment.cells
      .flatMap((cell) => (cell.kind === "test" ? cutHiddenTests(cell.source, cell.gradeId).split("\n") : []))
      .map((line) => line.trim()),
  );
  const secrets = assignment.cells.flatMap((cell): Secret[] => {
    if (cell.kind === "given") return [];
    const original = assignment.notebook.cells.find(
      (candidate) => gradeIdOf(candidate.metadata) === cell.gradeId,
    );
    // The stub may repeat lines of the answer: its author chose to show them.
    const stub = new Set(cell.kind === "answer" ? cell.stub.split("\n").map((line) => line.trim()) : []);
    const { solution, hidden } = secretLines(original?.source ?? "", cell.gradeId);
    return [
      {
        what: `the reference answer of "${cell.gradeId}"`,
        lines: solution.filter((line) => !stub.has(line)),
      },
      { what: `hidden tests of "${cell.gradeId}"`, lines: hidden.filter((line) => !shownByTests.has(line)) },
    ];
  });
  const leaks: string[] = [];
  release.cells.forEach((cell, index) => {
    const name = gradeIdOf(cell.metadata) ?? `cell ${index + 1}`;
    // Metadata, outputs and attachments are released as well.
    const rest = JSON.stringify([cell.metadata, cell.outputs, cell.attachments ?? null]);
    if (hasMarker(cell.source) || hasMarker(rest))
      leaks.push(`${name}: a marker of a solution or of hidden tests is left`);
    const lines = cell.source.split("\n").map((line) => line.trim());
    for (const { what, lines: secret } of secrets) {
      const line = telling(lines, rest, secret);
      if (line !== undefined) leaks.push(`${name}: shows ${what}: ${JSON.stringify(line.slice(0, 80))}`);
    }
  });
  if (hasMarker(JSON.stringify(release.metadata))) leaks.push("the notebook's metadata holds a marker");
  return leaks;
}

/** The first secret line that gives something away, `undefined` if none does. */
function telling(lines: string[], rest: string, secret: string[]): string | undefined {
  const shown = new Set(lines.filter((line) => line.length > 0));
  let run = 0;
  for (const line of secret) {
    if (!/\w/.test(line)) continue; // brackets and blank lines neither tell anything nor end a run
    const quoted = JSON.stringify(line).slice(1, -1);
    if (
      line.length >= TELLING_LINE &&
      (shown.has(line) || lines.some((l) => l.includes(line)) || rest.includes(quoted))
    )
      return line;
    run = shown.has(line) && line.length > 8 ? run + 1 : 0;
    if (run >= 2) return line;
  }
  return undefined;
}

function gradeIdOf(metadata: Record<string, unknown>): string | undefined {
  return (metadata.nbgrader as { grade_id?: string } | undefined)?.grade_id;
}
