/**
 * From a value to a MIME bundle. Every bundle that leaves the worker has `text/plain`, holds only JSON,
 * and is capped in size.
 */
import { inspect } from "node:util";
import type { MimeBundle } from "../link/messages.js";
import { plotlyHtml, plotlyText } from "./plotly.js";
import { recordsTable } from "./table.js";

/** Any object may have a method of this name that returns its MIME bundle (or a promise of one, or null for none). */
export const DISPLAY = Symbol.for("Jupyter.display");

export const PLOTLY = "application/vnd.plotly.v1+json";

/** Characters of text kept per MIME type. */
const MAX_TEXT = 200_000;
const MAX_MARKUP = 4_000_000;
const MAX_OTHER = 64_000_000;

/** @returns null when the value asks not to be shown. */
export function render(value: unknown): MimeBundle | null | Promise<MimeBundle | null> {
  const method = displayMethod(value);
  if (!method) return finish(describe(value), value);
  const bundle = method.call(value);
  if (bundle instanceof Promise) return bundle.then((settled) => checked(settled, value));
  return checked(bundle, value);
}

/** Adds what a bundle must have: `text/plain`, an HTML form of a Plotly figure, a limit on its size. */
export function finish(bundle: MimeBundle, value?: unknown): MimeBundle {
  const out: MimeBundle = {};
  for (const [type, data] of Object.entries(bundle)) if (data !== undefined) out[type] = capped(type, data);
  if (PLOTLY in out && !("text/html" in out)) out["text/html"] = plotlyHtml(out[PLOTLY]);
  if (!("text/plain" in out)) {
    if (PLOTLY in out) out["text/plain"] = plotlyText(out[PLOTLY]);
    else out["text/plain"] = value === undefined ? `[${Object.keys(out)[0] ?? "nothing"}]` : plainText(value);
  }
  return out;
}

export function plainText(value: unknown): string {
  try {
    return cut(
      inspect(value, {
        depth: 4,
        colors: false,
        maxArrayLength: 100,
        maxStringLength: MAX_TEXT,
        breakLength: 100,
      }),
      MAX_TEXT,
    );
  } catch (error) {
    return `[value that cannot be shown: ${(error as Error)?.message}]`;
  }
}

function displayMethod(value: unknown): (() => unknown) | undefined {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return undefined;
  try {
    const method = (value as Record<symbol, unknown>)[DISPLAY];
    return typeof method === "function" ? (method as () => unknown) : undefined;
  } catch {
    return undefined;
  }
}

function checked(bundle: unknown, value: unknown): MimeBundle | null {
  if (bundle === null || bundle === undefined) return null;
  if (typeof bundle !== "object" || Array.isArray(bundle))
    throw new TypeError(
      `[Symbol.for("Jupyter.display")]() of ${plainText(value).slice(0, 80)} returned ${typeof bundle}, ` +
        'expected a MIME bundle such as { "text/plain": "…" }.',
    );
  return finish(bundle as MimeBundle);
}

function describe(value: unknown): MimeBundle {
  if (value instanceof Uint8Array) {
    const type = imageType(value);
    if (type) return { [type]: base64(value), "text/plain": `[${type}, ${value.byteLength} bytes]` };
  }
  const html = recordsTable(value);
  return html === undefined
    ? { "text/plain": plainText(value) }
    : { "text/html": html, "text/plain": plainText(value) };
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

function imageType(bytes: Uint8Array): string | undefined {
  const starts = (...prefix: number[]) => prefix.every((byte, index) => bytes[index] === byte);
  if (starts(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a)) return "image/png";
  if (starts(0xff, 0xd8, 0xff)) return "image/jpeg";
  if (starts(0x47, 0x49, 0x46, 0x38)) return "image/gif";
  return undefined;
}

function capped(type: string, data: unknown): unknown {
  if (data instanceof Uint8Array) return base64(data);
  if (typeof data === "string") {
    if (type === "text/plain" || type === "text/markdown" || type === "text/latex")
      return cut(data, MAX_TEXT);
    if (type === "text/html" || type === "image/svg+xml")
      return data.length > MAX_MARKUP ? `<pre>[${type}: truncated, ${data.length} characters]</pre>` : data;
    return data.length > MAX_OTHER ? `[${type}: truncated, ${data.length} characters]` : data;
  }
  return data;
}

function cut(text: string, limit: number): string {
  return text.length <= limit
    ? text
    : `${text.slice(0, limit)}\n… truncated: ${limit} of ${text.length} characters shown`;
}
