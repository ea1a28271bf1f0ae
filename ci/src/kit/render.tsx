/** The table of results under a test cell. */
import { renderToString } from "preact-render-to-string";
import { sumPoints, type TestOutcome } from "./check.js";

export function outcomesAsText(title: string, outcomes: readonly TestOutcome[]): string {
  const lines = outcomes.map((outcome) => {
    const line = `${outcome.status === "passed" ? "✓" : "✗"} ${outcome.name} (${outcome.score}/${outcome.points})`;
    if (outcome.status === "passed") return line;
    const hint = outcome.hint ? `\n  hint: ${outcome.hint}` : "";
    return `${line}\n  ${(outcome.message ?? outcome.status).replaceAll("\n", "\n  ")}${hint}`;
  });
  return [`${title}: ${summary(outcomes)}`, ...lines].join("\n");
}

export function outcomesAsHtml(title: string, outcomes: readonly TestOutcome[]): string {
  return renderToString(<Outcomes title={title} outcomes={outcomes} />);
}

function Outcomes({ title, outcomes }: { title: string; outcomes: readonly TestOutcome[] }) {
  return (
    <div class="mlsys-check">
      <strong>{title}</strong>: {summary(outcomes)}
      <ul style="list-style:none;padding-left:0.5em;margin:0.3em 0">
        {outcomes.map((outcome) => (
          <li key={outcome.name}>
            <span style={`color:${outcome.status === "passed" ? "#1a7f37" : "#b3261e"}`}>
              {outcome.status === "passed" ? "✓ passed" : `✗ ${outcome.status}`}
            </span>{" "}
            {outcome.name} ({outcome.score}/{outcome.points})
            {outcome.status !== "passed" && outcome.message && (
              <pre style="margin:0.2em 0 0.2em 1.5em;white-space:pre-wrap">{outcome.message}</pre>
            )}
            {outcome.status !== "passed" && outcome.hint && (
              <div style="margin-left:1.5em">Hint: {outcome.hint}</div>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

function summary(outcomes: readonly TestOutcome[]): string {
  const score = sumPoints(outcomes.map((outcome) => outcome.score));
  const points = sumPoints(outcomes.map((outcome) => outcome.points));
  return `${score} of ${points} points of the checks in this cell`;
}
