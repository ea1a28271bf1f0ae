/**
 * From a value to a MIME bundle. Every bundle that leaves the worker has `text/plain`, holds only JSON,
 * and is capped in size.
 */
import { inspect } from "node:util";
import type { MimeBundle } from "../link/messages.js";
import { reportError } from "./errors.js";
import { plotlyHtml, plotlyText } from "./plotly.js";
import { escapeHtml, mapTable, recordsTable } from "./table.js";
import { hasTree, holdsObjects, treeHtml } from "./tree.js";
import { isVegaLite, VEGALITE, vegaText } from "./vega.js";

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
    else if (VEGALITE in out) out["text/plain"] = vegaText(out[VEGALITE]);
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
  if (isVegaLite(value)) return { [VEGALITE]: value };
  if (value instanceof Error) return { "text/plain": reportError(value).traceback.join("\n") };
  const text = plainText(value);
  const html = recordsTable(value) ?? mapTable(value) ?? largeTree(value, text);
  return html === undefined ? { "text/plain": text } : { "text/html": html, "text/plain": text };
}

/** Lines of text that are read at a glance; what is longer, or was left out of the text, is shown as a tree. */
const GLANCE = 15;

function largeTree(value: unknown, text: string): string | undefined {
  if (!hasTree(value) || !holdsObjects(value)) return undefined;
  const elided = /\[(Object|Array|Map|Set|[A-Z]\w*)\]/.test(text);
  return elided || text.split("\n").length > GLANCE ? treeHtml(value) : undefined;
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

export function imageType(bytes: Uint8Array): string | undefined {
  const starts = (...prefix: number[]) => prefix.every((byte, index) => bytes[index] === byte);
  if (starts(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a)) return "image/png";
  if (starts(0xff, 0xd8, 0xff)) return "image/jpeg";
  if (starts(0x47, 0x49, 0x46, 0x38)) return "image/gif";
  if (starts(0x52, 0x49, 0x46, 0x46) && bytes.length > 12 && latin1(bytes.subarray(8, 12)) === "WEBP")
    return "image/webp";
  return undefined;
}

function capped(type: string, data: unknown): unknown {
  if (data instanceof Uint8Array) return base64(data);
  if (typeof data === "string") {
    if (type === "text/plain" || type === "text/markdown" || type === "text/latex")
      return cut(data, MAX_TEXT);
    if (type === "text/html" || type === "image/svg+xml")
      return data.length > MAX_MARKUP ? marked(type, `${type}: truncated, ${data.length} characters`) : data;
    return data.length > MAX_OTHER ? `[${type}: truncated, ${data.length} characters]` : data;
  }
  const size = JSON.stringify(data)?.length ?? 0;
  return size > MAX_OTHER ? { truncated: `${size} characters of ${type}` } : data;
}

function marked(type: string, text: string): string {
  if (type === "text/html") return `<pre>[${escapeHtml(text)}]</pre>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="480" height="24"><text x="4" y="16" font-family="monospace" font-size="12">[${escapeHtml(text)}]</text></svg>`;
}

function cut(text: string, limit: number): string {
  return text.length <= limit
    ? text
    : `${text.slice(0, limit)}\n… truncated: ${limit} of ${text.length} characters shown`;
}
