/**
 * Feedback for a learner as one file without scripts, styles or images from elsewhere. Every text is escaped by
 * the renderer. Of a hidden test it shows the name, the result and the hint, nothing else.
 */
import { renderToString } from "preact-render-to-string";
import {
  finalScore,
  fullPoints,
  type Report,
  type TaskReport,
  type TestReport,
  taskScore,
} from "../judge/report.js";
import { Difference } from "./diff.js";
import { cellTexts, forLearner, STATUS_WORDS } from "./learner.js";
import { Plots } from "./plot.js";

/** @param report the full one: what is not for learners is left out here */
export function reportAsHtml(report: Report): string {
  return `<!doctype html>\n${renderToString(<Page report={forLearner(report)} />)}\n`;
}

const STYLE = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8886; vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #8882; padding: .5rem; margin: .3rem 0; }
ul { list-style: none; padding-left: 0; }
li { border-left: 4px solid; padding: .1rem .8rem; margin: .6rem 0; }
li.passed { border-color: #1a7f37; } li.lost { border-color: #b3261e; }
.status { font-weight: 600; }
.diff, .maps { display: flex; flex-wrap: wrap; gap: .8rem; }
.diff figure { flex: 1 1 18rem; min-width: 0; }
figure { margin: .4rem 0; } figcaption { font-size: .85rem; }
del, ins { text-decoration: none; border-radius: 2px; }
del.got { background: #e5534b55; border-bottom: 2px solid #b3261e; }
ins.want { background: #2da44e55; border-bottom: 2px solid #1a7f37; }
polyline { fill: none; stroke-width: 1.5; stroke: #1a7f37; } circle { fill: #b3261e; }
span.want-line { color: #1a7f37; } span.got-line { color: #b3261e; }
text.odd { font-size: 9px; fill: #b3261e; text-anchor: middle; }
.note { border-left: 4px solid #8888; padding: .1rem .8rem; white-space: pre-wrap; }
@media print { body { margin: 0; max-width: none; } li, section { break-inside: avoid; } }
`;

function Page({ report }: { report: Report }) {
  const title = report.title ?? report.assignment ?? "Feedback";
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <title>{`${title}: feedback`}</title>
        <style>{STYLE}</style>
      </head>
      <body>
        <main>
          <h1>{title}</h1>
          <p>{report.file}</p>
          {report.status === "graded" ? <Result report={report} /> : <Problem report={report} />}
        </main>
      </body>
    </html>
  );
}

function Problem({ report }: { report: Report }) {
  const heading = report.status === "invalid" ? "This file could not be graded" : "The grader failed";
  return (
    <section role="alert">
      <h2>{heading}</h2>
      <p>{report.message}</p>
    </section>
  );
}

function Result({ report }: { report: Report }) {
  return (
    <>
      <p>
        <strong>
          {finalScore(report)} of {fullPoints(report)} points
        </strong>
        {report.visibleOnly && " in the visible tests"}
        {report.late &&
          `, ${report.late.percent} % taken off: handed in ${lateness(report.late.minutes)} late`}
      </p>
      <Comments comments={report.comments} />
      {report.notes.length > 0 && (
        <ul>
          {report.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
      <table>
        <caption>Points by task</caption>
        <thead>
          <tr>
            <th scope="col">Task</th>
            <th scope="col" class="number">
              Points
            </th>
          </tr>
        </thead>
        <tbody>
          {report.tasks.map((task) => (
            <tr key={task.name}>
              <th scope="row">
                <a href={`#task-${task.number}`}>
                  {task.number}. {task.title}
                </a>
              </th>
              <td class="number">
                {taskScore(task)} / {task.points}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <ByHand report={report} />
      {report.tasks.map((task) => (
        <TaskSection key={task.name} task={task} />
      ))}
    </>
  );
}

function ByHand({ report: { manual = [] } }: { report: Report }) {
  if (manual.length === 0) return null;
  return (
    <p class="note">
      A person grades:{" "}
      {manual
        .map(({ gradeId, score, points }) =>
          score === undefined ? `${gradeId} (not graded yet)` : `${gradeId} (${score} / ${points})`,
        )
        .join(", ")}
    </p>
  );
}

function TaskSection({ task }: { task: TaskReport }) {
  return (
    <section id={`task-${task.number}`} aria-labelledby={`title-${task.number}`}>
      <h2 id={`title-${task.number}`}>
        {task.number}. {task.title} ({taskScore(task)} / {task.points})
      </h2>
      {task.override && (
        <p class="note">
          {task.override.score} of {task.points} points, decided by your instructor; the tests gave{" "}
          {task.score}
        </p>
      )}
      <Comments comments={task.comments} />
      {cellTexts(task).map((text) => (
        <pre key={text}>{text}</pre>
      ))}
      <ul>
        {task.tests.map((test) => (
          <Test key={test.name} test={test} />
        ))}
      </ul>
    </section>
  );
}

function Test({ test }: { test: TestReport }) {
  const lost = test.status !== "passed";
  return (
    <li class={lost ? "lost" : "passed"}>
      <span class="status">
        {lost ? "✗" : "✓"} {STATUS_WORDS[test.status]}
      </span>
      : {test.name} ({test.score} / {test.points}){test.hidden && " – hidden test"}
      {lost && test.message !== undefined && <pre>{test.message}</pre>}
      {lost && test.comparison && <Difference {...test.comparison} />}
      {lost && test.comparison?.numbers && <Plots numbers={test.comparison.numbers} />}
      {lost && test.hint !== undefined && <p>Hint: {test.hint}</p>}
    </li>
  );
}

function Comments({ comments = [] }: { comments?: readonly string[] }) {
  return (
    <>
      {comments.map((comment) => (
        <p key={comment} class="note">
          {comment}
        </p>
      ))}
    </>
  );
}

function lateness(minutes: number): string {
  if (minutes < 120) return `${Math.round(minutes)} minutes`;
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} hours` : `${Math.round(minutes / 60 / 24)} days`;
}
