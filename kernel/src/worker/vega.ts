/** Vega-Lite charts: known by their `$schema`, drawn by JupyterLab itself, elsewhere by a page that loads the renderer. */
import { randomUUID } from "node:crypto";

export const VEGALITE = "application/vnd.vegalite.v5+json";

const SCRIPTS = [
  "https://cdn.jsdelivr.net/npm/vega@5.33.0",
  "https://cdn.jsdelivr.net/npm/vega-lite@5.23.0",
  "https://cdn.jsdelivr.net/npm/vega-embed@6.29.0",
];

export function isVegaLite(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const schema = Object.getOwnPropertyDescriptor(value, "$schema")?.value as unknown;
  return typeof schema === "string" && /\/schema\/vega-lite\/v\d/.test(schema);
}

export function vegaHtml(spec: unknown): string {
  const id = `vega-${randomUUID()}`;
  // `</script>` inside the data would end the script early.
  const json = JSON.stringify(spec).replace(/</g, "\\u003c");
  return (
    `<div id="${id}"></div><script type="module">` +
    `const load = (src) => new Promise((resolve, reject) => { const s = document.createElement("script"); ` +
    `s.src = src; s.onload = resolve; s.onerror = reject; document.head.append(s); }); ` +
    `if (!window.vegaEmbed) for (const src of ${JSON.stringify(SCRIPTS)}) await load(src); ` +
    `window.vegaEmbed("#${id}", ${json});</script>`
  );
}

export function vegaText(spec: unknown): string {
  const { mark, title } = (spec ?? {}) as { mark?: unknown; title?: unknown };
  const kind =
    typeof mark === "string" ? mark : ((mark as { type?: unknown } | undefined)?.type ?? "composed");
  return `[Vega-Lite chart${typeof title === "string" ? ` "${title}"` : ""}: ${String(kind)}]`;
}
