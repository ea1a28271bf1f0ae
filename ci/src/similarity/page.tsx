/** Similar submissions side by side, with the passages marked that they share. For instructors; loads and runs nothing. */
import { renderToString } from "preact-render-to-string";
import type { Answers, Pair } from "./compare.js";

/** More are in the JSON file. */
const MAX_PAIRS = 50;

const STYLE = `
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem .8rem; border-bottom: 1px solid #8886; }
.sides { display: flex; gap: 1rem; } .sides > div { flex: 1 1 0; min-width: 0; overflow: auto; }
pre { font-size: 12px; margin: .3rem 0; } mark { display: inline-block; min-width: 100%; background: #f5c54266; color: inherit; }
`;

export function similarityPage(
  title: string,
  pairs: readonly Pair[],
  submissions: readonly Answers[],
): string {
  const answers = new Map(submissions.map((submission) => [submission.name, submission.answers]));
  const page = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <title>{`${title}: similar submissions`}</title>
        <style>{STYLE}</style>
      </head>
      <body>
        <h1>{title}: similar submissions</h1>
        <p>
          {submissions.length} submissions, {pairs.length} pairs alike. Being alike proves nothing: read both.
        </p>
        <table>
          <tbody>
            {pairs.map((pair, index) => (
              <tr key={`${index}`}>
                <td>{Math.round(pair.similarity * 100)} %</td>
                <td>{pair.left.student}</td>
                <td>{pair.right.student}</td>
                <td>{index < MAX_PAIRS && <a href={`#pair-${index}`}>passages</a>}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {pairs.slice(0, MAX_PAIRS).map((pair, index) => (
          <section key={`${index}`} id={`pair-${index}`}>
            <h2>
              {pair.left.student} and {pair.right.student}: {Math.round(pair.similarity * 100)} %
            </h2>
            {pair.matches.map((match) => (
              <div key={match.gradeId}>
                <h3>{match.gradeId}</h3>
                <div class="sides">
                  <Side source={answers.get(pair.left.name)?.get(match.gradeId)} marked={match.left} />
                  <Side source={answers.get(pair.right.name)?.get(match.gradeId)} marked={match.right} />
                </div>
              </div>
            ))}
          </section>
        ))}
      </body>
    </html>
  );
  return `<!doctype html>\n${renderToString(page)}\n`;
}

function Side({ source = "", marked }: { source?: string; marked: readonly [number, number][] }) {
  const isMarked = (line: number) => marked.some(([from, to]) => from <= line && line <= to);
  return (
    <div>
      <pre>
        {source
          .split("\n")
          .map((line, index) =>
            isMarked(index + 1) ? <mark key={`${index}`}>{`${line}\n`}</mark> : `${line}\n`,
          )}
      </pre>
    </div>
  );
}
