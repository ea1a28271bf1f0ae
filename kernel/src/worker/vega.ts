/** Vega-Lite charts, known by their `$schema`. No HTML form: JupyterLab would prefer it to its own renderer. */

export const VEGALITE = "application/vnd.vegalite.v5+json";

export function isVegaLite(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const schema = Object.getOwnPropertyDescriptor(value, "$schema")?.value as unknown;
  return typeof schema === "string" && /\/schema\/vega-lite\/v\d/.test(schema);
}

export function vegaText(spec: unknown): string {
  const { mark, title } = (spec ?? {}) as { mark?: unknown; title?: unknown };
  const kind =
    typeof mark === "string" ? mark : ((mark as { type?: unknown } | undefined)?.type ?? "composed");
  return `[Vega-Lite chart${typeof title === "string" ? ` "${title}"` : ""}: ${String(kind)}]`;
}
