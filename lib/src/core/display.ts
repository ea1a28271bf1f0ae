/** How objects show themselves in notebooks. */

/** Representations by MIME type. */
export type MimeBundle = Record<string, unknown>;

/** Objects with this method show themselves in a notebook. */
export const displaySymbol = Symbol.for("Jupyter.display");

/** Text as HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
