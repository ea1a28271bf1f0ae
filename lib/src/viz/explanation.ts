/** How a pipeline's run shows itself in a notebook: the graph in front and at the end, each pass's difference, times. */
import { Explanation, titleOf } from "../graph/explain.js";
import { type DiffLine, diffLines, withContext } from "../ir/diff.js";
import { displaySymbol, escapeHtml, type MimeBundle } from "./bundle.js";
import { drawGraph } from "./graph.js";

const COLOURS: Readonly<Record<DiffLine["kind"], string>> = {
  same: "",
  removed: "background: rgba(213, 94, 0, 0.18)",
  added: "background: rgba(0, 158, 115, 0.18)",
};
const SIGNS: Readonly<Record<DiffLine["kind"], string>> = { same: " ", removed: "−", added: "+" };

const section = (title: string, body: string, open: boolean): string =>
  `<details${open ? " open" : ""}><summary>${escapeHtml(title)}</summary>${body}</details>`;

/** A difference with colours. */
export const diffHtml = (lines: readonly DiffLine[]): string =>
  `<pre style="line-height: 1.3">${lines
    .map(({ kind, text }) => `<div style="${COLOURS[kind]}">${SIGNS[kind]} ${escapeHtml(text)}</div>`)
    .join("")}</pre>`;

async function html(explanation: Explanation): Promise<string> {
  const { captured, graph, changes, timings } = explanation;
  const drawing = async (g: typeof graph): Promise<string> =>
    `${await drawGraph(g).svg()}<pre>${escapeHtml(String(g))}</pre>`;
  const rows = timings.map(
    ({ name, runs, changes, milliseconds }) =>
      `<tr><td>${escapeHtml(name)}</td><td>${runs}</td><td>${changes}</td><td>${milliseconds.toFixed(2)}</td></tr>`,
  );
  return [
    section("captured", await drawing(captured), false),
    ...changes.map((run) =>
      section(
        `${titleOf(run)} — ${run.pass.summary}`,
        diffHtml(withContext(diffLines(String(run.before), String(run.after)))),
        true,
      ),
    ),
    section("result", await drawing(graph), changes.length > 0),
    section(
      "time",
      `<table><tr><th>pass</th><th>runs</th><th>changes</th><th>ms</th></tr>${rows.join("")}</table>`,
      false,
    ),
  ].join("");
}

declare module "../graph/explain.js" {
  interface Explanation {
    /** Explanations show themselves in notebooks. */
    [displaySymbol](): Promise<MimeBundle>;
  }
}

Explanation.prototype[displaySymbol] = async function () {
  return { "text/html": await html(this), "text/plain": this.toString() };
};
