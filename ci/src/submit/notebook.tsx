/** Handing in, told in a notebook: each step as a MIME bundle on a line of its own, which the kernel's `%submit` shows. */
import { stripVTControlCharacters } from "node:util";
import type { ComponentChildren } from "preact";
import { renderToString } from "preact-render-to-string";
import { printable, testsAsText } from "../report/terminal.js";
import { type Answer, ago } from "./preview.js";
import type { Teller } from "./submit.js";
import { terminalTeller } from "./terminal.js";

const MARK = { answered: "✓", untouched: "! untouched", empty: "! empty" } satisfies Record<
  Answer["state"],
  string
>;

/** @param write takes one line of JSON: `{ "text/html", "text/plain" }` */
export function notebookTeller(write: (line: string) => void): Teller {
  const show = (html: ComponentChildren, plain: (teller: Teller) => void, more: object = {}) => {
    let text = "";
    plain(
      terminalTeller((part) => {
        text += part;
      }),
    );
    const page = renderToString(<div>{html}</div>);
    write(JSON.stringify({ bundle: { "text/html": page, "text/plain": text.trimEnd() }, ...more }));
  };
  return {
    preview(preview, account) {
      const { file, sha256, bytes, savedAgo, title, answers, warnings } = preview;
      show(
        <>
          <p>
            <strong>{title}</strong>: <code>{file}</code>, {bytes.length} bytes, saved {ago(savedAgo)}, to{" "}
            {account.server} as {account.person}
          </p>
          <table>
            <thead>
              <tr>
                <th scope="col">Task</th>
                <th scope="col">Answer cell</th>
                <th scope="col">Lines</th>
                <th scope="col" />
              </tr>
            </thead>
            <tbody>
              {answers.map((answer) => (
                <tr key={answer.gradeId}>
                  <td>{answer.title}</td>
                  <td>
                    <code>{answer.gradeId}</code>
                  </td>
                  <td>{answer.lines}</td>
                  <td>{MARK[answer.state]}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {warnings.map((warning) => (
            <p key={warning}>⚠ {warning}</p>
          ))}
          <p>
            SHA-256 <code>{sha256}</code>
          </p>
        </>,
        (teller) => teller.preview(preview, account),
        { shown: sha256 },
      );
    },
    checks(report) {
      const tests = report.tasks.flatMap((task) => task.tests);
      const passed = tests.filter(({ status }) => status === "passed").length;
      show(
        report.status === "graded" ? (
          <details open={passed < tests.length}>
            <summary>
              Visible tests: {passed} of {tests.length} pass
            </summary>
            <pre>{printable(stripVTControlCharacters(testsAsText(report)))}</pre>
          </details>
        ) : (
          <p>⚠ Visible tests: {report.message}</p>
        ),
        (teller) => teller.checks(report),
      );
    },
    receipt(receipt, page) {
      show(
        <p>
          <strong>Receipt {receipt.id}</strong>, accepted {receipt.accepted}: <a href={page}>{page}</a>
          <br />
          SHA-256 <code>{receipt.sha256}</code>
        </p>,
        (teller) => teller.receipt(receipt, page),
      );
    },
    progress() {},
    done(result, page) {
      const { status, score, points } = result;
      show(
        <p>
          <strong>
            {status === "graded"
              ? `${score} of ${points} points`
              : status === "invalid"
                ? "It could not be graded"
                : "The grader failed: not your fault and not a score"}
          </strong>{" "}
          (<a href={page}>feedback on each test</a>)
        </p>,
        (teller) => teller.done(result, page),
      );
    },
  };
}
