/** What a Plotly figure looks like where no Plotly renderer is installed: a page that loads one, and a line of text. */
import { randomUUID } from "node:crypto";

const PLOTLY_SCRIPT = "https://cdn.plot.ly/plotly-2.35.2.min.js";

export function plotlyHtml(figure: unknown): string {
  const id = `plotly-${randomUUID()}`;
  // `</script>` inside the data would end the script early.
  const json = JSON.stringify(figure).replace(/</g, "\\u003c");
  return (
    `<div id="${id}"></div><script type="module">` +
    `if (!window.Plotly) await new Promise((resolve, reject) => { const s = document.createElement("script"); ` +
    `s.src = "${PLOTLY_SCRIPT}"; s.onload = resolve; s.onerror = reject; document.head.append(s); }); ` +
    `const figure = ${json}; Plotly.newPlot("${id}", figure.data, figure.layout ?? {}, figure.config ?? {});</script>`
  );
}

export function plotlyText(figure: unknown): string {
  const { data, layout } = (figure ?? {}) as { data?: unknown[]; layout?: { title?: unknown } };
  const title = layout?.title;
  const name = typeof title === "string" ? title : ((title as { text?: string } | undefined)?.text ?? "");
  const traces = Array.isArray(data) ? data.length : 0;
  return `[Plotly figure${name ? ` "${name}"` : ""}: ${traces} trace${traces === 1 ? "" : "s"}]`;
}
