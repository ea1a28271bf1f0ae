/** One submission: how far it is, its receipt, what it got. */
import {
  awaitsPerson,
  type Report,
  type TaskReport,
  type TestReport,
  taskScore,
} from "../../judge/report.js";
import { sumPoints } from "../../kit/check.js";
import type { Progress, Receipt } from "../../submit/protocol.js";
import { Decisions, type DecisionsProps } from "./decisions.js";
import { type PageProps, pageAsHtml, Time } from "./layout.js";

export interface SubmissionProps extends Pick<PageProps, "course" | "person"> {
  receipt: Receipt;
  title: string;
  progress: Progress;
  report?: Report;
  /** For instructors. */
  decisions?: DecisionsProps;
}

export function submissionPage(props: SubmissionProps): string {
  const { title, progress, report, receipt, person } = props;
  const instructor = person?.role === "instructor";
  return pageAsHtml({
    ...props,
    title,
    live: progress.state !== "done",
    children: (
      <>
        {progress.state === "done" ? <Result progress={progress} report={report} /> : <Live {...props} />}
        {report?.status === "graded" && <Tasks report={report} />}
        {report && (
          <p>
            <a href={`/submissions/${receipt.id}/feedback`}>Feedback on each test</a>
            {instructor && (
              <>
                {" · "}
                <a href={`/submissions/${receipt.id}/report.json`}>Report with the hidden tests (JSON)</a>
              </>
            )}
          </p>
        )}
        {instructor && report?.status === "grader" && (
          <form method="post" action={`/submissions/${receipt.id}/again`}>
            <button type="submit">Grade again</button>
          </form>
        )}
        <ReceiptFacts receipt={receipt} />
        {props.decisions && <Decisions {...props.decisions} />}
        {instructor && report && <Tests report={report} />}
      </>
    ),
  });
}

/** Words for a state. */
export function sayProgress(progress: Progress): string {
  if (progress.state === "waiting")
    return progress.ahead === 0 ? "Next in the queue." : `Waiting: ${progress.ahead} before yours.`;
  if (progress.state === "done") return "Graded.";
  if (progress.task === 0) return "Being graded: your cells are run.";
  return `Being graded: task ${progress.task} of ${progress.tasks}, ${progress.tests} tests done.`;
}

function Live({ receipt, progress }: SubmissionProps) {
  const { task, tasks } = progress.state === "running" ? progress : { task: 0, tasks: 0 };
  return (
    <section class="card" data-live={`/submissions/${receipt.id}/events`}>
      <p role="status" data-words>
        {sayProgress(progress)}
      </p>
      <progress aria-label="Tasks graded" max={tasks || 1} value={tasks ? task - 1 : 0} />
      <p class="help">You can close this page: grading goes on, and the result stays here.</p>
    </section>
  );
}

function Result({ progress, report }: { progress: Extract<Progress, { state: "done" }>; report?: Report }) {
  const { status, score, points } = progress;
  if (status === "graded")
    return (
      <>
        <p class="score">
          {score} of {points} points
        </p>
        {report?.late && (
          <p>
            Handed in late: {report.late.percent} % taken off
            {report.late.percent > 0 && `; without that it would be ${withoutPenalty(report)} points`}.
          </p>
        )}
        {report && awaitsPerson(report) && <p>A person has cells left to grade.</p>}
        {report?.comments?.map((comment) => (
          <blockquote key={comment}>{comment}</blockquote>
        ))}
      </>
    );
  return (
    <p class="alert" role="alert">
      {status === "invalid"
        ? `This notebook could not be graded. ${report?.message ?? ""}`
        : "The grader failed. This is not your fault and not a score; your instructor sees it."}
    </p>
  );
}

function withoutPenalty({ tasks, manual = [] }: Report): number {
  return sumPoints([...tasks.map(taskScore), ...manual.map(({ score = 0 }) => score)]);
}

function Tasks({ report }: { report: Report }) {
  return (
    <table>
      <caption>Points by task</caption>
      <thead>
        <tr>
          <th scope="col">Task</th>
          <th scope="col" class="number">
            Tests passed
          </th>
          <th scope="col" class="number">
            Points
          </th>
        </tr>
      </thead>
      <tbody>
        {report.tasks.map((task) => (
          <TaskRow key={task.number} task={task} />
        ))}
      </tbody>
    </table>
  );
}

function TaskRow({ task }: { task: TaskReport }) {
  const { number, title, tests, points, override, comments = [] } = task;
  const score = taskScore(task);
  return (
    <tr>
      <th scope="row">
        {number}. {title}
        {comments.map((comment) => (
          <blockquote key={comment}>{comment}</blockquote>
        ))}
      </th>
      <td class="number">
        {tests.filter((test) => test.status === "passed").length} / {tests.length}
      </td>
      <td class={`number ${score >= points ? "good" : ""}`}>
        {score} / {points}
        {override && <span class="soft"> (decided; the tests gave {task.score})</span>}
      </td>
    </tr>
  );
}

function ReceiptFacts({ receipt }: { receipt: Receipt }) {
  const { id, file, sha256, size, accepted, person, assignment } = receipt;
  return (
    <section aria-labelledby="receipt">
      <h2 id="receipt">Receipt</h2>
      <dl class="facts">
        <dt>Number</dt>
        <dd>{id}</dd>
        <dt>Handed in by</dt>
        <dd>{person}</dd>
        <dt>Assignment</dt>
        <dd>{assignment}</dd>
        <dt>File</dt>
        <dd>
          <a href={`/submissions/${id}/notebook`}>{file}</a> ({size} bytes)
        </dd>
        <dt>SHA-256</dt>
        <dd>
          <code>{sha256}</code>
        </dd>
        <dt>Accepted</dt>
        <dd>
          <Time ms={Date.parse(accepted)} />
        </dd>
      </dl>
    </section>
  );
}

/** For instructors: every test with what it said, hidden ones too. */
function Tests({ report }: { report: Report }) {
  return (
    <section aria-labelledby="tests">
      <h2 id="tests">All tests</h2>
      {report.message !== undefined && <pre>{report.message}</pre>}
      {report.notes.map((note) => (
        <p key={note} class="soft">
          {note}
        </p>
      ))}
      <p class="soft">
        isolation {report.isolation.level}, verdicts from the {report.trust}, {report.timing.ms} ms
      </p>
      {report.tasks.map((task) => (
        <div key={task.number}>
          <h3>
            {task.number}. {task.title}
          </h3>
          <ul class="tests">
            {task.tests.map((test) => (
              <Test key={test.name} test={test} />
            ))}
          </ul>
        </div>
      ))}
    </section>
  );
}

function Test({ test }: { test: TestReport }) {
  const passed = test.status === "passed";
  return (
    <li class={passed ? "passed" : undefined}>
      <strong>{test.status}</strong>: {test.name} ({test.score} / {test.points}
      {test.hidden && ", hidden"}){test.message !== undefined && <pre>{test.message}</pre>}
    </li>
  );
}
