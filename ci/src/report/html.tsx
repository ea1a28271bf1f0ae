/**
 * Feedback for a learner as one file without scripts, styles or images from elsewhere. Every text is escaped by
 * the renderer. Of a hidden test it shows the name, the result and the hint, nothing else.
 */
import { renderToString } from "preact-render-to-string";
import type { Report, TaskReport, TestReport } from "../judge/report.js";

export function reportAsHtml(report: Report): string {
  return `<!doctype html>\n${renderToString(<Page report={report} />)}\n`;
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
@media print { body { margin: 0; max-width: none; } li, section { break-inside: avoid; } }
`;

const STATUS: Record<TestReport["status"], string> = {
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
      <p>
        {report.status === "invalid"
          ? report.message
          : "This is not your fault and not a score. Your instructor has been told."}
      </p>
    </section>
  );
}

function Result({ report }: { report: Report }) {
  return (
    <>
      <p>
        <strong>
          {report.score} of {report.points} points
        </strong>
        {report.visibleOnly && " in the visible tests"}
      </p>
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
                {task.score} / {task.points}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {report.tasks.map((task) => (
        <TaskSection key={task.name} task={task} />
      ))}
    </>
  );
}

function TaskSection({ task }: { task: TaskReport }) {
  return (
    <section id={`task-${task.number}`} aria-labelledby={`title-${task.number}`}>
      <h2 id={`title-${task.number}`}>
        {task.number}. {task.title} ({task.score} / {task.points})
      </h2>
      {task.cells
        .filter((cell) => cell.status !== "ok")
        .map((cell) => (
          <div key={cell.gradeId}>
            <p>Your cell “{cell.gradeId}” did not run to its end:</p>
            <pre>{cell.message ?? cell.status}</pre>
          </div>
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
        {lost ? "✗" : "✓"} {STATUS[test.status]}
      </span>
      : {test.name} ({test.score} / {test.points}){test.hidden && " – hidden test"}
      {lost && !test.hidden && test.message !== undefined && <pre>{test.message}</pre>}
      {lost && !test.hidden && test.comparison && <Comparison {...test.comparison} />}
      {lost && test.hint !== undefined && <p>Hint: {test.hint}</p>}
    </li>
  );
}

function Comparison({ got, expected }: { got: string; expected: string }) {
  return (
    <table>
      <tbody>
        <tr>
          <th scope="row">your answer</th>
          <td>
            <pre>{got}</pre>
          </td>
        </tr>
        <tr>
          <th scope="row">expected</th>
          <td>
            <pre>{expected}</pre>
          </td>
        </tr>
      </tbody>
    </table>
  );
}
